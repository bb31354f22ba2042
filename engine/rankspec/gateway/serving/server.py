"""`rankspec serve`: reads the config, listens, and runs the gateway on uvicorn, in this process or in several."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import warnings
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Literal

from rankspec.catalog import Catalog, SpecOverridden, unreadable
from rankspec.errors import ConfigInvalid, ExtraMissing
from rankspec.gateway.config import config_without_file, read_config
from rankspec.gateway.edge.app import Gateway
from rankspec.gateway.observing.logs import AccessLog
from rankspec.gateway.routing.assembly import Assembly, Snapshot
from rankspec.gateway.serving import listening
from rankspec.gateway.serving.descriptors import raise_limit
from rankspec.gateway.serving.memory import collect_seldom, give_back_at_times, keep_memory_for_requests
from rankspec.gateway.serving.reloading import Reloader, ignoring_reloads, state_of
from rankspec.gateway.values import GatewayConfig
from rankspec.models import Finding
from rankspec.version import __version__

try:
    import uvicorn
except ImportError:
    raise ExtraMissing("gateway", "rankspec serve") from None

from rankspec.gateway.observing.metrics import Metrics
from rankspec.gateway.serving.protocol import GatewayProtocol, ServerSettings
from rankspec.transports.async_transport import AsyncTransport

LogForm = Literal["auto", "json", "text"]

_OPEN = (
    "every machine that reaches this port can rerank at your cost: set a key (general_settings: master_key), or "
    "listen on 127.0.0.1"
)


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What the command line says.

    Attributes:
        config: the file; without one, every provider whose keys are set is served.
        host, port: instead of the config's.
        uds, fd: a Unix socket's path, or a socket that is handed over, instead of host and port.
        reuse_port: share the port with another process that does so too.
        workers: how many processes answer.
        grace_seconds: how long requests may take that are under way when the server is told to stop.
        head_seconds: how long a request's head may take to arrive.
        keep_alive_seconds: how long a connection without a request is kept.
        is_lenient: leave out what cannot work instead of refusing to start.
        log_form: of the log on standard error; auto is text on a terminal, and otherwise json.
    """

    config: str | None = None
    host: str | None = None
    port: int | None = None
    uds: str | None = None
    fd: int | None = None
    reuse_port: bool = False
    workers: int = 1
    grace_seconds: int = 30
    head_seconds: float = 10.0
    keep_alive_seconds: int = 75
    is_lenient: bool = False
    log_form: LogForm = "auto"


