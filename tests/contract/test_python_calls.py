"""The Python interface: how a call may be written, what comes back, and what wrong arguments come to."""

from __future__ import annotations

import collections
import inspect
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from callers import CALLERS, KEY, Caller, failure_of, pickled
from loopback import Peer, Seen, Server, reply

import rankspec
from rankspec import (
    AsyncClient,
    Client,
    CredentialMissing,
    ExtraMissing,
    RankspecError,
    RequestInvalid,
    SpecInvalid,
    SpecNotFound,
    SpecOverridden,
)
from rankspec.catalog import Catalog
from rankspec.resources import read_schema
from rankspec.validation import Validator


def rank(peer: Peer, seen: Seen) -> None:
    """The first document first, in whichever shape the provider's documents come."""
    sent = seen.json.get("documents") or seen.json["texts"]
    results = [{"index": index, "relevance_score": 1 / (index + 1)} for index in range(len(sent))]
    peer.send(reply({"id": "r-1", "results": results}))


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(rank) as running:
        yield running


def call(server: Server, **others: Any) -> dict[str, Any]:
    """The arguments of a call to the server; None takes one away."""
    given = {"model": "cohere/m", "query": "q", "documents": ["a", "b"], "api_key": KEY, "api_base": server.url}
    arguments = {"timeout": 5, "max_retries": 0, **given, **others}
    return {name: value for name, value in arguments.items() if value is not ABSENT}


ABSENT: Any = object()


def spec_text(name: str, **others: str) -> str:
    """A spec of five lines that speaks Cohere's dialect."""
    lines = {
        "spec_version": "2",
        "provider": name,
        "title": name.capitalize(),
        "extends": "cohere",
        "documentation": "[{title: None, url: 'https://spec.example/', read: '2026-11-20'}]",
        **others,
    }
    return "\n".join(f"{key}: {value}" for key, value in lines.items()) + "\n"


# What goes in.


@pytest.mark.parametrize(
    "documents",
    [
        ("a", "b"),
        (text for text in "ab"),
        collections.deque(["a", "b"]),
        {"x": "a", "y": "b"}.values(),
        {"a": 1, "b": 2}.keys(),
        map(str, "ab"),
    ],
    ids=["tuple", "generator", "deque", "values", "keys", "map"],
)
def test_documents_may_be_any_ordered_texts(caller: Caller, server: Server, documents: Any) -> None:
    # A generator is used up by the first client; the second is handed one of its own.
    given = (text for text in "ab") if isinstance(documents, types.GeneratorType) else documents
    given = map(str, "ab") if isinstance(given, map) else given
    response = caller.rerank(**call(server, documents=given))
    assert [result.document for result in response.results] == [{"text": "a"}, {"text": "b"}]


class Series:
    """What a column of a data frame offers: iteration over values, labels of its own, and no list's methods."""

    def __init__(self, values: list[Any], labels: list[Any]) -> None:
        self._values = values
        self.index = labels

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, label: Any) -> Any:
        return self._values[self.index.index(label)]

    def __bool__(self) -> bool:
        raise ValueError("the truth value of a Series is ambiguous")

    def __eq__(self, other: object) -> Any:
        return Series([value == other for value in self._values], self.index)

    __hash__ = None  # type: ignore[assignment]


def test_a_column_of_a_data_frame_is_taken_by_position(caller: Caller, server: Server) -> None:
    response = caller.rerank(**call(server, documents=Series(["a", "b"], [7, 3]), rank_fields=Series(["text"], [0])))
    assert [(result.index, result.document) for result in response.results] == [(0, {"text": "a"}), (1, {"text": "b"})]


def test_texts_of_another_class_are_texts(caller: Caller, server: Server) -> None:
    numpy = pytest.importorskip("numpy")
    response = caller.rerank(**call(server, documents=numpy.array(["a", "b"]), query=numpy.str_("q")))
    assert server.seen[0].json == {"model": "m", "query": "q", "documents": ["a", "b"]}
    assert json.loads(json.dumps(response))["results"][0]["document"] == {"text": "a"}


def test_the_callers_own_documents_come_back(caller: Caller, server: Server) -> None:
    documents = ["a", {"text": "b", "tags": ["x"], "n": 2**70}, collections.OrderedDict(text="c")]
    response = caller.rerank(**call(server, documents=documents))
    assert response.results[1].document is documents[1]
    assert response.results[2].document is documents[2]
    assert documents == ["a", {"text": "b", "tags": ["x"], "n": 2**70}, {"text": "c"}]


