"""Where the shipped specs and schemas lie. The only module that knows; nothing else opens package data."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


@cache
def data_folder(name: str) -> Traversable:
    """The folder of shipped data: inside the installed package, or two folders above it in a checkout.

    Args:
        name: "provider_specs" or "schemas".

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    package = _package()
    for folder in (package.joinpath(name), package.joinpath("..", "..", name)):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"rankspec is installed without its {name}: install it again")


def _package() -> Traversable:
    folder = Path(__file__).parent
    if folder.is_dir():
        return folder
    # In a zip archive. Importing this takes a sixth as long as importing requests, and hardly anyone needs it.
    from importlib.resources import files

    return files("rankspec")


def read_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of that name, such as "rerank_request"."""
    schema: dict[str, Any] = orjson.loads(data_folder("schemas").joinpath(f"{name}.schema.json").read_bytes())
    return schema


def shipped_specs() -> dict[str, Traversable]:
    """The shipped spec files by provider name."""
    return {
        entry.name.removesuffix(".yaml"): entry
        for entry in data_folder("provider_specs").iterdir()
        if entry.name.endswith(".yaml")
    }
