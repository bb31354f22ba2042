"""One request over several deployments: who is asked, how often, and what the caller and the log are told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from rankspec.errors import (
    AuthenticationRejected,
    ConnectFailed,
    CredentialMissing,
    ProviderUnavailable,
    RateLimited,
    RequestInvalid,
    RequestRejected,
    ResponseInvalid,
    TimedOut,
)
from rankspec.gateway.refusals import Busy, ModelNotFound, Refused
from rankspec.gateway.routing.assembly import Assembly, Snapshot
from rankspec.gateway.routing.router import Router
from rankspec.gateway.values import (
    PASSTHROUGH,
    Asked,
    CallerCredentials,
    DeploymentConfig,
    GatewayConfig,
    Price,
    RoutingConfig,
    ServerConfig,
    Trace,
)
from rankspec.models import HttpRequest, HttpResponse, RerankResponse
from rankspec.transports.async_transport import AsyncTransport

PATIENCE_SECONDS = 8.0
ENVIRONMENT = {"COHERE_API_KEY": "env-key", "JINA_API_KEY": "jina-key"}
VALUES = {"query": "capital of France", "documents": ["Berlin", "Paris"]}

Behaviour = HttpResponse | Exception | Callable[[HttpRequest], Awaitable[HttpResponse]]


def answer(*scores: float, units: dict[str, float] | None = None) -> HttpResponse:
    """A success of Cohere's with these scores by index."""
    results = [{"index": index, "relevance_score": score} for index, score in enumerate(scores or (0.1, 0.9))]
    body = {"id": "r-1", "results": results, "meta": {"billed_units": units or {"search_units": 1}}}
    return HttpResponse(200, {"content-type": "application/json"}, orjson.dumps(body))


def failing(status: int, message: str = "no", **headers: str) -> HttpResponse:
    """An error of Cohere's."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return HttpResponse(status, {"content-type": "application/json", **named}, orjson.dumps({"message": message}))


@dataclass
class Providers(AsyncTransport):
    """Providers by host: each answers with the next of its behaviours, the last one for ever. No time passes."""

    by_host: dict[str, list[Behaviour]]
    seen: list[HttpRequest] = field(default_factory=list)

    async def send(self, request: HttpRequest) -> HttpResponse:
        if request.url.startswith("local://"):
            return await super().send(request)
        self.seen.append(request)
        behaviours = self.by_host[urlsplit(request.url).hostname or ""]
        behaviour = behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]
        if isinstance(behaviour, Exception):
            raise behaviour
        return behaviour if isinstance(behaviour, HttpResponse) else await behaviour(request)

    @property
    def hosts(self) -> list[str]:
        return [urlsplit(request.url).hostname or "" for request in self.seen]


def deployment(host: str, name: str = "rerank", model: str = "cohere/rerank-v3.5", **others: Any) -> DeploymentConfig:
    return DeploymentConfig(id=host, name=name, model=model, api_base=f"http://{host}", **others)


def snapshot(providers: Providers, *deployments: DeploymentConfig, server: Any = None, **routing: Any) -> Snapshot:
    given = {"strategy": "ordered", **routing}
    config = GatewayConfig(deployments, RoutingConfig(**given), server or ServerConfig())
    return Assembly(ENVIRONMENT, providers).build(config)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    async def guarded() -> Any:
        outcome = await asyncio.wait_for(work, PATIENCE_SECONDS)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return outcome

    return asyncio.run(guarded())


def rerank(
    made: Snapshot, trace: Trace | None = None, *, model: str | None = "rerank", **values: Any
) -> RerankResponse:
    """The router's answer; waits take no time."""
    return run(_rerank(made, trace or Trace("id"), Asked(model, {**VALUES, **values})))


async def _rerank(made: Snapshot, trace: Trace, asked: Asked) -> RerankResponse:
    return await made.router.rerank(asked, trace)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    noted: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        noted.append(seconds)
        await sleep(0)

    monkeypatch.setattr("asyncio.sleep", note)
    return noted


