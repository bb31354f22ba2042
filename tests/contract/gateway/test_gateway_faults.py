"""Every fault with every policy ends as fault_matrix.py says: statuses, headers, requests, marks and cooldowns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from fault_matrix import POLICIES, ROWS, Cell, Row
from gateway_process import Gateway, Reply
from loopback import PATIENCE_SECONDS, Behaviour, Peer, Seen, Server, broken, refusing_host, reply
from upstreams import DOCUMENTS, QUERY

GOOD = {"id": "r-1", "results": [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}
GOOD_JSON = json.dumps(GOOD).encode()
HEAD = f"HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: {len(GOOD_JSON)}\n\n"
IMPATIENT_SECONDS = 0.4
"""The timeout of deployments that are slow for ever."""


def reset(peer: Peer, seen: Seen) -> None:
    peer.reset()


def slow_headers(peer: Peer, seen: Seen) -> None:
    peer.pause(PATIENCE_SECONDS)


def slow_body(peer: Peer, seen: Seen) -> None:
    peer.send(HEAD.replace("\n", "\r\n").encode() + GOOD_JSON[:10])
    peer.pause(PATIENCE_SECONDS)


BEHAVIOURS: dict[str, Behaviour] = {
    "connection reset": reset,
    "slow headers": slow_headers,
    "slow body": slow_body,
    "truncated body": broken(HEAD, GOOD_JSON[:10]),
    "HTML in place of JSON": reply("<html>Welcome</html>", headers={"Content-Type": "text/html"}),
    "200 with an error inside": reply({"message": "the secret of the upstream's own words"}),
    "429 with Retry-After": reply({"message": "slow down"}, 429, {"Retry-After": "1"}),
    "429 without Retry-After": reply({"message": "slow down"}, 429),
    "storm of 500s": reply({"message": "Traceback (most recent call last): oh"}, 500),
}
"""What the faulty server does. For the other two faults of the matrix there is none."""

ADDRESSES = {"connection refused": refusing_host, "name not found": lambda: "no-such-host.invalid"}


ENDS = ("local/bm25", "passthrough")
"""What a chain may end in whose other members cannot answer."""


@dataclass
class Case:
    """One cell of the matrix, set up: what is behind the model of that name."""

    name: str
    faulty: Server | None
    healthy: Server


@dataclass
class Matrix:
    """One gateway with a model for every cell."""

    gateway: Gateway
    cases: dict[str, Case]

    def ask(self, case: Case) -> Reply:
        body = {"model": case.name, "query": QUERY, "documents": DOCUMENTS, "top_n": 2}
        return self.gateway.post("/v2/rerank", body)


def name_of(row: Row, policy: str) -> str:
    return f"{row.fault} {policy}".replace(" ", "-")


def entry(model: str, deployment: str, address: str, **params: Any) -> dict[str, Any]:
    return {
        "model_name": model,
        "litellm_params": {"model": "cohere/m", "api_key": "k", "api_base": f"http://{address}", **params},
        "model_info": {"id": deployment},
    }


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    entries: list[dict[str, Any]] = []
    fallbacks: list[dict[str, list[str]]] = []
    cases: dict[str, Case] = {}
    with ExitStack() as stack:
        for row in ROWS:
            for policy in POLICIES:
                name = name_of(row, policy)
                behaviour = BEHAVIOURS.get(row.fault)
                faulty = None if behaviour is None else stack.enter_context(Server(behaviour))
                healthy = stack.enter_context(Server(reply(GOOD)))
                address = ADDRESSES[row.fault]() if faulty is None else faulty.host
                timeout = {"timeout": IMPATIENT_SECONDS} if row.fault.startswith("slow") else {}
                entries.append(entry(name, f"{name}-faulty", address, order=1, **timeout))
                if policy == "fallback":
                    entries.append(entry(f"{name}-second", f"{name}-healthy", healthy.host))
                    fallbacks.append({name: [f"{name}-second"]})
                if policy == "cooldown":
                    entries.append(entry(name, f"{name}-healthy", healthy.host, order=2))
                cases[name] = Case(name, faulty, healthy)
        for end in ENDS:
            entries.append(entry(f"to-{end}", f"to-{end}-faulty", refusing_host()))
            fallbacks.append({f"to-{end}": [name_of(ROWS[0], "retry"), end]})
        config = {
            "model_list": entries,
            "router_settings": {
                "num_retries": 1,
                "allowed_fails": 1,
                "cooldown_time": 60,
                "timeout": 20,
                "fallbacks": fallbacks,
            },
        }
        gateway = stack.enter_context(Gateway(tmp_path_factory.mktemp("faults"), config))
        yield Matrix(gateway, cases)
        assert "Traceback" not in gateway.text


CELLS = [pytest.param(row, policy, id=name_of(row, policy)) for row in ROWS for policy in POLICIES]


@pytest.mark.parametrize(("row", "policy"), CELLS)
def test_a_fault_ends_as_the_matrix_says(matrix: Matrix, row: Row, policy: str) -> None:
    case, cell, gateway = matrix.cases[name_of(row, policy)], row.cell(policy), matrix.gateway
    replies = [matrix.ask(case) for _ in cell.statuses]
    assert tuple(one.status for one in replies) == cell.statuses, [one.body for one in replies]
    assert_requests(matrix, row, case, cell)
    assert gateway.metric("rankspec_deployment_up", deployment=f"{case.name}-faulty") == cell.is_up
    for one in replies:
        if one.status == 200:
            assert_answer(one, case, row, policy)
        else:
            assert_error(one, cell)


def assert_requests(matrix: Matrix, row: Row, case: Case, cell: Cell) -> None:
    """Both servers were asked as often as the matrix says, and the metrics tell the same."""
    if case.faulty is not None:
        assert len(case.faulty.seen) == cell.faulty
    assert len(case.healthy.seen) == cell.healthy
    name = "rankspec_upstream_requests_total"
    found = matrix.gateway.metric(name, deployment=f"{case.name}-faulty", outcome=row.error)
    assert found == matrix.gateway.metric(name, deployment=f"{case.name}-faulty") == cell.faulty
    assert matrix.gateway.metric(name, deployment=f"{case.name}-healthy", outcome="ok") == cell.healthy


def assert_answer(answered: Reply, case: Case, row: Row, policy: str) -> None:
    """The other provider's ranking, which says that it is a stand-in where it is one."""
    answer = answered.json
    assert [one["index"] for one in answer["results"]] == [2, 0]
    assert answered.own["deployment"] == f"{case.name}-healthy"
    if policy == "fallback":
        told = f"'{case.name}-second' ranked in its place, and scores are its own"
        assert answer["meta"]["warnings"] == [
            f"degraded: the model '{case.name}' could not answer ({row.error}): {told}"
        ]
        assert answered.own["degraded"] == "fallback"
    else:
        assert "warnings" not in answer["meta"]
        assert "degraded" not in answered.own


