"""`rankspec providers --match`: a few conditions on what a spec says, and which providers and models meet them all.

Reads no examples and asks no provider; what a spec does not say is not known here.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from rankspec.auth import KINDS
from rankspec.errors import did_you_mean
from rankspec.resources import read_schema
from rankspec.specs import Limits, ModelSpec, ProviderSpec
from rankspec.summary import ABILITIES, dialect, environment, key_is_set, support


class MatchInvalid(ValueError):
    """What is asked for is no list of conditions; the text says which one is wrong and what is known."""


class Candidate(NamedTuple):
    """A model of a provider: one that its spec lists, or any other, whose `model.id` is None.

    Attributes:
        environ: the environment, for what asks whether a key is set.
        dialects: the dialect of every provider in sight, by name and alias.
    """

    spec: ProviderSpec
    model: ModelSpec
    environ: Mapping[str, str]
    dialects: Mapping[str, str]


Condition = Callable[[Candidate], bool]


class Match(NamedTuple):
    """A provider that meets the conditions.

    Attributes:
        models: those listed models that do.
        is_any: whether models that the spec does not list do, too.
        but: the listed models that do not.
    """

    spec: ProviderSpec
    models: tuple[str, ...]
    is_any: bool
    but: tuple[str, ...]

    @property
    def text(self) -> str:
        """The models as people write them."""
        if not self.is_any:
            return ", ".join(self.models)
        return f"any but {', '.join(self.but)}" if self.but else "any"


def _takes(ability: str) -> Condition:
    return lambda one: support(one.model)[ability] == "native"


_DOCUMENTS = {name: f"takes {name} as documents" for name in ("objects", "images", "videos")}

FLAGS: dict[str, tuple[Condition, str]] = {
    **{name: (_takes(name), _DOCUMENTS.get(name, f"takes {name} itself")) for name in ABILITIES},
    "pointwise": (lambda one: one.model.mode == "pointwise", "a score does not depend on the other documents"),
    "listwise": (lambda one: one.model.mode == "listwise", "a score depends on the other documents"),
    "keyless": (lambda one: key_is_set(one.spec, {}) is None, "works without a key"),
    "ready": (lambda one: key_is_set(one.spec, one.environ) is not False, "its key is set, or it works without one"),
    "priced": (lambda one: one.model.price is not None, "its price is known"),
}
"""Words that hold or do not, and what they mean."""

FACTS: dict[str, tuple[Callable[[Candidate], Iterable[str]], str]] = {
    "scale": (lambda one: [one.model.scale], "what scores mean"),
    "transform": (lambda one: [one.model.transform], "what is made of the provider's scores"),
    "auth": (lambda one: [way["kind"] for way in _ways(one.spec)], "a kind of authentication that it takes"),
    "confidence": (lambda one: [str(one.spec.data.get("confidence", "unknown"))], "how sure the spec is"),
    "dialect": (lambda one: [dialect(one.spec)], "is spoken to as the provider of that name is"),
    "variable": (lambda one: environment(one.spec), "an environment variable that it reads"),
    "model": (lambda one: _model_names(one), "part of a model's id or of another name of it; * stands for anything"),
    "about": (lambda one: [one.spec.name, one.spec.title, *one.spec.aliases], "part of its name, title or other names"),
}
"""What is compared with a text by = or !=, what it gives of a candidate, and what it means."""

_PARTS = ("model", "about")

LIMITS = tuple(name for name in Limits._fields if name != "query_counts")
"""What is compared with a number, or with none."""

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_ENGLISH = {"over": ">", "more than": ">", "at least": ">=", "under": "<", "less than": "<", "at most": "<="}

_COMPARISON = re.compile(r"([a-z_ ]+?) ?(>=|<=|!=|=|>|<) ?(.+)", re.IGNORECASE)
_COUNTED = re.compile(rf"({'|'.join(_ENGLISH)}) (\d+) (.+)", re.IGNORECASE)
_FILLERS = ("takes ", "has ", "is ", "with ")
_NEGATIONS = ("not ", "no ", "without ")
_THOUSANDS = re.compile(r"(?<=\d)[,_](?=\d{3}(?!\d))")


def conditions(text: str) -> dict[str, Condition]:
    """The conditions of a text, which are joined by commas, by what is written for each.

    Raises:
        MatchInvalid: one of them is none that is known, or there is none.
    """
    parts = [" ".join(part.split()) for part in _THOUSANDS.sub("", text).split(",")]
    if not any(parts):
        raise MatchInvalid("names no condition; write some with commas between them: objects, documents>500")
    return {part: _condition(part) for part in parts if part}


def _condition(text: str) -> Condition:
    rest, is_negated = text, False
    while start := next((word for word in (*_FILLERS, *_NEGATIONS) if rest.lower().startswith(word)), None):
        rest, is_negated = rest[len(start) :], is_negated ^ (start in _NEGATIONS)
    holds = _plain(rest)
    return (lambda one: not holds(one)) if is_negated else holds


def _plain(text: str) -> Condition:
    if counted := _COUNTED.fullmatch(text):
        words, number, name = counted.groups()
        return _comparison(_named(name), _ENGLISH[words.lower()], number)
    if compared := _COMPARISON.fullmatch(text):
        name, sign, value = compared.groups()
        return _comparison(_named(name), sign, value)
    name = _named(text)
    if name in FLAGS:
        return FLAGS[name][0]
    if name in FACTS or name in LIMITS:
        example = "documents>500" if name in LIMITS else "scale=probability"
        raise MatchInvalid(f"'{text}' is to be compared with something, as in {example}")
    raise _unknown(text, name, (*FLAGS, *FACTS, *LIMITS))


def _named(text: str) -> str:
    return text.strip().lower().replace(" ", "_").replace("-", "_")


def _unknown(text: str, name: str, known: Sequence[str]) -> MatchInvalid:
    return MatchInvalid(f"'{text}' is no condition{did_you_mean(name, known) or '; known are ' + ', '.join(known)}")


def _comparison(name: str, sign: str, value: str) -> Condition:
    if name in LIMITS:
        return _limit(name, sign, value)
    if name in FLAGS:
        raise MatchInvalid(f"'{name}' is compared with nothing: write {name}, or not {name}")
    if name not in FACTS:
        raise _unknown(f"{name}{sign}{value}", name, (*FACTS, *LIMITS))
    if sign not in ("=", "!="):
        raise MatchInvalid(f"'{name}' is compared by = or !=, not by {sign}")
    holds = _fact(name, value.strip("'\""))
    return holds if sign == "=" else lambda one: not holds(one)


def _limit(name: str, sign: str, value: str) -> Condition:
    compare = _OPERATORS[sign]
    if value.lower() == "none" and sign in ("=", "!="):
        return lambda one: compare(getattr(one.model.limits, name), None)
    if not value.isdecimal():
        raise MatchInvalid(f"'{name}' is compared with a whole number, or by = or != with none; not with '{value}'")
    # What has no known limit takes more than any number.
    return lambda one: compare(getattr(one.model.limits, name) or float("inf"), int(value))


def _fact(name: str, value: str) -> Condition:
    gives, meant = FACTS[name][0], value.lower()
    if name == "dialect":
        return lambda one: dialect(one.spec) == _dialect_of(value, one.dialects)
    if name in _PARTS:
        pattern = _pattern(meant)
        return lambda one: any(pattern.fullmatch(own.lower()) or _is_of(meant, own) for own in gives(one))
    if (known := _known_values(name)) and meant not in known:
        raise MatchInvalid(f"{name} is one of {', '.join(known)}, not '{value}'{did_you_mean(meant, known)}")
    return lambda one: meant in (own.lower() for own in gives(one))


def _pattern(text: str) -> re.Pattern[str]:
    whole = text if "*" in text else f"*{text}*"
    return re.compile(".*".join(map(re.escape, whole.split("*"))), re.DOTALL)


def _is_of(name: str, family: str) -> bool:
    return family.endswith("*") and len(family) > 1 and name.startswith(family[:-1].lower())


def _known_values(name: str) -> list[str]:
    """The words that a fact can have; none if it can have any."""
    if name == "auth":
        return list(KINDS)
    properties = read_schema("provider_spec")
    of_scoring = properties["$defs"]["scoring"]["properties"]
    found = {**of_scoring, "confidence": properties["properties"]["confidence"]}.get(name, {}).get("enum", [])
    return list(found)


def _dialect_of(name: str, dialects: Mapping[str, str]) -> str:
    plain = name.lower().replace("-", "_")
    if plain not in dialects:
        raise MatchInvalid(f"dialect is that of a provider, and none is called '{name}'{did_you_mean(name, dialects)}")
    return dialects[plain]


def _ways(spec: ProviderSpec) -> list[dict[str, Any]]:
    auth = spec.data["auth"]
    return [auth] if isinstance(auth, dict) else auth


def _model_names(one: Candidate) -> list[str]:
    if one.model.id is None:
        return []
    return [one.model.id, *(alias for alias, own in one.spec.model_aliases.items() if own == one.model.id)]


def matching(specs: Sequence[ProviderSpec], text: str, environ: Mapping[str, str]) -> list[Match]:
    """The providers for which all conditions hold: for models that the spec does not list, or for some that it does.

    Raises:
        MatchInvalid: the text is no list of conditions.
    """
    return _matching(specs, conditions(text).values(), environ)


def nearest_matches(specs: Sequence[ProviderSpec], text: str, environ: Mapping[str, str]) -> dict[str, int]:
    """How many providers would match without a condition, by what is written for it; those that hinder most first."""
    wanted = conditions(text)
    others = {one: [holds for name, holds in wanted.items() if name != one] for one in wanted if len(wanted) > 1}
    counts = {one: len(_matching(specs, rest, environ)) for one, rest in others.items()}
    return {one: count for one, count in sorted(counts.items(), key=lambda item: -item[1]) if count}


def _matching(specs: Sequence[ProviderSpec], wanted: Collection[Condition], environ: Mapping[str, str]) -> list[Match]:
    dialects = {name: dialect(spec) for spec in specs for name in (spec.name, *spec.aliases)}

    def holds(spec: ProviderSpec, model: ModelSpec) -> bool:
        return all(condition(Candidate(spec, model, environ, dialects)) for condition in wanted)

    found = []
    for spec in specs:
        models = {name: holds(spec, model) for name, model in spec.models.items()}
        is_any = holds(spec, spec.default_model)
        if is_any or any(models.values()):
            chosen = tuple(name for name, is_one in models.items() if is_one)
            found.append(Match(spec, chosen, is_any, tuple(name for name in models if name not in chosen)))
    return found


def help_text() -> list[tuple[str, str]]:
    """Every form of a condition and what it means, for the help."""
    facts = [(name, text, _known_values(name)) for name, (_, text) in FACTS.items()]
    return [
        *((name, text) for name, (_, text) in FLAGS.items()),
        *((f"{name}=WORD", f"{text}{': ' if known else ''}{', '.join(known)}") for name, text, known in facts),
        ("LIMIT>N", f"by > >= < <= = or !=, also over, at least, under or at most N LIMIT: {', '.join(LIMITS)}"),
        ("LIMIT=none", "no limit is known; such a limit is larger than any number"),
        ("not CONDITION", "the condition does not hold; NAME!=WORD says the same"),
    ]