def test_an_answer_comes_back_ranked_and_is_traced() -> None:
    providers, trace = Providers({"a.test": [answer(0.1, 0.9)]}), Trace("id")
    response = rerank(snapshot(providers, deployment("a.test")), trace)
    assert [result.index for result in response.results] == [1, 0]
    assert "warnings" not in response.meta
    assert (trace.model, trace.deployment, trace.documents) == ("rerank", "a.test", 2)
    assert (trace.upstream_requests, trace.retries, trace.degraded, trace.fallbacks) == (1, 0, None, [])
    assert trace.cost_usd == 0.002
    assert [(one.deployment, one.error) for one in trace.attempts] == [("a.test", None)]


def test_what_may_succeed_later_is_tried_again(waits: list[float]) -> None:
    providers, trace = Providers({"a.test": [failing(503), failing(500), answer()]}), Trace("id")
    assert rerank(snapshot(providers, deployment("a.test")), trace).id == "r-1"
    assert [one.error for one in trace.attempts] == ["ProviderUnavailable", "ProviderUnavailable", None]
    assert trace.retries == 2
    first, second = waits
    assert 0.25 <= first <= 0.5 <= second <= 1.0


def test_a_lone_deployment_is_waited_for_as_long_as_it_asks(waits: list[float]) -> None:
    providers = Providers({"a.test": [failing(429, retry_after="7"), answer()]})
    assert rerank(snapshot(providers, deployment("a.test"))).id == "r-1"
    assert waits == [7.0]


def test_a_wait_beyond_the_deadline_is_not_begun(waits: list[float]) -> None:
    providers = Providers({"a.test": [failing(429, retry_after="7")]})
    with pytest.raises(RateLimited) as caught:
        rerank(snapshot(providers, deployment("a.test"), timeout_seconds=5.0))
    assert caught.value.retry_after_seconds == 7
    assert waits == []
    assert len(providers.seen) == 1


def test_another_deployment_is_asked_at_once(waits: list[float]) -> None:
    providers, trace = Providers({"a.test": [failing(429, retry_after="7")], "b.test": [answer()]}), Trace("id")
    made = snapshot(providers, deployment("a.test"), deployment("b.test"))
    assert rerank(made, trace).id == "r-1"
    assert waits == []
    assert providers.hosts == ["a.test", "b.test"]
    assert (trace.deployment, trace.degraded) == ("b.test", None)
    # The one that asked for time gets it.
    assert rerank(made).id == "r-1"
    assert providers.hosts == ["a.test", "b.test", "b.test"]


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (failing(401), AuthenticationRejected),
        (failing(404), RequestRejected),
        (HttpResponse(200, {}, b"<html>"), ResponseInvalid),
    ],
    ids=["our-key", "their-path", "no-ranking"],
)
def test_what_no_time_mends_goes_to_another_deployment_only(behaviour: HttpResponse, error: type[Exception]) -> None:
    providers = Providers({"a.test": [behaviour], "b.test": [answer()]})
    assert rerank(snapshot(providers, deployment("a.test"), deployment("b.test"))).id == "r-1"
    assert providers.hosts == ["a.test", "b.test"]
    alone = Providers({"a.test": [behaviour]})
    with pytest.raises(error):
        rerank(snapshot(alone, deployment("a.test")))
    assert alone.hosts == ["a.test"]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_the_callers_fault_is_told_at_once(status: int) -> None:
    providers = Providers({"a.test": [failing(status, "bad query")], "b.test": [answer()]})
    made = snapshot(providers, deployment("a.test"), deployment("b.test"), default_fallbacks=(PASSTHROUGH,))
    for _ in range(5):
        with pytest.raises(RequestRejected, match="bad query"):
            rerank(made)
    assert set(providers.hosts) == {"a.test"}


def test_a_bad_request_is_sent_to_nobody() -> None:
    providers = Providers({"a.test": [answer()]})
    with pytest.raises(RequestInvalid, match="documents: must hold at least one document"):
        rerank(snapshot(providers, deployment("a.test")), documents=[])
    assert providers.seen == []