def test_documents_are_returned_unless_the_caller_says_no(caller: Caller, server: Server) -> None:
    for given, is_there in ((ABSENT, True), (None, True), (True, True), (False, False)):
        response = caller.rerank(**call(server, return_documents=given))
        assert [("document" in result) for result in response.results] == [is_there] * 2


@pytest.mark.parametrize(
    ("ours", "theirs", "value"),
    [
        ("provider", "custom_llm_provider", "cohere"),
        ("headers", "extra_headers", {"X-A": "b"}),
        ("extra", "extra_body", {"a": 1}),
        ("max_retries", "num_retries", 1),
        ("timeout", "request_timeout", 3),
        ("api_base", "base_url", "{url}"),
    ],
)
def test_other_spellings_mean_the_same(caller: Caller, server: Server, ours: str, theirs: str, value: Any) -> None:
    value = server.url if value == "{url}" else value
    sent = []
    for name in (ours, theirs):
        caller.rerank(**call(server, **{"max_retries": ABSENT, "timeout": ABSENT, ours: ABSENT, name: value}))
        sent.append((server.seen[-1].headers, server.seen[-1].json))
    assert sent[0] == sent[1]


@pytest.mark.parametrize(
    ("ours", "theirs", "values"),
    [
        ("headers", "extra_headers", ({"X-A": "1"}, {"X-B": "2"})),
        ("headers", "extra_headers", ({}, {"X-B": "2"})),
        ("extra", "extra_body", ({"a": 1}, {"b": 2})),
        ("timeout", "request_timeout", (3, 4)),
        ("provider", "custom_llm_provider", ("cohere", "jina_ai")),
    ],
)
def test_the_same_argument_in_two_spellings_is_refused(
    caller: Caller, server: Server, ours: str, theirs: str, values: tuple[Any, Any]
) -> None:
    error = failure_of(caller, RequestInvalid, **call(server, **{ours: values[0], theirs: values[1]}))
    assert str(error) == f"invalid request: {ours}: is given twice, once as {theirs}"
    caller.rerank(**call(server, **{ours: values[0] or ABSENT, theirs: None}))
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("written", "model"),
    [
        ({"model": "cohere/m"}, "m"),
        ({"model": "Cohere/m"}, "m"),
        ({"model": " cohere/m "}, "m"),
        ({"model": "cohere_v2/m"}, "m"),
        ({"model": "cohere-v2/m"}, "m"),
        ({"model": "m", "provider": "cohere"}, "m"),
        ({"model": "m", "custom_llm_provider": "cohere"}, "m"),
        ({"model": "cohere/m", "provider": "cohere"}, "m"),
        ({"model": "some/name", "provider": "cohere"}, "some/name"),
        ({"model": "cohere/some/name"}, "some/name"),
        ({"model": "jina-colbert-v2"}, "jina-colbert-v2"),
        ({"model": "Salesforce/Llama-Rank-V1"}, "Salesforce/Llama-Rank-V1"),
        ({"model": "together/Salesforce/Llama-Rank-V1"}, "Salesforce/Llama-Rank-V1"),
    ],
    ids=lambda value: str(value),
)
def test_a_model_may_be_written_in_these_forms(
    caller: Caller, server: Server, written: dict[str, str], model: str
) -> None:
    caller.rerank(**call(server, **written))
    assert server.seen[0].json["model"] == model


@pytest.mark.parametrize("model", ["a b", "ü", "a/b", "a?b", "a#b", "a%2Fb", "a+b&c=d", "a~b-c_d.e", "x:1", "'\"(!)*"])
def test_a_model_in_the_path_arrives_alike(server: Server, tmp_path: Path, model: str) -> None:
    (tmp_path / "in_path.yaml").write_text(
        spec_text("in_path", endpoint="{base_url: 'https://h.example', path: '/models/{{ model }}/rerank'}")
    )
    targets = []
    for kind in CALLERS.values():
        caller = kind(specs=tmp_path / "in_path.yaml")
        caller.rerank(**call(server, model=f"in_path/{model}"))
        caller.close()
        targets.append(server.seen[-1].target)
    assert targets == targets[:1] * len(CALLERS)
    assert targets[0].count("/") == 3


