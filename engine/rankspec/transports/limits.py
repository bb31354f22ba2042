"""What both network transports share: their bounds, and the errors that they word alike."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from rankspec.errors import TransportError, redact
from rankspec.models import HttpRequest

MAX_REPLY_BYTES = 64 * 1024 * 1024
"""The largest reply that is read, after decompression."""

MAX_CONCURRENT_PARTS = 8
"""How many parts of a split call are under way at once."""

_CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def certificate_file(environ: Mapping[str, str]) -> str | None:
    """The file of trusted certificates that the environment names, or None."""
    return next((environ[name] for name in _CERTIFICATE_VARIABLES if environ.get(name)), None)


def no_connection(kind: type[TransportError], request: HttpRequest, reason: str, seconds: float) -> TransportError:
    """The error for a request that got no complete reply."""
    host = urlsplit(request.url).netloc
    what = "broke off before the reply was complete" if kind is TransportError else "could not be made"
    message = f"the connection to {host} {what}: {redact(reason, request.secrets)}; check the address and the network"
    return kind(message, seconds_waited=seconds)


def reply_too_large() -> TransportError:
    """The error for a reply over the bound."""
    return TransportError(f"the reply is larger than {MAX_REPLY_BYTES} bytes, and was not read to its end")
