"""The edge: one ASGI callable that takes requests apart, hands them on and answers. It builds nothing by itself."""

from __future__ import annotations

import asyncio
import math
import random
import re
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from functools import lru_cache, partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rankspec.errors import AuthenticationRejected, ProviderError, RankspecError, RateLimited, RequestInvalid
from rankspec.gateway.edge.bodies import TOO_DEEP, CallerGone, check_content_type, decode_json, is_too_deep, read_body
from rankspec.gateway.edge.cohere import CohereDialect
from rankspec.gateway.edge.dialect import Dialect
from rankspec.gateway.edge.keys import Keys
from rankspec.gateway.edge.pages import CHECK_KEY, Page, Pages, Visit
from rankspec.gateway.edge.shortcuts import SHORTCUTS, Header, Shortcuts
from rankspec.gateway.edge.spec_dialect import DialectRoutes
from rankspec.gateway.edge.waiting import WAITING, cancel_all
from rankspec.gateway.observing.observer import Observer
from rankspec.gateway.refusals import ModelNotFound, Refused, refusal_of
from rankspec.gateway.values import Asked, Trace
from rankspec.models import HttpResponse, format_path

if TYPE_CHECKING:
    from rankspec.gateway.observing.logs import AccessLog
    from rankspec.gateway.observing.metrics import Metrics
    from rankspec.gateway.routing.assembly import Snapshot

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CALLER_GONE = 499
"""nginx's status for a request whose caller did not wait for the answer. Nobody gets it; logs and metrics show it."""

