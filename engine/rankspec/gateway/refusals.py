"""What a caller is told when there is no ranking: a status of Cohere's and one sentence, which gives nothing away."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rankspec.errors import (
    AuthenticationRejected,
    ConnectFailed,
    CredentialMissing,
    ProviderError,
    ProviderUnavailable,
    RankspecError,
    RateLimited,
    RequestInvalid,
    RequestRejected,
    ResponseInvalid,
    SettingMissing,
    SpecInvalid,
    SpecNotFound,
    TimedOut,
    TransportError,
)
from rankspec.models import Problem, format_path


class Refused(RankspecError):
    """A request is not answered. Its text is for the caller.

    Carries the HTTP `status`, `retry_after_seconds` (or None), and more `headers` of the reply.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        retry_after_seconds: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.headers = headers or {}


class ModelNotFound(Refused):
    """No deployment answers for that name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            404,
            f"model '{name[:200]}' not found, make sure the correct model ID was used and that you have access to the "
            "model.",
        )


class Busy(Refused):
    """Every deployment of the model is at its limit."""

    def __init__(self, name: str, retry_after_seconds: float) -> None:
        super().__init__(
            429,
            f"the model '{name}' is at its limit of requests, please wait and try again later",
            retry_after_seconds=retry_after_seconds,
        )


_MAX_CHARACTERS = 300
_MAX_PROBLEMS = 5
_DEFAULT_RETRY_AFTER_SECONDS = 1.0

_NOT_SET_UP = (
    "the gateway is not set up to answer for this model; this is no fault of the request, and its operator has to look "
    "at the gateway's log"
)
_NOT_AVAILABLE = "the model is not available right now, please try again later"
_NOT_UNDERSTOOD = "the model's provider gave an answer that cannot be used, please try again later"


def refusal_of(error: RankspecError) -> Refused:
    """What a caller is told of an error: a sentence of our own, but for what is wrong with the caller's own request."""
    return next(_TABLE[kind](error) for kind in type(error).__mro__ if kind in _TABLE)


def _itself(error: Any) -> Refused:
    refused: Refused = error
    return refused


def _fixed(status: int, message: str) -> Callable[[Any], Refused]:
    """A refusal that is the same whatever the error says, except for when to come back."""

    def refuse(error: Any) -> Refused:
        return Refused(status, message, retry_after_seconds=getattr(error, "retry_after_seconds", None))

    return refuse


def _rate_limited(error: RateLimited) -> Refused:
    seconds = error.retry_after_seconds
    return Refused(
        429,
        "the rate limit of the model's provider is reached, please wait and try again later",
        retry_after_seconds=_DEFAULT_RETRY_AFTER_SECONDS if seconds is None else seconds,
    )


def _invalid(error: RequestInvalid) -> Refused:
    told = [_sentence(problem) for problem in error.problems[:_MAX_PROBLEMS]]
    more = len(error.problems) - len(told)
    if more > 0:
        told.append(f"and {more} more")
    return Refused(400, "invalid request: " + "; ".join(told))


def _sentence(problem: Problem) -> str:
    """What is wrong, in the words of Cohere where it has some."""
    match problem.path, problem.message:
        case ("query",), "must not be empty or only white space":
            return "query must not be empty or be only whitespace"
        case (), str(message) if message.startswith("'query' is missing"):
            return "query must not be empty or be only whitespace"
        case (), str(message) if message.startswith("'documents' is missing"):
            return "list of documents must not be empty"
        case ("documents",), "must hold at least one document":
            return "list of documents must not be empty"
        case ("documents", int(index)), "must not be empty or only white space" | "must have at least one field":
            return f"document at index {index} cannot be empty"
        case ("rank_fields",), "must not be empty":
            return "rank_fields cannot be empty, it must either contain at least one field or be omitted"
    where = format_path(problem.path)[:_MAX_CHARACTERS]
    message = problem.message[: 2 * _MAX_CHARACTERS]
    return f"{where}: {message}" if where else message


_AS_SAID = (400, 413, 422, 498)
"""Statuses of a provider that say something about the caller's request, and that Cohere has too."""

MISADDRESSED = (404, 405, 410)
"""Statuses of a provider that say that the gateway asks in the wrong place, or for the wrong model."""


def _rejected(error: RequestRejected) -> Refused:
    if error.status in MISADDRESSED:
        return Refused(500, _NOT_SET_UP)
    told = shown(error.provider_message) if error.message_is_mapped else ""
    return Refused(
        error.status if error.status in _AS_SAID else 400,
        told or "invalid request: the model's provider refused it, and does not say why",
    )


_TABLE: dict[type, Callable[[Any], Refused]] = {
    Refused: _itself,
    RequestInvalid: _invalid,
    RequestRejected: _rejected,
    SpecNotFound: _fixed(404, "model not found, make sure the correct model ID was used"),
    RateLimited: _rate_limited,
    ProviderUnavailable: _fixed(503, _NOT_AVAILABLE),
    ConnectFailed: _fixed(503, _NOT_AVAILABLE),
    TransportError: _fixed(503, _NOT_AVAILABLE),
    TimedOut: _fixed(504, "the model did not answer in time, please try again later"),
    AuthenticationRejected: _fixed(500, _NOT_SET_UP),
    CredentialMissing: _fixed(500, _NOT_SET_UP),
    SettingMissing: _fixed(500, _NOT_SET_UP),
    SpecInvalid: _fixed(500, _NOT_SET_UP),
    ResponseInvalid: _fixed(500, _NOT_UNDERSTOOD),
    ProviderError: _fixed(500, _NOT_UNDERSTOOD),
    RankspecError: _fixed(500, _NOT_SET_UP),
}
"""Errors to refusals, looked up along the class order."""

_GIVES_AWAY = re.compile(
    r"""
    [a-z][a-z0-9+.-]*://\S*                                  # URLs
    | \S+@\S+\.\S+                                          # addresses of people
    | \b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b                  # addresses of machines
    | \[[0-9a-f]*:[0-9a-f:.]+\](?::\d+)?
    | (?<![\w.-])(?:[a-z0-9_-]+\.)*[a-z0-9_-]+:\d{2,5}\b       # host:port
    | \b(?:[a-z0-9-]+\.)+(?:com|net|org|io|ai|cloud|dev|internal|local|localhost|corp|lan|svc)\b(?:/\S*)?
    | (?<![\w.)\]])~?/(?!\s)[^\s"',;)]+                       # absolute paths
    | (?<!\w)[a-z]:[\\/][^\s"',;)]+ | \\\\[^\s"',;)]+
    | \bbearer\s+\S+                                        # keys
    | \b(?:sk|pk|rk|nvapi|pcsk|hf|gsk|xai|r8|fw|tgp|ghp)[-_][\w*.-]{6,}
    | (?:(?<=key)|(?<=token)|(?<=secret)|(?<=password))\s*(?:provided\s*)?[:=]\s*\S+
    | \b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b
    | (?<![a-z0-9])(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9+/]{16,}={0,2}(?![a-z0-9])
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What a provider's message may hold that is none of a caller's business."""


def shown(message: str) -> str:
    """A provider's message as a caller may see it, or an empty text if it is no message but a page or a body."""
    text = " ".join(message.split())
    if text[:1] in ("<", "{", "[") or text == "an HTML page":
        return ""
    text = _GIVES_AWAY.sub("***", text[: 4 * _MAX_CHARACTERS])
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 3] + "..."
