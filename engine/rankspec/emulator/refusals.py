"""Errors in the provider's own shape: out of the spec's examples, else built from where the spec looks for messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from rankspec.checks.replay import recorded_reply
from rankspec.emulator.places import Steps, put
from rankspec.errors import (
    AuthenticationRejected,
    ProviderError,
    ProviderUnavailable,
    RankspecError,
    RateLimited,
    RequestRejected,
)
from rankspec.models import HttpResponse, Json, leaves, listed
from rankspec.replies import PHRASES, read_error
from rankspec.specs import ProviderSpec

_STATUSES: dict[type[ProviderError], int] = {
    AuthenticationRejected: 401,
    RequestRejected: 400,
    RateLimited: 429,
    ProviderUnavailable: 503,
}
"""The status of each kind of error where no example tells it."""

_SIMPLE_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\[0\])?(\.[A-Za-z_][A-Za-z0-9_]*(\[0\])?)*")
_STEP = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|\[0\]")
_PROBE = "zq0000qz"


class Refusals:
    """The error replies of one spec's provider.

    Args:
        retry_after: the Retry-After header of a 429, in seconds.
    """

    def __init__(self, spec: ProviderSpec, retry_after: str) -> None:
        self._spec = spec
        self._retry_after = retry_after
        self._recorded = list(_recorded_errors(spec))

    def unauthorized(self) -> HttpResponse:
        """The reply to a request without the key: just what the example records."""
        found = [one for kind, one in self._recorded if kind == AuthenticationRejected.__name__]
        return found[0] if found else self._made(AuthenticationRejected, 401, "the key is missing or wrong")

    def rejected(self, message: str, *statuses: int) -> HttpResponse:
        """The reply to a request that cannot be answered.

        Args:
            message: what is wrong with it.
            statuses: those that fit, the best first; the first is used if the provider is not known to answer any.
        """
        for status in statuses:
            for kind, one in self._recorded:
                if kind == RequestRejected.__name__ and one.status == status:
                    return self._worded(one, message)
        return self._made(RequestRejected, statuses[0], message)

    def of_status(self, status: int, message: str | None = None) -> HttpResponse:
        """An error of that status.

        Args:
            message: what it says; by default what the provider's own example says, or the status's own words.
        """
        for _, one in self._recorded:
            if one.status == status:
                reply = one if message is None else self._worded(one, message)
                return self._with_retry_after(reply) if status == 429 else reply
        text = message or PHRASES.get(status, "an error")
        kind = type(read_error(self._spec, HttpResponse(status, {}, b"{}"), ())[0])
        return (
            self._with_retry_after(self._made(kind, status, text)) if status == 429 else self._made(kind, status, text)
        )

    def _with_retry_after(self, reply: HttpResponse) -> HttpResponse:
        headers = {name: text for name, text in reply.headers.items() if name != "retry-after-ms"}
        return replace(reply, headers={**headers, "retry-after": self._retry_after})

    def _made(self, kind: type[RankspecError] | type[None], status: int, message: str) -> HttpResponse:
        """An error of a status that no example has: in the shape of another one, if it then reads as it should."""
        for _, one in self._recorded:
            like = self._worded(replace(one, status=status), message)
            error, _ = read_error(self._spec, like, ())
            if type(error) is kind and isinstance(error, ProviderError) and error.provider_message == message:
                return like
        return self._built(status, message)

    def _built(self, status: int, message: str) -> HttpResponse:
        for expression in self._spec.errors.message:
            if _SIMPLE_PATH.fullmatch(expression.text):
                body: Json = message
                for step in reversed(_STEP.findall(expression.text)):
                    body = [body] if step == "[0]" else {step: body}
                return HttpResponse(status, {"content-type": "application/json"}, orjson.dumps(body))
        return HttpResponse(status, {"content-type": "text/plain"}, message.encode())

    def _worded(self, reply: HttpResponse, message: str) -> HttpResponse:
        """The reply with this message where the provider has its own; as it is if that place is not known."""
        try:
            body = orjson.loads(reply.body)
        except orjson.JSONDecodeError:
            return replace(reply, body=message.encode()) if reply.body else reply
        place = self._place_of_message(reply, body)
        return reply if place is None else replace(reply, body=orjson.dumps(put(body, place, message)))

    def _place_of_message(self, reply: HttpResponse, body: Json) -> Steps | None:
        texts = [path for path, value in leaves(body) if isinstance(value, str)]
        for path in texts:
            error, _ = read_error(self._spec, replace(reply, body=orjson.dumps(put(body, path, _PROBE))), ())
            if isinstance(error, ProviderError) and error.provider_message == _PROBE:
                return path
        for path in texts:
            error, _ = read_error(self._spec, replace(reply, body=orjson.dumps(put(body, path, _PROBE))), ())
            if isinstance(error, ProviderError) and _PROBE in error.provider_message:
                return path
        return None


def _recorded_errors(spec: ProviderSpec) -> Iterator[tuple[str, HttpResponse]]:
    """Every error reply among the examples, with the name of its class; those with a JSON body first."""
    found = [
        (example["raises"]["error"], typed_reply(listed(example["reply"])[-1]))
        for example in spec.examples
        if "raises" in example and "reply" in example
    ]
    found = [(kind, reply) for kind, reply in found if kind in {one.__name__ for one in _STATUSES}]
    yield from sorted(found, key=lambda one: "json" not in one[1].headers["content-type"])


def typed_reply(recorded: dict[str, Any]) -> HttpResponse:
    """A reply as an example records it, with the content type that it has if the example tells none."""
    reply = recorded_reply(recorded)
    kind = "text/plain" if "text" in recorded else "application/json"
    return replace(reply, headers={"content-type": kind, **reply.headers})
