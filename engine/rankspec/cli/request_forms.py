"""A request as people read it: JSON, and a curl command line that takes the key from the environment."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

import orjson

from rankspec.auth import Authenticator
from rankspec.binding import Binding
from rankspec.models import HttpRequest

_PLACEHOLDER = re.compile(r"<([a-z_]+)>")


def as_dict(request: HttpRequest) -> dict[str, Any]:
    """The request as JSON has it, its body decoded."""
    return {
        "method": request.method,
        "url": request.url,
        "headers": dict(request.headers),
        "body": orjson.loads(request.body),
    }


def curl_line(binding: Binding, model: str | None, request: HttpRequest) -> str | None:
    """The command line, or None for a request that stays inside this process.

    Args:
        binding: the spec as the request was made with it, with placeholders.
        model: the model of the call.
    """
    if not request.url.startswith("http"):
        return None
    authenticator = binding.authenticator(model)
    own_options: list[str] = []
    own_headers: set[str] = set()
    variables: dict[str, str] = {}
    if authenticator is not None:
        own_options, own_headers = authenticator.curl(binding.scope(model))
        variables = _variables(authenticator)
    words = ["curl", "-X", request.method, request.url, *own_options]
    for name, value in request.headers.items():
        if name.lower() not in own_headers:
            words += ["-H", f"{name}: {value}"]
    words += ["--data-raw", request.body.decode()]
    return " ".join([*(_quoted(word, variables) for word in words[:-1]), shlex.quote(words[-1])])


def _variables(authenticator: Authenticator) -> dict[str, str]:
    """The environment variable that stands for each secret."""
    return {secret.name: secret.env[0] for secret in authenticator.secrets}


def _quoted(word: str, variables: Mapping[str, str]) -> str:
    """The word for a shell; `<key>` becomes the variable that holds the key."""
    parts = _PLACEHOLDER.split(word)
    if len(parts) == 1 or not variables.keys() & set(parts[1::2]):
        return shlex.quote(word)
    quoted = ""
    for position, part in enumerate(parts):
        if position % 2 == 0:
            quoted += shlex.quote(part) if part else ""
        else:
            quoted += f'"${variables[part]}"' if part in variables else shlex.quote(f"<{part}>")
    return quoted
