"""`Client` and `AsyncClient`: look up spec and key, run an exchange. No logic of their own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from inspect import iscoroutinefunction, signature
from typing import TYPE_CHECKING, Any, Concatenate, Literal, NamedTuple, ParamSpec, TypeVar

from rankspec.errors import RequestInvalid
from rankspec.models import (
    CHUNK_SCORES,
    LONG_DOCUMENTS,
    POLICIES,
    ChunkScore,
    Document,
    Exchange,
    LongDocuments,
    Policy,
    Problem,
    RerankRequest,
    RerankResponse,
)

# What a call needs beyond this takes as long to import as requests: it is imported by the first client.
if TYPE_CHECKING:
    from rankspec.binding import Arguments, Binding, Bindings
    from rankspec.catalog import Catalog
    from rankspec.exchange import Rules
    from rankspec.specs import ProviderSpec
    from rankspec.transports.async_transport import AsyncTransport
    from rankspec.transports.native_transport import NativeTransport
    from rankspec.transports.requests_transport import RequestsTransport

P = ParamSpec("P")
R = TypeVar("R")
Specs = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
SyncTransport = Literal["requests", "native"]

SPELLINGS = {
    "custom_llm_provider": "provider",
    "extra_headers": "headers",
    "extra_body": "extra",
    "num_retries": "max_retries",
    "request_timeout": "timeout",
    "base_url": "api_base",
}
"""Other spellings of keyword arguments, as users of other clients know them."""

DEFAULT_TIMEOUT_SECONDS = 60.0
DEFAULT_MAX_RETRIES = 2

TRANSPORT_VARIABLE = "RANKSPEC_TRANSPORT"
"""What names the transport of `rerank` and of every `Client` that is given none."""

_SYNC_TRANSPORTS: tuple[SyncTransport, ...] = ("requests", "native")
_LEFT_AS_THEY_ARE = (list, str, bytes, Mapping, set, frozenset)


class _Rooms(NamedTuple):
    """What every call goes through."""

    arguments: type[Arguments]
    rules: type[Rules]
    validated: Callable[[Mapping[str, Any]], RerankRequest]
    exchange: Callable[[Binding, RerankRequest, Rules], Exchange]


@cache
def _rooms() -> _Rooms:
    # Once: an import that has been done already takes a microsecond.
    from rankspec.binding import Arguments
    from rankspec.exchange import Rules, rerank_exchange
    from rankspec.parameters import validated

    return _Rooms(Arguments, Rules, validated, rerank_exchange)


@dataclass(slots=True)
class Call:
    """One call, ready to run."""

    spec: ProviderSpec
    arguments: Arguments
    request: RerankRequest
    rules: Rules
    bindings: Bindings

    def bind(self, *, placeholders: bool = False) -> Binding:
        """The spec with what the caller brings; with `placeholders`, `<name>` stands where a secret goes."""
        if not placeholders:
            return self.bindings.of(self.spec, self.arguments)
        from rankspec.binding import Binding

        return Binding(self.spec, self.arguments, os.environ, placeholders=True)

    def exchange(self, binding: Binding | None = None) -> Exchange:
        """The call's steps."""
        return _rooms().exchange(binding or self.bind(), self.request, self.rules)


