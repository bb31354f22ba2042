"""What a config becomes: deployments of its entries and of its chains, with what is known of those of before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rankspec.catalog import Catalog
from rankspec.errors import SettingMissing, SpecNotFound
from rankspec.gateway.routing.assembly import Assembly, Snapshot
from rankspec.gateway.values import PASSTHROUGH, DeploymentConfig, GatewayConfig, RoutingConfig, ServerConfig
from rankspec.transports.async_transport import AsyncTransport

ENVIRON = {"COHERE_API_KEY": "k"}
A_DEPLOYMENT = DeploymentConfig("a", "best", "cohere/rerank-v3.5", requests_per_minute=10)


def assembly(*, workers: int = 1, is_lenient: bool = False) -> Assembly:
    return Assembly(ENVIRON, AsyncTransport(), workers=workers, is_lenient=is_lenient)


def a_config(*deployments: DeploymentConfig, **routing: Any) -> GatewayConfig:
    return GatewayConfig(deployments, RoutingConfig(**routing))


def ids(made: Snapshot) -> list[str]:
    return [one.id for one in made.router.groups.deployments]


@pytest.mark.parametrize(
    ("chain", "more"),
    [
        (("local/bm25", PASSTHROUGH), ["local/bm25"]),
        (("best",), []),
        (("gpt",), []),
        (("cohere/a", "cohere/b", "cohere/a"), ["cohere/a", "cohere/b"]),
        (("mine/x",), []),
    ],
    ids=["provider/model", "a name", "an alias", "each once", "of a name with a star"],
)
def test_a_chains_member_that_is_no_name_gets_a_deployment(chain: tuple[str, ...], more: list[str]) -> None:
    entries = (A_DEPLOYMENT, DeploymentConfig("m", "mine/*", "cohere/*"))
    given: list[dict[str, Any]] = [{"default_fallbacks": chain}, {"fallbacks": {"best": chain}}]
    for one in given:
        made = assembly().build(a_config(*entries, aliases={"gpt": "best"}, **one))
        assert ids(made) == ["a", "m", *more]
        assert made.config.deployments == entries


def test_limits_are_shared_among_workers() -> None:
    made = assembly(workers=4).build(a_config(A_DEPLOYMENT))
    assert made.router.groups.deployments[0].state.requests_per_minute == 2


def test_the_catalog_that_is_given_is_the_one_that_answers() -> None:
    catalog = Catalog(environ={})
    made = assembly().build(a_config(A_DEPLOYMENT), catalog=catalog)
    assert made.catalog is catalog
    assert made.router.groups.deployments[0].spec is catalog.load("cohere")


def test_without_one_the_specs_that_the_config_names_are_found(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "spec_version: 2\nprovider: own\ntitle: Own\nextends: cohere\n"
        'documentation: [{title: d, url: "https://a.example", read: "2026-11-20"}]\nconfidence: inferred\n'
    )
    config = replace(a_config(DeploymentConfig("o", "own", "own/x", api_key="k")), specs=(str(tmp_path),))
    assert assembly().build(config).router.groups.deployments[0].spec.name == "own"


def _after(before: GatewayConfig, now: GatewayConfig) -> list[tuple[str, str, int]]:
    """Each deployment's id, state and requests of the minute after a reload, its key having been refused before."""
    old = assembly().build(before)
    for one in old.router.groups.deployments:
        one.state.also_sent(3)
        one.state.failed(at_once=True)
    new = assembly().build(now, previous=old)
    return [(one.id, one.state.state_name, one.state.requests_this_minute) for one in new.router.groups.deployments]


def test_what_is_known_of_a_deployment_outlives_a_change_of_its_limits() -> None:
    now = a_config(replace(A_DEPLOYMENT, requests_per_minute=99, weight=3.0, name="renamed"))
    assert _after(a_config(A_DEPLOYMENT), now) == [("a", "cooling", 3)]


@pytest.mark.parametrize(
    "change",
    [
        {"api_key": "new"},
        {"api_base": "http://b.test"},
        {"model": "cohere/other"},
        {"headers": {"X": "y"}},
        {"id": "b"},
    ],
    ids=["key", "address", "model", "headers", "id"],
)
def test_what_is_called_otherwise_starts_anew(change: dict[str, Any]) -> None:
    changed = replace(A_DEPLOYMENT, **change)
    assert _after(a_config(A_DEPLOYMENT), a_config(changed)) == [(changed.id, "up", 0)]


def test_a_deployment_of_a_star_alone_is_known_after_a_reload() -> None:
    config = a_config(DeploymentConfig("any", "*", "*"))
    old = assembly().build(config)
    assert old.router.groups.find("cohere/x") is not None
    old.router.groups.deployments[0].state.failed(at_once=True)
    new = assembly().build(config, previous=old)
    assert new.router.groups.find("cohere/x") is not None
    assert [(one.id, one.state.state_name) for one in new.router.groups.deployments] == [("any:cohere", "cooling")]


def test_what_cannot_work_refuses_the_whole_by_its_name() -> None:
    with pytest.raises(SpecNotFound, match="^lost: no provider is called 'nobody'"):
        assembly().build(a_config(A_DEPLOYMENT, DeploymentConfig("l", "lost", "nobody/x")))


def test_lenience_leaves_out_what_cannot_work_and_says_so() -> None:
    entries = (A_DEPLOYMENT, DeploymentConfig("l", "lost", "nobody/x"))
    made = assembly(is_lenient=True).build(a_config(*entries, default_fallbacks=("together_ai/x",)))
    assert ids(made) == ["a"]
    assert made.config.deployments == (A_DEPLOYMENT,)
    assert list(made.left_out) == ["l", "together_ai/x"]
    assert "TOGETHER" in made.left_out["together_ai/x"]


def test_a_key_that_callers_may_bring_need_not_be_there() -> None:
    entry = DeploymentConfig("t", "together", "together_ai/x")
    config = replace(a_config(entry), server=ServerConfig(allow_caller_credentials=True))
    assert ids(assembly().build(config)) == ["t"]


def test_a_setting_that_is_missing_refuses_the_start() -> None:
    with pytest.raises(SettingMissing):
        assembly().build(a_config(DeploymentConfig("z", "z", "azure_ai/x", api_key="k")))
