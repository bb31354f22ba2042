"""What all network transports share: their bounds, the environment, and the errors that they word alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from rankspec.errors import ConnectFailed, TimedOut, TransportError, redact
from rankspec.models import HttpRequest

MAX_REPLY_BYTES = 64 * 1024 * 1024
"""The largest reply that is read, after decompression."""

MAX_CONCURRENT_PARTS = 8
"""How many parts of a split call are under way at once."""

SECONDS_OF_RACE = 1.0
"""For how long a kept connection that breaks off before a reply counts as one that the server had closed just then."""

# What went wrong, in the same words whichever library says it. What the system says of a socket is passed on.
UNKNOWN_HOST = "the host name is not known"
CUT_OFF = "the reply ended early or is not HTTP"
BAD_COMPRESSION = "the reply's compression is broken"
NO_TLS = "TLS could not be agreed on"
BAD_CERTIFICATE = "the server's certificate is not accepted (REQUESTS_CA_BUNDLE may name a file of those to trust)"
BAD_PROXY = "what the environment names as its proxy is no address of one"
PROXY_REFUSED = "the proxy does not let it through"
FORKED = "this process was forked from one that had made async or native calls already; fork first, or spawn"
CLOSED = "the client was closed"

_CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def certificate_file(environ: Mapping[str, str]) -> str | None:
    """The file or folder of trusted certificates that the environment names, or None.

    Raises:
        ConnectFailed: there is no such file.
    """
    name = next((name for name in _CERTIFICATE_VARIABLES if environ.get(name)), None)
    if name is None:
        return None
    if not Path(environ[name]).exists():
        raise ConnectFailed(f"there is no file of certificates at {environ[name]}; correct {name}, or unset it")
    return environ[name]


def proxies_for(url: str) -> dict[str, str]:
    """The proxies that the environment names for this address, by scheme; none if it is to be reached without."""
    from requests.utils import get_environ_proxies

    proxies: dict[str, str] = get_environ_proxies(url)
    return proxies


def no_connection(kind: type[TransportError], request: HttpRequest, reason: str, seconds: float) -> TransportError:
    """The error for a request that got no complete reply."""
    host = urlsplit(request.url).netloc
    what = "broke off before the reply was complete" if kind is TransportError else "could not be made"
    message = f"the connection to {host} {what}: {redact(reason, request.secrets)}; check the address and the network"
    return kind(message, seconds_waited=seconds)


def timed_out(request: HttpRequest, seconds: float) -> TimedOut:
    """The error for a request whose time is up after so many seconds."""
    host = urlsplit(request.url).netloc
    return TimedOut(f"{host} gave no complete answer within {seconds:.1f} seconds", seconds_waited=seconds)


def reply_too_large() -> TransportError:
    """The error for a reply over the bound."""
    return TransportError(f"the reply is larger than {MAX_REPLY_BYTES} bytes, and was not read to its end")
