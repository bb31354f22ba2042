"""Ways out of Jinja's sandbox lead nowhere in the Python that templates become: they are refused, or give nothing."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Callable, Iterator, Sequence
from types import CodeType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankspec.documents import DocumentForms
from rankspec.models import Document, Json, Problem
from rankspec.templates import Compiler, JsonTemplate, TemplateFailed, TextTemplate, body_scope
from rankspec.templates.values import FUNCTIONS
from rankspec.vocabulary import BODY_NAMES, ENDPOINT_NAMES

SETTINGS = frozenset({"region", "project_id"})
VALUES: dict[str, Any] = {"query": "q", "top_n": 3, "extra": {"a": 1}, "settings": {"region": "eu", "project_id": None}}


def compiled(tree: Json) -> JsonTemplate | None:
    """The template, or None if it is refused."""
    problems: list[Problem] = []
    template = Compiler(BODY_NAMES, SETTINGS, problems).json(tree, ())
    return None if problems else template


def render(template: JsonTemplate, documents: Sequence[Document] = ("d",), **values: Any) -> Json:
    forms = DocumentForms(list(documents), None, flatten=False)
    return template.render(body_scope(forms, template.names, {**VALUES, **values}))


ESCAPES = [
    "''.__class__.__mro__[1].__subclasses__()",
    "''.__class__.__mro__",
    "''['__class__']",
    "query.__class__",
    "query.__class__.__base__.__subclasses__()[40]('/etc/passwd').read()",
    "[].__class__.__base__",
    "().__class__.__bases__[0]",
    "{}.__class__",
    "1 .__class__",
    "true.__class__",
    "texts.__class__",
    "documents.__init__.__globals__",
    "extra.__class__.__init__.__globals__['__builtins__']",
    "extra['__class__']['__init__']",
    "extra.items",
    "extra.items()",
    "extra.get('a')",
    "extra | attr('__class__')",
    "settings.__class__",
    "settings['__class__']",
    "query.format",
    "'{0.__class__}'.format(query)",
    "'{0.__class__}' | format(query)",
    "query.__format__",
    "self.__init__",
    "self._TemplateReference__context",
    "cycler.__init__.__globals__.os.popen('id').read()",
    "joiner.__init__.__globals__",
    "namespace.__init__",
    "lipsum.__globals__['os'].popen('id').read()",
    "request.application.__globals__",
    "config.items()",
    "get_flashed_messages.__globals__",
    "url_for.__globals__",
    "range.__class__",
    "g.pop.__globals__",
    "x.__init__.__globals__",
    "texts | map(attribute='__class__') | list",
    "texts | groupby('__class__')",
    "texts | sort(attribute='__class__')",
    "texts | selectattr('__class__')",
    "query | pprint",
    "(query | string).__class__",
    "('a' ~ 'b').__class__",
    "(query, model).__class__",
    "[query][0].__class__",
    "query is filter",
    "environment",
    "context",
    "__builtins__",
    "__import__('os')",
    "joined.__code__",
    "debug",
    "_",
    "query.__class__.mro",
    "query.__init_subclass__",
    "query['__' ~ 'class__']",
    "extra['__' ~ 'class__']['__' ~ 'mro__']",
    "texts['__len__']",
    "texts[0].__class__",
    "documents.__iter__.__self__",
    "top_n.__class__.__base__",
    "has_objects.__class__",
    "(top_n + 1).__class__",
    "(query is string).__class__",
    "(query == 'q').__class__",
    "(query | length).__class__",
    "(extra | tojson).__class__",
    "(query if query else model).__class__",
    "(query or model).__class__",
    "(not query).__class__",
    "(-top_n).__class__",
    "none.__class__",
    "(extra | default(query)).__class__",
    "'{x.__class__}'.format_map(extra)",
    "'{0.__class__.__mro__}' | string | format(query)",
    "'%(__class__)s'.__mod__(extra)",
    "query.format_map",
    "query.join.__self__.__class__",
    "''.join(['a', 'b'])",
    "''.maketrans('a', 'b')",
    "query | attr('format')",
    "query | attr('__' ~ 'class__')",
    "query | safe",
    "query | e",
    "query | list",
    "query | first",
    "query | random",
    "extra | items",
    "extra | dictsort",
    "extra | xmlattr",
    "texts | sum",
    "texts | batch(2)",
    "texts | map('attr', '__class__') | first",
    "texts | select('callable')",
    "texts | reject('undefined') | list",
    "texts.append('x')",
    "texts.clear()",
    "texts.__iadd__(['x'])",
    "extra.update(a=2)",
    "extra.clear()",
    "extra.pop('a')",
    "extra.setdefault('b', 1)",
    "extra.__setitem__('a', 2)",
    "settings.update(region='us')",
    "rank_fields.sort()",
    "cycler('a', 'b').next()",
    "cycler.__class__",
    "joiner(',')()",
    "namespace(a=1)",
    "namespace.__class__",
    "dict.mro()",
    "dict.__base__.__subclasses__()",
    "lipsum(5)",
    "lipsum.__globals__",
    "range(100000)",
    "range(9999999999)",
    "self.blocks",
    "self._TemplateReference__context.environment",
    "loop.__class__",
    "caller()",
    "varargs",
    "kwargs",
    "resolve",
    "missing",
    "undefined",
    "scope",
    "scope['query']",
    "template",
    "strict",
    "FUNCTIONS",
    "globals()",
    "getattr(query, 'upper')",
    "eval('1')",
    "exec('1')",
    "open('/etc/passwd')",
    "print(query)",
    "2 ** 99999999",
    "query is sameas(query)",
    "query is callable",
    "query is in(texts)",
    "{'a': query}",
    "{**extra}",
    "[x for x in texts]",
    "(lambda: 1)()",
    "query := 1",
    "`query`",
    "query; 1",
    "query if query else __import__('os')",
    "texts[:99999999999]",
    "texts[::-1]",
    "await query",
    "yield query",
]


@pytest.mark.parametrize("expression", ESCAPES)
def test_a_known_way_out_of_a_sandbox_is_refused_or_leads_nowhere(expression: str) -> None:
    template = compiled({"a": "{{ " + expression + " }}", "b": "<{{ " + expression + " }}>"})
    assert template is None or render(template) == {}


@pytest.mark.parametrize("documents", [["d"], [{"text": "d"}]], ids=["text", "object"])
@pytest.mark.parametrize("expression", ESCAPES)
def test_a_known_way_out_leads_nowhere_from_a_loop(expression: str, documents: list[Document]) -> None:
    item = ["{{ " + expression + " }}", "{{ x.object." + expression + " }}", "{{ x.text." + expression + " }}", 1]
    template = compiled({"$for": "x in documents", "$item": item})
    assert template is None or render(template, documents) == [[1]]


@pytest.mark.parametrize("expression", ESCAPES)
def test_a_known_way_out_leads_nowhere_from_a_text_or_a_condition(expression: str) -> None:
    problems: list[Problem] = []
    compiler = Compiler(ENDPOINT_NAMES, SETTINGS, problems)
    text = "{{ " + expression.replace("query", "model") + " }}"
    path, condition = compiler.text(text, ()), compiler.condition(text, ())
    if not problems:
        scope = {"model": "m", "settings": VALUES["settings"], "base_url": None}
        assert (path.render(scope), condition.holds(scope)) == (None, False)


@pytest.mark.parametrize(
    "key", ["__class__", "get", "items", "keys", "pop", "append", "index", "mro", "a b", "", "é", "{{ x }}"]
)
def test_an_attribute_is_a_key_of_the_callers_object_and_nothing_else(key: str) -> None:
    written = [f"extra['{key}']", f"extra['a']['{key}']", *([f"extra.{key}"] if key.isidentifier() else [])]
    for expression in written:
        template = compiled({"value": "{{ " + expression + " }}"})
        assert template is not None
        assert render(template, extra={"a": {}}) == {}
        assert render(template, extra={key: 1, "a": {key: 1}}) == {"value": 1}


@pytest.mark.parametrize("expression", ["extra.o.run", "extra.o['run']", "extra.o.Popen.__init__", "extra.o[0]"])
def test_objects_of_python_have_no_parts(expression: str) -> None:
    template = compiled({"a": "{{ " + expression + " }}"})
    assert template is not None
    assert render(template, extra={"o": subprocess}) == {}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("'{0.__class__}' ~ query", "{0.__class__}q", id="braces are text"),
        pytest.param("'%s' % query", "q", id="text"),
        pytest.param("'%(a)s' % extra", "1", id="member"),
        pytest.param("'%(__class__)s' % extra", None, id="dunder"),
        pytest.param("'%(a.__class__)s' % extra", None, id="dunder of a member"),
    ],
)
def test_a_format_reads_members_and_nothing_else(expression: str, expected: str | None) -> None:
    template = compiled({"a": "{{ " + expression + " }}"})
    assert template is not None
    if expected is not None:
        assert render(template) == {"a": expected}
    else:
        with pytest.raises(TemplateFailed, match="KeyError"):
            render(template)


@pytest.mark.parametrize(
    "expression", ["'a' * 99999999999999999999", "'a' * 9223372036854775807", "[1] * 9223372036854775807"]
)
def test_what_would_fill_the_memory_fails(expression: str) -> None:
    template = compiled({"a": "{{ " + expression + " }}"})
    assert template is not None
    with pytest.raises(TemplateFailed, match="OverflowError|MemoryError"):
        render(template)


@pytest.mark.parametrize(
    "expression", ["texts", "documents", "extra", "relevant_spans", "rank_fields", "[texts, extra]"]
)
def test_rendering_changes_no_value_that_it_is_given(expression: str) -> None:
    changes = ("{} + [1]", "{} | default([])", "({} or []) ~ ''", "{} * 2", "[{}, 1]", "{} | join", "{}.a", "{}[0]")
    given_values: dict[str, Any] = {**copy.deepcopy(VALUES), "rank_fields": ["text"], "relevant_spans": {"a": [1]}}
    documents: list[Document] = ["a", {"text": "b"}]
    before = copy.deepcopy((given_values, documents))
    for change in changes:
        template = compiled(["{{ " + change.format(expression) + " }}"])
        assert template is not None
        try:
            render(template, documents, **given_values)
        except TemplateFailed:
            continue
        finally:
            assert (given_values, documents) == before


# What the Python is made of


IN_CODE = {*FUNCTIONS, "empty", "append", "text", "object", "index"}
HOSTILE = [
    "__import__('os').system('id')",
    "'); import os; os.abort() #",
    '"""',
    "\\",
    "\x00",
    "\ud800",
    "{query}",
    "%(query)s",
    "scope",
    "__builtins__",
    "lambda",
    "x\ny",
]
WRITTEN = (
    "scope",
    "text",
    "index",
    "items",
    "template",
    "enumerate",
    "value_1",
    "class",
    "lambda",
    "import",
    "__name__",
)


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from codes(one)


