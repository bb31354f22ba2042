"""Stock clients against the gateway: only the base URL, the key and the model's name are not Cohere's own."""

from __future__ import annotations

from typing import Any

import pytest
from fleet import GATEWAY_KEY, SPECIAL_MODELS, Fleet
from stock import StockClient
from upstreams import DOCUMENTS, QUERY

OBJECTS = [
    {"title": "Germany", "text": "Berlin is in Germany."},
    {"title": "Italy", "text": "Rome is in Italy."},
    {"title": "France", "text": "Paris is the capital of France."},
    {"title": "Food", "text": "France makes cheese."},
]
SCORES = {2: 0.452980529263669, 3: 0.30132743464813594, 0: 1 / 30, 1: 1 / 30}
"""By index, what the emulated providers make of DOCUMENTS and QUERY."""

V1 = {"api_version": {"version": "1"}, "billed_units": {"search_units": 1}}
V2 = {"api_version": {"version": "2", "is_experimental": False}, "billed_units": {"search_units": 1}}

RATE_LIMIT = "the rate limit of the model's provider is reached, please wait and try again later"
OUTAGE = "the model is not available right now, please try again later"
NOT_SET_UP = (
    "the gateway is not set up to answer for this model; this is no fault of the request, and its operator has to look "
    "at the gateway's log"
)

CLIENTS = {
    f"{fixture} {client}": (fixture, client)
    for fixture, clients in {
        "cohere_sdk": ("Client", "AsyncClient", "ClientV2", "AsyncClientV2"),
        "newest_cohere_sdk": ("Client", "AsyncClient", "ClientV2", "AsyncClientV2"),
        "cohere_ai": ("CohereClient", "CohereClientV2"),
    }.items()
    for client in clients
}


def clients(*names: str) -> pytest.MarkDecorator:
    """A mark: run with each of these clients."""
    return pytest.mark.parametrize("cohere", [CLIENTS[name] for name in names], ids=names, indirect=True)


every_client = clients(*CLIENTS)
of_v1 = clients(*(name for name in CLIENTS if not name.endswith("V2")))
with_objects = clients(*(name for name in CLIENTS if name != "cohere_ai CohereClientV2"))
"""Those that do not check by themselves that documents are strings."""

in_python = clients(*(name for name in CLIENTS if not name.startswith("cohere_ai")))
"""Those that do not check by themselves that an object's members are strings."""


class Cohere:
    """One of Cohere's own clients, pointed at the gateway."""

    def __init__(self, stock: StockClient, client: str, fleet: Fleet) -> None:
        self._stock = stock
        self._client = client
        self._url = fleet.gateway.url
        self.is_v2 = client.endswith("V2")

    def call(self, method: str = "rerank", *, api_key: str = GATEWAY_KEY, options: Any = None, **arguments: Any) -> Any:
        return self._stock.call(
            client=self._client,
            base_url=self._url,
            api_key=api_key,
            method=method,
            arguments=arguments,
            **({"max_retries": 0} if options is None else options),
        )

    def rerank(self, **changes: Any) -> Any:
        """What a call with sound arguments, but for those given, returned or raised."""
        return self.call(**{"model": "cohere-model", "query": QUERY, "documents": DOCUMENTS, **changes})


@pytest.fixture
def cohere(request: pytest.FixtureRequest, fleet: Fleet) -> Cohere:
    fixture, client = request.param
    return Cohere(request.getfixturevalue(fixture), client, fleet)


def results_of(*indexes: int, scores: dict[int, float] | None = None) -> list[dict[str, Any]]:
    return [{"index": at, "relevance_score": pytest.approx((scores or SCORES)[at])} for at in indexes]


def assert_raised(outcome: Any, error: str, status: int, message: str) -> None:
    """The typed error, with a body of just the two members that Cohere's have."""
    assert (outcome.get("raised"), outcome.get("status")) == (error, status), outcome
    assert outcome["body"].keys() == {"message", "id"}
    assert outcome["body"]["message"] == message
    assert outcome["headers"]["content-type"] == "application/json"
    assert outcome["headers"]["x-request-id"] == outcome["body"]["id"]


@every_client
def test_a_client_ranks_strings(cohere: Cohere) -> None:
    returned = cohere.rerank(top_n=3)["returned"]
    assert isinstance(returned.pop("id"), str)
    assert returned == {"results": results_of(2, 3, 0), "meta": V2 if cohere.is_v2 else V1}


@every_client
def test_a_client_gets_all_results_when_it_asks_for_no_number(cohere: Cohere) -> None:
    assert cohere.rerank()["returned"]["results"] == results_of(2, 3, 0, 1)


@of_v1
def test_a_client_of_v1_ranks_objects_by_its_fields(cohere: Cohere) -> None:
    returned = cohere.rerank(documents=OBJECTS, rank_fields=["text"], top_n=2, return_documents=True)["returned"]
    assert [one["index"] for one in returned["results"]] == [2, 3]
    assert [one["document"] for one in returned["results"]] == [OBJECTS[2], OBJECTS[3]]


