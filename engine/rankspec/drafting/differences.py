"""Where the body that a spec sends is not the one that was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rankspec.models import Json, Path


def differences(sent: Json, sends: Json, request: dict[str, Any]) -> list[str]:
    """The members that differ, each as its path without positions, sorted. `request` is the call in our terms."""
    count = len(request.get("documents", ()))
    found = {_told(path, was, now, count) for path, was, now in _differing(sent, sends, ())}
    return sorted(found)


_ABSENT = object()


def _differing(sent: Any, sends: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if isinstance(sent, dict) and isinstance(sends, dict):
        for name in sent.keys() | sends.keys():
            yield from _differing(sent.get(name, _ABSENT), sends.get(name, _ABSENT), (*path, name))
    elif isinstance(sent, list) and isinstance(sends, list) and len(sent) == len(sends):
        for position, (one, other) in enumerate(zip(sent, sends, strict=True)):
            yield from _differing(one, other, (*path, position))
    elif sent != sends:
        yield path, sent, sends


def _told(path: Path, was: Any, now: Any, count: int) -> str:
    where = ".".join(part for part in path if isinstance(part, str)) or "the whole body"
    is_cut = type(was) is type(now) is int and now == count < was
    return f"{where} ({now} for {was}, as there are no more documents)" if is_cut else where
