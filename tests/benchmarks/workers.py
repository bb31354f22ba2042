"""Scripts that run in another Python, on the first CPU, and print one line of JSON for each line that they are sent."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from environments import HERE, environ, nowhere
from processes import SERVER_CPU, running

Ask = Callable[..., Any]


@contextmanager
def worker(python: str, script: str, *arguments: str, **told: str) -> Iterator[Ask]:
    """A function that sends the worker a call's arguments as JSON and gives what it answers.

    Args:
        script: its name in this folder.
        told: environment variables that it gets besides.
    """
    command = [python, str(HERE / script), *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": None, "cwd": nowhere()}
    with running(command, cpu=SERVER_CPU, environ=environ(**told), **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask(*values: Any) -> Any:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(values) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            assert line, f"{script} ended with {process.wait(10)}"
            return json.loads(line)

        yield ask
