"""What replies come to: the results for some of the documents, with what else was told, and what that costs. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from rankspec.contract import Scored, add_units, check_units
from rankspec.errors import redact
from rankspec.models import Json
from rankspec.response_mapping import Readings
from rankspec.specs import ProviderSpec

NO_RESULTS = Scored((), ())


@dataclass(slots=True)
class Part:
    """What some of the documents came to; indexes are positions in the caller's list."""

    id: str | None
    api_version: Mapping[str, Any] | None
    units: dict[str, dict[str, float]]
    warnings: list[str]
    results: Scored = NO_RESULTS


def told(spec: ProviderSpec, found: Readings, secrets: Sequence[str]) -> Part:
    """A part without results: all else that a reply says.

    Args:
        secrets: the values to be kept out of warnings.
    """
    part = Part(None, None, {}, [])
    if found.id is not None and type(found.id) in (str, int) and found.id != "":
        part.id = str(found.id)
    version = found.api_version
    if version is not None and isinstance(version, dict) and isinstance(version.get("version"), str):
        part.api_version = version
    for name, counted in zip(spec.response.units, found.units, strict=True):
        if counted is not None:
            part.units[name], odd = check_units(counted)
            for unit in odd:
                part.warnings.append(f"{spec.name} gave no number for {name} {unit}, which is left out")
    for warning in found.warnings if isinstance(found.warnings, list) else [found.warnings]:
        if warning:
            text = warning if isinstance(warning, str) else as_text(warning)
            part.warnings.append(redact(text, secrets))
    return part


def joined(parts: Sequence[Part]) -> Part:
    """Several as one: results and warnings joined, counts added up, the first id and version kept."""
    if len(parts) == 1:
        return parts[0]
    names = {name for part in parts for name in part.units}
    return Part(
        next((part.id for part in parts if part.id), None),
        next((part.api_version for part in parts if part.api_version), None),
        {name: add_units(part.units.get(name, {}) for part in parts) for name in sorted(names)},
        [warning for part in parts for warning in part.warnings],
        Scored.of_parts([part.results for part in parts]),
    )


def as_text(value: Json) -> str:
    """A decoded value as JSON again. What is read may be nested deeper than what is written."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return "(nested too deeply to be shown)"


class Charge(Protocol):
    """A price: `usd` for `per` of `unit`."""

    @property
    def usd(self) -> float: ...
    @property
    def per(self) -> int: ...
    @property
    def unit(self) -> str: ...


def cost_of(price: Charge, units: Iterable[Mapping[str, float]], documents: int) -> dict[str, Any] | None:
    """What a call costs: {"usd", "estimated"}, or None if the price's unit was neither told nor can be estimated.

    Args:
        units: the counts that the provider gave, by unit.
        documents: how many there were; a search unit is a query with up to a hundred of them.
    """
    for counts in units:
        if price.unit in counts:
            count, estimated = counts[price.unit], False
            break
    else:
        if price.unit != "search_units":
            return None
        count, estimated = -(-documents // 100), True
    usd = price.usd * (count / price.per)
    return {"usd": round(usd, 10), "estimated": estimated} if math.isfinite(usd) else None
