"""What the rules look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rankspec.models import Finding, Json, Path, listed
from rankspec.specs import ProviderSpec
from rankspec.strict_yaml import YamlFile


@dataclass(frozen=True)
class Subject:
    """A spec that loads, its file for positions, and the data of the spec that it extends, if it does."""

    spec: ProviderSpec
    read: YamlFile
    parent: Mapping[str, Any] | None = None

    @property
    def own(self) -> dict[str, Any]:
        """What stands in the file itself, without what it inherits."""
        return self.read.data if isinstance(self.read.data, dict) else {}

    def examples(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """The examples that have the right form, with their paths."""
        for position, example in enumerate(self.spec.examples):
            if example is not None:
                yield ("examples", position), example

    def bodies(self) -> Iterator[tuple[Path, Json]]:
        """The body template, and what models lay over it, with their paths."""
        yield ("request", "body"), self.spec.data["request"]["body"]
        for name, model in self.spec.data.get("models", {}).items():
            if "body" in model:
                yield ("models", name, "body"), model["body"]

    def is_here(self, path: Path) -> bool:
        """Whether the path stands in the file itself: what is inherited is the parent's own matter."""
        return path in self.read.values


Rule = Callable[[Subject], Iterable[Finding]]


def results_of(example: Mapping[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """The results that an example returns, with their positions; what is no object is the replay's to tell."""
    results = listed(example.get("returns", {}).get("results"))
    return [(position, result) for position, result in enumerate(results) if isinstance(result, dict)]


def headers_of(reply: Mapping[str, Any]) -> dict[str, str]:
    """A recorded reply's headers, their names in lower case."""
    return {name.lower(): value for name, value in reply.get("headers", {}).items()}
