"""Where the shipped specs and schemas lie. The only module that knows; nothing else opens package data."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any


@cache
def data_folder(name: str) -> Traversable:
    """The folder of shipped data: inside the installed package, or two folders above it in a checkout.

    Args:
        name: "provider_specs" or "schemas".

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    package = files("rankspec")
    for folder in (package.joinpath(name), package.joinpath("..", "..", name)):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"rankspec is installed without its {name}: install it again")


def read_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of that name, such as "rerank_request"."""
    text = data_folder("schemas").joinpath(f"{name}.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def shipped_specs() -> dict[str, Traversable]:
    """The shipped spec files by provider name."""
    return {
        entry.name.removesuffix(".yaml"): entry
        for entry in data_folder("provider_specs").iterdir()
        if entry.name.endswith(".yaml")
    }
