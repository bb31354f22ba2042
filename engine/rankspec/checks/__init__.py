"""Everything that can be said of a spec file without a network. Collects findings; prints nothing, opens no file."""

from __future__ import annotations

from dataclasses import dataclass

from rankspec.checks.replay import MADE_ID, replay, replay_examples, run_offline
from rankspec.models import Finding
from rankspec.specs import FindParent, examine

__all__ = ["MADE_ID", "Checked", "check_text", "replay", "replay_examples", "run_offline"]

DEFAULT_SEED = 0
DEFAULT_CASES = 200


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check came to: `findings` by line and column; how many examples and generated requests were tried."""

    file: str
    text: str
    findings: tuple[Finding, ...]
    examples: int = 0
    cases: int = 0
    seed: int = DEFAULT_SEED

    def has_failed(self, *, strict: bool = False) -> bool:
        """Whether there is an error, or with `strict` anything at all."""
        return any(strict or finding.severity == "error" for finding in self.findings)


def check_text(
    text: str,
    file: str,
    find_parent: FindParent,
    *,
    seed: int = DEFAULT_SEED,
    cases: int = DEFAULT_CASES,
) -> Checked:
    """Everything that is wrong with a spec.

    Args:
        text: the file's content.
        file: its name, for findings.
        find_parent: gives the data of the spec that it extends; raises SpecNotFound. `Catalog.parent_data` is one.
        seed: of the generated requests.
        cases: how many requests to generate.
    """
    spec, read = examine(text, file, find_parent)
    findings = list(read.findings)
    if spec is not None:
        findings += replay_examples(spec, read)
    findings.sort(key=lambda finding: (finding.line, finding.column))
    return Checked(file, text, tuple(findings), len(spec.examples) if spec else 0, 0, seed)
