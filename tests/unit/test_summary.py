"""What users are told of a provider: all that they can rely on, and never the value of a variable."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stepping import KEY, TOY, toy

from rankspec.catalog import Catalog
from rankspec.summary import key_is_set, key_variables, markdown_table, price_text, summarize

PRICE = {"usd": 0.05, "per": 1000000, "unit": "input_tokens", "read": "2026-11-20"}
FULL: dict[str, Any] = {
    "aliases": ["play"],
    "settings": {
        "region": {"description": "Region", "env": ["TOY_REGION", "REGION"], "aliases": ["toy_region"]},
        "tier": {"description": "Tier", "default": "free"},
        "team": {"description": "Team", "optional": True},
    },
    "endpoint": {
        **TOY["endpoint"],
        "base_url": ["https://{{ settings.team }}.toy.example", "https://{{ settings.region }}.toy.example"],
    },
    "auth": [
        {"kind": "header", "name": "K", "when": "{{ model == 'a' }}", "key": {"env": ["TOY_API_KEY"]}},
        {
            "kind": "basic",
            "username": {"env": ["TOY_USER"], "argument": "user"},
            "password": {"env": ["TOY_PASSWORD", "TOY_PASS"], "optional": True},
        },
    ],
    "limits": {"documents": 10, "document_tokens": 512, "request_bytes": "none"},
    "models": {
        "big": {"aliases": ["large"], "limits": {"documents": 5}, "scoring": {"mode": "listwise"}, "price": PRICE},
        "small*": {"scoring": {"scale": "cosine"}},
    },
    "confidence": "documented",
    "echo": {"asked_by": "options.return_text", "member": "text", "form": "text"},
}


def test_without_an_environment_everything_is_told_but_what_is_set() -> None:
    assert summarize(toy(**FULL)) == {
        "name": "toy",
        "title": "Toy",
        "aliases": ["play"],
        "file": "toy.yaml",
        "base_url": ["https://{{ settings.team }}.toy.example", "https://{{ settings.region }}.toy.example"],
        "base_url_variables": [{"name": "TOY_API_BASE"}],
        "auth": [
            {
                "kind": "header",
                "when": "{{ model == 'a' }}",
                "secrets": [
                    {"name": "key", "argument": "api_key", "optional": False, "variables": [{"name": "TOY_API_KEY"}]}
                ],
            },
            {
                "kind": "basic",
                "secrets": [
                    {"name": "username", "argument": "user", "optional": False, "variables": [{"name": "TOY_USER"}]},
                    {
                        "name": "password",
                        "argument": "password",
                        "optional": True,
                        "variables": [{"name": "TOY_PASSWORD"}, {"name": "TOY_PASS"}],
                    },
                ],
            },
        ],
        "model_is_required": True,
        "settings": [
            {
                "name": "region",
                "aliases": ["toy_region"],
                "description": "Region",
                "default": None,
                "optional": False,
                "variables": [{"name": "TOY_REGION"}, {"name": "REGION"}],
            },
            {
                "name": "tier",
                "aliases": [],
                "description": "Tier",
                "default": "free",
                "optional": True,
                "variables": [],
            },
            {
                "name": "team",
                "aliases": [],
                "description": "Team",
                "default": None,
                "optional": True,
                "variables": [],
            },
        ],
        "limits": {"documents": 10, "document_tokens": 512},
        "scale": "probability",
        "mode": "pointwise",
        "parameters": {
            "native": ["top_n"],
            "emulated": ["rank_fields", "return_documents"],
            "unsupported": [
                "max_chunks_per_doc",
                "max_tokens_per_doc",
                "priority",
                "relevant_spans",
                "instruction",
            ],
        },
        "echo": {"asked_by": "options.return_text", "default": False, "member": "text", "form": "text"},
        "models": [
            {
                "id": "big",
                "aliases": ["large"],
                "limits": {"documents": 5, "document_tokens": 512},
                "scale": "probability",
                "mode": "listwise",
                "price": PRICE,
            },
            {
                "id": "small*",
                "aliases": [],
                "limits": {"documents": 10, "document_tokens": 512},
                "scale": "cosine",
                "mode": "pointwise",
                "price": None,
            },
        ],
        "documentation": TOY["documentation"],
        "confidence": "documented",
    }


def test_with_an_environment_it_is_told_what_is_set_and_no_value() -> None:
    environ = {"TOY_KEY": KEY, "TOY_API_BASE": "  "}
    told = summarize(toy(), environ)
    assert told["key_is_set"] is True
    assert told["base_url_variables"] == [{"name": "TOY_API_BASE", "is_set": False}]
    assert told["auth"][0]["secrets"][0]["variables"] == [
        {"name": "TOY_API_KEY", "is_set": False},
        {"name": "TOY_KEY", "is_set": True},
    ]
    assert KEY not in json.dumps(told)


@pytest.mark.parametrize("name", [source.name for source in Catalog(environ={}).sources])
def test_an_environment_adds_nothing_but_what_is_set(name: str) -> None:
    spec = Catalog(environ={}).load(name)

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without(one) for key, one in value.items() if key not in ("is_set", "key_is_set")}
        return [without(one) for one in value] if isinstance(value, list) else value

    assert without(summarize(spec, {})) == summarize(spec)


@pytest.mark.parametrize(
    ("environ", "is_set"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"TOY_USER": "u"}, True, id="all that the second way needs"),
        pytest.param({"TOY_API_KEY": "k"}, True, id="all that the first way needs"),
        pytest.param({"TOY_PASSWORD": "p"}, False, id="what is optional alone"),
        pytest.param({"TOY_USER": " "}, False, id="blank"),
    ],
)
def test_a_key_is_set_if_some_way_to_authenticate_has_what_it_needs(environ: dict[str, str], is_set: bool) -> None:
    assert key_is_set(toy(**FULL), environ) is is_set


@pytest.mark.parametrize("auth", [{"kind": "none"}, {"kind": "bearer", "key": {"env": ["K"], "optional": True}}])
def test_where_no_key_is_needed_none_is_set(auth: dict[str, Any]) -> None:
    assert key_is_set(toy(auth=auth), {"K": "k"}) is None


def test_the_variables_of_keys_stand_in_the_order_they_are_tried() -> None:
    assert key_variables(toy(**FULL)) == ["TOY_API_KEY", "TOY_USER", "TOY_PASSWORD", "TOY_PASS"]


def test_a_price_reads_as_people_write_it() -> None:
    assert price_text(PRICE) == "$0.05 per 1,000,000 input_tokens"


def test_providers_are_a_table_for_the_guides() -> None:
    assert markdown_table([toy(**FULL), toy(auth={"kind": "none"})]).splitlines()[2:] == [
        "| `toy`: Toy | `play` | `TOY_API_KEY`, `TOY_USER`, `TOY_PASSWORD`, `TOY_PASS` | 10 | probability | pointwise |",
        "| `toy`: Toy |  | none | no limit known | probability | pointwise |",
    ]