def test_a_deployment_that_keeps_failing_is_left_out() -> None:
    providers = Providers({"a.test": [failing(500)], "b.test": [answer()]})
    made = snapshot(providers, deployment("a.test"), deployment("b.test"), allowed_failures=2)
    for _ in range(10):
        assert rerank(made).id == "r-1"
    assert 2 <= providers.hosts.count("a.test") <= 3
    assert providers.hosts[-5:] == ["b.test"] * 5


def test_all_that_cool_are_better_than_none() -> None:
    providers = Providers({"a.test": [failing(401), failing(401), answer()]})
    made = snapshot(providers, deployment("a.test"))
    for _ in range(2):
        with pytest.raises(AuthenticationRejected):
            rerank(made)
    assert rerank(made).id == "r-1"


def test_without_a_chain_the_last_failure_is_told() -> None:
    providers = Providers({"a.test": [ConnectFailed("no connection")]})
    with pytest.raises(ConnectFailed):
        rerank(snapshot(providers, deployment("a.test")))
    assert len(providers.seen) == 3


def test_another_model_answers_in_its_place_and_that_is_told() -> None:
    providers, trace = Providers({"a.test": [failing(500)], "b.test": [answer()]}), Trace("id")
    made = snapshot(
        providers,
        deployment("a.test"),
        deployment("b.test", "other"),
        fallbacks={"rerank": ("other",)},
        retries=0,
    )
    response = rerank(made, trace)
    assert response.meta.warnings == [
        "degraded: the model 'rerank' could not answer (ProviderUnavailable): "
        "'other' ranked in its place, and scores are its own"
    ]
    assert (trace.degraded, trace.fallbacks, trace.model) == ("fallback", ["other"], "rerank")
    assert (trace.deployment, trace.warnings, trace.cost_usd) == ("b.test", 1, 0.002)


def test_a_chain_is_gone_through_in_its_order() -> None:
    providers, trace = Providers({"a.test": [failing(500)], "b.test": [failing(429)]}), Trace("id")
    made = snapshot(
        providers,
        deployment("a.test"),
        deployment("b.test", "other"),
        fallbacks={"rerank": ("other", "local/bm25", PASSTHROUGH)},
        retries=0,
    )
    response = rerank(made, trace)
    assert [result.index for result in response.results] == [0, 1]
    assert trace.fallbacks == ["other", "local/bm25"]
    assert trace.deployment == "local/bm25"
    assert "'local/bm25' ranked in its place" in response.meta.warnings[0]


def test_nothing_ranks_in_a_passthrough() -> None:
    providers, trace = Providers({"a.test": [failing(500)]}), Trace("id")
    made = snapshot(providers, deployment("a.test"), default_fallbacks=(PASSTHROUGH,), retries=0)
    response = rerank(made, trace, top_n=1, return_documents=True)
    assert response.results == [{"index": 0, "relevance_score": None, "document": {"text": "Berlin"}}]
    assert response.meta.warnings == [
        "degraded: the model 'rerank' could not answer (ProviderUnavailable): "
        "the documents are in the order in which they were sent, and nothing ranked them"
    ]
    assert (trace.degraded, trace.fallbacks, trace.deployment) == ("passthrough", [PASSTHROUGH], None)
    assert (trace.warnings, trace.cost_usd) == (1, None)


def test_without_time_for_a_fallback_the_first_failure_is_told() -> None:
    async def hang(request: HttpRequest) -> HttpResponse:
        await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=request.timeout_seconds)
        raise TimedOut("too slow")

    providers, trace = Providers({"a.test": [hang]}), Trace("id")
    entries = (deployment("a.test"), deployment("b.test", "other"))
    made = snapshot(providers, *entries, fallbacks={"rerank": ("other",)}, timeout_seconds=0.05)
    with pytest.raises(TimedOut):
        rerank(made, trace)
    assert (providers.hosts, trace.fallbacks) == (["a.test"], ["other"])