@pytest.mark.parametrize(
    "given", [{"top_n": 2}, {"top_n": 2.0}, {"top_n": 99}, {"priority": 0}, {"max_tokens_per_doc": 9}]
)
def test_numbers_arrive_as_whole_numbers(caller: Caller, server: Server, given: dict[str, Any]) -> None:
    caller.rerank(**call(server, **given))
    ((name, value),) = given.items()
    assert type(server.seen[0].json[name]) is int
    assert server.seen[0].json[name] == min(value, 2 if name == "top_n" else value)


WRONG: dict[str, tuple[dict[str, Any], type[RankspecError], str]] = {
    "no model": ({"model": None}, RequestInvalid, "model: must be text"),
    "blank model": ({"model": " "}, RequestInvalid, "model: must not be empty; write provider/model"),
    "provider alone": ({"model": "cohere"}, RequestInvalid, "model: cohere needs a model: write cohere/MODEL"),
    "unknown provider": ({"model": "foo/m"}, SpecNotFound, "no provider is called 'foo'"),
    "misspelt provider": ({"model": "coher/m"}, SpecNotFound, "did you mean 'cohere/m'?"),
    "unknown model": ({"model": "zzz"}, SpecNotFound, "no spec lists the model 'zzz'"),
    "provider of a number": ({"provider": 5}, RequestInvalid, "provider: must be text"),
    "query of a number": ({"query": 5}, RequestInvalid, "query: must be text, not the number 5"),
    "blank query": ({"query": " \n"}, RequestInvalid, "query: must not be empty or only white space"),
    "documents of text": ({"documents": "ab"}, RequestInvalid, "documents: must be a list, not the text 'ab'"),
    "documents of bytes": ({"documents": b"ab"}, RequestInvalid, "documents: is a bytes"),
    "documents of a number": ({"documents": 5}, RequestInvalid, "documents: must be a list, not the number 5"),
    "one object as documents": ({"documents": {"text": "a"}}, RequestInvalid, "documents: must be a list, not an obj"),
    "documents without an order": ({"documents": {"a", "b"}}, RequestInvalid, "documents: is a set"),
    "documents frozen without one": ({"documents": frozenset("ab")}, RequestInvalid, "documents: is a frozenset"),
    "no documents": ({"documents": []}, RequestInvalid, "documents: must hold at least one document"),
    "a document of a number": ({"documents": ["a", 5]}, RequestInvalid, "documents[1]: must be text or an object"),
    "a document of nothing": ({"documents": ["a", None]}, RequestInvalid, "documents[1]: must be text or an object"),
    "half a surrogate": ({"documents": ["a", "\ud800"]}, RequestInvalid, "documents[1]: holds half of a surrogate"),
    "top_n of 0": ({"top_n": 0}, RequestInvalid, "top_n: must be 1 or more, not 0"),
    "top_n below 0": ({"top_n": -1}, RequestInvalid, "top_n: must be 1 or more, not -1"),
    "top_n of text": ({"top_n": "3"}, RequestInvalid, "top_n: must be a whole number, not the text '3'"),
    "top_n of truth": ({"top_n": True}, RequestInvalid, "top_n: must be a whole number, not true"),
    "top_n of a fraction": ({"top_n": 1.5}, RequestInvalid, "top_n: must be a whole number"),
    "rank_fields of text": ({"rank_fields": "text"}, RequestInvalid, "rank_fields: must be a list"),
    "timeout of text": ({"timeout": "5"}, RequestInvalid, "timeout: must be a number of seconds greater than 0"),
    "timeout of 0": ({"timeout": 0}, RequestInvalid, "timeout: must be a number of seconds greater than 0"),
    "timeout of NaN": ({"timeout": float("nan")}, RequestInvalid, "timeout: must be a number of seconds"),
    "endless timeout": ({"timeout": float("inf")}, RequestInvalid, "timeout: must be a number of seconds"),
    "max_retries below 0": ({"max_retries": -1}, RequestInvalid, "max_retries: must be a whole number, 0 or more"),
    "max_retries of truth": ({"max_retries": True}, RequestInvalid, "max_retries: must be a whole number, 0 or more"),
    "unknown policy": ({"unsupported": "loud"}, RequestInvalid, "unsupported: must be one of error, warn, ignore"),
    "headers of a list": ({"headers": [("a", "b")]}, RequestInvalid, "headers: must be an object of texts by name"),
    "headers of text": ({"headers": "a: b"}, RequestInvalid, "headers: must be an object of texts by name"),
    "a header of a number": ({"headers": {"X-A": 5}}, RequestInvalid, "headers.X-A: must be text"),
    "a header with a line break": ({"headers": {"X-A": "b\r\nX-C: d"}}, RequestInvalid, "headers.X-A: must be text"),
    "a header without a name": ({"headers": {"": "b"}}, RequestInvalid, "'' is not a header's name"),
    "extra of a list": ({"extra": [1]}, RequestInvalid, "extra: must be an object"),
    "extra with NaN": ({"extra": {"a": float("nan")}}, RequestInvalid, "extra.a: is nan"),
    "extra over the spec's own": ({"extra": {"query": "x"}}, RequestInvalid, "extra.query: is a field that the spec"),
    "specs of a number": ({"specs": 5}, RequestInvalid, "specs: must be a path, or several, not a int"),
    "specs of numbers": ({"specs": ["x", 5]}, RequestInvalid, "specs: must be a path, or several, not a int"),
    "specs that are not there": ({"specs": "none.yaml"}, SpecInvalid, "there is no such file or folder of specs"),
    "key of a number": ({"api_key": 5}, RequestInvalid, "api_key: must be text"),
    "key with a line break": ({"api_key": "a\nb"}, CredentialMissing, "holds a line break"),
    "no key": ({"api_key": ABSENT}, CredentialMissing, "set COHERE_API_KEY or CO_API_KEY, or pass api_key="),
    "address of a number": ({"api_base": 5}, RequestInvalid, "api_base: must be text"),
    "address of another kind": ({"api_base": "ftp://x"}, RequestInvalid, "api_base: must start with http:// or https://"),
    "unknown keyword": ({"topn": 3}, RequestInvalid, "topn: cohere has no such setting"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_told_and_nothing_is_sent(caller: Caller, server: Server, name: str) -> None:
    given, kind, text = WRONG[name]
    error = failure_of(caller, kind, **call(server, **given))
    assert text in str(error)
    assert server.connections == 0


def test_everything_that_is_wrong_is_told_at_once(caller: Caller, server: Server) -> None:
    error = failure_of(caller, RequestInvalid, **call(server, query=5, documents=["a", 5], top_n=0))
    assert {problem.path for problem in error.problems} == {("query",), ("documents", 1), ("top_n",)}


def test_an_error_of_the_callers_own_generator_is_the_callers(caller: Caller, server: Server) -> None:
    def documents() -> Iterator[str]:
        yield "a"
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        caller.rerank(**call(server, documents=documents()))


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(
    "options", [{"headers": 5}, {"specs": 5}, {"timeout": "x"}, {"max_retries": -1}, {"unsupported": "x"}], ids=str
)
def test_a_wrong_default_is_told_when_the_client_is_made(kind: Any, options: dict[str, Any]) -> None:
    with pytest.raises(RequestInvalid, match=next(iter(options))):
        kind(**options)


@pytest.mark.parametrize("name", ["fast", "", 5, ["native"]])
def test_a_transport_that_does_not_exist_is_told_when_the_client_is_made(name: Any) -> None:
    with pytest.raises(RequestInvalid) as caught:
        Client(transport=name)
    assert str(caught.value) == f"invalid request: transport: must be one of requests, native, not {name!r}"


@pytest.mark.parametrize(
    ("argument", "variable", "used"),
    [
        (None, None, "RequestsTransport"),
        (None, "", "RequestsTransport"),
        (None, "requests", "RequestsTransport"),
        (None, "native", "NativeTransport"),
        ("native", None, "NativeTransport"),
        ("native", "requests", "NativeTransport"),
        ("requests", "native", "RequestsTransport"),
    ],
)
def test_the_transport_is_the_one_that_is_named(
    argument: Any, variable: str | None, used: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(transport=argument) as client:
        if variable is not None:
            monkeypatch.setenv("RANKSPEC_TRANSPORT", variable)
        assert client.rerank(**call(server)).id == "r-1"
        assert type(client._transport).__name__ == used


def test_a_variable_that_names_no_transport_is_told_at_the_first_call(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANKSPEC_TRANSPORT", "fast")
    with Client() as client, pytest.raises(RequestInvalid) as caught:
        client.rerank(**call(server))
    assert str(caught.value) == ("invalid request: RANKSPEC_TRANSPORT: must be one of requests, native, not 'fast'")
    assert server.connections == 0


def test_without_its_package_the_native_transport_says_what_to_install(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "rankspec.transports.native_transport", raising=False)
    monkeypatch.setitem(sys.modules, "wreq", None)
    with Client(transport="native") as client, pytest.raises(ExtraMissing) as caught:
        client.rerank(**call(server))
    assert str(caught.value) == "transport=\"native\" needs an optional package: pip install 'rankspec[async]'"
    assert server.connections == 0


# What comes out.


def test_a_response_reads_as_attributes_and_as_a_mapping(caller: Caller, server: Server) -> None:
    response = caller.rerank(**call(server, unsupported="warn", max_chunks_per_doc=1))
    assert response.id == response["id"] == "r-1"
    assert response.results[0].index == response["results"][0]["index"] == 0
    assert response.results[0].relevance_score == response["results"][0]["relevance_score"] == 1.0
    assert response.results[0].document == response["results"][0]["document"] == {"text": "a"}
    assert response.meta.warnings == response["meta"]["warnings"]
    assert response.meta.warnings == ["max_chunks_per_doc is not supported by cohere and was ignored"]
    assert set(response) == {"id", "results", "meta"}
    assert (response.meta.tokens, response.results[0].raw_score) == (None, None)


def test_a_response_is_plain_data(caller: Caller, server: Server) -> None:
    response = caller.rerank(**call(server))
    plain = response.to_dict()
    assert {type(plain), type(plain["meta"]), *(type(result) for result in plain["results"])} == {dict}
    assert json.loads(json.dumps(response)) == plain
    assert Validator(read_schema("rerank_response")).problems(plain) == []


def test_a_response_pickles(caller: Caller, server: Server) -> None:
    response = caller.rerank(**call(server))
    again = pickled(response)
    assert again == response
    assert (type(again), type(again.meta), type(again.results[0])) == (
        rankspec.RerankResponse,
        rankspec.RerankMeta,
        rankspec.RerankResult,
    )
    assert repr(again) == repr(response)


def test_an_id_is_made_where_there_is_none(caller: Caller) -> None:
    with Server(reply({"results": [{"index": 0, "relevance_score": 1}]})) as server:
        ids = {caller.rerank(**call(server, documents=["a"])).id for _ in range(3)}
        assert len(ids) == 3
        assert all(isinstance(one, str) and one for one in ids)


# Clients and functions.


def test_the_functions_have_a_signature_that_tools_can_read() -> None:
    rerank, arerank = inspect.signature(rankspec.rerank), inspect.signature(rankspec.arerank)
    assert list(rerank.parameters)[:3] == ["model", "query", "documents"]
    for name in ("top_n", "api_key", "api_base", "headers", "timeout", "max_retries", "specs", "extra", "provider"):
        assert rerank.parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert rerank.parameters[name].default is None
    assert rerank.parameters["return_documents"].default is True
    assert list(rerank.parameters.values()) == list(arerank.parameters.values())
    for client in (Client(), AsyncClient()):
        assert list(inspect.signature(client.rerank).parameters) == list(rerank.parameters)
    assert rankspec.rerank.__name__ == "rerank"
    assert rankspec.rerank.__doc__ == Client.rerank.__doc__
    bound = rerank.bind("cohere/m", "q", ["a"], top_n=1, region="r")
    assert bound.arguments["settings"] == {"region": "r"}


def test_frameworks_can_tell_which_function_to_await() -> None:
    assert inspect.iscoroutinefunction(rankspec.arerank)
    assert inspect.iscoroutinefunction(AsyncClient().rerank)
    assert not inspect.iscoroutinefunction(rankspec.rerank)


def test_the_functions_do_what_the_clients_do(server: Server) -> None:
    import asyncio

    assert rankspec.rerank(**call(server)) == Client().rerank(**call(server))
    assert asyncio.run(rankspec.arerank(**call(server))) == rankspec.rerank(**call(server))
    assert rankspec.rerank("cohere/m", "q", ["a", "b"], api_key=KEY, api_base=server.url).id == "r-1"


@pytest.mark.parametrize("kind", CALLERS)
def test_defaults_of_a_client_hold_for_every_call(kind: str, server: Server) -> None:
    caller = CALLERS[kind](
        api_key=KEY, api_base=server.url, headers={"X-A": "client", "X-B": "client"}, unsupported="ignore", timeout=4
    )
    response = caller.rerank(
        model="cohere/m", query="q", documents=["a"], headers={"x-b": "call"}, max_chunks_per_doc=1
    )
    (seen,) = server.seen
    assert (seen.headers["x-a"], seen.headers["x-b"]) == ("client", "call")
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert response.meta.warnings == []
    with Server(rank) as other:
        caller.rerank(model="cohere/m", query="q", documents=["a"], api_base=other.url, api_key="another")
        assert other.seen[0].headers["authorization"] == "Bearer another"
    caller.close()


def test_the_environment_is_read_at_every_call(caller: Caller, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("first", "second"):
        monkeypatch.setenv("COHERE_API_KEY", key)
        monkeypatch.setenv("CO_API_URL", server.url)
        caller.rerank(model="cohere/m", query="q", documents=["a"])
        assert server.seen[-1].headers["authorization"] == f"Bearer {key}"


# Specs of the user's own.


@pytest.mark.parametrize("kind", CALLERS)
@pytest.mark.parametrize("where", ["working folder", "config folder", "variable", "client", "call", "call, one file"])
def test_a_file_is_a_provider_at_once(
    kind: str, where: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = {
        "working folder": tmp_path / "provider_specs",
        "config folder": tmp_path / "config" / "rankspec" / "provider_specs",
    }.get(where, tmp_path / "elsewhere")
    folder.mkdir(parents=True)
    (folder / "dropped_in.yaml").write_text(spec_text("dropped_in"))
    if where == "variable":
        monkeypatch.setenv("RANKSPEC_SPECS", str(folder))
    caller = CALLERS[kind](**({"specs": [folder]} if where == "client" else {}))
    others: dict[str, Any] = {}
    if where == "call":
        others = {"specs": folder}
    elif where == "call, one file":
        others = {"specs": (str(folder / "dropped_in.yaml"),)}
    response = caller.rerank(**call(server, model="dropped_in/m", **others))
    assert response.id == "r-1"
    if where.startswith("call"):
        # For that call only.
        failure_of(caller, SpecNotFound, **call(server, model="dropped_in/m"))
    caller.close()


def test_several_places_are_named_as_in_a_path(
    caller: Caller, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.yaml").write_text(spec_text(name))
    monkeypatch.setenv("RANKSPEC_SPECS", os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "two" / "two.yaml")]))
    with Client() as client:
        for name in ("one", "two"):
            assert client.rerank(**call(server, model=f"{name}/m")).id == "r-1"


def test_a_shipped_spec_is_replaced_only_when_asked(server: Server, tmp_path: Path) -> None:
    (tmp_path / "jina_ai.yaml").write_text(spec_text("jina_ai", endpoint="{path: /own}"))
    refusing = CALLERS["sync"](specs=tmp_path)
    error = failure_of(refusing, SpecInvalid, **call(server, model="jina_ai/m"))
    assert "is the name of a shipped spec" in str(error)
    assert refusing.rerank(**call(server)).id == "r-1"
    with pytest.warns(SpecOverridden, match="the shipped spec 'jina_ai' is replaced by"):
        replacing = CALLERS["sync"](specs=tmp_path, override=True)
    assert replacing.rerank(**call(server, model="jina_ai/m")).id == "r-1"
    assert server.seen[-1].path == "/own"


def test_a_broken_file_does_not_stop_the_others(caller: Caller, server: Server, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("provider: [\n")
    (tmp_path / "sound.yaml").write_text(spec_text("sound"))
    assert caller.rerank(**call(server, model="sound/m", specs=tmp_path)).id == "r-1"
    error = failure_of(caller, SpecInvalid, **call(server, model="broken/m", specs=tmp_path))
    assert "broken.yaml:" in str(error)


def test_a_bare_cohere_id_means_the_newer_api() -> None:
    spec, model = Catalog(environ={}).resolve("rerank-v3.5")
    assert (spec.name, model) == ("cohere", "rerank-v3.5")


def test_a_spec_that_is_dropped_in_later_is_a_provider_at_once(tmp_path: Path) -> None:
    catalog = Catalog([tmp_path], environ={})
    with pytest.raises(SpecNotFound):
        catalog.load("later")
    (tmp_path / "later.yaml").write_text("spec_version: 2\nprovider: later\nextends: cohere\n", "utf-8")
    assert catalog.load("later").name == "later"
