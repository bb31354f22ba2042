"""YAML text to `ProviderSpec`: checked against the schema, its templates and mappings compiled.

A `ProviderSpec` that exists is valid. Opens no file and knows no other spec but the parent it is handed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from rankspec.auth import KINDS, Authenticator
from rankspec.errors import SpecInvalid, SpecNotFound
from rankspec.mapping import Expression, compile_expression
from rankspec.mending import spec_validator, with_way_out, without_faults
from rankspec.migrations import current
from rankspec.models import Finding, Json, Path, Problem, format_path
from rankspec.response_mapping import ResponseMapping
from rankspec.strict_yaml import YamlFile, read_yaml
from rankspec.templates import Compiler, JsonTemplate, TextTemplate
from rankspec.validation import describe
from rankspec.vocabulary import BODY_NAMES, ENDPOINT_NAMES

FindParent = Callable[[str], Mapping[str, Any]]
"""Gives the data of the spec of a name; raises SpecNotFound."""

NOT_INHERITED = ("provider", "title", "aliases", "documentation", "confidence", "models", "examples", "extends")
"""What a spec must say itself, whatever it extends."""

UNSUPPORTABLE = ("max_chunks_per_doc", "max_tokens_per_doc", "priority", "relevant_spans", "instruction")
"""Parameters that only a provider can honour; all others are emulated where it does not."""


class Setting(NamedTuple):
    """A value besides the key that a call needs."""

    name: str
    description: str
    env: tuple[str, ...]
    default: str | None
    optional: bool
    aliases: tuple[str, ...]


class Limits(NamedTuple):
    """What one request may hold; None means no limit is known."""

    documents: int | None = None
    query_characters: int | None = None
    document_characters: int | None = None
    query_tokens: int | None = None
    document_tokens: int | None = None
    pair_tokens: int | None = None
    request_characters: int | None = None
    request_tokens: int | None = None
    query_counts: str | None = None
    request_bytes: int | None = None

    @property
    def counts_query_per_document(self) -> bool:
        """Whether the query counts anew with every document of a request."""
        return self.query_counts == "per_document"


class Price(NamedTuple):
    """What the provider charges: `usd` for `per` of `unit`, as read on the day `read`."""

    usd: float
    per: int
    unit: str
    read: str


class ModelSpec(NamedTuple):
    """What holds for one model: the provider's rules with the model's own laid over them."""

    id: str | None
    body: JsonTemplate
    limits: Limits
    scale: str
    mode: str
    transform: str
    price: Price | None

    @property
    def is_pointwise(self) -> bool:
        """Whether a document's score does not depend on the others, so that a request can be split."""
        return self.mode == "pointwise"


class ErrorMapping(NamedTuple):
    """How an error reply is read."""

    message: tuple[Expression, ...]
    code: tuple[Expression, ...]
    in_success: Expression | None
    status: tuple[Expression, ...]
    retry_after_seconds: tuple[Expression, ...]
    kinds: Mapping[str, str]

    def expressions(self) -> Iterator[tuple[Path, Expression]]:
        """Every expression that reads an error reply, with its path in the spec; `in_success` reads others too."""
        for name in ("status", "code", "message", "retry_after_seconds"):
            for position, expression in enumerate(getattr(self, name)):
                yield ("errors", name, position), expression


class Echo(NamedTuple):
    """How the provider itself gives documents back, for callers who speak to us as to it.

    Attributes:
        asked_by: the path of the request's member that asks for them; None if they always come.
        default: whether they come when that member is absent.
        member: the path of the document in a result.
        form: text, or object: a text is {"text": ...}.
    """

    asked_by: tuple[str, ...] | None
    default: bool
    member: tuple[str, ...]
    form: str


