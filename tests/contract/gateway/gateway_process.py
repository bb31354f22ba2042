"""The gateway as users run it: `rankspec serve` in a process of its own, with a config file and an environment."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

START_SECONDS = 30.0
"""How long a start may take on a busy machine; a quiet one needs less than one."""

ANSWER_SECONDS = 30.0
STOP_SECONDS = 20.0

_URL = re.compile(r"http://127\.0\.0\.1:\d+")
_SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Reply:
    """What the gateway answered. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def own(self) -> dict[str, str]:
        """The headers that say what became of the request, without those that differ each time."""
        left_out = ("x-rankspec-cost-usd",)
        return {
            name.removeprefix("x-rankspec-"): text
            for name, text in self.headers.items()
            if name.startswith("x-rankspec-") and name not in left_out
        }


@dataclass(frozen=True)
class Sample:
    """One line of /metrics."""

    name: str
    labels: Mapping[str, str]
    value: float


class Gateway:
    """Runs while the `with` block does; killed by its id at the end, whatever happened.

    Args:
        folder: where config.yaml is written and the process runs.
        config: what the file says, or its text; None starts without a file.
        environ: all of its environment besides PATH and what keeps it from this user's files.
        arguments: the command line before --config.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any] | str | None,
        environ: Mapping[str, str] | None = None,
        arguments: Sequence[str] = ("serve", "--port", "0"),
    ) -> None:
        self.folder = folder
        self.file = folder / "config.yaml"
        self._command = [str(Path(sys.executable).with_name("rankspec")), *arguments]
        if config is not None:
            self.write(config)
            self._command += ["--config", str(self.file)]
        self._environ = plain_environment(folder) | dict(environ or {})
        self.log: list[str] = []
        self.url = ""

    def write(self, config: Mapping[str, Any] | str) -> None:
        """Replace the config file at once, as careful tools do."""
        text = config if isinstance(config, str) else as_yaml(config)
        beside = self.file.with_suffix(".new")
        beside.write_text(text)
        beside.replace(self.file)

    def __enter__(self) -> Self:
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self._command,
            cwd=self.folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read_log, name="gateway-log", daemon=True)
        self._reader.start()
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read_log(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line.rstrip("\n"))

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                self._reader.join(STOP_SECONDS)
                break
            found = next((match for line in list(self.log) if (match := _URL.search(line))), None)
            if found is not None:
                self.url = found[0]
                if self._is_ready():
                    return
            time.sleep(0.02)
        raise AssertionError(f"the gateway did not start: {self.text}")

    def _is_ready(self) -> bool:
        try:
            return self.get("/health/ready").status == 200
        except OSError:
            return False

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def text(self) -> str:
        """Everything that it wrote, stdout and stderr."""
        return "\n".join(self.log)

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """Its exit code after SIGTERM."""
        self.tell(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
        return code

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: Any, key: str | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Send a body, as JSON unless it is bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content-type": "application/json", **(headers or {})}
        if key is not None:
            given["authorization"] = f"Bearer {key}"
        return self.request("POST", path, data, given)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request over a connection of its own."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=ANSWER_SECONDS)
        try:
            connection.request(method, path, body, dict(headers or {}))
            reply = connection.getresponse()
            return Reply(reply.status, {name.lower(): text for name, text in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def samples(self, key: str | None = None) -> list[Sample]:
        """What /metrics says."""
        reply = self.get("/metrics", {"authorization": f"Bearer {key}"} if key else None)
        assert reply.status == 200, reply.body
        found = (_SAMPLE.fullmatch(line) for line in reply.body.decode().splitlines() if not line.startswith("#"))
        return [Sample(one[1], dict(_LABEL.findall(one[2] or "")), float(one[3])) for one in found if one]

    def metric(self, name: str, key: str | None = None, **labels: str) -> float:
        """The sum of the samples of that name with these labels."""
        return sum(one.value for one in self.samples(key) if one.name == name and labels.items() <= one.labels.items())


def plain_environment(folder: Path) -> dict[str, str]:
    """An environment without keys, proxies and files of the user who runs the tests."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class _Dumper(yaml.SafeDumper):
    """Writes no anchors, which our YAML does not have."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_yaml(config: Mapping[str, Any]) -> str:
    """The text of a config file."""
    return yaml.dump(dict(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
