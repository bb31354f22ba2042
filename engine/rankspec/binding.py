"""Binds a spec to one caller: settings, secrets, base URL and headers, from arguments, the environment and defaults.

Pure: the environment is handed in. A binding serves any number of calls.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from rankspec.auth import Authenticator, Credentials
from rankspec.errors import CredentialMissing, RequestInvalid, SettingMissing, did_you_mean
from rankspec.models import Problem
from rankspec.specs import ProviderSpec
from rankspec.templates import TemplateFailed, TextTemplate
from rankspec.urls import check_base, has_dot_segment, join_url
from rankspec.version import __version__

_USER_AGENT = f"rankspec/{__version__}"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a caller says besides the request. `settings` holds keywords: settings, and secrets other than the key."""

    api_key: str | None = None
    api_base: str | None = None
    headers: Mapping[str, str] | None = None
    settings: Mapping[str, Any] | None = None


class Binding:
    """A spec with everything that a caller brings to it.

    Args:
        spec: the provider.
        arguments: what the caller says.
        environ: environment variables by name.
        placeholders: use `<name>` for every secret instead of looking for it, to show a request without sending it.
        without: the secrets that then have no placeholder.

    Raises:
        RequestInvalid: an argument is unknown, or not usable.
    """

    def __init__(
        self,
        spec: ProviderSpec,
        arguments: Arguments,
        environ: Mapping[str, str],
        *,
        placeholders: bool = False,
        without: Collection[str] = (),
    ) -> None:
        self.spec = spec
        self._environ = environ
        self._placeholders = placeholders
        self._without = without
        self._given = self._sort_arguments(arguments)
        self._api_base = arguments.api_base
        self._headers = _checked_headers(arguments.headers or {})
        self.settings = {name: self._setting(name) for name in spec.settings}
        self._whole_url: str | None = None

    def _sort_arguments(self, arguments: Arguments) -> dict[str, str]:
        """The caller's settings and secrets by their own names."""
        names = {name: name for name in self.spec.settings}
        for setting in self.spec.settings.values():
            names.update((alias, setting.name) for alias in setting.aliases)
        secrets = {secret.argument for one in self.spec.authenticators for secret in one.secrets}
        names.update((argument, argument) for argument in secrets)
        given = {} if arguments.api_key is None else {"api_key": arguments.api_key}
        problems: list[Problem] = []
        for keyword, value in (arguments.settings or {}).items():
            if value is None:
                continue
            if keyword not in names:
                known = sorted(names)
                hint = did_you_mean(keyword, known) or (f"; it knows {', '.join(known)}" if known else "")
                problems.append(Problem((keyword,), f"{self.spec.name} has no such setting{hint}", "unknown-key"))
            elif isinstance(value, bool) or not isinstance(value, str | int | float):
                problems.append(Problem((keyword,), f"must be text, not a {type(value).__name__}", "wrong-type"))
            else:
                given[names[keyword]] = str(value)
        if not isinstance(given.get("api_key", ""), str):
            problems.append(Problem(("api_key",), "must be text", "wrong-type"))
        if problems:
            raise RequestInvalid(problems)
        return given

    def _setting(self, name: str) -> str | None:
        setting = self.spec.settings[name]
        return self._given.get(name) or _first(setting.env, self._environ) or setting.default

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret value that this binding may send, to be kept out of texts."""
        found = [
            self._given.get(secret.argument) or _first(secret.env, self._environ)
            for one in self.spec.authenticators
            for secret in one.secrets
        ]
        return tuple(value for value in found if value)

    def url(self, model: str | None) -> str:
        """The whole URL of a call.

        Raises:
            SettingMissing: the base URL or the path needs one that is not set.
            RequestInvalid: the base URL or the model cannot be part of a URL.
        """
        if self._whole_url is None:
            scope = self._scope(model)
            scope["base_url"] = self._base_url(scope)
            path = self._render(self.spec.endpoint.paths, scope, "a path", percent_encode=True)
            if has_dot_segment(path):
                raise RequestInvalid([Problem(("model",), f"'{model}' cannot be part of a path")])
            query = {name: template.render(scope) for name, template in self.spec.endpoint.query.items()}
            url = join_url(scope["base_url"], path, {name: text for name, text in query.items() if text is not None})
            templates = (*self.spec.endpoint.base_urls, *self.spec.endpoint.paths, *self.spec.endpoint.query.values())
            if any("model" in template.names for template in templates):
                return url
            self._whole_url = url
        return self._whole_url

    def headers(self, model: str | None) -> dict[str, str]:
        """The headers of a call but for the secret's, the caller's own last."""
        scope = self._scope(model)
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": _USER_AGENT}
        for name, template in self.spec.endpoint.headers.items():
            text = template.render(scope)
            if text is not None:
                headers[name] = text
        for name, text in self._headers.items():
            for known in [known for known in headers if known.lower() == name.lower()]:
                del headers[known]
            headers[name] = text
        return headers

    def authenticator(self, model: str | None) -> Authenticator | None:
        """The way to authenticate, or None if the caller's own headers already do."""
        scope = self._scope(model)
        scope["base_url"] = self._base_url(scope)
        chosen = next(one for one in self.spec.authenticators if one.when is None or one.when.holds(scope))
        if chosen.header and chosen.header.lower() in {name.lower() for name in self._headers}:
            return None
        return chosen

    def credentials(self, authenticator: Authenticator) -> Credentials:
        """The secrets that it needs.

        Raises:
            CredentialMissing: one is not set, or cannot be sent.
        """
        found: dict[str, str] = {}
        for secret in authenticator.secrets:
            value = self._given.get(secret.argument) or _first(secret.env, self._environ)
            if self._placeholders:
                value = None if secret.name in self._without else f"<{secret.name}>"
            if value:
                found[secret.name] = value.strip()
        required = [secret for secret in authenticator.secrets if not secret.optional]
        if not self._placeholders and any(secret.name not in found for secret in required):
            found = {**authenticator.discover(), **found}
        for secret in authenticator.secrets:
            value = found.get(secret.name)
            if value is None and not secret.optional:
                where = " or ".join(secret.env)
                message = f"{self.spec.title} needs a key: set {where}, or pass {secret.argument}="
                raise CredentialMissing(message, provider=self.spec.name, name=secret.name, variables=secret.env)
            if value is not None and not (value.isascii() and value.isprintable()):
                message = (
                    f"the secret for {self.spec.title} ({' or '.join(secret.env)}, or {secret.argument}=) "
                    "holds a line break or another character that a header cannot carry; copy it again"
                )
                raise CredentialMissing(message, provider=self.spec.name, name=secret.name, variables=secret.env)
        return found

    def scope(self, model: str | None) -> dict[str, Any]:
        """The names that the endpoint's templates see."""
        scope = self._scope(model)
        scope["base_url"] = self._base_url(scope)
        return scope

    def _scope(self, model: str | None) -> dict[str, Any]:
        return {"model": model, "settings": self.settings, "base_url": None}

    def _base_url(self, scope: dict[str, Any]) -> str:
        if self._api_base:
            return check_base(self._api_base)
        named = {name for template in self.spec.endpoint.base_urls for name in template.names}
        is_explicit = any(f"settings.{name}" in named for name in self._given)
        from_environment = _first(self.spec.endpoint.base_url_env, self._environ)
        # What the caller says in this call goes before what the environment says for all calls.
        if from_environment and not is_explicit:
            return check_base(from_environment)
        return self._render(self.spec.endpoint.base_urls, scope, "a base URL", percent_encode=True)

    def _render(
        self, templates: tuple[TextTemplate, ...], scope: dict[str, Any], what: str, *, percent_encode: bool
    ) -> str:
        for template in templates:
            try:
                text = template.render(scope, percent_encode=percent_encode)
            except TemplateFailed as error:
                raise RequestInvalid([Problem(("model",), f"{what} cannot be made: {error}")]) from error
            if text is not None:
                return text
        raise self._missing(templates, scope)

    def _missing(self, templates: tuple[TextTemplate, ...], scope: Mapping[str, Any]) -> Exception:
        names = [
            name.removeprefix("settings.") for template in templates for name in sorted(template.names) if "." in name
        ]
        lacking = [self.spec.settings[name] for name in dict.fromkeys(names) if self.settings[name] is None]
        if not lacking:
            return RequestInvalid(
                [Problem(("model",), f"{self.spec.name} needs a model: write {self.spec.name}/MODEL")]
            )
        variables = [*self.spec.endpoint.base_url_env, *(variable for setting in lacking for variable in setting.env)]
        choices = [f"{setting.name}= ({setting.description})" for setting in lacking]
        if self.spec.endpoint.base_url_env:
            choices.append("api_base=")
        message = f"{self.spec.title} needs to know where to send this: pass {' or '.join(choices)}"
        if variables:
            message += f", or set {' or '.join(variables)}"
        return SettingMissing(message, provider=self.spec.name, name=lacking[0].name, variables=variables)

    def require_settings(self) -> None:
        """Check that every setting that is not optional is set.

        Raises:
            SettingMissing: one is not.
        """
        for setting in self.spec.settings.values():
            if self.settings[setting.name] is None and not setting.optional:
                where = f", or set {' or '.join(setting.env)}" if setting.env else ""
                message = f"{self.spec.title} needs a setting: pass {setting.name}= ({setting.description}){where}"
                raise SettingMissing(message, provider=self.spec.name, name=setting.name, variables=setting.env)


def _first(variables: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    """The first of the variables that is set and not blank."""
    for name in variables:
        value = environ.get(name, "").strip()
        if value:
            return value
    return None


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, text in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise RequestInvalid([Problem(("headers",), f"{name!r} is not a header's name")])
        if not isinstance(text, str) or not all(character == "\t" or character.isprintable() for character in text):
            raise RequestInvalid([Problem(("headers", name), "must be text without line breaks")])
        if not text.isascii():
            raise RequestInvalid([Problem(("headers", name), "must be ASCII text")])
    return dict(headers)
