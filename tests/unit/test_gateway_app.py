"""The edge: paths, methods, keys, headers, errors, callers that go away. The router is a stand-in."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from rankspec.catalog import Catalog
from rankspec.errors import (
    AuthenticationRejected,
    ProviderUnavailable,
    RankspecError,
    RateLimited,
    RequestInvalid,
    RequestRejected,
)
from rankspec.gateway.edge.app import Gateway
from rankspec.gateway.edge.waiting import WAITING, cancel_all
from rankspec.gateway.observing.logs import AccessLog
from rankspec.gateway.observing.metrics import Metrics
from rankspec.gateway.refusals import ModelNotFound
from rankspec.gateway.routing.assembly import Snapshot
from rankspec.gateway.values import Asked, DeploymentConfig, GatewayConfig, ServerConfig, Trace
from rankspec.models import Problem, RerankMeta, RerankResponse, RerankResult

CATALOG = Catalog(environ={})
BODY = b'{"model":"m","query":"q","documents":["a","b"]}'
JSON = (b"content-type", b"application/json")
KEY = (b"authorization", b"Bearer sk-1234")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
Rerank = Callable[[Asked, Trace], Awaitable[RerankResponse]]


async def answer(asked: Asked, trace: Trace) -> RerankResponse:
    """What the stand-in answers if a test says nothing else."""
    trace.model, trace.deployment, trace.documents = "m", "provider/m", 2
    trace.cost_usd, trace.upstream_seconds = 0.002, 0.5
    results = [RerankResult(index=1, relevance_score=0.9), RerankResult(index=0, relevance_score=0.1)]
    return RerankResponse(id="id-1", results=results, meta=RerankMeta(billed_units={"search_units": 1}))


@dataclass
class Router:
    """What the edge needs of a router."""

    rerank: Rerank = answer
    groups: Any = field(default_factory=lambda: type("Groups", (), {"deployments": [], "names": ["m"]})())


class Transport:
    """What the edge needs of a transport."""

    is_closed = False

    async def aclose(self) -> None:
        self.is_closed = True


@dataclass
class Reply:
    """What was sent."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """The message of an error, which has the id of its header."""
        assert self.headers["content-type"] == "application/json"
        assert self.json == {"message": self.json["message"], "id": self.headers["x-request-id"]}
        return str(self.json["message"])


class Edge:
    """A gateway, and what it logs."""

    def __init__(self, rerank: Rerank = answer, **server: Any) -> None:
        self.stream = io.StringIO()
        self.metrics = Metrics("1.2.3")
        self.transport = Transport()
        self.gateway = Gateway(
            self.snapshot(rerank, **server),
            metrics=self.metrics,
            log=AccessLog(self.stream, "json"),
            transport=self.transport,
        )

    def snapshot(self, rerank: Rerank = answer, **server: Any) -> Snapshot:
        config = GatewayConfig((DeploymentConfig("d", "m", "local/bm25"),), server=ServerConfig(**server))
        return Snapshot(config, CATALOG, cast("Any", Router(rerank)))

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def call(
        self,
        method: str,
        path: str,
        *headers: tuple[bytes, bytes],
        body: bytes = b"",
        client: tuple[str, int] | None = ("127.0.0.1", 1),
        query: bytes = b"",
    ) -> Reply:
        return run(self.talk(method, path, *headers, body=body, client=client, query=query))

    def post(self, path: str = "/v2/rerank", *headers: tuple[bytes, bytes], body: bytes = BODY) -> Reply:
        return self.call("POST", path, JSON, *headers, body=body)

    async def talk(
        self,
        method: str,
        path: str,
        *headers: tuple[bytes, bytes],
        body: bytes = b"",
        client: tuple[str, int] | None = None,
        query: bytes = b"",
        goes_away: asyncio.Event | None = None,
    ) -> Reply:
        received = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[Any] = []

        async def receive() -> Any:
            if received:
                return received.pop()
            await (goes_away or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
        await self.gateway({**scope, "client": client, "query_string": query}, receive, send)
        if not sent:
            return Reply(0, {}, b"")
        start, last = sent
        named = {name.decode(): value.decode() for name, value in start["headers"]}
        assert len(named) == len(start["headers"])
        if start["status"] != 204:
            assert named.pop("content-length") == str(len(last["body"]))
        return Reply(start["status"], named, last["body"])


def run(work: Awaitable[Any]) -> Any:
    """What comes of it, in bounded time."""

    async def bounded() -> Any:
        async with asyncio.timeout(20):
            return await work

    return asyncio.run(bounded())


def raising(error: BaseException) -> Rerank:
    async def rerank(asked: Asked, trace: Trace) -> RerankResponse:
        raise error

    return rerank


VERSIONS = {"1": {"version": "1"}, "2": {"version": "2", "is_experimental": False}}


@pytest.mark.parametrize(
    ("path", "version", "dialect"),
    [
        ("/rerank", "2", "cohere_v2"),
        ("/v1/rerank", "1", "cohere_v1"),
        ("/v2/rerank", "2", "cohere_v2"),
        ("/v2/rerank/", "2", "cohere_v2"),
        ("//v1/rerank", "1", "cohere_v1"),
    ],
)
def test_a_request_is_answered_logged_and_counted(path: str, version: str, dialect: str) -> None:
    edge = Edge()
    reply = edge.post(path, (b"x-request-id", b"mine-1"))
    own, upstream = re.fullmatch(r"own;dur=(\S+), upstream;dur=(\S+)", reply.headers.pop("server-timing")).groups()  # type: ignore[union-attr]
    assert (float(own) >= 0, upstream) == (True, "500.00")
    assert reply.headers == {
        "content-type": "application/json",
        "x-request-id": "mine-1",
        "x-rankspec-model": "m",
        "x-rankspec-deployment": "provider/m",
        "x-rankspec-cost-usd": "0.002",
    }
    assert (reply.status, reply.json) == (
        200,
        {
            "id": "id-1",
            "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}],
            "meta": {"billed_units": {"search_units": 1}, "api_version": VERSIONS[version]},
        },
    )
    (line,) = edge.log
    told = {name: line[name] for name in ("event", "request_id", "dialect", "model", "status", "request_bytes")}
    assert told == {
        "event": "rerank",
        "request_id": "mine-1",
        "dialect": dialect,
        "model": "m",
        "status": 200,
        "request_bytes": len(BODY),
    }
    counted = f'rankspec_requests_total{{dialect="{dialect}",model="m",status="200"}} 1.0'
    figures = edge.metrics.render()[0].decode()
    assert counted in figures
    assert "rankspec_in_flight 0.0" in figures


def test_a_dialect_of_a_spec_is_answered_in_its_own_words() -> None:
    seen: list[Asked] = []

    async def rerank(asked: Asked, trace: Trace) -> RerankResponse:
        seen.append(asked)
        return await answer(asked, trace)

    edge = Edge(rerank)
    reply = edge.post("/jina_ai/v1/rerank")
    assert (reply.status, seen[0].model, [result["index"] for result in reply.json["results"]]) == (200, "m", [1, 0])
    assert edge.post("/jina_ai/v1/rerank", body=b"[]").status == 400
    assert [line["dialect"] for line in edge.log] == ["jina_ai", "jina_ai"]


def test_a_degraded_answer_says_so_in_a_header() -> None:
    async def rerank(asked: Asked, trace: Trace) -> RerankResponse:
        trace.degraded = "passthrough"
        return await answer(asked, trace)

    assert Edge(rerank).post().headers["x-rankspec-degraded"] == "passthrough"


def test_names_of_the_config_are_written_so_that_a_header_can_hold_them() -> None:
    async def rerank(asked: Asked, trace: Trace) -> RerankResponse:
        response = await answer(asked, trace)
        trace.model, trace.deployment = "größe\n", "100% a/b"
        return response

    headers = Edge(rerank).post().headers
    assert (headers["x-rankspec-model"], headers["x-rankspec-deployment"]) == ("gr%C3%B6%C3%9Fe%0A", "100% a/b")


@pytest.mark.parametrize(
    "given",
    [b"", b"a" * 129, b"a b", b"a\xff", b'"<script>'],
    ids=["empty", "long", "space", "no ASCII", "signs"],
)
def test_a_request_id_that_is_none_is_replaced(given: bytes) -> None:
    assert UUID.fullmatch(Edge().post("/rerank", (b"x-request-id", given)).headers["x-request-id"])


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/v2/rerank", 405, "POST, OPTIONS"),
        ("PUT", "/rerank/", 405, "POST, OPTIONS"),
        ("HEAD", "/jina_ai/v1/rerank", 405, "POST, OPTIONS"),
        ("OPTIONS", "/v1/rerank", 204, "POST, OPTIONS"),
        ("POST", "/v1/models", 405, "GET, HEAD, OPTIONS"),
        ("DELETE", "/v1/models/m", 405, "GET, HEAD, OPTIONS"),
        ("OPTIONS", "/metrics", 204, "GET, HEAD, OPTIONS"),
        ("GET", "/v1/check-api-key", 405, "POST, OPTIONS"),
    ],
)
def test_a_path_says_which_methods_it_takes(method: str, path: str, status: int, allow: str) -> None:
    reply = Edge().call(method, path)
    assert (reply.status, reply.headers["allow"]) == (status, allow)
    assert reply.body == b"" if status == 204 else reply.message == f"this path takes {allow}"


@pytest.mark.parametrize(
    "path", ["/nothing", "/v3/rerank", "/v1/v1/rerank", "/jina_ai", "/unknown/v1/rerank", "/a/../b"]
)
def test_an_unknown_path_is_not_found(path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        reply = Edge().call(method, path)
        assert reply.status == 404
        assert reply.message.startswith("there is nothing at this path")
        assert ("base URL has no /v1" in reply.message) == path.endswith("/rerank")


@pytest.mark.parametrize(
    "header",
    [
        KEY,
        (b"authorization", b"bearer   sk-1234 "),
        (b"authorization", b"BEARER other"),
        (b"authorization", b"sk-1234"),
        (b"x-api-key", b"sk-1234"),
        (b"api-key", b"other"),
    ],
)
def test_any_of_the_keys_opens_in_any_of_the_usual_headers(header: tuple[bytes, bytes]) -> None:
    edge = Edge(keys=("sk-1234", "other"))
    assert edge.post("/rerank", header).status == 200
    assert edge.call("GET", "/v1/models", header).status == 200
    assert edge.call("POST", "/v1/check-api-key", header).json == {"valid": True}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ((b"x-other", b"sk-1234"), "no api key supplied"),
        ((b"authorization", b""), "no api key supplied"),
        ((b"authorization", b"Bearer"), "no api key supplied"),
        ((b"authorization", b"Bearer sk-12345"), "invalid api token"),
        ((b"authorization", b"Bearer sk-123"), "invalid api token"),
        ((b"authorization", b"Basic sk-1234"), "invalid api token"),
        ((b"api-key", b"\xff"), "invalid api token"),
    ],
)
def test_without_a_right_key_nothing_is_told(header: tuple[bytes, bytes], message: str) -> None:
    edge = Edge(keys=("sk-1234",))
    for method, path in (
        ("POST", "/rerank"),
        ("POST", "/v1/check-api-key"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/m"),
        ("GET", "/health/providers"),
    ):
        reply = edge.call(method, path, JSON, header, body=BODY)
        assert (reply.status, reply.message, reply.headers["www-authenticate"]) == (401, message, "Bearer")


@pytest.mark.parametrize("key", ["sk-1234 ", " sk-1234", " ", "bearer", "Bearer", "Bearer sk-1234"])
def test_a_key_that_no_header_can_bring_opens_nothing(key: str) -> None:
    edge = Edge(keys=(key, "sk-5678"))
    header = (b"authorization", b"Bearer " + key.encode())
    assert edge.call("POST", "/rerank", JSON, header, body=BODY).status == (200 if key == "Bearer sk-1234" else 401)


def test_a_right_key_opens_beside_a_wrong_one() -> None:
    edge = Edge(keys=("sk-1234", "sk-5678"))
    for right, wrong in ((b"Bearer sk-5678", b"sk-0"), (b"sk-0", b"sk-1234")):
        assert edge.post("/rerank", (b"authorization", right), (b"x-api-key", wrong)).status == 200


def test_a_key_is_asked_for_before_a_body_is_read() -> None:
    edge = Edge(keys=("sk-1234",))
    assert edge.call("POST", "/rerank", (b"content-type", b"text/plain"), body=b"{").status == 401


@pytest.mark.parametrize(
    "path", ["/health/live", "/health/liveness", "/health/liveliness", "/metrics", "/openapi.json"]
)
def test_health_and_description_need_no_key(path: str) -> None:
    assert Edge(keys=("sk-1234",)).call("GET", path).status == 200


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "the request has no body, but must have a JSON object"),
        (b"[]", 400, "invalid request: the body must be a JSON object, not a list"),
        (b'{"query":"q","documents":["a"]}', 400, "a model parameter is required for this endpoint."),
        (b'{"model":7}', 400, "invalid request: model: must be text, not a number"),
        (
            b'{"model":"m","query":"q","documents":["a"],"api_key":"k"}',
            400,
            "invalid request: this server takes no api_key, api_base, base_url, headers or extra_headers in a body",
        ),
        (b"x" * 201, 413, "the request's body is larger than 200 bytes, the most that this server takes"),
    ],
    ids=["empty", "list", "no model", "model", "credentials", "too large"],
)
def test_a_request_that_cannot_be_read_is_refused(body: bytes, status: int, message: str) -> None:
    edge = Edge(max_body_bytes=200)
    reply = edge.post(body=body)
    assert (reply.status, reply.message) == (status, message)
    assert [line["status"] for line in edge.log] == [status]


def test_what_is_not_said_to_be_json_is_refused() -> None:
    reply = Edge().call("POST", "/rerank", (b"content-type", b"text/plain"), body=BODY)
    assert (reply.status, reply.headers["accept"]) == (415, "application/json")


def test_credentials_of_callers_are_taken_where_the_config_allows_it() -> None:
    seen: list[Asked] = []

    async def rerank(asked: Asked, trace: Trace) -> RerankResponse:
        seen.append(asked)
        return await answer(asked, trace)

    body = b'{"model":"m","query":"q","documents":["a"],"api_key":"k"}'
    assert Edge(rerank, allow_caller_credentials=True).post(body=body).status == 200
    assert seen[0].credentials is not None
    assert seen[0].credentials.api_key == "k"


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (RequestInvalid([Problem(("query",), "must be text, not the text 'my secret question'")]), 400, None),
        (ModelNotFound("m"), 404, None),
        (RateLimited("r", retry_after_seconds=1.2), 429, "2"),
        (RateLimited("r", retry_after_seconds=0), 429, "1"),
        (ProviderUnavailable("echoes my secret question", status=500), 503, None),
        (RateLimited("echoes my secret question", status=429), 429, "1"),
        (AuthenticationRejected("echoes my secret question", status=403), 500, None),
        (RequestRejected("echoes my secret question", status=422, provider_message="too long", code="len"), 422, None),
    ],
    ids=["invalid", "unknown model", "rate limit", "at once", "outage", "own words", "own words of a key", "rejected"],
)
def test_an_error_is_answered_with_its_status_and_logged_without_content(
    error: RankspecError, status: int, retry_after: str | None
) -> None:
    edge = Edge(raising(error))
    reply = edge.post()
    assert (reply.status, reply.headers.get("retry-after")) == (status, retry_after)
    assert reply.message
    assert not any(name.startswith("x-rankspec") for name in reply.headers)
    (line,) = edge.log
    assert (line["status"], line["error"]) == (status, type(error).__name__)
    assert "my secret question" not in edge.stream.getvalue()


def test_a_model_name_of_any_length_is_not_looked_for() -> None:
    edge = Edge()
    reply = edge.post(body=b'{"model":"%s","query":"q","documents":["a"]}' % (b"m" * 5_000_000))
    assert (reply.status, len(reply.message) < 500) == (404, True)
    assert edge.log[0]["error"] == "ModelNotFound"


SAID: dict[str, Any] = {"provider": "up", "status": 500, "code": "E7", "message_is_mapped": True}


@pytest.mark.parametrize(
    ("error", "with_content", "told"),
    [
        (ProviderUnavailable("Up answered 500: no room", **SAID), False, "up answered 500 (E7)"),
        (ProviderUnavailable("Up answered 500: no room", **SAID), True, "Up answered 500: no room"),
        (AuthenticationRejected("Up answered 401: expired", **SAID), False, "Up answered 401: expired"),
        (RateLimited("Up answered 429: a thousand a month", **SAID), False, "Up answered 429: a thousand a month"),
    ],
    ids=["outage", "outage, with content", "key", "rate limit"],
)
def test_what_a_provider_says_is_logged_if_it_is_about_a_key_or_content_is_logged_too(
    error: RankspecError, with_content: bool, told: str
) -> None:
    edge = Edge(raising(error), log_content=with_content)
    edge.post()
    assert [line["log_error"] for line in edge.log] == [told]


def test_a_fault_of_our_own_is_answered_too_and_its_text_stays_here() -> None:
    edge = Edge(raising(KeyError("my secret question")))
    reply = edge.post("/rerank")
    expected = (500, "something went wrong inside the gateway; its log has the details under this id")
    assert (reply.status, reply.message) == expected
    (line,) = edge.log
    assert line["error"] == "KeyError"
    assert re.search(r"^KeyError at .*test_gateway_app\.py:[0-9]+ rerank$", line["log_error"])
    assert "my secret question" not in edge.stream.getvalue()


def test_a_fault_of_a_page_is_answered_and_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    edge = Edge()
    monkeypatch.setattr(edge.metrics, "render", lambda: 1 / 0)
    reply = edge.call("GET", "/metrics")
    assert (reply.status, reply.message.startswith("something went wrong")) == (500, True)
    assert [line["event"] for line in edge.log] == ["failed"]


def test_when_the_caller_goes_away_the_work_is_cancelled_and_logged() -> None:
    edge, ends = Edge(), []

    async def scene() -> Reply:
        started, gone = asyncio.Event(), asyncio.Event()

        async def rerank(asked: Asked, trace: Trace) -> RerankResponse:
            started.set()
            try:
                await asyncio.sleep(60)
            finally:
                ends.append("cancelled")
            raise AssertionError

        edge.gateway.adopt(edge.snapshot(rerank))
        talk = asyncio.ensure_future(edge.talk("POST", "/rerank", JSON, body=BODY, goes_away=gone))
        await started.wait()
        gone.set()
        reply = await talk
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not talk.cancelled()
        return reply

    reply = run(scene())
    assert (reply.status, ends) == (0, ["cancelled"])
    assert [(line["status"], line["error"]) for line in edge.log] == [(499, "CallerGone")]
    assert "rankspec_in_flight 0.0" in edge.metrics.render()[0].decode()


def test_a_caller_who_goes_away_in_the_middle_of_a_body_ends_what_waits_for_it() -> None:
    edge = Edge()

    async def scene() -> None:
        begun, sent, waiting = asyncio.Event(), list[Any](), set[asyncio.Task[Any]]()

        async def receive() -> Any:
            begun.set()
            await asyncio.sleep(60)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/rerank", "headers": [JSON], WAITING: waiting}
        talk = asyncio.ensure_future(edge.gateway(scope, receive, send))
        await begun.wait()
        cancel_all(waiting)
        await talk
        assert (sent, waiting, talk.cancelled()) == ([], set(), False)

    run(scene())
    assert [(line["status"], line["error"]) for line in edge.log] == [(499, "CallerGone")]


def test_nothing_is_left_of_the_watch_over_a_caller_who_waits() -> None:
    edge = Edge()

    async def scene() -> None:
        await edge.talk("POST", "/rerank", JSON, body=BODY)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scene())


def test_a_caller_who_goes_away_as_the_answer_comes_does_no_harm() -> None:
    edge = Edge()

    async def scene() -> None:
        gone = asyncio.Event()

        async def rerank(asked: Asked, trace: Trace) -> RerankResponse:
            gone.set()
            await asyncio.sleep(0)
            return await answer(asked, trace)

        edge.gateway.adopt(edge.snapshot(rerank))
        await edge.talk("POST", "/rerank", JSON, body=BODY, goes_away=gone)

    run(scene())
    assert len(edge.log) == 1


def test_a_request_that_the_server_gives_up_at_its_end_is_answered() -> None:
    edge = Edge()

    async def scene() -> Reply:
        started = asyncio.Event()

        async def rerank(asked: Asked, trace: Trace) -> RerankResponse:
            started.set()
            await asyncio.sleep(60)
            raise AssertionError

        edge.gateway.adopt(edge.snapshot(rerank))
        talk = asyncio.ensure_future(edge.talk("POST", "/rerank", JSON, body=BODY))
        await started.wait()
        talk.cancel()
        return await talk

    reply = run(scene())
    assert (reply.status, reply.message) == (503, "the gateway is stopping, please send the request again")
    assert (reply.headers["retry-after"], reply.headers["connection"]) == ("1", "close")


def test_a_request_keeps_the_snapshot_that_it_began_with() -> None:
    edge, answered = Edge(), []

    async def scene() -> None:
        started, go_on = asyncio.Event(), asyncio.Event()

        def named(name: str, *, waits: bool = False) -> Rerank:
            async def rerank(asked: Asked, trace: Trace) -> RerankResponse:
                started.set()
                if waits:
                    await go_on.wait()
                answered.append(name)
                return await answer(asked, trace)

            return rerank

        edge.gateway.adopt(edge.snapshot(named("old", waits=True)))
        first = asyncio.ensure_future(edge.talk("POST", "/rerank", JSON, body=BODY))
        await started.wait()
        edge.gateway.adopt(edge.snapshot(named("new"), keys=("sk-1234",)))
        assert (await edge.talk("POST", "/rerank", JSON, body=BODY)).status == 401
        assert (await edge.talk("POST", "/rerank", JSON, KEY, body=BODY)).status == 200
        go_on.set()
        assert (await first).status == 200

    run(scene())
    assert answered == ["new", "old"]


def test_it_is_ready_from_start_to_end_and_closes_what_it_was_given() -> None:
    edge, seen = Edge(), []

    async def beside() -> None:
        seen.append("started")
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("ended")

    async def ready() -> int:
        return (await edge.talk("GET", "/health/ready")).status

    async def scene() -> None:
        told: asyncio.Queue[Any] = asyncio.Queue()
        sent: asyncio.Queue[Any] = asyncio.Queue()
        life = asyncio.ensure_future(edge.gateway({"type": "lifespan"}, told.get, sent.put))
        seen.append(await ready())
        await told.put({"type": "lifespan.startup"})
        seen.append(await sent.get())
        seen.append(await ready())
        await told.put({"type": "lifespan.shutdown"})
        seen.append(await sent.get())
        seen.append(await ready())
        await life

    edge.gateway.run_beside(beside)
    run(scene())
    up, down = {"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}
    assert seen == [503, "started", up, 200, "ended", down, 503]
    assert edge.transport.is_closed


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        (("127.0.0.1", 1), [], 200),
        (("::1", 1), [], 200),
        (("127.0.0.1", 1), [(b"x-forwarded-for", b"8.8.8.8")], 403),
        (("10.0.0.7", 1), [], 403),
        (("not an address", 1), [], 403),
        (None, [], 403),
    ],
    ids=["this machine", "version 6", "behind a proxy", "another machine", "odd", "unknown"],
)
def test_without_a_key_only_this_machine_may_have_providers_asked(
    client: tuple[str, int] | None, headers: list[tuple[bytes, bytes]], status: int
) -> None:
    reply = Edge().call("GET", "/health/providers", *headers, client=client)
    assert reply.status == status
    assert Edge(keys=("sk-1234",)).call("GET", "/health/providers", KEY, *headers, client=client).status == 200


def test_models_are_listed_and_told_one_by_one() -> None:
    edge = Edge()
    names = [model["name"] for model in edge.call("GET", "/v1/models").json["models"]]
    assert names == [model["id"] for model in edge.call("GET", "/models/").json["data"]] == ["m"]
    assert edge.call("GET", "/v1/models", query=b"endpoint=chat").json["models"] == []
    assert edge.call("GET", "/v1/models/m").json["id"] == "m"
    missing = edge.call("GET", "/v1/models/a/b")
    assert (missing.status, missing.message.startswith("model 'a/b' not found")) == (404, True)


def test_people_are_led_to_the_docs_and_machines_to_the_description() -> None:
    edge = Edge()
    root = edge.call("GET", "/")
    assert (root.status, root.headers["location"]) == (307, "/docs")
    assert edge.call("GET", "/docs").headers["content-type"] == "text/html; charset=utf-8"
    assert edge.call("GET", "/openapi.json").json["openapi"] == "3.1.0"


def test_what_is_nested_too_deeply_is_refused() -> None:
    async def rerank(asked: Asked, trace: Trace) -> RerankResponse:
        response = await answer(asked, trace)
        response.results[0]["document"] = asked.values["documents"][0]
        return response

    body = b'{"model":"m","query":"q","documents":[{"text":"a","deep":' + b"[" * 900 + b"]" * 900 + b"}]}"
    reply = Edge(rerank).post(body=body)
    assert (reply.status, reply.message) == (400, "the body is nested deeper than 200 levels")
