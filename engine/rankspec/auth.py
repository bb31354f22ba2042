"""How a request proves who sends it. One small class per kind; each sees the final URL, headers and bytes.

A kind that must first fetch a token overrides `Authenticator.flow`, which may yield requests of its own to the
transport like any other step of an exchange. The secrets themselves come from the binding and are not kept here.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from rankspec.errors import CredentialMissing, ExtraMissing, RequestInvalid, SettingMissing
from rankspec.models import Exchange, HttpRequest, Path, Problem
from rankspec.templates import Compiler, Condition, Scope, TemplateFailed, TextTemplate

Credentials = Mapping[str, str]
"""Secrets by their name in the spec."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Where one secret comes from: a call argument, else environment variables."""

    name: str
    env: tuple[str, ...]
    argument: str
    optional: bool


class Authenticator:
    """One way to authenticate. Subclasses say which secrets they need and how they sign."""

    secret_names: ClassVar[tuple[str, ...]] = ()
    header: str | None = None
    """The header that carries the secret, if it is one header."""

    is_fixed: ClassVar[bool] = True
    """Whether its proof depends on address, headers and secrets alone, so that one serves for all calls."""

    def __init__(self, data: Mapping[str, Any], compiler: Compiler, path: Path) -> None:
        self.when: Condition | None = compiler.condition(data["when"], (*path, "when")) if "when" in data else None
        self.secrets = tuple(
            Secret(
                name,
                tuple(data[name]["env"]),
                "api_key" if name == "key" else data[name].get("argument", name),
                data[name].get("optional", False),
            )
            for name in self.secret_names
            if name in data
        )

    def require(self) -> None:
        """Check that what it signs with is installed.

        Raises:
            ExtraMissing: it is not.
        """

    def discover(self) -> Credentials:
        """Secrets found in the places that the provider's own tools look in, beyond arguments and environment.

        Raises:
            CredentialMissing: such a place cannot be read; the caller fills in `provider`.
        """
        return {}

    def flow(self, request: HttpRequest, credentials: Credentials, scope: Scope) -> Exchange:
        """The request, authenticated. A generator, so that a kind may exchange tokens before it signs."""
        return self.sign(request, credentials, scope)
        yield

    def sign(self, request: HttpRequest, credentials: Credentials, scope: Scope) -> HttpRequest:
        """The request with proof added."""
        return request

    def curl(self, scope: Scope) -> tuple[list[str], set[str]]:
        """curl's own options for this kind, if it has some, and the headers (in lower case) that they replace."""
        return [], set()


class NoAuth(Authenticator):
    """The provider asks for no key."""


class HeaderAuth(Authenticator):
    """The key in a header of its own, after an optional scheme word."""

    secret_names = ("key",)

    def __init__(self, data: Mapping[str, Any], compiler: Compiler, path: Path) -> None:
        super().__init__(data, compiler, path)
        self.header = data["name"]
        self._prefix = f"{data['scheme']} " if "scheme" in data else ""

    def sign(self, request: HttpRequest, credentials: Credentials, scope: Scope) -> HttpRequest:
        key = credentials.get("key")
        if key is None or self.header is None:
            return request
        return _with_headers(request, {self.header: self._prefix + key}, key)


class BearerAuth(HeaderAuth):
    """Authorization: Bearer KEY. Source: RFC 6750."""

    def __init__(self, data: Mapping[str, Any], compiler: Compiler, path: Path) -> None:
        super().__init__({**data, "name": "Authorization", "scheme": "Bearer"}, compiler, path)


class QueryAuth(Authenticator):
    """The key as a query parameter."""

    secret_names = ("key",)

    def __init__(self, data: Mapping[str, Any], compiler: Compiler, path: Path) -> None:
        super().__init__(data, compiler, path)
        self._name = data["name"]

    def sign(self, request: HttpRequest, credentials: Credentials, scope: Scope) -> HttpRequest:
        key = credentials.get("key")
        if key is None:
            return request
        separator = "&" if urlsplit(request.url).query else "?"
        written = quote(key, safe="")
        url = f"{request.url}{separator}{quote(self._name, safe='')}={written}"
        return replace(request, url=url, secrets=(*request.secrets, key, written))


