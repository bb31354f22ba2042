"""Every exception that rankspec raises, and the one function that hides secrets in text.

RankspecError
├── SpecNotFound              no spec of that name
├── SpecInvalid               a spec does not load, or a template fails on what it was given
├── ConfigInvalid             a gateway's config does not load
├── RequestInvalid            the caller's request breaks the schema or cannot be sent
├── CredentialMissing         a key is not set
├── SettingMissing            a setting, such as a region, is not set
├── ExtraMissing              an optional package is not installed
├── TransportError            no complete reply
│   ├── ConnectFailed
│   └── TimedOut
├── ProviderError             a reply that is an error (itself: a redirect, or an error inside a success)
│   ├── AuthenticationRejected
│   ├── RequestRejected
│   ├── RateLimited
│   └── ProviderUnavailable
└── ResponseInvalid           a success reply that breaks the contract

Text is one sentence that says what to do; data is on attributes. No message, attribute or traceback
of these classes holds a secret.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rankspec.models import Finding, Problem


class RankspecError(Exception):
    """The root of all errors raised here."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only attributes would be lost by Exception's own pickling.
        return _rebuild, (type(self), self.message, self.__dict__.copy())


def _rebuild(kind: type[RankspecError], message: str, attributes: dict[str, Any]) -> RankspecError:
    error = kind.__new__(kind, message)
    error.__dict__.update(attributes)
    return error


class SpecNotFound(RankspecError):
    """No spec has that name. Carries `name`, `known` names and the `nearest` of them, or None."""

    def __init__(self, message: str, *, name: str, known: Sequence[str] = (), nearest: str | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.known = tuple(known)
        self.nearest = nearest


class SpecInvalid(RankspecError):
    """A spec does not load. Carries its `findings`."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class ConfigInvalid(RankspecError):
    """A gateway's config does not load. Carries its `findings`."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class RequestInvalid(RankspecError):
    """The caller's request cannot be sent. Carries `problems`, each with a path and a message."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("invalid request: " + "; ".join(str(problem) for problem in self.problems))


class CredentialMissing(RankspecError):
    """A key is not set. Carries `provider`, the secret's `name` and the environment `variables` that may hold it."""

    def __init__(self, message: str, *, provider: str, name: str, variables: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.provider = provider
        self.name = name
        self.variables = tuple(variables)


class SettingMissing(RankspecError):
    """A setting is not set. Carries `provider`, the setting's `name` and the `variables` that may hold it."""

    def __init__(self, message: str, *, provider: str, name: str, variables: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.provider = provider
        self.name = name
        self.variables = tuple(variables)


class ExtraMissing(RankspecError):
    """An optional package is not installed. Carries the `extra` that brings it."""

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs an optional package: pip install 'rankspec[{extra}]'")
        self.extra = extra


class TransportError(RankspecError):
    """No complete reply arrived. Carries `provider` and `seconds_waited`."""

    def __init__(self, message: str, *, provider: str = "", seconds_waited: float = 0.0) -> None:
        super().__init__(message)
        self.provider = provider
        self.seconds_waited = seconds_waited


class ConnectFailed(TransportError):
    """No connection could be made: the request did not reach the provider."""


class TimedOut(TransportError):
    """The call's time ran out."""


class ProviderError(RankspecError):
    """The provider answered with an error.

    Carries `provider`, HTTP `status`, the provider's own `provider_message` and `code` (or None),
    `retry_after_seconds` (or None) and `request_id` (or None). `message_is_mapped` says whether the message stood where
    the spec has messages; otherwise it is the reply's own text, or what its status means.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        status: int = 0,
        provider_message: str = "",
        code: str | None = None,
        retry_after_seconds: float | None = None,
        request_id: str | None = None,
        message_is_mapped: bool = False,
    ) -> None:
        super().__init__(message)
        self.message_is_mapped = message_is_mapped
        self.provider = provider
        self.status = status
        self.provider_message = provider_message
        self.code = code
        self.retry_after_seconds = retry_after_seconds
        self.request_id = request_id


class AuthenticationRejected(ProviderError):
    """The provider refuses the key, or what the key may do."""


class RequestRejected(ProviderError):
    """The provider finds the request at fault."""


class RateLimited(ProviderError):
    """Too many calls. `retry_after_seconds` says how long to wait, if the provider told."""


class ProviderUnavailable(ProviderError):
    """The provider is at fault, and may answer later."""


class ResponseInvalid(RankspecError):
    """A success reply that breaks the contract.

    Carries `provider`, the `expression` that was evaluated (or None) and a short, redacted `excerpt` of the reply.
    """

    def __init__(self, message: str, *, provider: str = "", expression: str | None = None, excerpt: str = "") -> None:
        super().__init__(message)
        self.provider = provider
        self.expression = expression
        self.excerpt = excerpt


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret, also as JSON writes it, replaced by three stars."""
    # The longest first: of a secret that holds another one nothing must be left.
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***").replace(json.dumps(secret)[1:-1], "***")
    return text


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known name that `name` was most likely meant to be, or None. `cutoff`: how like it must be, 0 to 1."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return matches[0] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The tail of a sentence that names the nearest known name, or an empty text."""
    match = nearest(name, known)
    return f"; did you mean '{match}'?" if match else ""
