"""Pages of what is wrong with templates."""

from rankspec.checks.pages.page import Page

_BODY = """\
request:
  body:
    model: "{{ model }}"
    query: "{{ query }}"
    documents: "{{ texts }}"
    top_n: "{{ top_n }}"
"""

_LOOP = """\
request:
  body:
    model: "{{ model }}"
    query: "{{ query }}"
    documents: {$for: document in documents, $item: "{{ document.text }}"}
    top_n: "{{ top_n }}"
"""


def _with(right: str, wrong: str, body: str = _BODY) -> str:
    if right not in body:
        raise ValueError(f"the body has no {right}")
    return body.replace(right, wrong)


PAGES = {
    "template-syntax": Page(
        "error",
        "A template is not a Jinja expression",
        "What stands in {{ }} cannot be parsed.",
        "It cannot be said what would be sent.",
        bad=_with("{{ query }}", "{{ query"),
        good=_BODY,
    ),
    "template-statement": Page(
        "error",
        "A template holds a statement or a comment",
        "Templates hold expressions, {{ }}, and nothing else of Jinja: no {% %} and no {# #}. A choice is written "
        "{{ a if condition else b }}, and a list of documents as $for and $item.",
        "A body is a tree whose leaves are expressions. That is why it is well-formed whatever the documents hold.",
        bad=_with("{{ top_n }}", "{% if top_n %}{{ top_n }}{% endif %}"),
        good=_BODY,
    ),
    "template-forbidden": Page(
        "error",
        "A template uses a part of Jinja that is not possible here",
        "Slices, dictionaries, powers and chained comparisons are left out of the spec language.",
        "What a template can do is a short list, so that a spec can be judged by reading it.",
        bad=_with("{{ query }}", "{{ query[:100] }}"),
        good=_BODY,
    ),
    "template-key": Page(
        "error",
        "A key holds an expression",
        "Expressions stand in values. A key is sent as it is written.",
        "The name of a member would depend on the call.",
        bad=_with("    top_n:", '    "{{ model }}":'),
        good=_BODY,
    ),
    "template-loop": Page(
        "error",
        "A loop is not of the right form",
        "A loop has exactly two keys: $for: NAME in documents, and $item, which is written once for each document and "
        "uses NAME.text, NAME.object or NAME.index.",
        "Documents are all that there are many of; nothing else can be looped over.",
        bad=_with("document in documents", "document in texts", _LOOP),
        good=_LOOP,
    ),
    "template-condition": Page(
        "error",
        "A condition is more than one expression",
        "A when is exactly one {{ expression }}.",
        "Text around an expression makes text of it, and text that is not empty always holds.",
        bad=(
            "auth:\n"
            "  - {kind: none, when: \"{{ model == 'toy-2' }} {{ base_url }}\"}\n"
            "  - {kind: bearer, key: {env: [TOY_API_KEY]}}\n"
        ),
        good=(
            "auth:\n  - {kind: none, when: \"{{ model == 'toy-2' }}\"}\n  - {kind: bearer, key: {env: [TOY_API_KEY]}}\n"
        ),
    ),
    "unknown-name": Page(
        "error",
        "A template uses a name that there is not",
        "The name is none of those that a template may use here, or the spec declares no such setting.",
        "A misspelt name would be absent in every call, and its key silently left out.",
        bad=_with("{{ query }}", "{{ qurey }}"),
        good=_BODY,
    ),
    "unknown-filter": Page(
        "error",
        "A template uses a filter that there is not",
        "Filters are a closed list; most of Jinja's own are not in it.",
        "The template could not be rendered.",
        bad=_with("{{ query }}", "{{ query | trim }}"),
        good=_BODY,
    ),
    "unknown-test": Page(
        "error",
        "A template uses a test that there is not",
        "What may stand behind is are defined, string and mapping.",
        "The template could not be rendered.",
        bad=_with("{{ top_n }}", "{{ top_n if top_n is number }}"),
        good=_BODY,
    ),
    "unknown-function": Page(
        "error",
        "A function that there is not",
        "A template calls a function or a method, of which there are none, or an expression in JMESPath calls one that "
        "JMESPath and this engine lack.",
        "The template could not be rendered, or the reply not be read.",
        bad=_with("{{ query }}", "{{ query.strip() }}"),
        good=_BODY,
    ),
    "wrong-arity": Page(
        "error",
        "A filter, test or function gets too few or too many arguments",
        "The number of arguments is not the one that it takes.",
        "The template could not be rendered, or the reply not be read.",
        bad=_with("{{ model }}", "{{ model | default }}"),
        good=_with("{{ model }}", "{{ model | default('toy-1') }}"),
    ),
    "unused-query": Page(
        "error",
        "The body never uses the query",
        "No part of the body is made of the query.",
        "The provider would rank documents without knowing what for.",
        bad=_with('    query: "{{ query }}"\n', ""),
        good=_BODY,
    ),
    "unused-documents": Page(
        "error",
        "The body never uses the documents",
        "No part of the body is made of the documents, under any of their names.",
        "The provider would have nothing to rank.",
        bad=_with('    documents: "{{ texts }}"\n', ""),
        good=_BODY,
    ),
    "unused-loop-name": Page(
        "error",
        "A loop never uses its document",
        "The $item of a $for loop does not use the loop's name.",
        "The same item would be sent once for each document, without the document.",
        bad=_with("{{ document.text }}", "{{ model }}", _LOOP),
        good=_LOOP,
    ),
    "template-unreachable": Page(
        "warning",
        "A part of a template that is never reached",
        "A default stands behind something that is never absent, or a condition has always the same outcome.",
        "What stands there is never sent. Either it is not needed, or the condition is not the one that was meant.",
        bad=_with("{{ query }}", "{{ query | default('nothing') }}"),
        good=_BODY,
    ),
}