def prepare(
    client: BaseClient,
    /,
    model: str,
    query: str,
    documents: Sequence[Document],
    *,
    top_n: int | None = None,
    rank_fields: Sequence[str] | None = None,
    return_documents: bool = True,
    max_chunks_per_doc: int | None = None,
    max_tokens_per_doc: int | None = None,
    priority: int | None = None,
    relevant_spans: Mapping[str, Any] | None = None,
    instruction: str | None = None,
    extra: Mapping[str, Any] | None = None,
    provider: str | None = None,
    api_key: str | None = None,
    api_base: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    max_retries: int | None = None,
    unsupported: Policy | None = None,
    long_documents: LongDocuments | None = None,
    chunk_score: ChunkScore | None = None,
    specs: Specs | None = None,
    **settings: Any,
) -> Call:
    """The call that these arguments make; see `Client.rerank`."""
    rooms = _rooms()
    if settings:
        given: dict[str, Any] = {"headers": headers, "extra": extra, "api_base": api_base, "provider": provider}
        given |= {"max_retries": max_retries, "timeout": timeout}
        _take_spellings(settings, given)
        headers, extra, api_base, provider, max_retries, timeout = given.values()
    model = _text("model", model).strip()
    provider = None if provider is None else _text("provider", provider)
    api_base = client.api_base if api_base is None else _text("api_base", api_base)
    if not model:
        raise _wrong("model", "must not be empty; write provider/model")
    spec, model_id = client._catalog_with(specs).resolve(model, provider)
    request = rooms.validated(
        {
            "model": model_id,
            "query": query,
            "documents": _listed(documents),
            "top_n": top_n,
            "rank_fields": _listed(rank_fields),
            "return_documents": True if return_documents is None else return_documents,
            "max_chunks_per_doc": max_chunks_per_doc,
            "max_tokens_per_doc": max_tokens_per_doc,
            "priority": priority,
            "relevant_spans": relevant_spans,
            "instruction": instruction,
            "extra": extra,
        }
    )
    rules = rooms.rules(
        timeout_seconds=_seconds(timeout, client.timeout),
        max_retries=_count(max_retries, client.max_retries),
        unsupported=_one_of(POLICIES, unsupported, client.unsupported, "unsupported"),
        long_documents=_one_of(LONG_DOCUMENTS, long_documents, client.long_documents, "long_documents"),
        chunk_score=_one_of(CHUNK_SCORES, chunk_score, client.chunk_score, "chunk_score"),
    )
    arguments = rooms.arguments(
        api_key=api_key if api_key is not None else client.api_key,
        api_base=api_base,
        headers={**client.headers, **_headers(headers)},
        settings=settings,
    )
    return Call(spec, arguments, request, rules, client._bindings)


def _take_spellings(settings: dict[str, Any], given: dict[str, Any]) -> None:
    """Move what other clients call otherwise from the settings to where it belongs."""
    for spelling in SPELLINGS.keys() & settings.keys():
        name, value = SPELLINGS[spelling], settings.pop(spelling)
        if value is not None and given[name] is not None:
            raise _wrong(name, f"is given twice, once as {spelling}")
        given[name] = given[name] if value is None else value


def _takes_arguments_of(
    prepare: Callable[Concatenate[BaseClient, P], Call],
) -> Callable[[Callable[..., R]], Callable[Concatenate[Any, P], R]]:
    """Gives a method the arguments of `prepare`, which are written once, for type checkers and for help()."""

    def decorate(method: Callable[..., R]) -> Callable[Concatenate[Any, P], R]:
        arguments = signature(prepare)
        returns = signature(method).return_annotation
        method.__signature__ = arguments.replace(return_annotation=returns)  # type: ignore[attr-defined]
        return method

    return decorate


class BaseClient:
    """What both clients hold: the catalog, and defaults for every call.

    Args:
        specs: folders or files of more specs, each a provider at once.
        override: let a spec of `specs` replace a shipped one of the same name.
        api_key, api_base, headers, timeout, max_retries, unsupported, long_documents, chunk_score: defaults for every
            call; see `rerank`.

    Raises:
        SpecInvalid: a named folder or file is not there.
        RequestInvalid: a default is not usable.
    """

    def __init__(
        self,
        *,
        specs: Specs = (),
        override: bool = False,
        api_key: str | None = None,
        api_base: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        max_retries: int = DEFAULT_MAX_RETRIES,
        unsupported: Policy = "warn",
        long_documents: LongDocuments | None = None,
        chunk_score: ChunkScore = "max",
    ) -> None:
        from rankspec.binding import Bindings
        from rankspec.catalog import Catalog

        self.catalog = Catalog(_places(specs), override=override)
        self.api_key = api_key
        self.api_base = api_base
        self.headers = dict(_headers(headers))
        self.timeout = _seconds(timeout, DEFAULT_TIMEOUT_SECONDS)
        self.max_retries = _count(max_retries, DEFAULT_MAX_RETRIES)
        self.unsupported = _one_of(POLICIES, unsupported, "warn", "unsupported")
        self.long_documents = _one_of(LONG_DOCUMENTS, long_documents, None, "long_documents")
        self.chunk_score = _one_of(CHUNK_SCORES, chunk_score, "max", "chunk_score")
        self._bindings = Bindings(os.environ)
        self._places = _places(specs)
        self._override = override
        self._catalogs: dict[tuple[str, ...], Catalog] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def _catalog_with(self, specs: Specs | None) -> Catalog:
        if specs is None:
            return self.catalog
        from rankspec.catalog import Catalog

        places = _places(specs)
        with self._lock:
            if places not in self._catalogs:
                self._catalogs[places] = Catalog((*places, *self._places), override=self._override)
            return self._catalogs[places]