@pytest.mark.parametrize("status", [400, 404, 422])
def test_what_a_fallback_refuses_goes_on_along_the_chain(status: int) -> None:
    providers, trace = Providers({"a.test": [failing(500)], "b.test": [failing(status)]}), Trace("id")
    entries = (deployment("a.test"), deployment("b.test", "cohere/*", "cohere/*"))
    chain = ("cohere/rerank-v9", PASSTHROUGH)
    made = snapshot(providers, *entries, fallbacks={"rerank": chain}, retries=0)
    rerank(made, trace)
    assert (providers.hosts, trace.degraded) == (["a.test", "b.test"], "passthrough")
    without = snapshot(providers, *entries, fallbacks={"rerank": chain[:1]}, retries=0)
    with pytest.raises(ProviderUnavailable):
        rerank(without)


def test_a_fallback_that_lacks_its_key_does_no_harm() -> None:
    providers = Providers({"a.test": [answer(), failing(500)]})
    entries = (deployment("a.test"), DeploymentConfig("any", "*", "*"))
    made = snapshot(providers, *entries, fallbacks={"rerank": ("together_ai/x", PASSTHROUGH)}, retries=0)
    assert rerank(made).id == "r-1"
    assert rerank(made).results[0].relevance_score is None


def test_a_retry_goes_to_nobody_who_was_left_out_during_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    providers = Providers({"a.test": [failing(503), answer()]})
    made = snapshot(providers, deployment("a.test"), default_fallbacks=(PASSTHROUGH,))
    state = made.router.groups.deployments[0].state

    async def others_fail(seconds: float) -> None:
        state.failed(at_once=True)

    monkeypatch.setattr("asyncio.sleep", others_fail)
    assert rerank(made).results[0].relevance_score is None
    assert len(providers.seen) == 1


def test_whoever_asks_for_the_least_time_is_asked_again_first(waits: list[float]) -> None:
    providers = Providers({"a.test": [failing(429, retry_after="7")], "b.test": [failing(503), answer()]})
    made = snapshot(providers, deployment("a.test"), deployment("b.test"), cooldown_seconds=0.0)
    assert rerank(made).id == "r-1"
    assert (providers.hosts, [seconds < 7 for seconds in waits]) == (["a.test", "b.test", "b.test"], [True])


def test_a_model_that_is_left_out_is_not_asked_when_another_can_answer() -> None:
    providers = Providers({"a.test": [failing(401)]})
    made = snapshot(providers, deployment("a.test"), default_fallbacks=(PASSTHROUGH,))
    for _ in range(3):
        assert rerank(made).results[0].relevance_score is None
    assert len(providers.seen) == 1


def test_time_is_kept_for_a_member_of_the_chain_that_answers_at_once() -> None:
    providers = Providers({"a.test": [TimedOut("too slow")]})
    made = snapshot(providers, deployment("a.test"), default_fallbacks=(PASSTHROUGH,), timeout_seconds=5.0)
    assert rerank(made).results[0].relevance_score is None
    assert [4.4 < request.timeout_seconds <= 4.5 for request in providers.seen] == [True]


def test_what_is_kept_is_for_whoever_ranks_in_this_process() -> None:
    async def hang(request: HttpRequest) -> HttpResponse:
        await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=request.timeout_seconds)
        raise TimedOut("too slow")

    providers, trace = Providers({"a.test": [hang]}), Trace("id")
    chain = ("local/bm25", PASSTHROUGH)
    late = snapshot(providers, deployment("a.test"), default_fallbacks=chain, timeout_seconds=3.0)
    rerank(late, trace)
    assert (trace.degraded, trace.deployment, trace.fallbacks) == ("fallback", "local/bm25", ["local/bm25"])


def test_ranking_in_this_process_is_bounded_in_time_too() -> None:
    made = snapshot(Providers({}), DeploymentConfig("b", "rerank", "local/bm25", timeout_seconds=0.001))
    with pytest.raises(TimedOut):
        rerank(made, documents=["a long document " * 50] * 500)


def test_a_chain_is_found_by_an_alias_and_by_a_name_with_a_star() -> None:
    providers = Providers({"a.test": [failing(500)]})
    entries = (deployment("a.test", "cohere/*", "cohere/*"),)
    chains = {"gpt": (PASSTHROUGH,), "cohere/*": ("local/bm25",)}
    given: dict[str, Any] = {"aliases": {"gpt": "cohere/x"}, "fallbacks": chains, "retries": 0}
    for asked, degraded in (("gpt", "passthrough"), ("cohere/x", "fallback")):
        trace = Trace("id")
        rerank(snapshot(providers, *entries, **given), trace, model=asked)
        assert trace.degraded == degraded


