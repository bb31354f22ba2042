"""The sockets that callers reach: a host and port, a Unix socket, or one that is handed over, as systemd does."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

from rankspec.errors import RankspecError

BACKLOG = 2048
_PROBE_SECONDS = 1.0
_FIRST_FD = 3
"""Where systemd puts the first socket that it hands over. Source: sd_listen_fds(3)."""


class CannotListen(RankspecError):
    """There is no socket to listen on."""


def listen_at(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """A socket that listens at a host and port.

    Args:
        port: 0 for one that is free.
        reuse_port: share the port with other processes that ask for that too, such as this one's successor.

    Raises:
        CannotListen: the name is not known, or the port is taken.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # A name such as localhost has two addresses: clients try the older one, too.
        family, *_, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        return socket.create_server(
            address[:2],
            family=family,
            backlog=BACKLOG,
            reuse_port=reuse_port,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
    except (OSError, UnicodeError) as error:
        raise CannotListen(f"{_in_url(host)}:{port} cannot be listened on: {_reason(error)}") from None


def listen_at_path(path: str) -> socket.socket:
    """A Unix socket that listens at a path; what a process left there that ended is replaced.

    Raises:
        CannotListen: something else is there, or nothing can be.
    """
    try:
        _remove_leftover(path)
        with ExitStack() as stack:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            listener.bind(path)
            Path(path).chmod(0o666)
            listener.listen(BACKLOG)
            stack.pop_all()
    except OSError as error:
        raise CannotListen(f"{path} cannot be listened on: {_reason(error)}") from None
    return listener


def _remove_leftover(path: str) -> None:
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            raise CannotListen(f"{path} cannot be listened on: it is a file, and no socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_PROBE_SECONDS)  # Whoever listens there may be too busy to take it.
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                Path(path).unlink()


def _identity_of(path: str) -> tuple[int, int, int] | None:
    """What tells the file at a path from every other one; None if there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns  # Numbers of files are used again.


@contextmanager
def removed_at_end(path: str | None) -> Iterator[None]:
    """Remove a Unix socket's file at the end, but for that of a successor that listens at the path by then."""
    own = _identity_of(path) if path is not None else None
    try:
        yield
    finally:
        if path is not None and own is not None and _identity_of(path) == own:
            Path(path).unlink(missing_ok=True)


def handed_over(environ: MutableMapping[str, str], process: int) -> list[socket.socket]:
    """The sockets that systemd hands over to this process, or an empty list.

    Args:
        environ: its variables about them are removed: processes that this one starts have no such sockets.
        process: the id of this process.

    Raises:
        CannotListen: they are none to listen on.
    """
    told = {name: environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    if told["LISTEN_PID"] != str(process) or not told["LISTEN_FDS"].isdecimal():
        return []
    return [listen_on_fd(_FIRST_FD + number) for number in range(int(told["LISTEN_FDS"]))]


def listen_on_fd(fd: int) -> socket.socket:
    """The socket of a file descriptor that this process was started with.

    Raises:
        CannotListen: it is none to listen on.
    """
    try:
        listener = socket.socket(fileno=fd)
    except OSError as error:
        raise CannotListen(f"file descriptor {fd} cannot be listened on: {_reason(error)}") from None
    try:
        listener.listen(BACKLOG)  # It may do so already.
        listener.set_inheritable(False)
    except OSError as error:
        listener.detach()
        raise CannotListen(f"file descriptor {fd} cannot be listened on: {_reason(error)}") from None
    return listener


def _reason(error: OSError | UnicodeError) -> str:
    # Python says more in some texts than the system does; a resolver has numbers of its own.
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return str(getattr(error, "strerror", None) or error)


def url_of(listener: socket.socket) -> str:
    """Where callers reach a socket."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"http://{_in_url(host)}:{port}"


def is_for_this_machine(listener: socket.socket) -> bool:
    """Whether only this machine's own processes reach the socket."""
    if listener.family == socket.AF_UNIX:
        return True
    try:
        return ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback
    except ValueError:
        return False


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
