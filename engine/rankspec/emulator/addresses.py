"""The URL and the headers of a request that arrived: are they the spec's own, and which settings do they hold?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from rankspec.dialects.places import Variable
from rankspec.dialects.probes import Markers
from rankspec.errors import RankspecError
from rankspec.specs import ProviderSpec
from rankspec.templates import TemplateFailed, TextTemplate
from rankspec.urls import join_url


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL tells. `scope` is what the endpoint's templates and conditions see."""

    base_url: str
    model: str | None
    settings: Mapping[str, str | None]

    @property
    def scope(self) -> dict[str, Any]:
        return {"model": self.model, "settings": self.settings, "base_url": self.base_url}


class AddressReader:
    """Reads the URLs and headers of one spec."""

    def __init__(self, spec: ProviderSpec) -> None:
        self._spec = spec
        self._markers = Markers()
        variables: list[Variable] = [("model",), *(("settings", name) for name in spec.settings)]
        self._names = {variable: self._markers.text(*variable) for variable in variables}
        self._marked: dict[str, Any] = {
            "model": self._names["model",],
            "settings": {name: self._names["settings", name] for name in spec.settings},
            "base_url": None,
        }
        self._bases = [urlsplit(text) for text in self._rendered(spec.endpoint.base_urls, self._marked)]

    @property
    def base_path(self) -> str:
        """The path of the provider's own base URL, for use on another host; empty if it depends on settings."""
        paths = [base.path.rstrip("/") for base in self._bases]
        return next((path for path in paths if self._markers.pattern(path) is None), "")

    def read(self, url: str, headers: Mapping[str, str]) -> Address | None:
        """What this URL and these headers tell, or None if the provider has nothing at this path.

        Args:
            headers: names in lower case.
        """
        parts = urlsplit(url)
        for base in self._candidate_bases(url):
            scope = {**self._marked, "base_url": base}
            for path in self._rendered(self._spec.endpoint.paths, scope):
                found = self._match(join_url(base, path, {}), urlunsplit((*parts[:3], "", "")))
                if found is not None:
                    address = self._address(base, found, dict(parse_qsl(parts.query)), headers)
                    if self._is_at(address, url):
                        return address
        return None

    def _candidate_bases(self, url: str) -> Iterator[str]:
        """The provider's own base URLs, and their paths and the bare root on the host that was called."""
        parts = urlsplit(url)
        for base in self._bases:
            yield urlunsplit((parts.scheme, base.netloc, base.path, "", ""))
        for base in self._bases:
            yield urlunsplit((parts.scheme, parts.netloc, base.path.rstrip("/"), "", ""))
        yield urlunsplit((parts.scheme, parts.netloc, "", "", ""))

    def _match(self, marked: str, text: str) -> dict[Variable, str] | None:
        """The variables' values if the text fits the one with markers in it."""
        pattern = self._markers.pattern(marked)
        if pattern is None:
            return {} if marked == text else None
        written = "(.+?)".join(map(re.escape, pattern.constants))
        match = re.fullmatch(written, text)
        if match is None:
            return None
        return {variable: unquote(one) for variable, one in zip(pattern.variables, match.groups(), strict=True)}

    def _address(
        self, base: str, found: dict[Variable, str], query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Address:
        told: dict[Variable, Any] = dict(found)
        endpoint = self._spec.endpoint
        for templates, texts in ((endpoint.query, query), (endpoint.headers, headers)):
            for name, template in templates.items():
                text = texts.get(name.lower() if texts is headers else name)
                for marked in self._rendered((template,), {**self._marked, "base_url": base}, percent_encode=False):
                    if text is not None and (pattern := self._markers.pattern(marked)):
                        told = {**pattern.read(text), **told}
        settings = {
            name: told.get(("settings", name), setting.default) for name, setting in self._spec.settings.items()
        }
        for variable, value in found.items():
            base = base.replace(self._names[variable], value)
        return Address(base, told.get(("model",)), settings)

    def _is_at(self, address: Address, url: str) -> bool:
        """Whether the spec itself sends to this path with what was read from it."""
        paths = self._rendered(self._spec.endpoint.paths, address.scope)
        try:
            expected = urlsplit(join_url(address.base_url, next(iter(paths)), {})).path if paths else None
        except RankspecError:
            return False
        return expected is not None and unquote(expected) == unquote(urlsplit(url).path)

    def problems(self, address: Address, url: str, headers: Mapping[str, str], own: set[str]) -> Iterator[str]:
        """What is wrong with the query's parameters and the headers.

        Args:
            own: names of parameters that are checked elsewhere.
        """
        given = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        endpoint = self._spec.endpoint
        for name, template in endpoint.query.items():
            yield from _problem("query parameter", name, _text(template, address.scope), given.pop(name, None))
        for name in given:
            if name not in own:
                yield f"unknown query parameter '{name}'"
        for name, template in endpoint.headers.items():
            yield from _problem("header", name, _text(template, address.scope), headers.get(name.lower()))

    def _rendered(
        self, templates: tuple[TextTemplate, ...], scope: Mapping[str, Any], *, percent_encode: bool = True
    ) -> list[str]:
        texts = (_text(template, scope, percent_encode=percent_encode) for template in templates)
        return [text for text in texts if text is not None]


def _text(template: TextTemplate, scope: Mapping[str, Any], *, percent_encode: bool = False) -> str | None:
    try:
        return template.render(scope, percent_encode=percent_encode)
    except TemplateFailed:
        return None


def _problem(kind: str, name: str, expected: str | None, text: str | None) -> Iterator[str]:
    if expected is None and text is not None:
        yield f"unknown {kind} '{name}'"
    elif expected is not None and text is None:
        yield f"{kind} '{name}' is missing"
    elif expected != text:
        yield f"{kind} '{name}' has a value that it cannot have"