def names_in(function: Any) -> set[str]:
    """Every name of something outside of the function, and of every attribute."""
    found = {name for code in codes(function.__code__) for name in code.co_names}
    return {name for name in found if not name.startswith("fixed_")}


@pytest.mark.parametrize("text", HOSTILE)
def test_keys_and_texts_of_a_spec_are_only_constants(text: str) -> None:
    tree: dict[str, Any] = {text: "{{ query }}", "a": {text: [text, "{{ model }}"]}, "fixed": {text: {text: None}}}
    tree["loop"] = {"$for": "x in documents", "$item": {text: "{{ x.text }}", "b": text}}
    template = compiled(tree)
    assert template is not None
    assert render(template) == {
        text: "q",
        "a": {text: [text]},
        "fixed": {text: {text: None}},
        "loop": [{text: "d", "b": text}],
    }
    assert names_in(template._function) <= IN_CODE


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.isprintable()])
def test_literals_and_members_of_an_expression_are_only_constants(text: str) -> None:
    literal = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    template = compiled(["{{ " + literal + " }}", "{{ extra[" + literal + "] }}", "<{{ " + literal + " }}>"])
    assert template is not None
    assert render(template, extra={text: 1}) == [text, 1, f"<{text}>"]
    assert names_in(template._function) <= IN_CODE