def assert_error(refused: Reply, cell: Cell) -> None:
    """Two members of JSON, and nothing of the provider: neither where it is nor what it said."""
    assert refused.headers["content-type"] == "application/json"
    assert refused.json.keys() == {"message", "id"}
    assert refused.json["id"] == refused.headers["x-request-id"]
    assert refused.headers.get("retry-after") == cell.retry_after
    for secret in ("127.0.0.1", "invalid", "secret", "slow down", "Traceback", "html"):
        assert secret not in refused.json["message"]
    assert "degraded" not in refused.own


@pytest.mark.parametrize("end", ENDS)
def test_a_chain_ends_in_what_needs_no_provider(matrix: Matrix, end: str) -> None:
    gateway, model = matrix.gateway, f"to-{end}"
    answered = gateway.post("/v1/rerank", {"model": model, "query": QUERY, "documents": DOCUMENTS, "top_n": 3})
    results = answered.json["results"]
    kind = "passthrough" if end == "passthrough" else "fallback"
    if kind == "passthrough":
        what = "the documents are in the order in which they were sent, and nothing ranked them"
        assert results == [{"index": at, "relevance_score": None} for at in range(3)]
    else:
        what = "'local/bm25' ranked in its place, and scores are its own"
        assert [one["index"] for one in results] == [2, 3, 0]
    told = f"degraded: the model '{model}' could not answer (ConnectFailed): {what}"
    assert answered.json["meta"]["warnings"] == [told]
    assert answered.own["degraded"] == kind
    assert gateway.metric("rankspec_degraded_total", model=model, kind=kind) == 1
    assert gateway.metric("rankspec_fallbacks_total", model=model, to=end) == 1
    line = next(json.loads(line) for line in gateway.log if answered.headers["x-request-id"] in line)
    assert (line["degraded"], line["fallbacks"]) == (kind, [name_of(ROWS[0], "retry"), end])