class Endpoint(NamedTuple):
    """Where requests go."""

    method: str
    base_urls: tuple[TextTemplate, ...]
    base_url_env: tuple[str, ...]
    paths: tuple[TextTemplate, ...]
    query: Mapping[str, TextTemplate]
    headers: Mapping[str, TextTemplate]


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """One provider, ready to use.

    Attributes:
        file: the file's name.
        data: its content with its parents' laid under it; the examples are missing if `unread` is not None.
        unread: the file's text, if its examples have not been read yet.
    """

    name: str
    title: str
    aliases: tuple[str, ...]
    file: str
    data: Mapping[str, Any] = field(repr=False)
    settings: Mapping[str, Setting] = field(repr=False)
    endpoint: Endpoint = field(repr=False)
    authenticators: tuple[Authenticator, ...] = field(repr=False)
    response: ResponseMapping = field(repr=False)
    errors: ErrorMapping = field(repr=False)
    echo: Echo | None = field(repr=False)
    default_model: ModelSpec = field(repr=False)
    models: Mapping[str, ModelSpec] = field(repr=False)
    model_aliases: Mapping[str, str] = field(repr=False)
    needs_model: bool = field(repr=False)
    unread: str | None = field(repr=False, default=None)

    def model(self, name: str | None) -> ModelSpec:
        """What holds for the model of that id, alias or family; unknown ids get the provider's own rules."""
        if name is None:
            return self.default_model
        name = self.model_aliases.get(name, name)
        if name in self.models:
            return self.models[name]
        families = [key for key in self.models if key.endswith("*") and name.startswith(key[:-1])]
        return self.models[max(families, key=len)] if families else self.default_model

    def model_id(self, name: str | None) -> str | None:
        """The id that the provider is sent for a name that a user writes."""
        return name if name is None else self.model_aliases.get(name, name)

    @property
    def examples(self) -> list[dict[str, Any]]:
        """The recorded calls, as they stand in the file."""
        data = self.data if self.unread is None else read_yaml(self.unread, self.file).data
        return list(data.get("examples", []))


