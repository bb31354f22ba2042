"""The address of a curl line: to the `endpoint` of a spec, with settings and the model where they stand in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from rankspec.drafting.outcome import DraftFailed, Notebook
from rankspec.drafting.placeholders import Settings, literal, variable_name

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_USER = re.compile(r"(?P<scheme>https?://)(?P<user>[^/@]+)@")
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]+){3}|0\.0\.0\.0|\[::1?\])(?::|/|$)", re.IGNORECASE)
_WHOLE_BASE = re.compile(
    r"(\$\{[A-Za-z_]\w*(?::?[-=?+](?P<default>[^}]*))?\}|\$[A-Za-z_]\w*|\{\{[^}]*\}\}|\{[^}]*\}|<[^>]*>)(?=/|\?|$)"
)
_EXAMPLE_BASE = "https://api.example.com"
_EXAMPLE_MODEL = "my-model"

_MODEL_PLACES = (
    re.compile(r"/v\d+/inference/(?P<model>.+)"),
    re.compile(r"/ai/run/(?:@[^/]+/)*(?P<model>.+)"),
    re.compile(r"/model/(?P<model>.+)/invoke"),
    re.compile(r"/_inference/rerank/(?P<model>.+)"),
    re.compile(
        r"/models?/(?P<model>(?!rerank(?:ing)?(?:/|$)).+?)(?:/(?:re-?rank(?:ing|er)?|score|predict|_predict)|:\w+|$)"
    ),
    re.compile(r"/text_similarity/(?P<model>[^/]+)"),
    re.compile(r"/(?:endpoints|deployments)/(?P<model>[^/]+)/"),
    re.compile(r"/(?:ranker|reranker|inference_service)/(?P<model>[^/]+)"),
)
"""Where providers write the model into the path, when the body has none."""

_RERANK_MODEL = re.compile(
    r"/(?P<model>(?=[^/]*re-?rank)[^/]*[-.][^/]*\d[^/]*|(?=[^/]*\d)[^/]*-re-?rank[^/]*)(?=/|$)", re.IGNORECASE
)

_ALIKE = 0.85
"""How alike two names are that are taken for two spellings of one; 1 is equal but for what is no letter or digit."""
_IN_PATH = "the path holds what looks like the model's name: another model would go to the same address"

_LEFT_OUT = re.compile(
    r"(?i)(?:user-agent|content-length|transfer-encoding|host|connection|accept-(?:encoding|language|charset)|origin"
    r"|referer|sec-.*|cache-control|pragma|priority|dnt|te|upgrade-insecure-requests|expect|x-requested-with)"
)
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Address:
    """An address taken apart; `base` and `path` are marked by `Settings.marked`, the other texts are as written."""

    base: str
    path: str
    query: tuple[tuple[str, str], ...]
    user: str | None
    base_variable: str | None
    is_known: bool


def read_address(url: str, settings: Settings, notebook: Notebook) -> Address:
    """The address of a curl line, in parts.

    Raises:
        DraftFailed: it is no address of HTTP.
    """
    variable, is_known = None, True
    if match := _WHOLE_BASE.match(url):
        variable = variable_name(match.group()) or re.sub(r"\W+", "_", match.group()).strip("_").upper()
        is_known = bool(match["default"])
        url = (match["default"] or _EXAMPLE_BASE) + url[match.end() :]
    url, _, parameters = url.partition("#")[0].partition("?")
    user = None
    if match := _USER.match(url):
        user, url = unquote(match["user"]), match["scheme"] + url[match.end() :]
    marked = settings.marked(url, in_address=True)
    if not _SCHEME.match(marked):
        scheme = "http" if _LOOPBACK.match(marked) else "https"
        marked = f"{scheme}://{marked}"
        notebook.guess(("endpoint", "base_url"), f"{scheme}://, as the curl line has no scheme")
    try:
        parts = urlsplit(marked)
    except ValueError:
        raise DraftFailed("the curl line's address is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise DraftFailed("the curl line's address must begin with https:// or http://, and name a host")
    query = tuple(parse_qsl(parameters, keep_blank_values=True))
    return Address(f"{parts.scheme}://{parts.netloc}", parts.path or "/", query, user, variable, is_known)


class EndpointDraft:
    """Builds `endpoint` from an address and the headers that hold no secret."""

    def __init__(self, address: Address, settings: Settings, notebook: Notebook) -> None:
        self._address = address
        self._settings = settings
        self._notebook = notebook

    def build(
        self, method: str, headers: list[tuple[str, str]], query: list[tuple[str, str]], body_model: str | None
    ) -> tuple[dict[str, Any], str | None]:
        """The `endpoint`, and the model's id if it is the path that names it."""
        address, settings = self._address, self._settings
        # A region that is a setting already stands in the host too.
        region = settings.declared.get("region", {}).get("default", "")
        base = settings.template(address.base, lambda text: _with_region(text, region))
        endpoint: dict[str, Any] = {"base_url": base}
        if address.base_variable and re.fullmatch(r"[A-Z][A-Z0-9_]*", address.base_variable):
            endpoint["base_url_env"] = [address.base_variable]
        if not address.is_known:
            self._notebook.todo(("endpoint", "base_url"), "the provider's own address")
            self._notebook.leave("endpoint.base_url: the curl line takes the address from a variable; write it here")
        endpoint["path"], model = self._path(body_model)
        if method not in ("POST", "PUT"):
            self._notebook.guess(("endpoint", "path"), f"POST, as a spec has no {method}")
        elif method == "PUT":
            endpoint["method"] = method
        marked = {name: settings.marked(value, in_address=False) for name, value in query}
        if marked:
            endpoint["query"] = {name: settings.template(value) for name, value in marked.items()}
        kept = self._headers(headers)
        if kept:
            endpoint["headers"] = kept
        return endpoint, model

    def _path(self, body_model: str | None) -> tuple[str, str | None]:
        path = self._address.path
        place = _known_place(path, body_model) if body_model else _model_place(path)
        if place is None and body_model and _names_otherwise(path, body_model):
            self._notebook.note(_IN_PATH)
        if place is None or self._settings.holds_mark(path[place[0] : place[1]]):
            template = self._settings.template(path)
            return template, _EXAMPLE_MODEL if "{{ model }}" in template and not body_model else None
        start, end, is_sure = place
        raw = path[start:end]
        model = unquote(raw)
        expression = "model | keep_slashes" if "/" in raw else "model"
        before, after = self._settings.template(path[:start]), self._settings.template(path[end:])
        why = "this part of the path is the model" + ("" if is_sure else ", by its look")
        self._notebook.guess(("endpoint", "path"), why)
        return f"{before}{{{{ {expression} }}}}{after}", None if body_model else model

    def _headers(self, headers: list[tuple[str, str]]) -> dict[str, str]:
        kept: dict[str, str] = {}
        dropped: list[str] = []
        for name, value in headers:
            lowered = name.lower()
            if _LEFT_OUT.fullmatch(name):
                dropped.append(name)
            elif lowered in ("content-type", "accept") and ("json" in value.lower() or value.startswith("*/*")):
                continue
            elif not _HEADER_NAME.fullmatch(name):
                self._notebook.leave("a header is left out: its name has a character that a spec does not take")
            else:
                kept[name] = self._settings.template(self._settings.marked(value, in_address=False))
        if dropped:
            self._notebook.note(f"left out, as the transport sets them or only a browser does: {', '.join(dropped)}")
        return kept