@of_v1
def test_a_client_of_v1_gets_strings_back_as_objects(cohere: Cohere) -> None:
    returned = cohere.rerank(top_n=1, return_documents=True)["returned"]
    assert returned["results"] == [{**results_of(2)[0], "document": {"text": DOCUMENTS[2]}}]


@of_v1
def test_a_client_of_v1_may_send_its_own_parameter(cohere: Cohere) -> None:
    assert cohere.rerank(max_chunks_per_doc=10)["returned"]["results"] == results_of(2, 3, 0, 1)


@with_objects
def test_objects_are_ranked_by_every_client_that_sends_them(cohere: Cohere) -> None:
    returned = cohere.rerank(documents=OBJECTS, top_n=1)["returned"]
    assert [one["index"] for one in returned["results"]] == [2]


@in_python
def test_members_of_objects_may_be_of_any_type(cohere: Cohere) -> None:
    documents = [{**document, "at": at, "tags": ["x"]} for at, document in enumerate(OBJECTS)]
    returned = cohere.rerank(documents=documents, top_n=1)["returned"]
    assert [one["index"] for one in returned["results"]] == [2]


@every_client
def test_a_wrong_key_is_an_unauthorized_error(cohere: Cohere) -> None:
    outcome = cohere.rerank(api_key="wrong")
    assert_raised(outcome, "UnauthorizedError", 401, "invalid api token")


@every_client
def test_an_unknown_model_is_a_not_found_error(cohere: Cohere) -> None:
    message = "model 'no-such-model' not found, make sure the correct model ID was used and that you have access to the model."
    assert_raised(cohere.rerank(model="no-such-model"), "NotFoundError", 404, message)


@every_client
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"documents": []}, "invalid request: list of documents must not be empty", id="no documents"),
        pytest.param(
            {"query": ""}, "invalid request: query must not be empty or be only whitespace", id="an empty query"
        ),
        pytest.param({"top_n": 0}, "invalid request: top_n: must be 1 or more, not 0", id="no results asked for"),
    ],
)
def test_a_bad_request_is_a_bad_request_error(cohere: Cohere, changes: dict[str, Any], message: str) -> None:
    assert_raised(cohere.rerank(**changes), "BadRequestError", 400, message)


@every_client
def test_a_rate_limit_is_a_too_many_requests_error_that_says_how_long_to_wait(cohere: Cohere) -> None:
    outcome = cohere.rerank(model="limited")
    assert_raised(outcome, "TooManyRequestsError", 429, RATE_LIMIT)
    assert outcome["headers"]["retry-after"] == "1"


@clients("cohere_sdk ClientV2", "newest_cohere_sdk AsyncClientV2", "cohere_ai CohereClientV2")
def test_a_client_that_waits_as_long_as_it_is_told_gets_its_answer(
    cohere: Cohere, fleet: Fleet, request: pytest.FixtureRequest
) -> None:
    query = f"asked again by {request.node.name}"
    outcome = cohere.rerank(model="recovering", query=query, documents=["a"], options={})
    assert outcome["returned"]["results"] == [{"index": 0, "relevance_score": 0.5}]
    assert [one.json["query"] for one in fleet.recovering.seen].count(query) == 2


@every_client
def test_an_outage_is_a_service_unavailable_error(cohere: Cohere) -> None:
    assert_raised(cohere.rerank(model="down"), "ServiceUnavailableError", 503, OUTAGE)


@every_client
def test_an_answer_that_is_degraded_says_so_and_is_read(cohere: Cohere) -> None:
    returned = cohere.rerank(model="degraded", top_n=1)["returned"]
    assert [(one["index"], one.get("relevance_score")) for one in returned["results"]] == [(0, None)]
    (told,) = returned["meta"]["warnings"]
    assert told.startswith("degraded: the model 'degraded' could not answer (ProviderUnavailable)")


@every_client
def test_a_refusal_of_the_gateways_own_key_is_no_refusal_of_the_callers(cohere: Cohere) -> None:
    assert_raised(cohere.rerank(model="closed"), "InternalServerError", 500, NOT_SET_UP)


@every_client
def test_the_models_are_listed(cohere: Cohere, fleet: Fleet) -> None:
    names = [one["name"] for one in cohere.call("models.list")["returned"]["models"]]
    assert names == [*(f"{name}-model" for name in fleet.upstreams), "local", *SPECIAL_MODELS]


@every_client
@pytest.mark.parametrize("path", ["", "/"])
def test_a_base_url_may_end_in_a_slash(cohere: Cohere, path: str) -> None:
    cohere._url += path
    assert cohere.rerank(top_n=1)["returned"]["results"] == results_of(2)