class Client(BaseClient):
    """Reranks. Safe to share between threads; use it as a context manager, or close it.

    Args:
        transport: what sends. "requests", the default, or "native" for wreq (the extra `async`), which takes a fifth of
            its CPU and answers the same; in a process that was forked from one that had used it, its calls fail and say
            so. Unless given, the environment variable RANKSPEC_TRANSPORT decides, for `rankspec.rerank` too.
        specs, override, api_key, api_base, headers, timeout, max_retries, unsupported, long_documents, chunk_score: see
            `BaseClient`.

    Raises:
        ExtraMissing: at the first call, if the transport is native and wreq is not installed.
    """

    _transport: RequestsTransport | NativeTransport | None = None

    def __init__(
        self,
        *,
        specs: Specs = (),
        override: bool = False,
        api_key: str | None = None,
        api_base: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        max_retries: int = DEFAULT_MAX_RETRIES,
        unsupported: Policy = "warn",
        long_documents: LongDocuments | None = None,
        chunk_score: ChunkScore = "max",
        transport: SyncTransport | None = None,
    ) -> None:
        super().__init__(
            specs=specs,
            override=override,
            api_key=api_key,
            api_base=api_base,
            headers=headers,
            timeout=timeout,
            max_retries=max_retries,
            unsupported=unsupported,
            long_documents=long_documents,
            chunk_score=chunk_score,
        )
        self.transport = None if transport is None else _sync_transport(transport, "transport")

    @_takes_arguments_of(prepare)
    def rerank(self, *args: Any, **kwargs: Any) -> RerankResponse:
        """The documents ranked by how well they answer the query.

        Args:
            model: "provider/model", a provider alone, or a model that exactly one spec lists.
            query: the question, not blank.
            documents: texts, objects, or a mix; at least one. Of an object the field `text` is ranked, or
                `rank_fields` written as YAML, in their order.
            top_n: how many results to return at most, 1 or more; all by default.
            return_documents: whether each result has the caller's own document; true by default, it costs nothing.
            max_chunks_per_doc, max_tokens_per_doc, priority, relevant_spans, instruction: sent to providers that
                know them; see `unsupported`.
            extra: parameters that only this provider knows, sent as they are.
            provider: the provider's name, if `model` does not begin with it (also `custom_llm_provider`).
            api_key: the key; by default from the provider's environment variables.
            api_base: the base URL; by default from the environment, then the spec's.
            headers: more headers (also `extra_headers`); one that carries the key replaces it.
            timeout: seconds for the whole call, retries and waits included; 60 by default.
            max_retries: tries after the first for what may succeed later; 2 by default.
            unsupported: "warn" (into `meta.warnings`, the default), "error" or "ignore" for parameters that the
                provider does not know.
            long_documents: what is done with a document that is longer than the provider takes, its tokens estimated:
                "send" it as it is, "refuse" the call, "truncate" it, or score it by the "chunk". What was done stands
                in `meta.warnings`. By default one beyond a limit in characters is refused and any other sent.
            chunk_score: what the scores of a document's chunks come to: "max" (the default), "mean" or "first".
            specs: folders or files of more specs for this call.
            settings: the provider's own settings as keywords, such as `region`.

        Returns:
            One result per document, or `top_n` of them: by falling relevance_score, ties by rising index.

        Raises:
            SpecNotFound: no such provider. SpecInvalid: its spec does not load.
            RequestInvalid: an argument is wrong; nothing was sent.
            CredentialMissing, SettingMissing: a key or a setting is not set; nothing was sent.
            ConnectFailed, TimedOut, TransportError: no complete reply came.
            AuthenticationRejected, RequestRejected, RateLimited, ProviderUnavailable, ProviderError: an error reply.
            ResponseInvalid: a reply that breaks the contract.
        """
        call = prepare(self, *args, **kwargs)
        response: RerankResponse = self._transport_in_use().run(call.exchange())
        return response

    def _transport_in_use(self) -> RequestsTransport | NativeTransport:
        transport = self._transport
        if transport is not None:
            return transport
        with self._lock:
            if self._transport is None:
                self._transport = self._new_transport()
            return self._transport

    def _new_transport(self) -> RequestsTransport | NativeTransport:
        named = self.transport or _sync_transport(os.environ.get(TRANSPORT_VARIABLE) or "requests", TRANSPORT_VARIABLE)
        # requests takes longer to import than everything else here together.
        if named == "native":
            from rankspec.transports.native_transport import NativeTransport

            return NativeTransport()
        from rankspec.transports.requests_transport import RequestsTransport

        return RequestsTransport()

    def close(self) -> None:
        """Close the connections; the client may be used again."""
        with self._lock:
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(BaseClient):
    """Reranks over wreq (the extra `async`). Use it as an async context manager, or close it.

    Raises:
        ExtraMissing: at the first call, if wreq is not installed.
    """

    _transport: AsyncTransport | None = None

    @_takes_arguments_of(prepare)
    async def rerank(self, *args: Any, **kwargs: Any) -> RerankResponse:
        """The same as `Client.rerank`, to the letter; cancelling the task ends the call."""
        call = prepare(self, *args, **kwargs)
        response: RerankResponse = await self._transport_in_use().run(call.exchange())
        return response

    def _transport_in_use(self) -> AsyncTransport:
        transport = self._transport
        if transport is not None:
            return transport
        from rankspec.transports.async_transport import AsyncTransport

        with self._lock:
            if self._transport is None:
                self._transport = AsyncTransport()
            return self._transport

    async def aclose(self) -> None:
        """Close the connections; the client may be used again."""
        with self._lock:
            transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


