"""How a curl line authenticates: to the `auth` of a spec, with variables in the place of every secret."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any

from rankspec.disclosure import secrets_of
from rankspec.drafting.outcome import Notebook
from rankspec.drafting.placeholders import Settings, secret_literals, variable_name

_SECRET_NAME = re.compile(
    r"(?i)(?:.*[-_])?(?:api[-_]?key|apikey|key|token|secret|password|passwd|auth|authorization|credentials?|vk|signature"
    r"|sig|access[-_]?key|subscription[-_]?key)"
)
_SECRET_VALUE = re.compile(
    r"(?:sk|pk|rk|hf|pa|al|jina|nvapi|key|gsk|ghp|r8|tgp|fw|pplx|mxb|ze|xai|pcsk|bce-v3|glpat|xox[bp])[-_/]"
    r"(?=[^\s]*[0-9])[A-Za-z0-9_/-]{16,}|AIza[\w-]{30,}|eyJ[\w-]+\.[\w.-]+"
    r"|(?=[^\s]*[0-9])(?=[^\s]*[A-Za-z])[A-Za-z0-9+/=_]{32,}"
)
# A word with digits is rather a part of a secret, but for those that sign.
_SCHEME = re.compile(r"((?:AWS4-|TC3-)?HMAC-SHA256|[A-Za-z][A-Za-z_-]{0,19})[ \t]+(.+)", re.DOTALL)
_SIGNED = re.compile(r"(?:TC3-HMAC-SHA256|HMAC-SHA256|Signature|Digest|OAuth|AWS4-HMAC-SHA256)", re.IGNORECASE)
_AWS_SCOPE = re.compile(r"Credential=[^/]+/[0-9]+/([\w-]+)/([\w-]+)/aws4_request")


@dataclass(slots=True)
class Credentials:
    """What authenticates a request.

    Attributes:
        auth: the spec's `auth`.
        headers: the headers that hold no secret.
        query: the parameters of the address that hold none.
        secrets: every literal secret: text that must be shown nowhere.
    """

    auth: dict[str, Any] = field(default_factory=lambda: {"kind": "none"})
    headers: list[tuple[str, str]] = field(default_factory=list)
    query: list[tuple[str, str]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)


class CredentialsReader:
    """Sorts the headers and parameters of one request into secrets and others.

    Args:
        provider: the spec's name, from which variables are named where the curl line has none.
    """

    def __init__(self, provider: str, settings: Settings, notebook: Notebook) -> None:
        self._provider = provider
        self._settings = settings
        self._notebook = notebook
        self._found: list[tuple[str, dict[str, Any]]] = []
        self._result = Credentials()

    def read(
        self,
        headers: list[tuple[str, str]],
        query: list[tuple[str, str]],
        user: str | None,
        sigv4: str | None,
    ) -> Credentials:
        """The credentials of a request. `user` is the text after -u, `sigv4` that after --aws-sigv4."""
        result = self._result
        if sigv4 is not None:
            self._aws(*_aws_scope(sigv4), user)
        elif user is not None:
            self._basic(user)
        for name, value in headers:
            if name.lower() == "authorization":
                self._authorization(value)
            elif name.lower() in ("x-amz-security-token", "x-amz-date", "x-amz-content-sha256"):
                self._hide(value)
            elif name.lower() == "proxy-authorization" or name.lower() == "cookie":
                self._hide(value)
                self._notebook.note(f"the header {name} is left out")
            elif is_secret(name, value):
                self._header(name, value)
            else:
                result.headers.append((name, value))
        for name, value in query:
            if is_secret(name, value):
                self._hide(value)
                self._found.append((f"the parameter {name}", {"kind": "query", "name": name, "key": self._key(value)}))
            else:
                result.query.append((name, value))
        self._choose()
        return result

    def _choose(self) -> None:
        if not self._found and ("auth",) not in self._notebook.todos:
            self._notebook.note("the curl line has no key: the spec says that none is needed")
        if not self._found:
            return
        chosen, self._result.auth = self._found[0]
        for other, _ in self._found[1:]:
            self._notebook.leave(f"two secrets: {chosen} is the one kept, and {other} is left out")

    def _hide(self, value: str) -> None:
        self._result.secrets += secret_literals(value)

    def _key(self, value: str) -> dict[str, list[str]]:
        return {"env": [variable_name(value) or f"{self._provider.upper()}_API_KEY"]}

    def _header(self, name: str, value: str) -> None:
        self._hide(value)
        match = _SCHEME.fullmatch(value)
        auth: dict[str, Any] = {"kind": "header", "name": name}
        if match and match.group(1).lower() in ("bearer", "token", "key", "apikey"):
            self._hide(match.group(2))
            auth["scheme"] = match.group(1)
        self._found.append((f"the header {name}", {**auth, "key": self._key(value)}))

    def _authorization(self, value: str) -> None:
        match = _SCHEME.fullmatch(value)
        if match is None:
            self._hide(value)
            auth: dict[str, Any] = {"kind": "header", "name": "Authorization", "key": self._key(value)}
            self._found.append(("the header Authorization", auth))
            return
        scheme, secret = match.groups()
        self._hide(secret)
        if _SIGNED.fullmatch(scheme):
            self._signed(scheme, secret)
        elif scheme.lower() == "bearer":
            self._found.append(("the bearer key", {"kind": "bearer", "key": self._key(secret)}))
        elif scheme.lower() == "basic" and (user := _decoded(secret)):
            self._basic(user)
        else:
            auth = {"kind": "header", "name": "Authorization", "scheme": scheme, "key": self._key(secret)}
            self._found.append(("the header Authorization", auth))

    def _signed(self, scheme: str, secret: str) -> None:
        scope = _AWS_SCOPE.search(secret)
        if scope:
            self._aws(scope.group(1), scope.group(2), None)
        else:
            what = f"{scheme} signs each request, which no kind of auth here does"
            self._notebook.todo(("auth",), what)
            self._notebook.leave(f"auth: {what}; see whether the provider takes a plain key too")

    def _basic(self, user: str) -> None:
        username, _, password = user.partition(":")
        # A user's name may be an everyday word; where no password follows it is the key.
        self._result.secrets += secret_literals(password or username)
        prefix = self._provider.upper()
        names = variable_name(username) or f"{prefix}_USERNAME", variable_name(password) or f"{prefix}_PASSWORD"
        auth = {"kind": "basic", "username": {"env": [names[0]]}, "password": {"env": [names[1]]}}
        self._found.append(("the user and password", auth))

    def _aws(self, region: str, service: str, user: str | None) -> None:
        access, _, secret = (user or "").partition(":")
        self._result.secrets += [*secret_literals(access), *secret_literals(secret)]
        env = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        default = None if variable_name(region) or not re.fullmatch(r"[\w-]+", region) else region
        name = self._settings.declare("region", "AWS region", env, default)
        auth = {
            "kind": "aws_sigv4",
            "service": service,
            "region": "{{ " + name + " }}",
            "access_key_id": {"env": [variable_name(access) or "AWS_ACCESS_KEY_ID"]},
            "secret_access_key": {"env": [variable_name(secret) or "AWS_SECRET_ACCESS_KEY"]},
            "session_token": {"env": ["AWS_SESSION_TOKEN"], "optional": True},
        }
        self._found.append(("AWS's signature", auth))


def is_secret(name: str, value: object) -> bool:
    """Whether a header, parameter or member of that name holds a secret, by its name or by the look of its value."""
    if not isinstance(value, str) or not value:
        return False
    variable = variable_name(value)
    named = is_secret_name(name) or name.lower() == "code" or bool(variable and is_secret_name(variable))
    return named or bool(_SECRET_VALUE.fullmatch(value) or secrets_of(value))


def is_secret_name(name: str) -> bool:
    """Whether what has that name is a secret, as a rule."""
    return bool(_SECRET_NAME.fullmatch(name))


def _aws_scope(sigv4: str) -> tuple[str, str]:
    """Region and service of aws:amz:REGION:SERVICE, however much of it is given."""
    parts = sigv4.split(":")
    region = parts[2] if len(parts) > 2 else ""
    return region, parts[3] if len(parts) > 3 else "bedrock"


def _decoded(secret: str) -> str | None:
    """The user:password in base64, if it is that."""
    try:
        decoded = base64.b64decode(secret, validate=True).decode()
    except ValueError:
        return None
    return decoded if ":" in decoded else None
