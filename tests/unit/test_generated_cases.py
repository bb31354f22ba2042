"""What specs are attacked with: requests that the request's schema allows, and replies damaged at one place each."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stepping import toy

from rankspec.checks.generated.cases import KINDS, PIECES, Case, Requests, Shape
from rankspec.checks.generated.damage import damages
from rankspec.checks.generated.target import Target
from rankspec.parameters import validated
from rankspec.resources import read_schema

OPTIONAL = set(read_schema("rerank_request")["properties"]) - {"model", "query", "documents"}


def requests(seed: int = 0) -> Requests:
    return Requests(Target(toy()), seed)


def test_every_request_is_one_that_the_schema_allows() -> None:
    made = requests()
    for options in range(len(made.options)):
        shape = Shape(0, 0, options, KINDS)
        validated(made.request(shape, made.texts[options : options + 5]))
    for text in made.texts:
        validated({"query": text, "documents": [text]})


def test_every_optional_parameter_is_absent_present_alone_and_among_others() -> None:
    options = requests().options
    assert options[0] == {}
    assert {name for one in options if len(one) == 1 for name in one} == OPTIONAL
    assert {name for one in options if len(one) == len(OPTIONAL) for name in one} == OPTIONAL
    assert {one["priority"] for one in options if "priority" in one} == {0, 1, 999}


def test_texts_hold_every_piece_and_differ_by_seed() -> None:
    first, other = requests(0).texts, requests(1).texts
    assert [piece in text for piece, text in zip(PIECES, first, strict=False)] == [True] * len(PIECES)
    assert first == requests(0).texts
    assert first != other


def test_a_case_is_made_plain_one_part_after_the_other() -> None:
    made = requests()
    options = next(at for at, one in enumerate(made.options) if len(one) > 3)
    case = Case(Shape(0, 0, options, ("text", "text")), (made.texts[150], made.texts[160], made.texts[170]))
    fails = lambda one: "priority" in made.options[one.shape.options] and one.texts[1] != "a"  # noqa: E731
    assert "priority" in made.options[options]
    plain = made.simplify(case, fails)
    assert plain.texts == ("a", "B", "a")
    assert made.options[plain.shape.options] == {"priority": 0}


REPLY: dict[str, Any] = {
    "id": "r",
    "results": [{"index": 1, "score": 0.75}, {"index": 0, "score": 0.25}],
    "none": ["x"],
}


def test_damage_leaves_the_recorded_reply_as_it_was() -> None:
    before = json.dumps(REPLY)
    unchanged = [damage.label for damage in damages(REPLY) if json.dumps(damage.apply(REPLY)) == before]
    assert json.dumps(REPLY) == before
    assert unchanged == ["none reversed", "none rotated"]  # A list of one.


DAMAGED = [
    ("results reversed", {"results": [REPLY["results"][1], REPLY["results"][0]]}),
    ("results cut short", {"results": REPLY["results"][:1]}),
    ("results doubled", {"results": REPLY["results"] * 2}),
    ("results[1].score removed", {"results": [REPLY["results"][0], {"index": 0}]}),
    ("id removed", None),
]


@pytest.mark.parametrize(("label", "changes"), DAMAGED, ids=[case[0].replace(" ", "-") for case in DAMAGED])
def test_damage_is_what_its_label_says(label: str, changes: dict[str, Any] | None) -> None:
    damage = next(one for one in damages(REPLY) if one.label == label)
    due = {**REPLY, **changes} if changes else {"results": REPLY["results"], "none": ["x"]}
    assert damage.apply(REPLY) == due
    assert damage.only_moves is (label == "results reversed")


def test_damage_to_what_is_gone_changes_nothing() -> None:
    for damage in damages(REPLY):
        if damage.path:
            assert damage.apply("text") == "text"
