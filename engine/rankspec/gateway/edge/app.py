"""The edge: one ASGI callable that takes requests apart, hands them on and answers. It builds nothing by itself."""

from __future__ import annotations

import asyncio
import math
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rankspec.errors import AuthenticationRejected, ProviderError, RankspecError, RateLimited, RequestInvalid
from rankspec.gateway.edge.bodies import TOO_DEEP, CallerGone, check_content_type, decode_json, is_too_deep, read_body
from rankspec.gateway.edge.cohere import CohereDialect
from rankspec.gateway.edge.dialect import JSON_HEADERS, Dialect
from rankspec.gateway.edge.keys import Keys
from rankspec.gateway.edge.pages import CHECK_KEY, Page, Pages, Visit
from rankspec.gateway.edge.shortcuts import SHORTCUTS, Shortcuts
from rankspec.gateway.edge.spec_dialect import DialectRoutes
from rankspec.gateway.edge.waiting import WAITING, cancel_all
from rankspec.gateway.observing.observer import Observer, where_raised
from rankspec.gateway.refusals import ModelNotFound, Refused, refusal_of
from rankspec.gateway.values import Asked, ServerConfig, Trace
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
_UUID4_BITS = 0x4 << 76 | 0x2 << 62
"""Version and variant; the other bits are random."""

_RANDOM_BITS = ~(0xF << 76 | 0x3 << 62)

