"""Pages of what calls bring to light. Those that are generated are shown by the smallest one that was found."""

from rankspec.checks.pages.page import Page

_BODY = """\
request:
  body:
    model: "{{ model }}"
    query: "{{ query }}"
    documents: "{{ texts }}"
    top_n: "{{ top_n }}"
"""

_EXAMPLE = """\
examples:
  - title: a plain call
    request: {model: toy-1, query: capital of france, documents: [paris]}
    sends:
      method: POST
      url: https://api.toy.example/v1/rerank
      body: {model: toy-1, query: capital of france, documents: [paris]}
    reply: {status: 200, body: {id: r-1, results: [{index: 0, score: 0.9}]}}
    returns: {id: r-1, results: [{index: 0, relevance_score: 0.9}], meta: {}}
"""

_ORDERED = (
    _EXAMPLE.replace("[paris]", "[paris, rome]")
    .replace("score: 0.9}]}}", "score: 0.9}, {index: 1, score: 0.1}]}}")
    .replace("relevance_score: 0.9}]", "relevance_score: 0.9}, {index: 1, relevance_score: 0.1}]")
)

PAGES = {
    "extra-missing": Page(
        "warning",
        "An optional package is not installed",
        "The spec signs its requests with a package that is not here, so that none can be written: its examples are "
        "not replayed, and no request is generated. All else is checked.",
        "What was not tried is not proved. Install the package that the finding names, and check again.",
        bad="auth:\n  kind: aws_sigv4\n  service: rank\n  region: eu-west-1\n"
        "  access_key_id: {env: [AWS_ACCESS_KEY_ID]}\n  secret_access_key: {env: [AWS_SECRET_ACCESS_KEY]}\n",
        good="auth: {kind: bearer, key: {env: [TOY_API_KEY]}}\n",
    ),
    "template-failed": Page(
        "error",
        "A template failed in a call",
        "A call's values do not fit an expression of the body, such as text in a sum. The check finds the same as "
        "generated-fails, before any call is made.",
        "Nothing was sent: the call cannot be written as the spec says.",
        bad=_BODY + '    instruction: "{{ instruction + 1 }}"\n',
        good=_BODY + '    instruction: "{{ instruction }}"\n',
    ),
    "generated-fails": Page(
        "error",
        "A template fails for a valid request",
        "Requests of all kinds were generated, and for one of them a template cannot be rendered.",
        "A call that is valid would fail, with a message that does not help its caller.",
        bad=_BODY + '    instruction: "{{ instruction + 1 }}"\n',
        good=_BODY + '    instruction: "{{ instruction }}"\n',
    ),
    "generated-text": Page(
        "error",
        "A text is changed, lost or out of order",
        "In what is sent, the query or a document is not the caller's: letters are changed, a document is missing, or "
        "two have changed places.",
        "The provider ranks something else than was asked for, and an index means another document.",
        bad=_BODY.replace("{{ query }}", "{{ query | lower }}"),
        good=_BODY,
    ),
    "generated-absent": Page(
        "error",
        "A parameter that was not given leaves a trace",
        "A parameter is absent from the request, and what is sent holds null, an empty value or a word such as None "
        "in its place. An absent value drops its key: leave the default away.",
        "Providers take an empty value for a wish: an empty instruction is not the same as none.",
        bad=(
            _BODY
            + "    instruction: \"{{ instruction | default('') }}\"\n"
            + _EXAMPLE.replace("[paris]}\n    reply", '[paris], instruction: ""}\n    reply')
        ),
        good=_BODY + '    instruction: "{{ instruction }}"\n' + _EXAMPLE,
    ),
    "generated-credential": Page(
        "error",
        "A key or setting that is missing is not reported",
        "Without a key or a setting that a call needs, the request is sent all the same, or fails with an error that "
        "does not name it. Only what a call can do without is optional.",
        "The caller learns from the provider's refusal, or not at all, what is to be set.",
        bad=(
            "auth:\n  kind: basic\n  username: {env: [TOY_USER]}\n"
            "  password: {env: [TOY_PASSWORD], optional: true}\n" + _EXAMPLE
        ),
        good=("auth:\n  kind: basic\n  username: {env: [TOY_USER]}\n  password: {env: [TOY_PASSWORD]}\n" + _EXAMPLE),
    ),
    "generated-reply": Page(
        "error",
        "A changed reply gives a wrong ranking",
        "The reply of an example was changed: items were moved, doubled or removed, or values replaced. The response "
        "is then no longer the ranking that the reply has, or no valid response, and no error is raised.",
        "Providers answer in any order, and now and then with faults. Callers would get a ranking that the provider "
        "did not give.",
        bad='response:\n  results: "enumerate(results)[].{index: index, relevance_score: value.score}"\n  id: id\n'
        + _ORDERED,
        good='response:\n  results: "results[].{index: index, relevance_score: score}"\n  id: id\n' + _ORDERED,
    ),
}
