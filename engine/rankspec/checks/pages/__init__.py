"""What there is to say of each finding's code: what is wrong, why it matters, and how it looks wrong and right.

A new code is one more entry in the module of its kind. Tests check every page against the rule that it explains.
"""

from __future__ import annotations

from textwrap import fill, indent

from rankspec.checks.pages import config, examples, facts, generated, mappings, safety, structure, templates, yaml_form
from rankspec.checks.pages.page import BASE, Page, filled

__all__ = ["BASE", "PAGES", "Page", "explained", "filled", "listed"]

PAGES: dict[str, Page] = {
    **yaml_form.PAGES,
    **structure.PAGES,
    **templates.PAGES,
    **mappings.PAGES,
    **safety.PAGES,
    **facts.PAGES,
    **examples.PAGES,
    **generated.PAGES,
    **config.PAGES,
}
"""Every code's page."""

_WIDTH = 88


def explained(code: str) -> str:
    """The page of a code, as text for people.

    Raises:
        KeyError: there is no such code.
    """
    page = PAGES[code]
    parts = [
        f"{code} ({page.severity}): {page.title}",
        fill(page.what, _WIDTH),
        fill(page.why, _WIDTH),
        f"Wrong:\n\n{indent(page.bad.rstrip(), '    ')}",
        f"Right:\n\n{indent(page.good.rstrip(), '    ')}",
    ]
    return "\n\n".join(parts)


def listed() -> str:
    """Every code with its severity and title, one a line."""
    width = max(map(len, PAGES))
    return "\n".join(f"{code:<{width}}  {page.severity:<7}  {page.title}" for code, page in sorted(PAGES.items()))