@cache
def _default_client() -> Client:
    return Client()


@cache
def _default_async_client() -> AsyncClient:
    return AsyncClient()


def _as_function(name: str, method: Callable[Concatenate[Any, P], R], client: Callable[[], Any]) -> Callable[P, R]:
    """The method of a client that is made at the first call."""

    def plain(*args: P.args, **kwargs: P.kwargs) -> Any:
        return method(client(), *args, **kwargs)

    async def awaiting(*args: P.args, **kwargs: P.kwargs) -> Any:
        return await plain(*args, **kwargs)

    # Frameworks ask whether a function is a coroutine function before they call it.
    function: Any = awaiting if iscoroutinefunction(method) else plain
    arguments = signature(method)
    function.__signature__ = arguments.replace(parameters=list(arguments.parameters.values())[1:])
    function.__name__ = function.__qualname__ = name
    function.__doc__ = method.__doc__
    found: Callable[P, R] = function
    return found


rerank = _as_function("rerank", Client.rerank, _default_client)
arerank = _as_function("arerank", AsyncClient.rerank, _default_async_client)


def _wrong(name: str, message: str) -> RequestInvalid:
    return RequestInvalid([Problem((name,), message)])


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(name, f"must be text, not a {type(value).__name__}")
    return value


def _listed(values: Any) -> Any:
    """A list of what is in a tuple, generator, series and so on; what is none or has no order stays, to be refused."""
    if values is None or type(values) is list or isinstance(values, _LEFT_AS_THEY_ARE):
        return values
    return list(values) if isinstance(values, Iterable) else values


def _headers(value: Any) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong("headers", f"must be an object of texts by name, not a {type(value).__name__}")
    return value


def _places(specs: Specs) -> tuple[str, ...]:
    listed = [specs] if isinstance(specs, str | os.PathLike) or not isinstance(specs, Iterable) else list(specs)
    for one in listed:
        if not isinstance(one, str | os.PathLike):
            raise _wrong("specs", f"must be a path, or several, not a {type(one).__name__}")
    return tuple(os.fspath(one) for one in listed)


def _seconds(value: Any, default: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < threading.TIMEOUT_MAX:
        raise _wrong("timeout", "must be a number of seconds greater than 0")
    return float(value)


def _count(value: Any, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _wrong("max_retries", "must be a whole number, 0 or more")
    return value


def _one_of(words: tuple[str, ...], value: Any, default: str | None, name: str) -> Any:
    if value is None:
        return default
    if value not in words:
        raise _wrong(name, f"must be one of {', '.join(map(str, words))}, not {value!r}")
    return value


def _sync_transport(value: Any, name: str) -> SyncTransport:
    if value not in _SYNC_TRANSPORTS:
        raise _wrong(name, f"must be one of {', '.join(_SYNC_TRANSPORTS)}, not {value!r}")
    chosen: SyncTransport = value
    return chosen