@pytest.mark.parametrize("name", WRITTEN)
def test_the_name_of_a_loops_document_is_no_name_in_the_code(name: str) -> None:
    item = {"t": f"{{{{ {name}.text }}}}", "i": f"{{{{ {name}.index }}}}", "q": "{{ query }}"}
    template = compiled({"$for": f"{name} in documents", "$item": item})
    assert template is not None
    assert render(template, ["a"]) == [{"t": "a", "i": 0, "q": "q"}]
    assert names_in(template._function) <= IN_CODE


PIECES = ["query", "extra.a", "texts", "x.text", "x.object.b", "x.index", "'a'", "1", "none", "settings.region"]
TREES = st.recursive(
    st.sampled_from([1, None, "c"])
    | st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map(lambda found: "{{ " + " ~ ".join(found) + " }}")
    | st.lists(st.sampled_from(PIECES), min_size=3, max_size=3).map("{{{{ {0[0]} if {0[1]} else {0[2]} }}}}".format)
    | st.sampled_from(PIECES).map("a {{{{ {} | default('b') | lower }}}}".format),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(item=TREES)
def test_nothing_is_called_or_read_that_is_not_of_the_language(item: Json) -> None:
    tree = {"a": {"$for": "x in documents", "$item": [item, 1]}}
    template = compiled(tree)
    if template is not None:
        assert names_in(template._function) <= IN_CODE
        assert template._function.__builtins__ == {}


@pytest.mark.parametrize(
    "make",
    [
        lambda compiler: compiler.text("/{{ model }}/{{ settings.region | lower }}", ()),
        lambda compiler: compiler.condition("{{ model is defined and 'a' in base_url }}", ()),
    ],
    ids=["text", "condition"],
)
def test_the_code_of_texts_and_conditions_has_no_builtins(make: Callable[[Compiler], TextTemplate]) -> None:
    function: Any = make(Compiler(ENDPOINT_NAMES, SETTINGS, []))._function
    assert function.__builtins__ == {}
    assert names_in(function) <= IN_CODE
