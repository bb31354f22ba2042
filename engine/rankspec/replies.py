"""What a reply says: a body to map, or one of our errors. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import orjson

from rankspec.errors import (
    AuthenticationRejected,
    ProviderError,
    ProviderUnavailable,
    RankspecError,
    RateLimited,
    RequestRejected,
    ResponseInvalid,
    TimedOut,
    TransportError,
    redact,
)
from rankspec.mapping import Expression, MappingFailed
from rankspec.models import HttpResponse, Json
from rankspec.specs import ProviderSpec

MAX_EXCERPT_CHARACTERS = 300

KINDS: dict[str, type[ProviderError]] = {
    "authentication": AuthenticationRejected,
    "request": RequestRejected,
    "rate_limit": RateLimited,
    "unavailable": ProviderUnavailable,
}
"""The kinds of error that a spec may name."""

_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-amzn-requestid", "x-ms-request-id", "apim-request-id")
PHRASES = {status.value: status.phrase for status in HTTPStatus}
"""What each status means, in HTTP's own words."""

_BOM = b"\xef\xbb\xbf"


def read_error(spec: ProviderSpec, response: HttpResponse, secrets: Iterable[str]) -> tuple[RankspecError | None, Json]:
    """The error that a reply is, or None with its decoded body.

    Args:
        secrets: the values to be kept out of every text.
    """
    status = response.status
    body, is_json = _decoded(response.body)
    if 200 <= status < 300:
        if not is_json:
            return _not_json(spec, response, secrets), None
        in_success = spec.errors.in_success
        if in_success is None or not _truth(_search(in_success, body, response.headers)):
            return None, body
    elif 300 <= status < 400:
        return _redirect(spec, response, secrets), None
    return _error(spec, response, body if is_json else None, secrets), None


def _decoded(raw: bytes) -> tuple[Json, bool]:
    try:
        return orjson.loads(raw.removeprefix(_BOM)), True
    except orjson.JSONDecodeError:
        return None, False


def _not_json(spec: ProviderSpec, response: HttpResponse, secrets: Iterable[str]) -> ResponseInvalid:
    raw = response.body
    if not raw.strip():
        what = "with an empty body"
    elif _is_html(response):
        what = "with an HTML page where JSON was due; is the base URL that of the API?"
    else:
        what = "with a body that is not JSON, or was cut off"
    text = f"{spec.title} answered {response.status} {what}"
    return ResponseInvalid(text, provider=spec.name, excerpt=excerpt(raw, secrets))


def _redirect(spec: ProviderSpec, response: HttpResponse, secrets: Iterable[str]) -> ProviderError:
    try:
        host = urlsplit(response.headers.get("location", "")).netloc.rpartition("@")[2]
    except ValueError:  # Brackets without an address between them.
        host = ""
    where = f" to {redact(host, secrets)}" if host else ""
    message = (
        f"{spec.title} answered {response.status}, a redirect{where}, which is not followed because the request "
        "carries a key; check the base URL"
    )
    return ProviderError(message, provider=spec.name, status=response.status, request_id=_request_id(response, secrets))


def _error(spec: ProviderSpec, response: HttpResponse, body: Json, secrets: Iterable[str]) -> ProviderError:
    secrets = tuple(secrets)
    mapping, headers = spec.errors, response.headers
    status = response.status
    found = _first(mapping.status, body, headers, (int, float, str))
    if found is not None and re.fullmatch(r"[1-5][0-9]{2}", str(found)):
        status = int(found)
    code = _first(mapping.code, body, headers, (str, int, float))
    code_text = None if code is None else redact(str(code), secrets)[:MAX_EXCERPT_CHARACTERS]
    message = _first(mapping.message, body, headers, (str,))
    told = _one_line(redact(message, secrets)) if message is not None else _plain_text(response, secrets)
    kind = _kind(spec, status, code_text)
    title = spec.title
    sentence = f"{title} answered {status}: {told}"
    if 200 <= response.status < 300:
        sentence = f"{title} answered {response.status} with an error: {told}"
    if kind is AuthenticationRejected:
        variables = [name for one in spec.authenticators for secret in one.secrets for name in secret.env]
        if variables:
            sentence += f" (check the key: {', '.join(dict.fromkeys(variables))}, or what was passed)"
    return kind(
        sentence,
        provider=spec.name,
        status=status,
        provider_message=told,
        code=code_text,
        retry_after_seconds=_retry_after(spec, response, body),
        request_id=_request_id(response, secrets),
        message_is_mapped=message is not None,
    )


