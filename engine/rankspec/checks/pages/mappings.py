"""Pages of what is wrong with the expressions that read replies."""

from rankspec.checks.pages.page import Page

_RIGHT = """\
response:
  results: "results[].{index: index, relevance_score: score}"
  id: id
"""

PAGES = {
    "mapping-syntax": Page(
        "error",
        "An expression is not JMESPath",
        "The expression cannot be parsed.",
        "No reply could be read.",
        bad=_RIGHT.replace("results[].{", "results[.{"),
        good=_RIGHT,
    ),
    "mapping-keys": Page(
        "error",
        "The results' mapping lacks a key that every result needs",
        "What response.results gives for each result is read by its keys: index and relevance_score, which every "
        "result needs, and raw_score and relevant_spans. In KEY: EXPRESSION the key comes first, and what is read from "
        "the reply stands behind the colon.",
        "Without index and relevance_score no reply can be read, whatever the provider answers.",
        bad=_RIGHT.replace("index: index, relevance_score: score", "idx: index, score: relevance_score"),
        good=_RIGHT,
    ),
    "mapping-unseen": Page(
        "warning",
        "An expression reads a member that no example reply has",
        "No reply of the spec's examples holds what the expression asks for. It is an error where a reply has a member "
        "of nearly the same name: then it is most likely misspelt. Otherwise add an example whose reply has it.",
        "JMESPath gives null for a misspelt name, without a word: an id, a count or a message would always be missing.",
        bad=_RIGHT.replace("id: id\n", "id: trace.reference\n"),
        good=_RIGHT,
    ),
    "mapping-unreachable": Page(
        "warning",
        "A fallback that is never reached",
        "In a || b, or in a list of expressions, one stands behind something that always gives a value, or behind "
        "itself.",
        "What stands there is never read. Either it is not needed, or the order is not the one that was meant.",
        bad="errors:\n  message: [error.message, error.message]\n",
        good="errors:\n  message: [error.message]\n",
    ),
}
