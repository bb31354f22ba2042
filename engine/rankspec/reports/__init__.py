"""Findings as text for people, and as JSON, GitHub annotations, SARIF or JUnit XML for machines.

Every writer takes a `Report` and gives one text. None of them prints, opens a file or asks for the time.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rankspec.reports.github import as_github
    from rankspec.reports.junit import as_junit
    from rankspec.reports.plain_json import as_json
    from rankspec.reports.report import CheckedFile, Report, Rule
    from rankspec.reports.sarif import as_sarif
    from rankspec.reports.text import PLAIN_WIDTH, as_text, summary_line
else:
    # A check needs one of the writers, and the gateway's log none: all take a twentieth of its time to start.
    _ROOMS = {
        "PLAIN_WIDTH": "text",
        "CheckedFile": "report",
        "Report": "report",
        "Rule": "report",
        "as_github": "github",
        "as_json": "plain_json",
        "as_junit": "junit",
        "as_sarif": "sarif",
        "as_text": "text",
        "summary_line": "text",
    }

    def __getattr__(name):
        if name not in _ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


__all__ = [
    "PLAIN_WIDTH",
    "CheckedFile",
    "Report",
    "Rule",
    "as_github",
    "as_json",
    "as_junit",
    "as_sarif",
    "as_text",
    "summary_line",
]