def test_time_at_providers_and_between_tries_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]

    async def slow(request: HttpRequest) -> HttpResponse:
        now[0] += 3.0
        return failing(503) if now[0] < 104 else answer()

    async def wait(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("asyncio.sleep", wait)
    providers, trace = Providers({"a.test": [slow]}), Trace("id")
    made = snapshot(providers, deployment("a.test"))
    router = Router(made.router.groups, RoutingConfig(), providers, clock=lambda: now[0], jitter=lambda: 1.0)
    run(router.rerank(Asked("rerank", VALUES), trace))
    assert (trace.upstream_seconds, trace.waited_seconds) == (6.0, pytest.approx(now[0] - 106.0))
    assert [one.seconds for one in trace.attempts] == [3.0, 3.0]
    assert trace.waited_seconds > 0


def test_what_an_answer_tells_is_kept_of_its_deployment() -> None:
    async def by_size(request: HttpRequest) -> HttpResponse:
        return answer(*[0.5] * len(orjson.loads(request.body)["documents"]), units={"input_tokens": 7})

    made = snapshot(Providers({"a.test": [by_size]}), deployment("a.test"))
    rerank(made)
    state = made.router.groups.deployments[0].state
    assert (state.requests_this_minute, state.tokens_this_minute, state.latency_seconds is None) == (1, 7, False)
    rerank(made, documents=["d"] * 10_001)
    assert state.requests_this_minute == 3


def test_a_deployments_own_retries_are_tries_of_its_own() -> None:
    providers, trace = Providers({"a.test": [failing(503), failing(503), answer()]}), Trace("id")
    rerank(snapshot(providers, deployment("a.test", max_retries=2), retries=0), trace)
    assert (len(providers.seen), len(trace.attempts), trace.upstream_requests) == (3, 1, 3)


def test_documents_that_are_likely_cut_are_traced() -> None:
    trace = Trace("id")
    rerank(snapshot(Providers({"a.test": [answer()]}), deployment("a.test")), trace, documents=["x" * 20_000, "y"])
    assert trace.overlong_documents == 1


def test_a_deployments_own_timeout_bounds_its_tries() -> None:
    providers = Providers({"a.test": [TimedOut("too slow")], "b.test": [answer()]})
    made = snapshot(providers, deployment("a.test", timeout_seconds=2.0), deployment("b.test"))
    assert rerank(made).id == "r-1"
    assert providers.seen[0].timeout_seconds == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("name", ["nobody", "rerank/x", "", "*"])
def test_an_unknown_model_is_not_found(name: str) -> None:
    made = snapshot(Providers({}), deployment("a.test"), deployment("b.test", "cohere/*", "cohere/*"))
    if name:
        with pytest.raises(ModelNotFound) as caught:
            rerank(made, model=name)
        assert caught.value.status == 404
    else:
        with pytest.raises(RequestInvalid, match="model: is missing, and there is no default model"):
            rerank(made, model=name)


def test_a_request_without_a_model_goes_to_the_only_or_the_default_one() -> None:
    providers = Providers({"a.test": [answer()], "b.test": [answer()]})
    rerank(snapshot(providers, deployment("a.test")), model=None)
    two = (deployment("a.test"), deployment("b.test", "other"))
    rerank(snapshot(providers, *two, default_model="other"), model=None)
    assert providers.hosts == ["a.test", "b.test"]


def test_an_alias_is_another_name() -> None:
    providers, trace = Providers({"a.test": [answer()]}), Trace("id")
    rerank(snapshot(providers, deployment("a.test"), aliases={"gpt": "rerank"}), trace, model="gpt")
    assert (trace.model, trace.asked_model) == ("rerank", "gpt")


@pytest.mark.parametrize(
    ("name", "model", "asked", "sent"),
    [
        ("cohere/*", "cohere/*", "cohere/rerank-v4.0-pro", "rerank-v4.0-pro"),
        ("cohere/*", "cohere/*", "rerank-v4.0-pro", "rerank-v4.0-pro"),
        ("*", "cohere/*", "anything", "anything"),
        ("team-*-x", "cohere/rerank-*", "team-v3.5-x", "rerank-v3.5"),
        ("cohere/*", "cohere/rerank-v3.5", "cohere/other", "rerank-v3.5"),
        ("*", "*", "cohere/rerank-v3.5", "rerank-v3.5"),
        ("my/*", "*", "my/cohere/rerank-v3.5", "rerank-v3.5"),
    ],
)
def test_a_star_carries_the_model(name: str, model: str, asked: str, sent: str) -> None:
    providers, trace = Providers({"a.test": [answer()]}), Trace("id")
    rerank(snapshot(providers, deployment("a.test", name, model)), trace, model=asked)
    assert orjson.loads(providers.seen[0].body)["model"] == sent
    assert trace.model == name


def test_providers_behind_one_star_fail_each_for_itself() -> None:
    providers = Providers({"a.test": [failing(401), answer()]})
    made = snapshot(providers, DeploymentConfig("any", "*", "*"))
    with pytest.raises(CredentialMissing):
        rerank(made, model="together_ai/x")
    for name in ("nobody/x", "cohere"):
        with pytest.raises(ModelNotFound):
            rerank(made, model=name)
    assert [one.id for one in made.router.groups.deployments] == []
    assert rerank(made, model="local/bm25").results[0].index == 0
    assert [one.id for one in made.router.groups.deployments] == ["any:local"]


def test_an_unknown_model_behind_a_star_is_the_callers_mistake() -> None:
    providers = Providers({"a.test": [failing(404, "model 'x' not found")]})
    made = snapshot(providers, deployment("a.test", "cohere/*", "cohere/*"), default_fallbacks=(PASSTHROUGH,))
    for _ in range(5):
        with pytest.raises(ModelNotFound, match="model 'cohere/x' not found"):
            rerank(made, model="cohere/x")
    assert len(providers.seen) == 5


def test_defaults_stand_where_the_caller_is_silent() -> None:
    providers = Providers({"a.test": [answer()]})
    made = snapshot(providers, deployment("a.test", defaults={"top_n": 1, "extra": {"a": 1, "b": 1}}))
    rerank(made)
    rerank(made, top_n=2, extra={"b": 2})
    first, second = (orjson.loads(request.body) for request in providers.seen)
    assert (first["top_n"], first["a"], first["b"]) == (1, 1, 1)
    assert (second["top_n"], second["a"], second["b"]) == (2, 1, 2)


def test_parameters_of_the_dialect_go_to_its_own_provider_alone() -> None:
    providers = Providers({"a.test": [answer()]})
    made = snapshot(providers, deployment("a.test"))
    values = {**VALUES, "extra": {"truncation": True}}
    response = run(_rerank(made, Trace("id"), Asked("rerank", values, extra_of="voyage_ai")))
    run(_rerank(made, Trace("id"), Asked("rerank", values, extra_of="cohere")))
    foreign, own = (orjson.loads(request.body) for request in providers.seen)
    assert ("truncation" in foreign, own["truncation"]) == (False, True)
    assert response.meta.warnings == ["truncation is a parameter of voyage_ai, which cohere does not know: ignored"]
    strict = snapshot(providers, deployment("a.test"), server=ServerConfig(unsupported="error"))
    with pytest.raises(RequestInvalid, match="truncation: is a parameter of voyage_ai"):
        run(_rerank(strict, Trace("id"), Asked("rerank", values, extra_of="voyage_ai")))


def test_the_configs_price_replaces_the_specs() -> None:
    providers, trace = Providers({"a.test": [answer(units={"search_units": 3})]}), Trace("id")
    rerank(snapshot(providers, deployment("a.test", price=Price(1.0, 100, "search_units"))), trace)
    assert trace.cost_usd == 0.03


def test_parts_of_a_split_call_are_tried_again_alone() -> None:
    async def by_size(request: HttpRequest) -> HttpResponse:
        return answer(*[0.5] * len(orjson.loads(request.body)["documents"]))

    providers, trace = Providers({"a.test": [by_size, failing(503), by_size]}), Trace("id")
    response = rerank(snapshot(providers, deployment("a.test")), trace, documents=["d"] * 10_001)
    assert len(response.results) == 10_001
    assert (len(providers.seen), trace.upstream_requests, trace.retries) == (3, 3, 0)


def _held(release: asyncio.Event, cancelled: list[str]) -> Behaviour:
    async def hold(request: HttpRequest) -> HttpResponse:
        try:
            await release.wait()
        except asyncio.CancelledError:
            cancelled.append(request.url)
            raise
        return answer(0.5, 0.4)

    return hold


def test_a_second_deployment_is_asked_when_the_first_is_slow() -> None:
    async def work() -> None:
        cancelled: list[str] = []
        providers = Providers({"a.test": [_held(asyncio.Event(), cancelled)], "b.test": [answer()]})
        made = snapshot(providers, deployment("a.test"), deployment("b.test"), hedge_after_seconds=0.01)
        trace = Trace("id")
        assert (await _rerank(made, trace, Asked("rerank", VALUES))).id == "r-1"
        assert (trace.hedged, trace.deployment, trace.degraded) == (True, "b.test", None)
        assert len(cancelled) == 1
        assert [one.state.in_flight for one in made.router.groups.deployments] == [0, 0]
        assert [one.state.state_name for one in made.router.groups.deployments] == ["up", "up"]

    run(work())


def test_no_second_one_is_asked_that_has_failed_before() -> None:
    async def slow(request: HttpRequest) -> HttpResponse:
        await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.05)
        return answer()

    providers, trace = Providers({"a.test": [failing(503), answer()], "b.test": [slow]}), Trace("id")
    rerank(snapshot(providers, deployment("a.test"), deployment("b.test"), hedge_after_seconds=0.01), trace)
    assert (providers.hosts, trace.hedged) == (["a.test", "b.test"], False)