_BROKEN = "something went wrong inside the gateway; its log has the details under this id"
_MAX_MODEL_CHARACTERS = 1000
_FRAMES = 3
"""How much of its way the log tells of an error of the gateway's own."""

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
        edge, path, method = self._edge, scope["path"], scope["method"]
        if method == "POST" and path in _COHERE:
            return self._rerank(edge, _COHERE[path], scope, receive, send)
        path = _plain(path)
        try:
            dialect = edge.dialect(path) if method == "POST" else None
        except Exception as error:  # noqa: BLE001 - the outermost frame: a spec of the operator's is looked at
            request_id = _request_id(dict(scope["headers"]))
            return _send(scope.get(SHORTCUTS), send, self._broken(error, path, request_id), _id_line(request_id))
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
        await _send(scope.get(SHORTCUTS), send, reply, _id_line(request_id))

    def _broken(self, error: Exception, path: str, request_id: str) -> HttpResponse:
        """The reply to a request that met a fault of the gateway's own, which is logged."""
        self._log.event("failed", "error", request_id=request_id, path=path[:200], where=where_raised(error, _FRAMES))
        return _refused(Refused(500, _BROKEN), _ERRORS, request_id)

    async def _rerank(self, edge: Edge, dialect: Dialect, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request for a ranking; whatever happens, it is answered, counted and logged once.

        When the caller closes the connection, our own protocol cancels this; under any other, a task of its own watches
        for the end.
        """
        started = self._clock()
        in_flight = self._metrics.in_flight
        shortcuts: Shortcuts | None = scope.get(SHORTCUTS)
        headers = dict(scope["headers"]) if shortcuts is None else shortcuts.headers
        trace, asked, reply = Trace(_request_id(headers), dialect.name), None, None
        router, server = edge.snapshot.router, edge.snapshot.config.server
        task, waiting = asyncio.current_task(), scope.get(WAITING)
        assert task is not None
        is_watched = waiting is not None
        if waiting is None:
            waiting = set()
        in_flight.inc()
        waiting.add(task)
        try:
            try:
                edge.keys.check(headers)
                check_content_type(headers)
                body: bytes | bytearray | None = None
                if shortcuts is not None and b"content-encoding" not in headers:
                    body = shortcuts.body_at_hand(server.max_body_bytes)
                if body is None:
                    body = await self._receive_body(shortcuts, receive, headers, server, trace)
                asked = _asked(body, dialect, server, trace)
                work = router.rerank(asked, trace)
                response = await (work if is_watched else _watching(receive, waiting, work))
                reply = dialect.answer(asked, response)
            except CallerGone:
                pass
            except asyncio.CancelledError:
                if task in waiting:
                    trace.error = "Stopped"
                    reply = _refused(_stopped(), dialect, trace.request_id)
                else:
                    task.uncancel()
            except Exception as error:  # noqa: BLE001 - the outermost frame
                reply = _failed(error, asked, dialect, trace, tells_all=server.log_content)
            finally:
                waiting.discard(task)
            trace.seconds = self._clock() - started
            if reply is None:
                trace.status, trace.error = CALLER_GONE, CallerGone.__name__
            else:
                trace.status, trace.reply_bytes = reply.status, len(reply.body)
                await _send(shortcuts, send, reply, _told(trace))
        finally:
            in_flight.dec()
            self._observer.note(trace, asked)

    async def _receive_body(
        self,
        shortcuts: Shortcuts | None,
        receive: Receive,
        headers: Mapping[bytes, bytes],
        server: ServerConfig,
        trace: Trace,
    ) -> bytes | bytearray:
        """The body, of which something is still to come or to be unpacked."""
        if shortcuts is not None:
            receive = partial(shortcuts.receive_whole, server.max_body_bytes)
        started = self._clock()
        try:
            return await read_body(receive, headers, server.max_body_bytes, server.body_timeout_seconds)
        finally:
            trace.receive_seconds = self._clock() - started


def _asked(body: bytes | bytearray, dialect: Dialect, server: ServerConfig, trace: Trace) -> Asked:
    """What a body asks."""
    trace.request_bytes = len(body)
    asked = dialect.read(decode_json(body, raw_documents=dialect.takes_raw_documents))
    model = trace.asked_model = asked.model
    if model is not None and len(model) > _MAX_MODEL_CHARACTERS:
        raise ModelNotFound(model)  # To look for what it may mean would take its time.
    if asked.credentials is not None and not server.allow_caller_credentials:
        raise Refused(400, _NO_CREDENTIALS)
    return asked


async def _watching(receive: Receive, waiting: set[asyncio.Task[Any]], work: Awaitable[Any]) -> Any:
    """The outcome of some work, while another task looks out for the end of the connection."""
    watcher = asyncio.ensure_future(_watch(receive, waiting))
    try:
        return await work
    finally:
        watcher.cancel()


async def _watch(receive: Receive, waiting: set[asyncio.Task[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    cancel_all(waiting)


def _failed(error: Exception, asked: Asked | None, dialect: Dialect, trace: Trace, *, tells_all: bool) -> HttpResponse:
    """Why there is no ranking, for the caller; the trace is told what the operator may know.

    Args:
        tells_all: whether the operator's log has what callers send.
    """
    trace.error = type(error).__name__
    if isinstance(error, RankspecError):
        trace.log_error = _for_log(error, tells_all=tells_all)
        return _refused(refusal_of(error), dialect, trace.request_id)
    # Found out when it fails: looking at every value of every request would cost more than decoding some.
    if isinstance(error, TypeError) and asked is not None and is_too_deep(dict(asked.values)):
        trace.error = Refused.__name__
        return _refused(Refused(400, TOO_DEEP), dialect, trace.request_id)
    trace.log_error = where_raised(error, _FRAMES)
    return _refused(Refused(500, _BROKEN), dialect, trace.request_id)


def _for_log(error: RankspecError, *, tells_all: bool) -> str | None:
    """What the operator is told: nothing that may repeat what the caller sent, unless the log has that anyhow."""
    if isinstance(error, RequestInvalid):
        places = [format_path(problem.path[:2]) for problem in error.problems[:5]]
        return ", ".join(place[:60] for place in places if place) or None
    if not isinstance(error, ProviderError) or tells_all:
        return error.message
    if isinstance(error, AuthenticationRejected | RateLimited) and error.message_is_mapped:
        return error.message  # About a key or its quota, and about no content.
    return f"{error.provider} answered {error.status}" + (f" ({error.code})" if error.code else "")


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
    """A random UUID, of version 4. `uuid.uuid4` asks the system for what needs not be unguessable: 4 µs to 1."""
    digits = f"{random.getrandbits(128) & _RANDOM_BITS | _UUID4_BITS:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


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


def _told(trace: Trace) -> bytes:
    """The headers that say what became of a request, as lines."""
    timing = (trace.own_seconds * 1000, trace.upstream_seconds * 1000)
    lines = _id_line(trace.request_id) + b"server-timing: own;dur=%.2f, upstream;dur=%.2f\r\n" % timing
    if trace.error is not None:
        return lines
    lines += _answered_by(trace.model, trace.deployment)
    if trace.cost_usd is not None:
        lines += _cost_line(trace.cost_usd)
    if trace.degraded is not None:
        lines += _line("x-rankspec-degraded", trace.degraded)
    return lines


async def _send(shortcuts: Shortcuts | None, send: Send, reply: HttpResponse, more: bytes) -> None:
    """Send a reply.

    Args:
        more: headers that it has besides its own, as lines.
    """
    status, headers, body = reply.status, reply.headers, reply.body
    own = _JSON_LINE if headers is JSON_HEADERS else b"".join([_line(*header) for header in headers.items()])
    lines = own + more if status == 204 else b"content-length: %d\r\n%b%b" % (len(body), own, more)
    if shortcuts is not None and "connection" not in headers and shortcuts.reply(status, lines, body):
        return
    pairs = [(name, value) for name, _, value in (line.partition(b": ") for line in lines.splitlines())]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def _id_line(request_id: str) -> bytes:
    return b"x-request-id: %b\r\n" % request_id.encode("ascii")


@lru_cache(maxsize=1024)
def _line(name: str, value: str) -> bytes:
    """A header whose value is one of few, such as a name in the config, in characters that a header may have."""
    if not (value.isascii() and value.isprintable()):
        value = quote(value, safe=" !#$&'()*+,/:;=?@[]{}|~^`<>\"")
    return f"{name}: {value}\r\n".encode("latin-1")


_JSON_LINE = b"".join([_line(*header) for header in JSON_HEADERS.items()])


@lru_cache(maxsize=1024)
def _answered_by(model: str | None, deployment: str | None) -> bytes:
    """Who has answered, as far as anybody has."""
    told = (("x-rankspec-model", model), ("x-rankspec-deployment", deployment))
    return b"".join([_line(name, value) for name, value in told if value is not None])


@lru_cache(maxsize=64)
def _cost_line(usd: float) -> bytes:
    """What an answer costs: most often the same as the last one, for prices by the search."""
    return b"x-rankspec-cost-usd: %b\r\n" % f"{usd:.10f}".rstrip("0").rstrip(".").encode("ascii")