_COHERE: dict[str, Dialect] = {
    "/rerank": CohereDialect(2),
    "/v1/rerank": CohereDialect(1),
    "/v2/rerank": CohereDialect(2, needs_model=True),
}
_ERRORS = _COHERE["/v2/rerank"]
"""Says errors that belong to no dialect."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_BROKEN = "something went wrong inside the gateway; its log has the details under this id"
_MAX_MODEL_CHARACTERS = 1000
_NO_CREDENTIALS = (
    "invalid request: this server takes no api_key, api_base, base_url, headers or extra_headers in a body"
)
_STOPPING = "the gateway is stopping, please send the request again"


class Edge:
    """What callers meet, as one snapshot has it."""

    def __init__(self, snapshot: Snapshot, pages: Callable[[Snapshot, Keys], Pages]) -> None:
        self.snapshot = snapshot
        self.keys = Keys(snapshot.config.server.keys)
        self.pages = pages(snapshot, self.keys)
        self._dialects = DialectRoutes(snapshot.catalog)

    def dialect(self, path: str) -> Dialect | None:
        """The dialect that is spoken at a path, or None."""
        return _COHERE.get(path) or self._dialects.find(path)


class Gateway:
    """The ASGI application.

    Args:
        snapshot: what answers; `adopt` replaces it for requests that begin later.
        transport: for probes; closed at the end.
        tasks: what runs beside the requests, from start to end.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        metrics: Metrics,
        log: AccessLog,
        transport: Any,
        tasks: Iterable[Callable[[], Awaitable[None]]] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._log = log
        self._observer = Observer(metrics, log)
        self._transport = transport
        self._tasks = list(tasks)
        self._clock = clock
        self._is_ready = False
        self.adopt(snapshot)

    @property
    def snapshot(self) -> Snapshot:
        """What answers requests that begin now."""
        return self._edge.snapshot

    def adopt(self, snapshot: Snapshot) -> None:
        """Answer from this snapshot from now on; requests that have begun keep the one that they began with."""
        self._edge = Edge(snapshot, self._pages)

    def flush(self) -> None:
        """Count and log what has ended, once no loop runs any more."""
        self._observer.flush()
        self._log.flush()

    def run_beside(self, task: Callable[[], Awaitable[None]]) -> None:
        """Add what is to run beside the requests. Only before the start."""
        self._tasks.append(task)

    def _pages(self, snapshot: Snapshot, keys: Keys) -> Pages:
        return Pages(snapshot, keys, self._metrics, self._transport, lambda: self._is_ready)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """One request, or the server's whole life."""
        if scope["type"] == "lifespan":
            return self._live(receive, send)
        edge, path, method = self._edge, _plain(scope["path"]), scope["method"]
        try:
            dialect = edge.dialect(path) if method == "POST" else None
        except Exception as error:  # noqa: BLE001 - the outermost frame: a spec of the operator's is looked at
            request_id = _request_id(dict(scope["headers"]))
            return _send(scope, send, self._broken(error, path, request_id), [_id_header(request_id)])
        if dialect is not None:
            return self._rerank(edge, dialect, scope, receive, send)
        return self._page(edge, path, method, scope, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        running = [asyncio.ensure_future(task()) for task in self._tasks]
        self._is_ready = True
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._is_ready = False
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._transport.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _page(self, edge: Edge, path: str, method: str, scope: Scope, send: Send) -> None:
        headers = dict(scope["headers"])
        request_id = _request_id(headers)
        try:
            page, name = _method(edge, path, method)
            if page is None:
                reply = HttpResponse(204, {"allow": name}, b"")
            else:
                visit = Visit(headers, scope.get("client"), scope.get("query_string", b"").decode("latin-1"), name)
                reply = await page(edge.pages, visit)
        except RankspecError as error:
            reply = _refused(refusal_of(error), _ERRORS, request_id)
        except asyncio.CancelledError:
            reply = _refused(_stopped(), _ERRORS, request_id)
        except Exception as error:  # noqa: BLE001 - the outermost frame
            reply = self._broken(error, path, request_id)
        await _send(scope, send, reply, [_id_header(request_id)])

    def _broken(self, error: Exception, path: str, request_id: str) -> HttpResponse:
        """The reply to a request that met a fault of the gateway's own, which is logged."""
        self._log.event("failed", "error", request_id=request_id, path=path[:200], where=_where(error))
        return _refused(Refused(500, _BROKEN), _ERRORS, request_id)

    async def _rerank(self, edge: Edge, dialect: Dialect, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request for a ranking; whatever happens, it is answered, counted and logged once."""
        started = self._clock()
        in_flight, headers = self._metrics.in_flight, dict(scope["headers"])
        trace = Trace(_request_id(headers), dialect.name)
        talk = _Talk(edge, dialect, headers, trace, self._clock)
        in_flight.inc()
        try:
            reply = await talk.reply(scope, receive)
            trace.seconds = self._clock() - started
            trace.status, trace.reply_bytes = reply.status, len(reply.body)
            await _send(scope, send, reply, _told(trace))
        except CallerGone:
            trace.seconds = self._clock() - started
            trace.status, trace.error = CALLER_GONE, "CallerGone"
        finally:
            in_flight.dec()
            self._observer.note(trace, talk.asked)


class _Talk:
    """One request for a ranking, from its head to its reply."""

    __slots__ = ("_clock", "_dialect", "_edge", "_headers", "_trace", "asked")

    def __init__(
        self, edge: Edge, dialect: Dialect, headers: Mapping[bytes, bytes], trace: Trace, clock: Callable[[], float]
    ) -> None:
        self._edge = edge
        self._dialect = dialect
        self._headers = headers
        self._trace = trace
        self._clock = clock
        self.asked: Asked | None = None

    async def reply(self, scope: Scope, receive: Receive) -> HttpResponse:
        """The ranking, or why there is none.

        Raises:
            CallerGone: nobody waits for it any more.
        """
        trace = self._trace
        try:
            asked = self.asked = await self._read(scope, receive)
            work = self._edge.snapshot.router.rerank(asked, trace)
            response = await _while_caller_waits(scope, receive, work)
            return self._dialect.answer(asked, response)
        except RankspecError as error:
            trace.error, trace.log_error = type(error).__name__, self._for_log(error)
            return _refused(refusal_of(error), self._dialect, trace.request_id)
        except asyncio.CancelledError:
            trace.error = "Stopped"
            return _refused(_stopped(), self._dialect, trace.request_id)
        except CallerGone:
            raise
        except Exception as error:  # noqa: BLE001 - the outermost frame
            # Found out when it fails: looking at every value of every request would cost more than decoding some.
            if isinstance(error, TypeError) and self.asked is not None and is_too_deep(dict(self.asked.values)):
                trace.error = "Refused"
                return _refused(Refused(400, TOO_DEEP), self._dialect, trace.request_id)
            trace.error, trace.log_error = type(error).__name__, _where(error)
            return _refused(Refused(500, _BROKEN), self._dialect, trace.request_id)

    def _for_log(self, error: RankspecError) -> str | None:
        """What the operator is told: nothing that may repeat what the caller sent, unless the log has that anyhow."""
        if isinstance(error, RequestInvalid):
            places = [format_path(problem.path[:2]) for problem in error.problems[:5]]
            return ", ".join(place[:60] for place in places if place) or None
        if not isinstance(error, ProviderError) or self._edge.snapshot.config.server.log_content:
            return error.message
        if isinstance(error, AuthenticationRejected | RateLimited) and error.message_is_mapped:
            return error.message  # About a key or its quota, and about no content.
        return f"{error.provider} answered {error.status}" + (f" ({error.code})" if error.code else "")

    async def _read(self, scope: Scope, receive: Receive) -> Asked:
        edge, headers, trace = self._edge, self._headers, self._trace
        server = edge.snapshot.config.server
        edge.keys.check(headers)
        check_content_type(headers)
        shortcuts: Shortcuts | None = scope.get(SHORTCUTS)
        body: bytes | bytearray | None = None
        if shortcuts is not None and b"content-encoding" not in headers:
            body = shortcuts.body_at_hand(server.max_body_bytes)
        if body is None:
            if shortcuts is not None:
                receive = partial(shortcuts.receive, server.max_body_bytes)
            started = self._clock()
            try:
                body = await read_body(receive, headers, server.max_body_bytes, server.body_timeout_seconds)
            finally:
                trace.receive_seconds = self._clock() - started
        trace.request_bytes = len(body)
        asked = self._dialect.read(decode_json(body, raw_documents=self._dialect.takes_raw_documents))
        trace.asked_model = asked.model
        if asked.model is not None and len(asked.model) > _MAX_MODEL_CHARACTERS:
            raise ModelNotFound(asked.model)  # To look for what it may mean would take its time.
        if asked.credentials is not None and not server.allow_caller_credentials:
            raise Refused(400, _NO_CREDENTIALS)
        return asked


async def _while_caller_waits(scope: Scope, receive: Receive, work: Awaitable[Any]) -> Any:
    """The outcome of what is done for a caller; it is cancelled when the caller closes the connection.

    Our own protocol cancels it; under any other, a task of its own watches for the end.

    Raises:
        CallerGone: that has happened.
    """
    task = asyncio.current_task()
    assert task is not None
    waiting: set[asyncio.Task[Any]] | None = scope.get(WAITING)
    watcher = None
    if waiting is None:
        waiting = set()
        watcher = asyncio.ensure_future(_watch(receive, waiting))
    waiting.add(task)
    try:
        return await work
    except asyncio.CancelledError:
        if task in waiting:
            raise
        task.uncancel()
        raise CallerGone from None
    finally:
        waiting.discard(task)
        if watcher is not None:
            watcher.cancel()


async def _watch(receive: Receive, waiting: set[asyncio.Task[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    cancel_all(waiting)


def _method(edge: Edge, path: str, method: str) -> tuple[Page | None, str]:
    """The page that is meant and the name behind it, or None and the methods that are allowed.

    Raises:
        Refused: there is no such path, or it does not take the method.
    """
    found = edge.pages.find(path)
    if found is not None:
        allowed = "GET, HEAD, OPTIONS"
    elif path == CHECK_KEY or edge.dialect(path) is not None:
        allowed = "POST, OPTIONS"
    else:
        raise Refused(404, _no_such_path(path))
    if method == "OPTIONS":
        return None, allowed
    if method not in allowed.split(", "):
        raise Refused(405, f"this path takes {allowed}", headers={"allow": allowed})
    return found or (Pages.check_key, "")


def _no_such_path(path: str) -> str:
    hint = ""
    if path.endswith("/rerank"):
        hint = ": rankings are at /v1/rerank, /v2/rerank and /rerank, and a client's base URL has no /v1"
    return f"there is nothing at this path{hint}; /openapi.json has all that there is"


def _plain(path: str) -> str:
    """The path without what clients add by mistake: a slash at the end, or two in a row."""
    if path in _COHERE:
        return path
    return "/" + "/".join(filter(None, path.split("/")))


def _request_id(headers: Mapping[bytes, bytes]) -> str:
    """The caller's own id, if it is one, or a new one."""
    given = headers.get(b"x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode("ascii")
    return _new_id()


def _new_id() -> str:
    """A random UUID, of version 4. `uuid.uuid4` asks the system for what needs not be unguessable: 4 µs to 1.4."""
    digits = f"{random.getrandbits(128):032x}"
    variant = "89ab"[random.getrandbits(2)]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _stopped() -> Refused:
    """What those are told whom the server has no patience left for at its end."""
    return Refused(503, _STOPPING, retry_after_seconds=1, headers={"connection": "close"})


def _refused(refused: Refused, dialect: Dialect, request_id: str) -> HttpResponse:
    reply = dialect.refuse(refused.status, refused.message, request_id)
    if not refused.headers and refused.retry_after_seconds is None:
        return reply
    headers = {**reply.headers, **refused.headers}
    if refused.retry_after_seconds is not None:
        headers["retry-after"] = str(max(1, math.ceil(refused.retry_after_seconds)))
    return HttpResponse(reply.status, headers, reply.body)


def _told(trace: Trace) -> list[Header]:
    """The headers that say what became of a request."""
    timing = b"own;dur=%.2f, upstream;dur=%.2f" % (trace.own_seconds * 1000, trace.upstream_seconds * 1000)
    told = [_id_header(trace.request_id), (b"server-timing", timing)]
    if trace.error is None:
        if trace.model is not None:
            told.append(_header("x-rankspec-model", trace.model))
        if trace.deployment is not None:
            told.append(_header("x-rankspec-deployment", trace.deployment))
        if trace.cost_usd is not None:
            told.append(_cost_header(trace.cost_usd))
        if trace.degraded is not None:
            told.append(_header("x-rankspec-degraded", trace.degraded))
    return told


async def _send(scope: Scope, send: Send, reply: HttpResponse, more: Iterable[Header]) -> None:
    headers = [(b"content-length", b"%d" % len(reply.body))] if reply.status != 204 else []
    headers += [_header(name, value) for name, value in reply.headers.items()]
    headers += more
    shortcuts: Shortcuts | None = scope.get(SHORTCUTS)
    if shortcuts is not None and shortcuts.reply(reply.status, headers, reply.body):
        return
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def _id_header(request_id: str) -> Header:
    return b"x-request-id", request_id.encode("ascii")


@lru_cache(maxsize=1024)
def _header(name: str, value: str) -> Header:
    """A header whose value is one of few, such as a name in the config, in characters that a header may have."""
    if value.isascii() and value.isprintable():
        return name.encode("latin-1"), value.encode("ascii")
    return name.encode("latin-1"), quote(value, safe=" !#$&'()*+,/:;=?@[]{}|~^`<>\"").encode("ascii")


@lru_cache(maxsize=64)
def _cost_header(usd: float) -> Header:
    """What an answer costs: most often the same as the last one, for prices by the search."""
    return b"x-rankspec-cost-usd", f"{usd:.10f}".rstrip("0").rstrip(".").encode("ascii")


def _where(error: BaseException) -> str:
    """The class of an error and where it was raised. Its text may hold anything."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = ", ".join(f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(error).__name__} at {places}"