def test_the_first_still_wins_when_the_second_fails() -> None:
    async def work() -> None:
        release = asyncio.Event()

        async def fail(request: HttpRequest) -> HttpResponse:
            release.set()
            return failing(500)

        providers = Providers({"a.test": [_held(release, [])], "b.test": [fail]})
        made = snapshot(providers, deployment("a.test"), deployment("b.test"), hedge_after_seconds=0.01)
        trace = Trace("id")
        await _rerank(made, trace, Asked("rerank", VALUES))
        assert (trace.hedged, trace.deployment) == (True, "a.test")

    run(work())


def test_a_caller_that_goes_gives_its_place_back() -> None:
    async def work() -> None:
        cancelled: list[str] = []
        providers = Providers({"a.test": [_held(asyncio.Event(), cancelled), answer()]})
        made = snapshot(providers, deployment("a.test", max_concurrent=1))
        task = asyncio.ensure_future(_rerank(made, Trace("id"), Asked("rerank", VALUES)))
        while not providers.seen:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(cancelled) == 1
        assert (await _rerank(made, Trace("id"), Asked("rerank", VALUES))).id == "r-1"

    run(work())


def test_more_than_a_deployment_takes_is_refused() -> None:
    async def work() -> None:
        release = asyncio.Event()
        providers = Providers({"a.test": [_held(release, [])]})
        made = snapshot(providers, deployment("a.test", max_concurrent=1, max_queued=1))
        asked = Asked("rerank", VALUES)
        waiting = [asyncio.ensure_future(_rerank(made, Trace("id"), asked)) for _ in range(2)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(Busy) as caught:
            await _rerank(made, Trace("id"), asked)
        assert caught.value.status == 429
        release.set()
        assert len(await asyncio.gather(*waiting)) == 2
        assert len(providers.seen) == 2

    run(work())


ALLOWED = ServerConfig(allow_caller_credentials=True)


def test_a_callers_key_replaces_ours() -> None:
    providers = Providers({"a.test": [answer()]})
    made = snapshot(providers, deployment("a.test", api_key="ours"), server=ALLOWED)
    run(_rerank(made, Trace("id"), Asked("rerank", VALUES, CallerCredentials("theirs"))))
    assert providers.seen[0].headers["Authorization"] == "Bearer theirs"


def test_nothing_of_ours_goes_to_a_base_url_of_the_callers() -> None:
    providers = Providers({"evil.test": [answer()]})
    entry = deployment("a.test", api_key="ours", headers={"X-Secret": "ours"})
    made = snapshot(providers, entry, server=ALLOWED)
    stolen = CallerCredentials(None, "http://evil.test")
    with pytest.raises(Refused, match="this request brings no key"):
        run(_rerank(made, Trace("id"), Asked("rerank", VALUES, stolen)))
    run(_rerank(made, Trace("id"), Asked("rerank", VALUES, replace(stolen, api_key="theirs"))))
    headers = providers.seen[0].headers
    assert headers["Authorization"] == "Bearer theirs"
    assert not any("ours" in text or "env-key" in text for text in headers.values())


def test_an_answer_to_a_callers_own_key_ends_no_cooldown_of_ours() -> None:
    providers = Providers({"a.test": [failing(401), answer()]})
    made = snapshot(providers, deployment("a.test"), server=ALLOWED)
    with pytest.raises(AuthenticationRejected):
        rerank(made)
    run(_rerank(made, Trace("id"), Asked("rerank", VALUES, CallerCredentials("theirs"))))
    state = made.router.groups.deployments[0].state
    assert (state.state_name, state.latency_seconds) == ("cooling", None)


def test_a_refusal_of_the_callers_own_key_concerns_that_caller_alone() -> None:
    providers = Providers({"a.test": [failing(401)]})
    made = snapshot(providers, deployment("a.test"), server=ALLOWED, default_fallbacks=(PASSTHROUGH,))
    for _ in range(5):
        with pytest.raises(Refused) as caught:
            run(_rerank(made, Trace("id"), Asked("rerank", VALUES, CallerCredentials("theirs"))))
        assert caught.value.status == 401
    assert made.router.groups.deployments[0].state.state_name == "up"


def test_a_failure_with_a_callers_own_key_is_told_and_concerns_nobody_else() -> None:
    providers = Providers({"a.test": [failing(500)]})
    made = snapshot(providers, deployment("a.test"), server=ALLOWED, default_fallbacks=(PASSTHROUGH,), retries=0)
    for _ in range(9):
        with pytest.raises(ProviderUnavailable):
            run(_rerank(made, Trace("id"), Asked("rerank", VALUES, CallerCredentials("theirs"))))
    assert made.router.groups.deployments[0].state.state_name == "up"


def test_a_reload_keeps_what_is_known_of_a_deployment() -> None:
    providers = Providers({"a.test": [failing(401)], "b.test": [answer()]})
    made = snapshot(providers, deployment("a.test"), deployment("b.test"))
    rerank(made)
    again = Assembly(ENVIRONMENT, providers).build(made.config, previous=made)
    assert [one.state.state_name for one in again.router.groups.deployments] == ["cooling", "up"]
    changed = replace(made.config, deployments=(deployment("a.test", api_key="new"), deployment("b.test")))
    fresh = Assembly(ENVIRONMENT, providers).build(changed, previous=made)
    assert [one.state.state_name for one in fresh.router.groups.deployments] == ["up", "up"]


def test_a_deployment_that_cannot_work_refuses_the_start_or_is_left_out() -> None:
    config = GatewayConfig((DeploymentConfig("t", "together", "together_ai/x"), deployment("a.test")))
    providers = Providers({"a.test": [answer()]})
    with pytest.raises(CredentialMissing, match="together: Together AI needs a key: set TOGETHER"):
        Assembly({"COHERE_API_KEY": "k"}, providers).build(config)
    made = Assembly({"COHERE_API_KEY": "k"}, providers, is_lenient=True).build(config)
    assert list(made.left_out) == ["t"]
    assert rerank(made).id == "r-1"


def test_a_storm_of_failures_is_told_as_what_it_is() -> None:
    providers = Providers({"a.test": [failing(500)], "b.test": [failing(500)]})
    made = snapshot(providers, deployment("a.test"), deployment("b.test"))
    for _ in range(20):
        with pytest.raises(ProviderUnavailable):
            rerank(made)
