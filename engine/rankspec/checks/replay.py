"""What can be said of a spec without a network: its examples, replayed through the same exchange as a real call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import orjson

from rankspec.binding import Arguments, Binding
from rankspec.errors import ProviderError, RankspecError
from rankspec.exchange import Rules, rerank_exchange
from rankspec.models import Finding, HttpRequest, HttpResponse, Json, Path, RerankResponse, Together, Wait
from rankspec.parameters import validated
from rankspec.specs import ProviderSpec
from rankspec.strict_yaml import YamlFile

MADE_ID = "(made here)"


def replay_examples(spec: ProviderSpec, file: YamlFile) -> Iterator[Finding]:
    """What goes otherwise than the spec's examples say, each at the line of the expectation.

    Args:
        file: the spec's file, for positions.
    """
    for position, example in enumerate(spec.examples):
        for path, message in replay(spec, example):
            yield file.finding("example-differs", ("examples", position, *path), f"{example['title']}: {message}")


def replay(spec: ProviderSpec, example: dict[str, Any]) -> list[tuple[Path, str]]:
    """One example, run with its recorded replies: where and how the outcome differs from what it says."""
    sends, replies = _listed(example.get("sends")), _listed(example.get("reply"))
    if len(replies) != len(sends):
        return [(("reply",), f"has {len(replies)} replies for {len(sends)} requests")]
    several = isinstance(example.get("sends"), list)
    differences: list[tuple[Path, str]] = []
    sent = 0

    def answer(request: HttpRequest) -> HttpResponse:
        nonlocal sent
        if sent == len(sends):
            raise _Unexpected(f"a request is sent that the example does not have: {request.method} {request.url}")
        here: Path = ("sends", sent) if several else ("sends",)
        differences.extend((here + path, message) for path, message in _compare_request(sends[sent], request))
        reply = replies[sent]
        sent += 1
        body = reply["text"].encode() if "text" in reply else orjson.dumps(reply["body"])
        headers = {name.lower(): value for name, value in reply.get("headers", {}).items()}
        return HttpResponse(reply["status"], headers, body)

    try:
        arguments = Arguments(api_base=example.get("api_base"), settings=example.get("settings"))
        binding = Binding(spec, arguments, {}, placeholders=True, without=example.get("without", ()))
        request = validated(example["request"])
        rules = Rules(max_retries=0, clock=lambda: 0.0, new_id=lambda: MADE_ID)
        response = run_offline(rerank_exchange(binding, request, rules), answer)
    except _Unexpected as error:
        return [*differences, (("sends",), str(error))]
    except RankspecError as error:
        differences += _compare_error(example, error)
    else:
        if "raises" in example:
            differences.append((("raises",), f"nothing is raised; the call returns {response.to_dict()}"))
        else:
            differences += _compare_response(example["returns"], response)
    if sent < len(sends):
        differences.append((("sends",), f"{sent} requests are sent, not {len(sends)}"))
    return differences


class _Unexpected(Exception):
    pass


def run_offline(exchange: Any, answer: Any) -> Any:
    """The outcome of an exchange whose requests are answered by a function; waits take no time."""
    outcome: Any = None
    while True:
        try:
            step = exchange.send(outcome)
        except StopIteration as stop:
            return stop.value
        if isinstance(step, HttpRequest):
            outcome = answer(step)
        elif isinstance(step, Together):
            outcome = [run_offline(one, answer) for one in step.exchanges]
        elif isinstance(step, Wait):
            outcome = None


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _compare_request(expected: dict[str, Any], request: HttpRequest) -> Iterator[tuple[Path, str]]:
    if request.method != expected["method"]:
        yield ("method",), f"sends {request.method}, not {expected['method']}"
    if request.url != expected["url"]:
        yield ("url",), f"sends to {request.url}, not {expected['url']}"
    sent = {name.lower(): value for name, value in request.headers.items()}
    for name, pattern in expected.get("headers", {}).items():
        value = sent.get(name.lower())
        if value is None:
            yield ("headers", name), f"the header {name} is not sent"
        elif not fnmatchcase(value, pattern.replace("[", "[[]")):
            yield ("headers", name), f"the header {name} is {value!r}, not {pattern!r}"
    yield from _differences(expected["body"], orjson.loads(request.body), ("body",), "sends")


def _compare_response(expected: dict[str, Any], response: RerankResponse) -> Iterable[tuple[Path, str]]:
    actual = response.to_dict()
    if actual["id"] == MADE_ID:
        del actual["id"]
    return _differences(expected, actual, ("returns",), "returns")


def _compare_error(example: dict[str, Any], error: RankspecError) -> Iterator[tuple[Path, str]]:
    name = type(error).__name__
    if "raises" not in example:
        yield ("returns",), f"raises {name}: {error}"
        return
    expected = example["raises"]
    if name != expected["error"]:
        yield ("raises", "error"), f"raises {name}, not {expected['error']}: {error}"
    if isinstance(error, ProviderError) and error.provider_message:
        if error.provider_message != expected["message"]:
            yield ("raises", "message"), f"the message is {error.provider_message!r}, not {expected['message']!r}"
    elif expected["message"] not in str(error):
        yield ("raises", "message"), f"the text is {str(error)!r}, which does not hold {expected['message']!r}"
    for attribute in ("code", "retry_after_seconds"):
        actual = getattr(error, attribute, None)
        if attribute in expected and actual != expected[attribute]:
            yield ("raises", attribute), f"{attribute} is {actual!r}, not {expected[attribute]!r}"


def _differences(expected: Json, actual: Json, path: Path, verb: str) -> Iterator[tuple[Path, str]]:
    """Where two JSON values differ; 1 and 1.0 are the same, 1 and true are not."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in expected:
            if key in actual:
                yield from _differences(expected[key], actual[key], (*path, key), verb)
            else:
                yield (*path, key), f"{verb} no {key}"
        for key in [key for key in actual if key not in expected]:
            yield path, f"{verb} {key}: {_json(actual[key])}, which is not in the example"
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for position, (one, other) in enumerate(zip(expected, actual, strict=True)):
            yield from _differences(one, other, (*path, position), verb)
    elif isinstance(expected, bool) is not isinstance(actual, bool) or expected != actual:
        yield path, f"{verb} {_json(actual)}, not {_json(expected)}"


def _json(value: Json) -> str:
    return orjson.dumps(value).decode()
