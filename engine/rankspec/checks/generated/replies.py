"""What a spec makes of the replies in its examples when they are damaged: a sound response, or one of our errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from rankspec.binding import Arguments, Binding
from rankspec.checks.generated.bodies import printable, shown
from rankspec.checks.generated.damage import Damage, damages
from rankspec.checks.generated.target import RULES, Target
from rankspec.checks.repeats import expanded
from rankspec.checks.rules.subject import headers_of
from rankspec.errors import RankspecError
from rankspec.exchange import rerank_exchange, run_offline
from rankspec.mapping import MappingFailed
from rankspec.models import HttpRequest, HttpResponse, Json, Path, Problem, RerankRequest, RerankResponse, listed
from rankspec.parameters import validated
from rankspec.resources import read_schema
from rankspec.validation import Validator

_PATH: Path = ("response", "results")
_CODE = "generated-reply"


@dataclass(frozen=True, slots=True)
class ReplyCase:
    """Which of the recorded replies is damaged, and how."""

    reply: int
    damages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Recorded:
    """One reply of an example: the `position`-th of those that its call gets."""

    title: str
    binding: Binding
    request: RerankRequest
    replies: list[Mapping[str, Any]]
    position: int
    damages: list[Damage]

    @property
    def reply(self) -> Mapping[str, Any]:
        return self.replies[self.position]

    @property
    def body(self) -> Json:
        return self.reply["body"]

    def run(self, body: Json) -> RerankResponse | RankspecError | Exception:
        """How the call ends with this body in the place of the recorded one."""
        bodies = [reply.get("body") for reply in self.replies]
        bodies[self.position] = body
        sent = 0

        def answer(request: HttpRequest) -> HttpResponse:
            nonlocal sent
            at = min(sent, len(bodies) - 1)  # A damaged page may lead to one more.
            sent += 1
            reply = self.replies[at]
            return HttpResponse(reply["status"], headers_of(reply), orjson.dumps(bodies[at]))

        try:
            return run_offline(rerank_exchange(self.binding, self.request, RULES), answer)  # type: ignore[no-any-return]
        except RankspecError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever else comes out is what is looked for
            return error


class Replies:
    """Judges damaged replies."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._recorded = [one for example in target.spec.examples for one in _recorded(target, example)]
        self._carried = self._carrying()
        self.count = len(self._recorded)
        self.most_damages = max((len(one.damages) for one in self._recorded), default=0)

    def problems(self, case: ReplyCase) -> Iterator[Problem]:
        """What is wrong with what becomes of a damaged reply."""
        recorded = self._recorded[case.reply]
        body = recorded.body
        chosen = [recorded.damages[at % len(recorded.damages)] for at in case.damages]
        for damage in chosen:
            body = damage.apply(body)
        outcome = recorded.run(body)
        how = ", ".join(dict.fromkeys(damage.label for damage in chosen))
        what = f"the reply {shown(body)} (of the example '{recorded.title}': {how})"
        if isinstance(outcome, RerankResponse):
            for path, wrong in _breaches(outcome, recorded.request):
                yield Problem(path, f"{what} gives {wrong}", _CODE)
        elif not isinstance(outcome, RankspecError):
            yield Problem(_PATH, f"{what} fails by {type(outcome).__name__}: {printable(str(outcome))}", _CODE)
        if all(damage.only_moves and damage.path in self._carried for damage in chosen):
            due = recorded.run(recorded.body)
            if isinstance(due, RerankResponse) and _ranking(due) != _ranking(outcome):
                gives = _ranking(outcome) or f"the error '{printable(str(outcome))}'"
                message = (
                    f"{what} gives {gives} where {_ranking(due)} is due, for its items say which document they are"
                )
                yield Problem(_PATH, message, _CODE)

    def _carrying(self) -> set[Path]:
        """The lists whose items say themselves which document they are, in every reply that has several of them."""
        fields: dict[Path, set[str]] = {}
        for recorded in self._recorded:
            try:
                found = self._target.spec.response.results.search(recorded.body, headers_of(recorded.reply))
            except MappingFailed:
                continue  # No example of a success then.
            for path, items in _lists_of_objects(recorded.body):
                if isinstance(found, list) and len(found) == len(items) > 1:
                    same = {name for name in items[0] if all(map(_says_index, items, found, [name] * len(items)))}
                    fields[path] = fields.get(path, same) & same
        return {path for path, names in fields.items() if names}


def _recorded(target: Target, example: Mapping[str, Any] | None) -> Iterator[_Recorded]:
    """The success replies of an example, each to be damaged by itself."""
    if not example or "returns" not in example:
        return
    replies = listed(example["reply"])
    known = {name for one in target.spec.settings.values() for name in (one.name, *one.aliases)}
    settings = {name: value for name, value in example.get("settings", {}).items() if name in known}
    arguments = Arguments(api_base=example.get("api_base"), settings=settings)
    try:
        binding, request = Binding(target.spec, arguments, {}), validated(expanded(example["request"]))
    except RankspecError:
        return
    for position, reply in enumerate(replies):
        if "body" in reply:
            yield _Recorded(example["title"], binding, request, replies, position, list(damages(reply["body"])))


def _lists_of_objects(value: Json, path: Path = ()) -> Iterator[tuple[Path, list[dict[str, Json]]]]:
    if isinstance(value, list):
        if value and all(isinstance(item, dict) for item in value):
            yield path, value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _lists_of_objects(member, (*path, key))


def _says_index(item: Mapping[str, Json], found: Json, name: str) -> bool:
    # The place in a ranking says nothing of the document.
    if "rank" in name or "order" in name:
        return False
    value = item.get(name)
    return type(value) is int and isinstance(found, dict) and value == found.get("index")


def _ranking(outcome: RerankResponse | Exception) -> list[list[float]]:
    if not isinstance(outcome, RerankResponse):
        return []
    return [[result.index, result.relevance_score] for result in outcome.results]


@cache
def _validator() -> Validator:
    return Validator(read_schema("rerank_response"))


def _breaches(response: RerankResponse, request: RerankRequest) -> Iterator[tuple[Path, str]]:
    """How a response breaks the promise that all of them keep, and by which part of the mapping."""
    count = len(request.documents)
    due = min(request.top_n or count, count)
    indexes = [result.index for result in response.results]
    ranking = [(-result.relevance_score, result.index) for result in response.results]
    for problem in _validator().problems(response.to_dict())[:1]:
        path = ("response", problem.path[0]) if problem.path else _PATH
        yield path, f"a response that the schema refuses: {problem}"
    if len(indexes) != due:
        yield _PATH, f"{len(indexes)} results where {due} are due"
    if len(set(indexes)) < len(indexes) or not all(0 <= index < count for index in indexes):
        yield _PATH, f"the indexes {indexes} for {count} documents"
    if ranking != sorted(ranking):
        yield _PATH, "results that are not in the order of their scores"
