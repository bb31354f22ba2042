"""The entries of both lists of models, in one form: what each says, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rankspec.errors import did_you_mean
from rankspec.gateway.config.notes import Notes
from rankspec.gateway.config.reading import config_schema
from rankspec.models import Json, Path
from rankspec.resources import read_schema

FIELDS: Mapping[str, str] = {
    "api_key": "api_key",
    "api_base": "api_base",
    "base_url": "api_base",
    "extra_headers": "headers",
    "headers": "headers",
    "timeout": "timeout_seconds",
    "max_retries": "max_retries",
    "num_retries": "max_retries",
    "weight": "weight",
    "order": "order",
    "rpm": "requests_per_minute",
    "tpm": "tokens_per_minute",
    "max_parallel_requests": "max_concurrent",
}
"""LiteLLM's names of an entry's parameters, and ours."""

PRICES: Mapping[str, str] = {"input_cost_per_query": "search_units", "input_cost_per_token": "input_tokens"}
"""LiteLLM's prices of one unit; the first that is not 0 counts."""

NUMBERS = frozenset(FIELDS) - {"api_key", "api_base", "base_url", "extra_headers", "headers"} | frozenset(PRICES)
"""Parameters that are numbers. LiteLLM takes them as texts too, and references to them."""

RERANK = "rerank"
_APART = ("model", "custom_llm_provider", "litellm_credential_name", "extra_body", *PRICES)
_OF_LISTS = ("settings", "defaults", "id", "name", "model", "info", "price")


@dataclass(frozen=True, slots=True)
class Said:
    """A value, and where it stands."""

    value: Json
    path: Path


@dataclass
class Entry:
    """One entry of a list of models.

    Attributes:
        path: where it stands.
        name, model: as written; a provider that is given apart is in `provider`.
        fields: members of DeploymentConfig that are single values, and `headers`, by name.
        settings: keywords for the provider; only a provider tells which of LiteLLM's parameters are some: see `others`.
        defaults: members of a request.
        extra: members of a request's extra.
        others: LiteLLM's parameters of which only the provider tells what they are.
        is_meant_for_rerank: whether it must be a rerank model; None if it does not say.
    """

    path: Path
    name: Said
    model: Said
    id: Said | None = None
    provider: Said | None = None
    fields: dict[str, Said] = field(default_factory=dict)
    settings: dict[str, Said] = field(default_factory=dict)
    defaults: dict[str, Said] = field(default_factory=dict)
    extra: dict[str, Said] = field(default_factory=dict)
    others: dict[str, Said] = field(default_factory=dict)
    price: tuple[float, int, str] | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    is_meant_for_rerank: bool | None = None


def request_members() -> frozenset[str]:
    """What an entry may give requests that do not have it."""
    return frozenset(read_schema("rerank_request")["properties"]) - {"model", "query", "documents"}


def read_entries(data: Mapping[str, Any], notes: Notes) -> Iterator[Entry]:
    """The entries that could be read, in the file's order: ours, then LiteLLM's."""
    for at, entry in enumerate(data.get("models", ())):
        if entry is not None:
            yield _own(entry, ("models", at))
    for at, entry in enumerate(data.get("model_list", ())):
        if entry is not None:
            yield _litellm(entry, ("model_list", at), data, notes)


def names_in(data: Mapping[str, Any]) -> set[str]:
    """The names of models that a file has entries for, whatever else is wrong with them."""
    found: set[str] = set()
    for key, name in (("models", "name"), ("model_list", "model_name")):
        entries = data.get(key)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get(name), str):
                found.add(entry[name])
    return found


def _members(value: Mapping[str, Any], path: Path) -> dict[str, Said]:
    return {name: Said(member, (*path, name)) for name, member in value.items()}


def _own(data: Mapping[str, Any], path: Path) -> Entry:
    said = _members(data, path)
    defaults = _members(data.get("defaults", {}), (*path, "defaults"))
    extra = defaults.pop("extra", None)
    price = data.get("price")
    return Entry(
        path,
        said["name"],
        said["model"],
        id=said.get("id"),
        fields={name: one for name, one in said.items() if name not in _OF_LISTS},
        settings=_members(data.get("settings", {}), (*path, "settings")),
        defaults=defaults,
        extra=_members(extra.value, extra.path) if extra else {},
        price=(float(price["usd"]), int(price["per"]), price["unit"]) if price else None,
        info=data.get("info", {}),
        is_meant_for_rerank=True,
    )


def _litellm(data: Mapping[str, Any], path: Path, config: Mapping[str, Any], notes: Notes) -> Entry:
    params = _params(data, path, config, notes)
    info = data.get("model_info", {})
    entry = Entry(
        path,
        Said(data["model_name"], (*path, "model_name")),
        params["model"],
        id=Said(str(info["id"]), (*path, "model_info", "id")) if "id" in info else None,
        provider=params.get("custom_llm_provider"),
        price=_price(params, info),
        info={name: value for name, value in info.items() if name != "id"},
        is_meant_for_rerank=info["mode"] == RERANK if "mode" in info else None,
    )
    members = request_members()
    for name, said in params.items():
        if name in FIELDS:
            _say(entry.fields, FIELDS[name], said, notes)
        elif name in ("extra", "extra_body"):
            entry.extra |= _members(said.value, said.path)
        elif name in members:
            entry.defaults[name] = said
        elif name not in _APART:
            entry.others[name] = said
    return entry


def _say(fields: dict[str, Said], name: str, said: Said, notes: Notes) -> None:
    """Take in a field that may have been said under another name."""
    first = fields.setdefault(name, said)
    if first.value != said.value:
        message = f"'{first.path[-1]}' says the same and something else: remove one of them"
        notes.report("config-conflict", said.path, message, of_key=True)


def _params(data: Mapping[str, Any], path: Path, config: Mapping[str, Any], notes: Notes) -> dict[str, Said]:
    """LiteLLM's parameters of an entry: its own, over those of its credential, over those for all."""
    defaults = config.get("router_settings", {}).get("default_litellm_params", {})
    params = _members(defaults, ("router_settings", "default_litellm_params"))
    params |= {name: Said(data[name], (*path, name)) for name in ("rpm", "tpm") if name in data}
    own = _members(data["litellm_params"], (*path, "litellm_params"))
    named = own.get("litellm_credential_name")
    if named is not None:
        params |= _credential(named, config, notes)
    return {**params, **own}


def _credential(named: Said, config: Mapping[str, Any], notes: Notes) -> dict[str, Said]:
    known = []
    for at, one in enumerate(config.get("credential_list", ())):
        if one is not None and one["credential_name"] == named.value:
            return _members(one["credential_values"], ("credential_list", at, "credential_values"))
        known += [one["credential_name"]] if one else []
    message = f"credential_list has no '{named.value}'{did_you_mean(named.value, known)}"
    notes.report("config-credential", named.path, message)
    return {}


def _price(params: Mapping[str, Said], info: Mapping[str, Any]) -> tuple[float, int, str] | None:
    found = {name: params[name].value if name in params else info.get(name) for name in PRICES}
    given = [(float(usd), 1, PRICES[name]) for name, usd in found.items() if isinstance(usd, int | float)]
    # LiteLLM's own list of prices has 0 for the way in which a model is not charged.
    return next((price for price in given if price[0]), given[0] if given else None)


def unused_params() -> Mapping[str, Any]:
    """The part of the schema that knows which of LiteLLM's parameters have no effect here."""
    schema: Mapping[str, Any] = config_schema()["$defs"]["litellm_params"]
    return schema
