"""GET /v1/models: the names that callers may write, in one object that clients of Cohere and of OpenAI both read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from rankspec.catalog import Catalog
from rankspec.errors import RankspecError
from rankspec.gateway.routing.groups import listed_ids
from rankspec.gateway.values import STAR, DeploymentConfig, GatewayConfig, star_in
from rankspec.models import Json
from rankspec.specs import ProviderSpec

MAX_LISTED = 1000
"""The most names that one entry with a star is expanded to."""

_ENDPOINT = "rerank"
_LENGTHS = ("context_length", "max_input_tokens", "max_tokens")


def models_page(config: GatewayConfig, catalog: Catalog, asked: Mapping[str, str] | None = None) -> Json:
    """Every model that can be asked for.

    Args:
        asked: the parameters of Cohere's list: `endpoint` ("rerank", or nothing is listed), `page_size` and
            `page_token`. What cannot be read is ignored.
    """
    asked = asked or {}
    models = list(_models(config, catalog)) if asked.get("endpoint", _ENDPOINT) == _ENDPOINT else []
    start, size = _number(asked.get("page_token")) or 0, _number(asked.get("page_size")) or len(models)
    listed = models[start : start + size]
    page: dict[str, Json] = {
        "object": "list",
        "models": [_for_cohere(one) for one in listed],
        "data": [_for_openai(one) for one in listed],
    }
    if start + size < len(models):
        page["next_page_token"] = str(start + size)
    return page


def model_page(name: str, config: GatewayConfig, catalog: Catalog) -> Json | None:
    """One model, also one that only a name with a star stands for; None if there is no such model."""
    found = _find(config.routing.aliases.get(name, name), config, catalog)
    return None if found is None else {**_for_openai({**found, "name": name}), **_for_cohere({**found, "name": name})}


def model_names(config: GatewayConfig, catalog: Catalog) -> list[str]:
    """The names of `models_page`, in its order."""
    return [one["name"] for one in _models(config, catalog)]


def listed_stars(model: str, spec: ProviderSpec) -> Iterator[str]:
    """What the star of provider/model may stand for, as far as the provider's spec lists models."""
    pattern = model.partition("/")[2]
    for listed in spec.models:
        star = None if listed.endswith(STAR) else star_in(pattern, listed)
        if star is not None:
            yield star


def _stars(deployment: DeploymentConfig, catalog: Catalog) -> Iterator[str]:
    """What the star in a deployment's name may stand for, as far as specs list models."""
    model = deployment.model
    if model == STAR:
        for any_spec in filter(None, (_spec(source.name, catalog) for source in catalog.sources)):
            yield from (f"{any_spec.name}/{one}" for one in listed_stars(f"{any_spec.name}/{STAR}", any_spec))
    elif STAR in model:
        spec = _spec(model.partition("/")[0], catalog)
        yield from listed_stars(model, spec) if spec else ()


def _models(config: GatewayConfig, catalog: Catalog) -> Iterator[dict[str, Any]]:
    """Each name once, in the config's order: its deployments' names, then aliases of them."""
    seen: dict[str, dict[str, Any]] = {}
    for deployment in config.deployments:
        stars = islice(_stars(deployment, catalog), MAX_LISTED) if STAR in deployment.name else (None,)
        for star in stars:
            name = deployment.name if star is None else deployment.name.replace(STAR, star, 1)
            if name not in seen:
                seen[name] = _model(name, deployment, catalog, star)
    for alias, name in config.routing.aliases.items():
        found = seen.get(name) or _find(name, config, catalog)
        if found is not None and alias not in seen:
            seen[alias] = {**found, "name": alias}
    return iter(seen.values())


def _find(name: str, config: GatewayConfig, catalog: Catalog) -> dict[str, Any] | None:
    """The model of a name: of the first deployment that has it, otherwise of the longest name with a star.

    Last, of a bare id that one provider alone lists of those with a star: as `Groups.find`.
    """
    for deployment in config.deployments:
        if deployment.name == name and STAR not in name:
            return _model(name, deployment, catalog, None)
    for deployment in _longest_first(config):
        meant = star_in(deployment.name, name)
        found = None if meant is None else _model(name, deployment, catalog, meant)
        # Of a star alone only what names a provider is a model.
        if found is not None and (deployment.model != STAR or "provider" in found):
            return found
    return _listed(name, config, catalog)


def _listed(name: str, config: GatewayConfig, catalog: Catalog) -> dict[str, Any] | None:
    """The model of a bare id that a name with a star answers for."""
    starred: dict[str, list[tuple[str, ProviderSpec]]] = {}
    for deployment in _longest_first(config):
        spec = _spec(deployment.model.partition("/")[0], catalog) if STAR in deployment.name else None
        if spec is not None:
            starred.setdefault(deployment.name, []).append((deployment.model, spec))
    pattern = listed_ids(starred).get(name)
    found = next((one for one in config.deployments if one.name == pattern), None)
    return None if found is None else _model(name, found, catalog, name)


def _longest_first(config: GatewayConfig) -> list[DeploymentConfig]:
    return sorted(config.deployments, key=lambda one: -len(one.name))


def _model(name: str, deployment: DeploymentConfig, catalog: Catalog, star: str | None) -> dict[str, Any]:
    """What is known of a model: its name, its provider, how much it reads, and what the config tells of it."""
    model = deployment.model if star is None else deployment.model.replace(STAR, star, 1)
    found: dict[str, Any] = {"name": name, "info": dict(deployment.info)}
    try:
        spec, model_id = catalog.resolve(model)
    except RankspecError:
        return found  # Its requests tell why.
    if model_id is None and spec.needs_model:
        return found
    found["provider"] = spec.name
    length = next((deployment.info[key] for key in _LENGTHS if deployment.info.get(key)), None)
    length = length or spec.model(model_id).limits.document_tokens
    return {**found, "context_length": length} if length else found


def _for_cohere(model: Mapping[str, Any]) -> Json:
    known = {
        "name": model["name"],
        "endpoints": [_ENDPOINT],
        "default_endpoints": [],
        "finetuned": False,
        "is_deprecated": False,
        "features": [],
    }
    return {**known, "context_length": model["context_length"]} if "context_length" in model else known


def _for_openai(model: Mapping[str, Any]) -> Json:
    entry = {"id": model["name"], "object": "model", "created": 0, "owned_by": model.get("provider", "rankspec")}
    return {**entry, "model_info": model["info"]} if model.get("info") else entry


def _spec(name: str, catalog: Catalog) -> ProviderSpec | None:
    try:
        return catalog.load(name)
    except RankspecError:
        return None  # Its requests tell why.


def _number(text: str | None) -> int | None:
    """A whole number above 0 of a query, or None."""
    digits = text[:9] if text and text.isascii() and text.isdigit() else ""
    return int(digits) or None if digits else None
