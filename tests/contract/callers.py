"""One way to call, whichever client answers, and what every error must keep to itself."""

from __future__ import annotations

import asyncio
import pickle
import traceback
from base64 import b64encode
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import pytest
from loopback import PATIENCE_SECONDS

from rankspec import AsyncClient, Client, RankspecError, RerankResponse

KEY = "sk-live/0123+4567=abcdef"
"""A key with characters that a URL writes otherwise."""

SECRET_FORMS = (KEY, quote(KEY, safe=""), quote(KEY), b64encode(f"user:{KEY}".encode()).decode())
"""The key, and how URLs and HTTP's basic authentication write it."""

E = TypeVar("E", bound=RankspecError)
V = TypeVar("V")


class Caller(Protocol):
    """A client, called and waited for."""

    kind: str
    client: Any

    def rerank(self, **arguments: Any) -> RerankResponse: ...

    def close(self) -> None: ...


class SyncCaller:
    kind = "sync"

    def __init__(self, **options: Any) -> None:
        self.client = Client(**options)

    def rerank(self, **arguments: Any) -> RerankResponse:
        return self.client.rerank(**arguments)

    def close(self) -> None:
        self.client.close()


class AsyncCaller:
    kind = "async"

    def __init__(self, **options: Any) -> None:
        self.client = AsyncClient(**options)
        self.runner = asyncio.Runner()

    def rerank(self, **arguments: Any) -> RerankResponse:
        return self.runner.run(asyncio.wait_for(self.client.rerank(**arguments), PATIENCE_SECONDS * 2))

    def close(self) -> None:
        self.runner.run(self.client.aclose())
        self.runner.close()


class NativeCaller(SyncCaller):
    kind = "native"

    def __init__(self, **options: Any) -> None:
        super().__init__(transport="native", **options)


CALLERS: dict[str, type[SyncCaller] | type[AsyncCaller]] = {
    "sync": SyncCaller,
    "native": NativeCaller,
    "async": AsyncCaller,
}


def failure_of(caller: Caller, kind: type[E], **arguments: Any) -> E:
    """The error that a call raises, which must be of just this class and hold no secret."""
    with pytest.raises(RankspecError) as caught:
        caller.rerank(**arguments)
    error = caught.value
    assert type(error) is kind, f"{type(error).__name__}: {error}"
    keeps_secrets(error)
    copy = pickled(error)
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
    return error


def pickled(value: V) -> V:
    """What becomes of a value on its way to another process."""
    again: V = pickle.loads(pickle.dumps(value))  # noqa: S301 - just written
    return again


def keeps_secrets(error: BaseException) -> None:
    """No form of the key is anywhere on the error, nor on any error behind it, suppressed or not."""
    texts = [*traceback.format_exception(error)]
    behind: BaseException | None = error
    while behind is not None:
        texts += [str(behind), repr(behind), repr(behind.args), repr(vars(behind))]
        behind = behind.__cause__ or behind.__context__
    for text in texts:
        for secret in SECRET_FORMS:
            assert secret not in text


def outcome_of(caller: Caller, **arguments: Any) -> Any:
    """What a call comes to, in a form that two clients' outcomes can be compared in."""
    try:
        response = caller.rerank(**arguments)
    except RankspecError as error:
        keeps_secrets(error)
        attributes = {name: value for name, value in vars(error).items() if name != "seconds_waited"}
        return type(error).__name__, str(error), attributes
    return response.to_dict()