def _with_region(text: str, region: str) -> str:
    return text.replace(region, "{{ settings.region }}") if region else literal(text)


def _known_place(path: str, model: str) -> tuple[int, int, bool] | None:
    """Where whole segments of the path are the model that the body names too."""
    if not re.search(r"[-/.:0-9]", model):
        return None  # A model that is called as the operation is: rerank.
    for written in (model, quote(model, safe="/"), quote(model, safe="")):
        match = re.search(f"(?<=/){re.escape(written)}(?=/|:|$)", path)
        if match:
            return match.start(), match.end(), True
    return None


def _names_otherwise(path: str, model: str) -> bool:
    """Whether a segment of the path is nearly the model's name: - or _ for another character, a version left out."""
    known = {_letters(model), _letters(model.rpartition("/")[2])}
    segments = [unquote(segment) for segment in path.split("/") if re.search(r"[-_.:0-9]", segment)]
    return any(
        SequenceMatcher(None, _letters(segment), name, autojunk=False).ratio() >= _ALIKE
        for segment in segments
        for name in known
    )


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _model_place(path: str) -> tuple[int, int, bool] | None:
    """Where the path names a model, and whether that place is a known one."""
    for pattern in _MODEL_PLACES:
        if match := pattern.search(path):
            return *match.span("model"), True
    match = _RERANK_MODEL.search(path)
    return (*match.span("model"), False) if match else None
