"""Names in callers' words, and which deployments answer for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rankspec.catalog import Catalog
from rankspec.errors import CredentialMissing
from rankspec.gateway.routing.availability import DeploymentState
from rankspec.gateway.routing.deployments import AnyProvider, Deployment
from rankspec.gateway.routing.groups import Groups
from rankspec.gateway.values import STAR, DeploymentConfig, RoutingConfig, ServerConfig, star_in

CATALOG = Catalog(environ={})
ENVIRON = {"COHERE_API_KEY": "k", "JINA_API_KEY": "k", "VOYAGE_API_KEY": "k"}


def groups(*named: tuple[str, str], aliases: Mapping[str, str] | None = None, catalog: Catalog = CATALOG) -> Groups:
    """Groups of deployments d0, d1 and so on, by name and model."""

    def make_state(config: DeploymentConfig) -> DeploymentState:
        return DeploymentState(config, RoutingConfig())

    members: list[Deployment | AnyProvider] = []
    for at, (name, model) in enumerate(named):
        config = DeploymentConfig(f"d{at}", name, model)
        if model == STAR:
            members.append(AnyProvider(config, catalog, ENVIRON, make_state, ServerConfig()))
        else:
            members.append(Deployment(config, catalog, ENVIRON, make_state(config), ServerConfig()))
    return Groups(members, aliases or {})


def found(made: Groups, name: str) -> tuple[str, list[str], str | None] | None:
    group = made.find(name)
    return None if group is None else (group.name, [one.id for one in group.deployments], group.star)


@pytest.mark.parametrize(
    ("pattern", "name", "star"),
    [
        ("cohere/*", "cohere/x", "x"),
        ("cohere/*", "cohere/", None),
        ("*", "a", "a"),
        ("*", "", None),
        ("a*a", "aa", None),
        ("a*a", "a", None),
        ("a*a", "aba", "b"),
        ("a*b", "aXc", None),
        ("plain", "plain", None),
        ("cohere/*", "cohere/*", "*"),
    ],
)
def test_a_star_stands_for_any_text_but_none(pattern: str, name: str, star: str | None) -> None:
    assert star_in(pattern, name) == star


def test_every_deployment_of_a_name_answers_in_the_configs_order() -> None:
    made = groups(("best", "cohere/rerank-v3.5"), ("other", "local/bm25"), ("best", "jina_ai/x"))
    assert found(made, "best") == ("best", ["d0", "d2"], None)


def test_an_exact_name_goes_before_a_longer_star_before_a_shorter_one() -> None:
    made = groups(("*", "cohere/*"), ("cohere/*", "cohere/*"), ("cohere/a", "cohere/a"), ("cohere/b*", "cohere/b*"))
    assert found(made, "cohere/a") == ("cohere/a", ["d2"], None)
    assert found(made, "cohere/bc") == ("cohere/b*", ["d3"], "c")
    assert found(made, "cohere/c") == ("cohere/*", ["d1"], "c")
    assert found(made, "c") == ("*", ["d0"], "c")


def test_a_name_with_a_star_is_no_name_that_callers_write() -> None:
    assert found(groups(("cohere/*", "cohere/*")), "cohere/*") == ("cohere/*", ["d0"], "*")
    assert found(groups(("c*", "cohere/rerank-v3.5")), "*") is None


def test_an_alias_leads_to_what_it_stands_for() -> None:
    made = groups(("best", "local/bm25"), ("cohere/*", "cohere/*"), aliases={"gpt": "best", "new": "cohere/v9"})
    assert found(made, "gpt") == ("best", ["d0"], None)
    assert found(made, "new") == ("cohere/*", ["d1"], "v9")


@pytest.mark.parametrize(
    ("meant", "expected"),
    [
        ("other", ("other", ["d1"], None)),
        ("cohere/v9", ("cohere/*", ["d2"], "v9")),
        ("cohere/*", ("cohere/*", ["d2"], "*")),
        ("best", ("best", ["d0"], None)),
        ("nobody", None),
    ],
    ids=["a name", "a star's", "a star itself", "its own", "nobody"],
)
def test_an_alias_goes_before_a_configured_name(meant: str, expected: tuple[str, list[str], str | None] | None) -> None:
    named = (("best", "local/bm25"), ("other", "local/bm25"), ("cohere/*", "cohere/*"))
    assert found(groups(*named, aliases={"best": meant}), "best") == expected


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ([("cohere/*", "cohere/*")], ("cohere/*", ["d0"], "rerank-v3.5")),
        ([("cohere/*", "cohere/*"), ("cohere/*", "cohere/*")], ("cohere/*", ["d0", "d1"], "rerank-v3.5")),
        ([("voyage/*", "voyage_ai/*")], None),
        ([("cohere/*", "cohere/rerank*")], None),
        ([("cohere/*", "cohere/*"), ("cohere/*", "cohere/rerank-v4.0-pro")], None),
        ([("best", "cohere/rerank-v3.5")], None),
    ],
    ids=["one", "two keys", "another provider", "a part of the ids", "a fixed model beside it", "no star"],
)
def test_a_bare_id_is_answered_where_one_provider_with_a_star_lists_it(
    named: list[tuple[str, str]], expected: tuple[str, list[str], str] | None
) -> None:
    assert found(groups(*named), "rerank-v3.5") == expected


def test_a_bare_id_that_two_providers_list_is_answered_by_neither(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "spec_version: 2\nprovider: own\ntitle: Own\nextends: cohere\n"
        'documentation: [{title: d, url: "https://a.example", read: "2026-11-20"}]\nconfidence: inferred\n'
        "models:\n  rerank-v3.5: {}\n  mine: {}\n"
    )
    made = groups(("cohere/*", "cohere/*"), ("own/*", "own/*"), catalog=Catalog([tmp_path], environ={}))
    assert found(made, "rerank-v3.5") is None
    assert found(made, "mine") == ("own/*", ["d1"], "mine")


def test_other_ids_of_a_model_are_listed_and_those_of_families_are_not(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "spec_version: 2\nprovider: own\ntitle: Own\nextends: cohere\n"
        'documentation: [{title: d, url: "https://a.example", read: "2026-11-20"}]\nconfidence: inferred\n'
        "models:\n  one: {aliases: [uno]}\n  family-*: {}\n"
    )
    made = groups(("own/*", "own/*"), catalog=Catalog([tmp_path], environ={"COHERE_API_KEY": "k"}))
    assert found(made, "uno") == ("own/*", ["d0"], "uno")
    assert found(made, "family-*") is None


def test_a_star_alone_makes_a_deployment_for_each_provider_that_is_named_once() -> None:
    made = groups(("*", "*"))
    assert made.deployments == []
    assert found(made, "cohere/a") == ("*", ["d0:cohere"], "a")
    first = made.deployments
    assert found(made, "cohere/b") == ("*", ["d0:cohere"], "b")
    assert made.deployments == first
    assert found(made, "jina_ai/c") == ("*", ["d0:jina_ai"], "c")
    assert [one.id for one in made.deployments] == ["d0:cohere", "d0:jina_ai"]


def test_several_entries_of_a_star_alone_answer_together() -> None:
    made = groups(("*", "*"), ("*", "*"))
    assert found(made, "cohere/a") == ("*", ["d0:cohere", "d1:cohere"], "a")
    assert [one.id for one in made.deployments] == ["d0:cohere", "d1:cohere"]


def test_a_star_alone_answers_for_what_names_a_model_only() -> None:
    made = groups(("*", "*"))
    assert found(made, "nobody/x") is None
    assert found(made, "cohere") is None
    assert found(made, "rerank-v3.5") == ("*", ["d0:cohere"], "rerank-v3.5")
    with pytest.raises(CredentialMissing):
        made.find("together_ai/x")
    assert [one.id for one in made.deployments] == ["d0:cohere"]


def test_names_are_told_with_stars_and_aliases_last() -> None:
    made = groups(("*", "*"), ("cohere/*", "cohere/*"), ("best", "local/bm25"), aliases={"gpt": "best"})
    assert made.names == ["best", "cohere/*", "*", "gpt"]


@pytest.mark.parametrize(
    ("named", "only"),
    [
        ([("best", "local/bm25")], "best"),
        ([("best", "local/bm25"), ("best", "cohere/a")], "best"),
        ([("best", "local/bm25"), ("other", "cohere/a")], None),
        ([("best", "local/bm25"), ("*", "*")], None),
        ([("cohere/*", "cohere/*")], None),
    ],
    ids=["one", "two deployments of it", "two", "a star beside it", "a star"],
)
def test_a_request_may_leave_out_the_only_name_there_is(named: list[tuple[str, str]], only: str | None) -> None:
    assert groups(*named).only_name == only
