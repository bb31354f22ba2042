"""Pages of facts that contradict each other or the calendar."""

from rankspec.checks.pages.page import Page

_PRICE = 'models:\n  toy-2:\n    price: {usd: 2.0, per: 1000, unit: search_units, read: "2026-01-15"}\n'
_DOCUMENTATION = 'documentation:\n  - {title: Rerank, url: "https://toy.example/docs/rerank", read: "2026-01-15"}\n'

PAGES = {
    "scoring-contradiction": Page(
        "error",
        "The scores are not what scoring says",
        "An example's scores lie outside the scale that is declared, sigmoid() makes probabilities of scores that are "
        "called logits, or a listwise spec has an example that is split over several requests.",
        "Callers choose thresholds by the scale, and the engine splits requests by the mode.",
        bad=(
            'response:\n  results: "results[].{index: index, relevance_score: sigmoid(score)}"\n  id: id\n'
            "scoring:\n  scale: logit\n  mode: pointwise\n"
        ),
        good=(
            'response:\n  results: "results[].{index: index, relevance_score: score}"\n  id: id\n'
            "scoring:\n  scale: probability\n  mode: pointwise\n"
        ),
    ),
    "limits-contradiction": Page(
        "error",
        "Two limits contradict each other",
        "One limit lets through what another never does: a document of more characters, for one, than a whole request "
        "may have bytes.",
        "One of the two is wrong, and calls are refused that could be made, or made that are refused.",
        bad="limits: {documents: 1000, document_characters: 3000000, request_bytes: 2000000}\n",
        good="limits: {documents: 1000, document_characters: 30000, request_bytes: 2000000}\n",
    ),
    "price-unit": Page(
        "warning",
        "The price's unit is counted nowhere",
        "The unit of a price is none of those that meta.billed_units and meta.tokens give, so no cost can be worked "
        "out. Only search_units are estimated where the provider does not tell.",
        "The response has no cost, though the price is known.",
        bad=_PRICE.replace("search_units", "pages"),
        good=_PRICE,
    ),
    "bad-date": Page(
        "error",
        "A day that does not exist or lies in the future",
        "read is the day on which a page was read.",
        "It tells how old the facts are, and must be true.",
        bad=_DOCUMENTATION.replace("2026-01-15", "2026-02-30"),
        good=_DOCUMENTATION,
    ),
}