def run(options: ServeOptions) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigInvalid: with the file's findings.
        RankspecError: a deployment cannot work, or there is nothing to listen on.
        SystemExit: a second signal came.
    """
    warnings.simplefilter("ignore", SpecOverridden)  # The config asks for it.
    with ignoring_reloads():
        if options.workers > 1:
            from rankspec.gateway.serving.workers import run_workers

            run_workers(options)
        else:
            _run_here(options)


def _run_here(options: ServeOptions) -> None:
    """Serve in this process."""
    service = Service(options)
    config, log = service.gateway.snapshot.config, service.log
    sockets = listen(options, config, os.environ)
    with listening.removed_at_end(options.uds):
        is_forced = service.serve(sockets, lambda: tell_start(log, sockets, config, service.summary, service.findings))
    log.event("stopped")
    log.flush()
    if is_forced:
        raise SystemExit(1)


def load_config(options: ServeOptions) -> tuple[GatewayConfig, list[Finding], Catalog]:
    """The config, with what the command line says instead, the warnings about the file, and its specs.

    Raises:
        ConfigInvalid: with the file's findings.
        RankspecError: the file cannot be read.
    """
    if options.config is None:
        catalog = Catalog()
        config, findings = config_without_file(os.environ, catalog), list[Finding]()
    else:
        text = _read(options.config)
        config, findings, catalog = read_config(text, options.config, os.environ, lenient=options.is_lenient)
    server = config.server
    host = server.host if options.host is None else options.host
    port = server.port if options.port is None else options.port
    return replace(config, server=replace(server, host=host, port=port)), findings, catalog


def _read(file: str) -> str:
    try:
        return Path(file).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid(unreadable(file, error).findings) from None


def listen(options: ServeOptions, config: GatewayConfig, environ: MutableMapping[str, str]) -> list[socket.socket]:
    """The sockets to serve: those that the command line names, else those handed over, else the config's.

    Raises:
        CannotListen: there is none.
    """
    if options.fd is not None:
        return [listening.listen_on_fd(options.fd)]
    if options.uds is not None:
        return [listening.listen_at_path(options.uds)]
    handed_over = listening.handed_over(environ, os.getpid())
    server = config.server
    return handed_over or [listening.listen_at(server.host, server.port, reuse_port=options.reuse_port)]


def make_log(options: ServeOptions, config: GatewayConfig) -> AccessLog:
    """The log on standard error."""
    form: Literal["json", "text"] = "json" if options.log_form == "json" else "text"
    if options.log_form == "auto":
        form = "text" if sys.stderr.isatty() else "json"
    return AccessLog(sys.stderr, form, config.server.log_content)


@dataclass(frozen=True, slots=True)
class Summary:
    """What is told of a gateway at its start. `left_out` says what lenience cost."""

    models: int
    deployments: int
    left_out: Mapping[str, str]


def tell_start(
    log: AccessLog,
    sockets: Sequence[socket.socket],
    config: GatewayConfig,
    summary: Summary,
    findings: Sequence[Finding],
    workers: int | None = None,
) -> None:
    """Log where callers find what, and what operators should know."""
    for finding in findings:
        log.event("config", "warning", finding=str(finding))
    for name, message in summary.left_out.items():
        log.event("left_out", "warning", deployment=name, message=message)
    log.event(
        "started",
        url=" ".join(map(listening.url_of, sockets)),
        models=summary.models,
        deployments=summary.deployments,
        key="needed" if config.server.keys else "not needed",
        workers=workers,
        version=__version__,
    )
    if not config.server.keys and not all(map(listening.is_for_this_machine, sockets)):
        log.event("open_to_everyone", "warning", message=_OPEN)


class Service:
    """One process's gateway, built and not yet serving.

    Args:
        workers: how many such processes there are.

    Raises:
        RankspecError: as `run` tells.
    """

    def __init__(self, options: ServeOptions, *, workers: int = 1) -> None:
        self.options = options
        seen = state_of([Path(options.config)] if options.config is not None else [])
        config, self.findings, catalog = load_config(options)
        self.log = make_log(options, config)
        transport = AsyncTransport()
        self._assembly = Assembly(os.environ, transport, workers=workers, is_lenient=options.is_lenient)
        snapshot = self._assembly.build(config, catalog=catalog)
        metrics = Metrics(__version__)
        self.gateway = Gateway(snapshot, metrics=metrics, log=self.log, transport=transport)
        metrics.states = self._states
        reloader = Reloader(self.gateway, self._rebuilt, log=self.log, metrics=metrics, environ=os.environ, seen=seen)
        self.gateway.run_beside(reloader.run)

    @property
    def summary(self) -> Summary:
        """What there is to tell at the start."""
        snapshot = self.gateway.snapshot
        deployments = len(snapshot.config.deployments)
        return Summary(len(snapshot.router.groups.names), deployments, dict(snapshot.left_out))

    def _states(self) -> list[tuple[str, str]]:
        deployments = self.gateway.snapshot.router.groups.deployments
        return [(one.id, one.state.state_name) for one in deployments]

    def _rebuilt(self, previous: Snapshot) -> Snapshot:
        config, findings, catalog = load_config(self.options)
        snapshot = self._assembly.build(config, catalog=catalog, previous=previous)
        for finding in findings:
            self.log.event("config", "warning", finding=str(finding))
        before, now = previous.config.server, config.server
        if (before.host, before.port, before.log_content) != (now.host, now.port, now.log_content):
            self.log.event("config", "warning", message="host, port and log_content change with the next start only")
        return snapshot

    def serve(self, sockets: list[socket.socket], on_started: Callable[[], None], *, is_worker: bool = False) -> bool:
        """Answer requests until SIGTERM or SIGINT.

        Args:
            on_started: called when requests are answered.
            is_worker: whether signals come from a parent process that knows when patience is over.

        Returns:
            Whether a second signal ended it before all were answered.
        """
        _log_uvicorn(self.log)
        if keep_memory_for_requests():
            self.gateway.run_beside(give_back_at_times)
        collect_seldom()
        options = self.options
        settings = ServerSettings(
            self.gateway,
            loop="auto",
            http=GatewayProtocol,
            ws="none",
            lifespan="on",
            interface="asgi3",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=listening.BACKLOG,
            timeout_keep_alive=options.keep_alive_seconds,
            timeout_graceful_shutdown=options.grace_seconds,
            head_seconds=options.head_seconds,
            max_connections=raise_limit() // 2,  # Each request may need one to a provider.
        )
        server = _Server(settings, on_started, is_worker=is_worker)
        try:
            server.run(sockets)
        finally:
            self.gateway.flush()  # What the last turn of the loop has left.
        return server.force_exit


class _Server(uvicorn.Server):
    """uvicorn's server, which a first signal stops in peace and a second one at once.

    Args:
        on_started: called when requests are answered.
        is_worker: a second signal means no more than the first: process managers signal parent and workers alike.
    """

    def __init__(self, settings: ServerSettings, on_started: Callable[[], None], *, is_worker: bool) -> None:
        super().__init__(settings)
        self._settings = settings
        self._on_started = on_started
        self._is_worker = is_worker

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not the parent's: it would raise the signal again at the end, and so end the process with it.
        self.force_exit = self.should_exit and not self._is_worker
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._settings.is_stopping = True
        last = asyncio.ensure_future(self._accept_last([one.dup() for one in sockets or ()]))
        await super().shutdown(sockets)
        await last

    async def _accept_last(self, sockets: list[socket.socket]) -> None:
        """Take in the connections that wait to be accepted, once the server takes no more: closing would reset them."""
        await asyncio.sleep(0)
        for one in sockets:
            accepted = []
            one.setblocking(False)
            with one, suppress(OSError):
                while True:
                    accepted.append(one.accept()[0])
            for connection in accepted:
                connection.setblocking(False)
                await asyncio.get_running_loop().connect_accepted_socket(self._connection, connection)

    def _connection(self) -> GatewayProtocol:
        return GatewayProtocol(self._settings, server_state=self.server_state, app_state=self.lifespan.state)


def _log_uvicorn(log: AccessLog) -> None:
    """Let uvicorn's errors be events of our log."""
    logger = logging.getLogger("uvicorn")
    logger.handlers = [_Events(log)]
    logger.propagate = False


class _Events(logging.Handler):
    def __init__(self, log: AccessLog) -> None:
        super().__init__(logging.ERROR)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        self._log.event("server", "error", message=record.getMessage().strip(), error=kind)
