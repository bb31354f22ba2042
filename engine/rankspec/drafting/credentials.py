"""How a curl line authenticates: to the `auth` of a spec, with variables in the place of every secret."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any

from rankspec.disclosure import secrets_of
from rankspec.drafting.names import plain
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
_RANDOM = re.compile(
    r"(?<![A-Za-z0-9])(?:[0-9a-fA-F]{32,}|(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{20,})(?![A-Za-z0-9])"
)
_LONGEST_RANDOM = 512
"""Longer texts are files that are written as text, such as images."""
_TRACE_NAME = re.compile(r"(?i)(?:.*-)?(?:(?:request|trace|correlation|span|transaction)-?id|idempotency-key)")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
SHORTEST_HELD = 6
"""Shorter secrets are not looked for in other values: they would be found in everyday words."""

_BEFORE_KEY = re.compile(r"""([A-Za-z][A-Za-z_-]{0,19}=)(["']?)([^=].*)\2""", re.DOTALL)
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
        self._found: list[tuple[str, dict[str, Any], bool]] = []
        self._result = Credentials()

    def read(
        self,
        headers: list[tuple[str, str]],
        query: list[tuple[str, str]],
        user: str | None,
        sigv4: str | None,
        in_body: list[str] | None = None,
    ) -> Credentials:
        """The credentials of a request.

        Args:
            headers, query: names and values, as they stand in the curl line.
            user: the text after -u.
            sigv4: that after --aws-sigv4.
            in_body: the secrets of the body; None if it has none, not even as a variable.
        """
        result = self._result
        result.secrets += in_body or []
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
                self._parameter(name, value)
            else:
                result.query.append((name, value))
        self._take_others()
        self._choose(has_other=in_body is not None)
        return result

    def _take_others(self) -> None:
        """Headers and parameters that look harmless hold a secret too if it stands elsewhere in the call."""
        result = self._result
        known = [secret for secret in result.secrets if len(secret) >= SHORTEST_HELD]
        headers, query = result.headers, result.query
        result.headers = [one for one in headers if not any(secret in one[1] for secret in known)]
        result.query = [one for one in query if not any(secret in one[1] for secret in known)]
        for name, value in headers:
            if (name, value) not in result.headers:
                self._header(name, value)
        for name, value in query:
            if (name, value) not in result.query:
                self._parameter(name, value)

    def _choose(self, *, has_other: bool) -> None:
        if not self._found:
            if not has_other and ("auth",) not in self._notebook.todos:
                self._notebook.note("the curl line has no key: the spec says that none is needed")
            return
        # What only looks like a key comes last.
        self._found.sort(key=lambda one: not one[2])
        chosen, self._result.auth, is_sure = self._found[0]
        if not is_sure:
            self._notebook.guess(("auth", "name"), "the key, by the look of its value")
        for other, _, _ in self._found[1:]:
            self._notebook.leave(f"two secrets: {chosen} is the one kept, and {other} is left out")

    def _add(self, what: str, auth: dict[str, Any], *, is_sure: bool = True) -> None:
        self._found.append((what, auth, is_sure))

    def _hide(self, value: str) -> None:
        self._result.secrets += literals_of(value)

    def _key(self, value: str) -> dict[str, list[str]]:
        return {"env": [variable_name(value) or f"{self._provider.upper()}_API_KEY"]}

    def _key_behind(self, secret: str) -> dict[str, list[str]]:
        """The variable of a key; what stands before it is told, as a spec writes the key alone."""
        match = _BEFORE_KEY.fullmatch(secret)
        if match is None:
            self._hide(secret)
            return self._key(secret)
        before, _, inner = match.groups()
        self._hide(inner)
        if variable_name(secret) is None:
            self._hide(secret)
        key = self._key(inner)
        self._notebook.leave(f"auth: the curl line writes {before} before the key: set {key['env'][0]} to {before}KEY")
        return key

    def _parameter(self, name: str, value: str) -> None:
        self._hide(value)
        auth = {"kind": "query", "name": name, "key": self._key(value)}
        self._add(f"the parameter {name}", auth, is_sure=is_secret_name(name))

    def _header(self, name: str, value: str) -> None:
        self._hide(value)
        match = _SCHEME.fullmatch(value)
        auth: dict[str, Any] = {"kind": "header", "name": name}
        if match and match.group(1).lower() in ("bearer", "token", "key", "apikey"):
            self._hide(match.group(2))
            auth["scheme"] = match.group(1)
        is_sure = is_secret_name(name) or variable_name(value) is not None
        self._add(f"the header {name}", {**auth, "key": self._key(value)}, is_sure=is_sure)

    def _authorization(self, value: str) -> None:
        match = _SCHEME.fullmatch(value)
        if match is None:
            auth: dict[str, Any] = {"kind": "header", "name": "Authorization", "key": self._key_behind(value)}
            self._add("the header Authorization", auth)
            return
        scheme, secret = match.groups()
        if _SIGNED.fullmatch(scheme):
            self._hide(secret)
            self._signed(scheme, secret)
        elif scheme.lower() == "bearer":
            self._add("the bearer key", {"kind": "bearer", "key": self._key_behind(secret)})
        elif scheme.lower() == "basic" and (user := _decoded(secret)):
            self._hide(secret)
            self._basic(user)
        else:
            auth = {"kind": "header", "name": "Authorization", "scheme": scheme, "key": self._key_behind(secret)}
            self._add("the header Authorization", auth)

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
        self._add("the user and password", auth)

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
        self._add("AWS's signature", auth)


def is_secret(name: str, value: object) -> bool:
    """Whether a header, parameter or member of that name holds a secret, by its name or by the look of its value."""
    if not isinstance(value, str) or not value:
        return False
    if _TRACE_NAME.fullmatch(name) and _UUID.fullmatch(value):
        return False
    variable = variable_name(value)
    named = is_secret_name(name) or name.lower() == "code" or bool(variable and is_secret_name(variable))
    return named or bool(_SECRET_VALUE.fullmatch(value) or secrets_of(value) or random_parts(value))


def is_secret_name(name: str) -> bool:
    """Whether what has that name is a secret, as a rule."""
    return bool(_SECRET_NAME.fullmatch(name) or _SECRET_NAME.fullmatch(plain(name)))


def random_parts(text: str) -> list[str]:
    """What looks random in a text that is no stand-in: many hex digits, or letters and digits mixed."""
    if len(text) > _LONGEST_RANDOM:
        return []
    return [found for part in secret_literals(text) for found in _RANDOM.findall(part)]


def literals_of(secret: str) -> list[str]:
    """All texts that must be shown nowhere because of a secret: itself, and what looks like a key in it."""
    return [*secret_literals(secret), *random_parts(secret), *secrets_of(secret)]


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
