"""Names that callers may write, for clients of Cohere and of OpenAI at once; and probes of what is behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rankspec.catalog import Catalog
from rankspec.gateway.description.models_page import MAX_LISTED, model_names, model_page, models_page
from rankspec.gateway.values import DeploymentConfig, GatewayConfig, RoutingConfig

CATALOG = Catalog(environ={})


def a_config(*named: tuple[str, str], aliases: dict[str, str] | None = None, **more: Any) -> GatewayConfig:
    deployments = tuple(DeploymentConfig(f"d{at}", name, model, **more) for at, (name, model) in enumerate(named))
    return GatewayConfig(deployments, RoutingConfig(aliases=aliases or {}))


def test_a_page_is_what_both_kinds_of_client_read() -> None:
    config = a_config(("best", "cohere/rerank-v3.5"), ("plain", "local/bm25"))

    assert models_page(config, CATALOG) == {
        "object": "list",
        "models": [
            {
                "name": "best",
                "endpoints": ["rerank"],
                "default_endpoints": [],
                "finetuned": False,
                "is_deprecated": False,
                "features": [],
                "context_length": 4096,
            },
            {
                "name": "plain",
                "endpoints": ["rerank"],
                "default_endpoints": [],
                "finetuned": False,
                "is_deprecated": False,
                "features": [],
            },
        ],
        "data": [
            {"id": "best", "object": "model", "created": 0, "owned_by": "cohere"},
            {"id": "plain", "object": "model", "created": 0, "owned_by": "local"},
        ],
    }


def test_several_deployments_of_a_name_are_one_model() -> None:
    assert model_names(a_config(("best", "cohere/rerank-v3.5"), ("best", "bedrock/x")), CATALOG) == ["best"]


def test_a_star_stands_for_what_the_spec_lists() -> None:
    config = a_config(("mine-*", "cohere/rerank-v4*"), ("cohere/rerank-v3.5", "cohere/rerank-v3.5"))

    assert model_names(config, CATALOG) == ["mine-.0-pro", "mine-.0-fast", "cohere/rerank-v3.5"]


def test_a_star_keeps_the_provider_in_the_words_of_the_config() -> None:
    names = model_names(a_config(("ai/*", "together-ai/*")), CATALOG)

    assert "ai/Salesforce/Llama-Rank-V1" in names
    assert model_page("ai/Salesforce/Llama-Rank-V1", a_config(("ai/*", "together-ai/*")), CATALOG) is not None


def test_a_star_alone_stands_for_every_model_of_every_spec() -> None:
    names = model_names(a_config(("*", "*")), CATALOG)

    assert {"cohere/rerank-v3.5", "local/bm25", "together_ai/Salesforce/Llama-Rank-V1"} <= set(names)
    assert not any("*" in name for name in names)


@pytest.mark.parametrize(
    ("name", "model"),
    [("any-*", "cohere/rerank-v3.5"), ("infinity/*", "infinity/*"), ("lost/*", "nobody/*")],
    ids=["a star for one model", "a provider without a list", "an unknown provider"],
)
def test_a_star_that_stands_for_anything_lists_nothing(name: str, model: str) -> None:
    assert models_page(a_config((name, model)), CATALOG) == {"object": "list", "models": [], "data": []}


def test_what_a_star_brings_is_bounded(tmp_path: Path) -> None:
    models = "".join(f"  m{number}: {{}}\n" for number in range(MAX_LISTED + 5))
    (tmp_path / "big.yaml").write_text(
        "spec_version: 2\nprovider: big\ntitle: Big\nextends: cohere\n"
        'documentation: [{title: d, url: "https://a.example", read: "2026-11-20"}]\nconfidence: inferred\n'
        f"models:\n{models}"
    )

    assert len(model_names(a_config(("big/*", "big/*")), Catalog([tmp_path], environ={}))) == MAX_LISTED


def test_aliases_are_models_too() -> None:
    config = a_config(
        ("best", "cohere/rerank-v3.5"),
        ("cohere/*", "cohere/*"),
        aliases={"gpt": "best", "new": "cohere/rerank-v9", "lost": "nothing"},
    )

    names = model_names(config, CATALOG)

    assert (names[0], names[-2:]) == ("best", ["gpt", "new"])


def test_the_config_adds_to_a_model() -> None:
    config = a_config(("best", "cohere/rerank-v3.5"), info={"mode": "rerank", "max_input_tokens": 1000})

    page = models_page(config, CATALOG)

    assert page["models"][0]["context_length"] == 1000
    assert page["data"][0]["model_info"] == {"mode": "rerank", "max_input_tokens": 1000}


FIVE = a_config(*((f"m{number}", "local/bm25") for number in range(5)))


@pytest.mark.parametrize(
    ("asked", "names", "token"),
    [
        ({}, ["m0", "m1", "m2", "m3", "m4"], None),
        ({"page_size": "2"}, ["m0", "m1"], "2"),
        ({"page_size": "2", "page_token": "2"}, ["m2", "m3"], "4"),
        ({"page_size": "2", "page_token": "4"}, ["m4"], None),
        ({"page_token": "9"}, [], None),
        ({"endpoint": "rerank"}, ["m0", "m1", "m2", "m3", "m4"], None),
        ({"endpoint": "chat"}, [], None),
        ({"page_size": "many", "page_token": "-1", "x": "y"}, ["m0", "m1", "m2", "m3", "m4"], None),
        ({"page_size": "9" * 5000}, ["m0", "m1", "m2", "m3", "m4"], None),
    ],
    ids=["all", "first", "middle", "last", "behind", "of rerank", "of chat", "odd", "huge"],
)
def test_pages_are_as_long_as_asked_for(asked: dict[str, str], names: list[str], token: str | None) -> None:
    page = models_page(FIVE, CATALOG, asked)

    assert [one["name"] for one in page["models"]] == names
    assert [one["id"] for one in page["data"]] == names
    assert page.get("next_page_token") == token


CONFIG = a_config(
    ("best", "cohere/rerank-v3.5"),
    ("cohere/*", "cohere/*"),
    ("*", "*"),
    aliases={"gpt": "best"},
)


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("best", "cohere"),
        ("gpt", "cohere"),
        ("cohere/rerank-v9", "cohere"),
        ("local/bm25", "local"),
        ("nobody/x", None),
        ("cohere", None),
        ("cohere/*", "cohere"),
        ("", None),
    ],
    ids=["a name", "an alias", "not listed", "a star alone", "no provider", "no model", "a star itself", "nothing"],
)
def test_one_model_is_found_by_any_name_that_is_answered(name: str, provider: str | None) -> None:
    found = model_page(name, CONFIG, CATALOG)

    assert (found and (found["id"], found["name"], found["owned_by"])) == (provider and (name, name, provider))


STARS = a_config(("cohere/*", "cohere/*"), ("voyage/*", "voyage/*"), ("own-*", "jina_ai/*"), ("own-*", "local/bm25"))


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("rerank-v3.5", "cohere"),
        ("rerank-2", "voyage_ai"),
        ("rerank-v9", None),
        ("jina-reranker-v2-base-multilingual", None),
    ],
    ids=["of the first", "of the second", "listed by nobody", "of a name that has a fixed model too"],
)
def test_a_bare_id_is_found_where_one_star_answers_for_it(name: str, provider: str | None) -> None:
    found = model_page(name, STARS, CATALOG)

    assert (found and (found["id"], found["owned_by"])) == (provider and (name, provider))


def test_one_model_is_both_clients_object() -> None:
    assert model_page("best", CONFIG, CATALOG) == {
        "id": "best",
        "object": "model",
        "created": 0,
        "owned_by": "cohere",
        "name": "best",
        "endpoints": ["rerank"],
        "default_endpoints": [],
        "finetuned": False,
        "is_deprecated": False,
        "features": [],
        "context_length": 4096,
    }
