"""Every error pickles and copies with its attributes; secrets are hidden; names are answered with the nearest."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stepping import KEY

from rankspec import errors
from rankspec.errors import (
    AuthenticationRejected,
    ConfigInvalid,
    ConnectFailed,
    CredentialMissing,
    ExtraMissing,
    ProviderError,
    ProviderUnavailable,
    RankspecError,
    RateLimited,
    RequestInvalid,
    RequestRejected,
    ResponseInvalid,
    SettingMissing,
    SpecInvalid,
    SpecNotFound,
    TimedOut,
    TransportError,
    did_you_mean,
    nearest,
    redact,
)
from rankspec.models import Finding, Problem

FINDING = Finding("error", "unknown-key", "toy.yaml", 3, 5, ("request", "bdy"), "unknown key 'bdy'")
PROBLEM = Problem(("documents", 3), "must not be empty")
PROVIDER_ATTRIBUTES = {
    "provider": "toy",
    "status": 429,
    "provider_message": "slow down",
    "code": "limit",
    "retry_after_seconds": 1.5,
    "request_id": "r-1",
}

EVERY_KIND: list[RankspecError] = [
    RankspecError("it went wrong"),
    SpecNotFound("no provider", name="cohre", known=["cohere", "jina_ai"], nearest="cohere"),
    SpecInvalid([FINDING, FINDING]),
    ConfigInvalid([FINDING]),
    RequestInvalid([PROBLEM, Problem((), "is odd")]),
    CredentialMissing("no key", provider="toy", name="key", variables=["TOY_API_KEY"]),
    SettingMissing("no region", provider="toy", name="region", variables=["TOY_REGION"]),
    ExtraMissing("aws", "signing for AWS"),
    TransportError("cut off", provider="toy", seconds_waited=1.5),
    ConnectFailed("no route", provider="toy", seconds_waited=0.5),
    TimedOut("too slow", provider="toy", seconds_waited=60.0),
    ProviderError("odd", **PROVIDER_ATTRIBUTES),  # type: ignore[arg-type]
    AuthenticationRejected("wrong key", **PROVIDER_ATTRIBUTES),  # type: ignore[arg-type]
    RequestRejected("bad request", **PROVIDER_ATTRIBUTES),  # type: ignore[arg-type]
    RateLimited("slow down", **PROVIDER_ATTRIBUTES),  # type: ignore[arg-type]
    ProviderUnavailable("down", **PROVIDER_ATTRIBUTES),  # type: ignore[arg-type]
    ResponseInvalid("nonsense", provider="toy", expression="results[]", excerpt="{}"),
]


def test_the_list_above_has_every_kind() -> None:
    kinds = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, RankspecError)}
    assert {type(error) for error in EVERY_KIND} == kinds


@pytest.mark.parametrize("error", EVERY_KIND, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "way",
    [copy.copy, copy.deepcopy, *(lambda error, p=p: pickle.loads(pickle.dumps(error, p)) for p in range(6))],  # noqa: S301
    ids=["copy", "deepcopy", *(f"pickle{p}" for p in range(6))],
)
def test_an_error_survives(error: RankspecError, way: object) -> None:
    assert callable(way)
    twin = way(error)
    assert type(twin) is type(error)
    assert str(twin) == str(error) == error.message
    assert vars(twin) == vars(error)
    assert twin.args == error.args
    assert repr(twin) == repr(error)


def test_notes_survive_pickling() -> None:
    error = TimedOut("too slow")
    error.add_note("while reranking")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["while reranking"]  # noqa: S301


@pytest.mark.parametrize("error", EVERY_KIND, ids=lambda error: type(error).__name__)
def test_every_error_is_caught_by_the_root(error: RankspecError) -> None:
    with pytest.raises(RankspecError):
        raise error


def test_the_tree_is_as_the_module_draws_it() -> None:
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        name = line.lstrip("│├└─ ").partition(" ")[0]
        if isinstance(getattr(errors, name, None), type):
            depth = (len(line) - len(line.lstrip("│├└─ "))) // 4
            above = [*above[:depth], name]
            drawn[name] = above[-2] if depth else "Exception"
    actual = {type(error).__name__: type(error).__mro__[1].__name__ for error in EVERY_KIND}
    assert drawn == actual


def test_the_texts_are_as_said() -> None:
    assert str(SpecInvalid([FINDING])) == "toy.yaml:3:5: error: request.bdy: unknown key 'bdy' [unknown-key]"
    assert str(SpecInvalid([FINDING, FINDING])).splitlines() == [str(FINDING)] * 2
    assert str(RequestInvalid([PROBLEM, Problem(("top_n",), "must be 1 or more, not 0")])) == (
        "invalid request: documents[3]: must not be empty; top_n: must be 1 or more, not 0"
    )
    assert str(ExtraMissing("aws", "signing for AWS")) == (
        "signing for AWS needs an optional package: pip install 'rankspec[aws]'"
    )


def test_lists_become_tuples() -> None:
    assert SpecNotFound("x", name="a", known=["b"]).known == ("b",)
    assert CredentialMissing("x", provider="p", name="key", variables=["V"]).variables == ("V",)
    assert RequestInvalid(iter([PROBLEM])).problems == (PROBLEM,)
    assert SpecInvalid(iter([FINDING])).findings == (FINDING,)


# Secrets


REDACTED = [
    ("one", f"bad key {KEY}!", [KEY], "bad key ***!"),
    ("every time", f"{KEY} {KEY}", [KEY], "*** ***"),
    ("several", "user me, password pa", ["me", "pa"], "user ***, ***ssword ***"),
    ("none", "nothing here", [], "nothing here"),
    ("an empty secret", "nothing here", [""], "nothing here"),
    ("a secret inside a longer one", "it is abcdef, not abc", ["abc", "abcdef"], "it is ***, not ***"),
    ("with characters of regular expressions", "key a.b(c", ["a.b(c"], "key ***"),
    ("as JSON writes it", json.dumps({"password": 'pa"ss\\w'}), ['pa"ss\\w'], '{"password": "***"}'),
]


@pytest.mark.parametrize(("text", "secrets", "shown"), [pytest.param(*case[1:], id=case[0]) for case in REDACTED])
def test_secrets_become_three_stars(text: str, secrets: list[str], shown: str) -> None:
    assert redact(text, secrets) == shown


@given(st.text(), st.text(min_size=1), st.text(), st.lists(st.text(min_size=1), max_size=3))
def test_no_secret_is_left_in_any_text(before: str, secret: str, after: str, others: list[str]) -> None:
    assume("*" not in secret)
    assert secret not in redact(before + secret + after, [*others, secret])


@pytest.mark.parametrize(
    ("name", "near"),
    [("cohre", "cohere"), ("cohere", "cohere"), ("jina", "jina_ai"), ("x", None), ("", None), ("COHERE", None)],
)
def test_the_nearest_name_is_found(name: str, near: str | None) -> None:
    known = ["cohere", "jina_ai", "together_ai"]
    assert nearest(name, known) == near
    assert did_you_mean(name, known) == (f"; did you mean '{near}'?" if near else "")


def test_nothing_is_near_if_nothing_is_known() -> None:
    assert nearest("a", []) is None
    assert did_you_mean("a", iter([])) == ""
