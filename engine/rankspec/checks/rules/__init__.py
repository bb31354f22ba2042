"""What experience says of a spec that loads: likely mistakes, each found by one small function.

A rule takes the Subject and gives findings. It looks at one file; what a call does is the examples' matter.
"""

from __future__ import annotations

from collections.abc import Iterator

from rankspec.checks.rules.endpoint import ENDPOINT_RULES
from rankspec.checks.rules.examples import EXAMPLE_RULES
from rankspec.checks.rules.facts import FACT_RULES
from rankspec.checks.rules.inheritance import INHERITANCE_RULES
from rankspec.checks.rules.literals import sent_secrets
from rankspec.checks.rules.mappings import MAPPING_RULES
from rankspec.checks.rules.secrets import SECRET_RULES, literal_secrets, secrets_in_examples
from rankspec.checks.rules.subject import Subject
from rankspec.checks.rules.templates import TEMPLATE_RULES
from rankspec.models import Finding

__all__ = ["RULES", "Subject", "apply_rules", "literal_secrets", "secrets_in_examples", "sent_secrets"]

RULES = (
    *ENDPOINT_RULES,
    *TEMPLATE_RULES,
    *MAPPING_RULES,
    *FACT_RULES,
    *EXAMPLE_RULES,
    *INHERITANCE_RULES,
    *SECRET_RULES,
)


def apply_rules(subject: Subject) -> Iterator[Finding]:
    """What all rules find."""
    for rule in RULES:
        yield from rule(subject)
