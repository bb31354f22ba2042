"""A first call and a listing with a folder of many specs. Each needs a process of its own: the second is cheaper."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from typing import Any

opened: list[str] = []


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and str(arguments[0]).endswith(".yaml"):
        opened.append(str(arguments[0]))


def first_call(folder: str, name: str) -> dict[str, float]:
    """CPU of making a client and a call that finds no server, and how many specs were compiled and opened for it."""
    from rankspec import Client, ConnectFailed, catalog, specs
    from rankspec.transports import requests_transport  # noqa: F401 - its import is no part of this

    with suppress(ConnectFailed), Client() as plain:
        plain.rerank("cohere/rerank-v3.5", "q", ["a"], api_base="http://127.0.0.1:1", api_key="k", max_retries=0)
    compiled: list[str] = []
    load_spec = specs.load_spec

    def noted(text: str, file: str, *values: Any, **named: Any) -> Any:
        compiled.append(file)
        return load_spec(text, file, *values, **named)

    specs.load_spec = noted
    if hasattr(catalog, "load_spec"):
        catalog.load_spec = noted
    opened.clear()
    before = time.thread_time()
    with suppress(ConnectFailed), Client(specs=[folder]) as client:
        client.rerank(f"{name}/m", "q", ["a"], api_base="http://127.0.0.1:1", api_key="k", max_retries=0)
    return {"ms": (time.thread_time() - before) * 1000, "compiled": len(compiled), "opened": len(opened)}


def listing(folder: str) -> dict[str, float]:
    """CPU that the command takes in a process that has imported what it needs."""
    from click.testing import CliRunner

    from rankspec.cli import main

    CliRunner().invoke(main, ["providers", "local"])
    before = time.process_time()
    done = CliRunner().invoke(main, ["providers", "--specs", folder])
    assert done.exit_code == 0, done.output
    return {"ms": (time.process_time() - before) * 1000, "lines": len(done.output.splitlines())}


if __name__ == "__main__":
    sys.addaudithook(_note)
    what, *values = sys.argv[1:]
    print(json.dumps({"first_call": first_call, "listing": listing}[what](*values)))