def _kind(spec: ProviderSpec, status: int, code: str | None) -> type[ProviderError]:
    kinds = spec.errors.kinds
    if code is not None:
        if code in kinds:
            return KINDS[kinds[code]]
        families = [key for key in kinds if key.endswith("*") and code.startswith(key[:-1])]
        if families:
            return KINDS[kinds[max(families, key=len)]]
    if str(status) in kinds:
        return KINDS[kinds[str(status)]]
    if status in (401, 402, 403):
        return AuthenticationRejected
    if status == 429:
        return RateLimited
    if status in (408, 424, 425) or status >= 498:
        return ProviderUnavailable
    return RequestRejected if status >= 400 else ProviderError


def _retry_after(spec: ProviderSpec, response: HttpResponse, body: Json) -> float | None:
    """Seconds to wait, from the headers or where the spec says. Source: RFC 9110, section 10.2.3."""
    headers = response.headers
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    told = headers.get("retry-after")
    if told is not None:
        seconds = _number(told)
        if seconds is not None:
            return seconds
        try:
            until = parsedate_to_datetime(told)
            return max(0.0, (until - _now(headers)).total_seconds())
        except (TypeError, ValueError):
            pass
    return _number(_first(spec.errors.retry_after_seconds, body, headers, (int, float, str)))


def _now(headers: Mapping[str, str]) -> datetime:
    """The time by the provider's own clock where it tells it, so that a wrong one here does no harm."""
    try:
        told = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return datetime.now(UTC)
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _number(text: object) -> float | None:
    try:
        number = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < 1e9 else None


def is_retryable(failure: Exception) -> bool:
    """Whether the same request may succeed a little later."""
    return isinstance(failure, RateLimited | ProviderUnavailable | TransportError) and not isinstance(failure, TimedOut)


def _first(expressions: Iterable[Expression], body: Json, headers: Mapping[str, str], types: tuple[type, ...]) -> Json:
    """What the first expression gives that gives something of these types that is not blank."""
    for expression in expressions:
        found = _search(expression, body, headers)
        if isinstance(found, types) and not isinstance(found, bool) and str(found).strip():
            return found
    return None


def _search(expression: Expression, body: Json, headers: Mapping[str, str]) -> Json:
    try:
        return expression.search(body, headers)
    except MappingFailed:
        return None  # An error body of another shape: the next expression may fit.


def _truth(value: Json) -> bool:
    """Truth as JMESPath has it: 0 is true there."""
    return value is not None and value is not False and value not in ("", [], {})


def _plain_text(response: HttpResponse, secrets: Iterable[str]) -> str:
    if _is_markup(response):  # Plain text and JSON are often sent as text/html: the body says what it is.
        return "an HTML page"
    text = excerpt(response.body, secrets)
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return text or redact(response.reason, secrets) or PHRASES.get(response.status, "no message")


def _is_html(response: HttpResponse) -> bool:
    return "html" in response.headers.get("content-type", "").lower() or _is_markup(response)


def _is_markup(response: HttpResponse) -> bool:
    return response.body.lstrip()[:1] == b"<"


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_EXCERPT_CHARACTERS else text[:MAX_EXCERPT_CHARACTERS] + "..."


def excerpt(raw: bytes, secrets: Iterable[str] = ()) -> str:
    """The beginning of a body, on one line, without the secrets."""
    # Before the text is cut: half a secret would not be known again.
    return _one_line(redact(raw.decode("utf-8", "replace"), secrets))


def _request_id(response: HttpResponse, secrets: Iterable[str]) -> str | None:
    told = next((response.headers[name] for name in _REQUEST_ID_HEADERS if name in response.headers), None)
    return None if told is None else redact(told, secrets)