_URL_START = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]|\{\{")


_EXAMPLES = re.compile(r"^examples:", re.MULTILINE)
_NOTHING_ELSE = re.compile(r"examples:\n(?:(?:[ #].*)?\n)*")


def without_examples(text: str) -> str:
    """A spec's text before its examples, if nothing else follows them; the whole text otherwise.

    The examples are nine tenths of a spec's values, and no call needs them.
    """
    found = _EXAMPLES.search(text)
    return text[: found.start()] if found and _NOTHING_ELSE.fullmatch(text, found.start()) else text


def load_spec(text: str, file: str, find_parent: FindParent, *, examples_later: bool = False) -> ProviderSpec:
    """A spec from its YAML text.

    Args:
        text: the file's content.
        file: its name, for findings.
        find_parent: gives the data of the spec that this one extends; raises SpecNotFound.
        examples_later: leave the examples unread until someone asks for them, and say nothing of what is wrong there.

    Raises:
        SpecInvalid: with everything that is wrong, each with line and column.
    """
    if examples_later and (head := without_examples(text)) != text:
        spec, read = examine(head, file, find_parent)
        if spec is not None and not read.findings:
            return replace(spec, unread=text)
    spec, read = examine(text, file, find_parent)
    if spec is None or read.findings:
        raise SpecInvalid(read.findings)
    return spec


def examine(text: str, file: str, find_parent: FindParent) -> tuple[ProviderSpec | None, YamlFile]:
    """What can be made of a spec's text, and the file with everything that is wrong in its `findings`.

    Where parts of it are wrong, they are left out and the others are looked at all the same. The spec is then what
    is left, for further questions and not for use, or None if nothing is.
    """
    read = current(read_yaml(text, file))
    spec = _examined(read, find_parent) if read.is_complete else None
    if read.findings:
        # Every call's first load comes by here: a millisecond to import, and needed only when something is wrong.
        from rankspec.disclosure import secrets_of, without_secrets

        secrets = secrets_of(text)
        read.findings = [without_secrets(finding, secrets) for finding in read.findings]
    return spec, read


def _examined(read: YamlFile, find_parent: FindParent) -> ProviderSpec | None:
    """The spec that can be made of a file; what is wrong is added to the file's findings."""
    try:
        data = merged_data(read, find_parent)
    except SpecInvalid as error:
        read.findings += error.findings
        return None
    data = {key: value for key, value in data.items() if key != "extends"}
    problems = [with_way_out(problem, data) for problem in spec_validator().problems(data)]
    sound = without_faults(data, problems) if problems else data
    spec, more = _compile(sound, read.name) if sound is not None else (None, [])
    told = {(finding.line, finding.column) for finding in read.findings}
    found = [_finding(read, problem, data) for problem in (*problems, *more)]
    # A value that YAML misreads is of the wrong type too: the first is what to mend.
    read.findings += [finding for finding in found if (finding.line, finding.column) not in told]
    read.findings.sort(key=lambda finding: (finding.line, finding.column, list(map(str, finding.path))))
    return spec


def merged_data(read: YamlFile, find_parent: FindParent) -> dict[str, Any]:
    """The file's data laid over its parent's.

    Raises:
        SpecInvalid: the file is no object, or its parent is not to be had.
    """
    if not isinstance(read.data, dict):
        raise SpecInvalid([read.finding("wrong-type", (), "a spec is an object: provider: name, and so on")])
    if "extends" not in read.data:
        return read.data
    parent = read.data["extends"]
    if not isinstance(parent, str):
        raise SpecInvalid([read.finding("wrong-type", ("extends",), "must be the name of a provider")])
    if parent == read.data.get("provider"):
        raise SpecInvalid([read.finding("extends-cycle", ("extends",), f"'{parent}' extends itself")])
    try:
        found = find_parent(parent)
    except SpecNotFound as error:
        problem = Problem(("extends",), error.message, "unknown-parent", suggestion=error.nearest)
        raise SpecInvalid([read.finding_of(problem)]) from None
    inherited = {key: value for key, value in found.items() if key not in NOT_INHERITED}
    own = read.data.get("endpoint")
    if isinstance(own, dict) and "base_url" in own and isinstance(inherited.get("endpoint"), dict):
        # What moves the parent to another address must not take this one's key along.
        inherited["endpoint"] = {key: part for key, part in inherited["endpoint"].items() if key != "base_url_env"}
    return overlay(inherited, read.data)


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Objects merged key by key, everything else replaced, null removed."""
    result = dict(below)
    for key, value in above.items():
        if value is None and key in below:
            del result[key]
        elif isinstance(value, dict) and isinstance(result.get(key), dict) and not _replaces(value, result[key]):
            result[key] = overlay(result[key], value)
        else:
            result[key] = value
    return result


def _replaces(above: Mapping[str, Any], below: Mapping[str, Any]) -> bool:
    # Another kind of authentication has other members, and a loop is one thing.
    return ("kind" in above and above["kind"] != below.get("kind")) or "$for" in above or "$for" in below


def _finding(read: YamlFile, problem: Problem, data: Mapping[str, Any]) -> Finding:
    """The finding that a problem with the merged data is: in the file, or where it says what it inherits."""
    if problem.path not in read.values and ("extends",) in read.values and _has(data, problem.path):
        message = f"{problem.message} (inherited from {read.data['extends']})"
        return replace(read.finding(problem.code, ("extends",), message), path=problem.path)
    if problem.code == "unknown-key" and (*problem.path[:-1], "kind") in read.keys:
        problem = replace(problem, related=(*problem.path[:-1], "kind"))  # Its kind says which keys it has.
    finding = read.finding_of(problem, of_key=problem.of_key or problem.code in ("unknown-key", "template-key"))
    if problem.path and problem.code in _OF_SCHEMA and (text := describe(spec_validator().schema, problem.path)):
        return replace(finding, details=(*finding.details, f"{format_path(problem.path)}: {text}"))
    return finding


_OF_SCHEMA = ("wrong-type", "unknown-value", "invalid-value", "missing-key")
"""Problems that are told with what the schema says of the value."""


def _compile(data: dict[str, Any], file: str) -> tuple[ProviderSpec | None, list[Problem]]:
    problems: list[Problem] = []
    settings = {name: _setting(name, one) for name, one in data.get("settings", {}).items()}
    declared = frozenset(settings)
    in_body = Compiler(BODY_NAMES, declared, problems)
    in_endpoint = Compiler(ENDPOINT_NAMES, declared, problems)
    endpoint = _endpoint(data["endpoint"], in_endpoint)
    problems += _without_host(data["endpoint"]["base_url"])
    auth = data["auth"]
    listed = [(("auth",), auth)] if isinstance(auth, dict) else [(("auth", at), one) for at, one in enumerate(auth)]
    authenticators = tuple(KINDS[one["kind"]](one, in_endpoint, path) for path, one in listed)
    if authenticators[-1].when is not None:
        problems.append(Problem(listed[-1][0], "the last entry must hold always: remove its 'when'", "auth-when"))
    response = _response(data["response"], problems)
    errors = _errors(data.get("errors", {}), problems)
    body = in_body.json(data["request"]["body"], ("request", "body"))
    default = _model(None, {}, data, body)
    models, aliases = _models(data, default, in_body, problems)
    if problems or response is None:
        return None, problems
    names = default.body.names.union(*(template.names for template in (*endpoint.base_urls, *endpoint.paths)))
    spec = ProviderSpec(
        name=data["provider"],
        title=data.get("title", data["provider"]),
        aliases=tuple(data.get("aliases", ())),
        file=file,
        data=data,
        settings=settings,
        endpoint=endpoint,
        authenticators=authenticators,
        response=response,
        errors=errors,
        echo=_echo(data["echo"]) if "echo" in data else None,
        default_model=default,
        models=models,
        model_aliases=aliases,
        needs_model="model" in names and data["request"].get("model", "required") == "required",
    )
    return spec, problems


def _models(
    data: dict[str, Any], default: ModelSpec, in_body: Compiler, problems: list[Problem]
) -> tuple[dict[str, ModelSpec], dict[str, str]]:
    """The models by id or family, and the id that each alias stands for."""
    models: dict[str, ModelSpec] = {}
    aliases: dict[str, str] = {}
    for name, one in data.get("models", {}).items():
        known = len(problems)
        path = ("models", name, "body")
        if "body" in one and not isinstance(data["request"]["body"], dict):
            problems.append(Problem(path, "request.body is a list, into which nothing can be merged", "wrong-type"))
            continue
        if "body" in one:
            body = in_body.json(overlay(data["request"]["body"], one["body"]), path)
            # What a model takes over from request.body has had its problems told there.
            problems[known:] = [problem for problem in problems[known:] if _has(one["body"], problem.path[len(path) :])]
        models[name] = _model(name, one, data, body if "body" in one else default.body)
        if name.endswith("*") and one.get("aliases"):
            problems.append(Problem(("models", name, "aliases"), "a family has no alias: there is no one id to send"))
        for alias in one.get("aliases", ()):
            if alias in aliases or alias in data["models"]:
                problems.append(
                    Problem(("models", name, "aliases"), f"'{alias}' names another model too", "duplicate-model")
                )
            aliases[alias] = name
    return models, aliases


def _has(tree: Json, path: Path) -> bool:
    """Whether something stands at the path of a tree, or something else than an object on the way to it."""
    for part in path:
        if not isinstance(tree, dict):
            return tree is not None
        if part not in tree:
            return False
        tree = tree[part]
    return True


def _without_host(base_url: str | list[str]) -> Iterator[Problem]:
    """A base URL that is no URL whatever the values in it are."""
    several = isinstance(base_url, list)
    for at, text in enumerate(base_url if isinstance(base_url, list) else [base_url]):
        if not _URL_START.match(text):
            path: Path = ("endpoint", "base_url", at) if several else ("endpoint", "base_url")
            yield Problem(path, "must be a URL with a host, such as https://api.example.com")


def _setting(name: str, data: Mapping[str, Any]) -> Setting:
    return Setting(
        name,
        data["description"],
        tuple(data.get("env", ())),
        data.get("default"),
        data.get("optional", False),
        tuple(data.get("aliases", ())),
    )


def _endpoint(data: Mapping[str, Any], compiler: Compiler) -> Endpoint:
    def texts(key: str) -> tuple[TextTemplate, ...]:
        value = data[key]
        if isinstance(value, str):
            return (compiler.text(value, ("endpoint", key)),)
        return tuple(compiler.text(one, ("endpoint", key, at)) for at, one in enumerate(value))

    def members(key: str) -> dict[str, TextTemplate]:
        return {name: compiler.text(text, ("endpoint", key, name)) for name, text in data.get(key, {}).items()}

    return Endpoint(
        data.get("method", "POST"),
        texts("base_url"),
        tuple(data.get("base_url_env", ())),
        texts("path"),
        members("query"),
        members("headers"),
    )


def _model(name: str | None, own: Mapping[str, Any], data: Mapping[str, Any], body: JsonTemplate) -> ModelSpec:
    limits = {**data["limits"], **own.get("limits", {})}
    scoring = {**data["scoring"], **own.get("scoring", {})}
    return ModelSpec(
        name,
        body,
        # JSON Schema counts 1e3 as a whole number.
        Limits(**{key: _limit(value) for key, value in limits.items()}),
        scoring["scale"],
        scoring["mode"],
        scoring.get("transform", "none"),
        Price(**own["price"]) if "price" in own else None,
    )


def _limit(value: Any) -> Any:
    """A limit as a whole number, a word as it is; `none` is no limit."""
    return None if value == "none" else value if isinstance(value, str) else int(value)


def _response(data: Mapping[str, Any], problems: list[Problem]) -> ResponseMapping | None:
    meta = data.get("meta", {})

    def one(of: Mapping[str, Any], key: str, path: Path) -> Expression | None:
        return compile_expression(of[key], (*path, key), problems) if key in of else None

    units: dict[str, Expression | Mapping[str, Expression]] = {}
    for part in ("billed_units", "tokens"):
        path = ("response", "meta", part)
        if isinstance(meta.get(part), dict):
            compiled = {name: one(meta[part], name, path) for name in meta[part]}
            units[part] = {name: expression for name, expression in compiled.items() if expression is not None}
        elif part in meta and (whole := one(meta, part, path[:-1])) is not None:
            units[part] = whole
    results = one(data, "results", ("response",))
    others = {
        "id": one(data, "id", ("response",)),
        "api_version": one(meta, "api_version", ("response", "meta")),
        "warnings": one(meta, "warnings", ("response", "meta")),
        "next_token": one(data, "next_token", ("response",)),
    }
    return None if results is None else ResponseMapping(results=results, units=units, **others)


def _echo(data: Mapping[str, Any]) -> Echo:
    asked_by = tuple(data["asked_by"].split(".")) if "asked_by" in data else None
    return Echo(asked_by, data.get("default", asked_by is None), tuple(data["member"].split(".")), data["form"])


def _errors(data: Mapping[str, Any], problems: list[Problem]) -> ErrorMapping:
    def several(key: str) -> tuple[Expression, ...]:
        texts: list[str] = data.get(key, [])
        compiled = [compile_expression(text, ("errors", key, at), problems) for at, text in enumerate(texts)]
        return tuple(expression for expression in compiled if expression is not None)

    in_success: Json = data.get("in_success")
    return ErrorMapping(
        several("message"),
        several("code"),
        compile_expression(in_success, ("errors", "in_success"), problems) if in_success is not None else None,
        several("status"),
        several("retry_after_seconds"),
        data.get("kinds", {}),
    )