class BasicAuth(Authenticator):
    """User name and password. Source: RFC 7617."""

    secret_names = ("username", "password")
    header = "Authorization"

    def sign(self, request: HttpRequest, credentials: Credentials, scope: Scope) -> HttpRequest:
        if "username" not in credentials or "password" not in credentials:
            return request
        pair = f"{credentials['username']}:{credentials['password']}"
        written = base64.b64encode(pair.encode()).decode()
        return _with_headers(request, {"Authorization": f"Basic {written}"}, credentials["password"], written)

    def curl(self, scope: Scope) -> tuple[list[str], set[str]]:
        return ["--user", "<username>:<password>"], {"authorization"}


class AwsSigV4Auth(Authenticator):
    """AWS Signature Version 4 over the final bytes, by botocore."""

    secret_names = ("access_key_id", "secret_access_key", "session_token")
    header = "Authorization"
    is_fixed = False

    def __init__(self, data: Mapping[str, Any], compiler: Compiler, path: Path) -> None:
        super().__init__(data, compiler, path)
        self._service = data["service"]
        self._region: TextTemplate = compiler.text(data["region"], (*path, "region"))

    def require(self) -> None:
        try:
            import botocore.auth  # noqa: F401
        except ImportError:
            raise ExtraMissing("aws", "signing for AWS") from None

    @cached_property
    def _chain(self) -> Any:
        # AWS users expect their profile, single sign-on or instance role to be found without being named.
        try:
            from botocore.session import get_session
        except ImportError:
            raise ExtraMissing("aws", "signing for AWS") from None
        return get_session().get_credentials()

    def discover(self) -> Credentials:
        try:
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise ExtraMissing("aws", "signing for AWS") from None
        try:
            if self._chain is None:
                return {}
            found = self._chain.get_frozen_credentials()
        except BotoCoreError as error:
            message = f"AWS's own credentials cannot be read: {error}"
            raise CredentialMissing(message, provider="", name="access_key_id") from error
        named = dict(zip(self.secret_names, (found.access_key, found.secret_key, found.token), strict=True))
        return {name: value for name, value in named.items() if value}

    def sign(self, request: HttpRequest, credentials: Credentials, scope: Scope) -> HttpRequest:
        try:
            from botocore.auth import SigV4Auth
            from botocore.awsrequest import AWSRequest
            from botocore.credentials import Credentials as AwsCredentials
        except ImportError:
            raise ExtraMissing("aws", "signing for AWS") from None
        # At DEBUG it logs what it signs, the session token among it.
        logging.getLogger("botocore.auth").addFilter(_above_debug)
        secrets = [credentials.get(name) for name in self.secret_names]
        aws_request = AWSRequest(request.method, request.url, headers=dict(request.headers), data=request.body)
        SigV4Auth(AwsCredentials(*secrets), self._service, self._region_name(scope)).add_auth(aws_request)
        return _with_headers(request, dict(aws_request.headers.items()), *filter(None, secrets[1:]))

    def _region_name(self, scope: Scope) -> str:
        try:
            region = self._region.render(scope)
        except TemplateFailed as error:
            raise RequestInvalid([Problem((), f"the region to sign for cannot be made: {error}")]) from error
        if region is None:
            names = sorted(name.removeprefix("settings.") for name in self._region.names if "." in name) or ["model"]
            raise SettingMissing(f"signing for AWS needs a region: pass {names[0]}=", provider="", name=names[0])
        return region

    def curl(self, scope: Scope) -> tuple[list[str], set[str]]:
        options = ["--aws-sigv4", f"aws:amz:{self._region.render(scope)}:{self._service}"]
        options += ["--user", "<access_key_id>:<secret_access_key>"]
        return options, {"authorization", "x-amz-date"}


def _above_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


KINDS: dict[str, type[Authenticator]] = {
    "none": NoAuth,
    "bearer": BearerAuth,
    "header": HeaderAuth,
    "query": QueryAuth,
    "basic": BasicAuth,
    "aws_sigv4": AwsSigV4Auth,
}
"""Every kind of authentication by its name in a spec."""


def _with_headers(request: HttpRequest, headers: Mapping[str, str], *secrets: str) -> HttpRequest:
    return HttpRequest(
        request.method,
        request.url,
        {**request.headers, **headers},
        request.body,
        request.timeout_seconds,
        (*request.secrets, *secrets),
    )
