"""`rankspec serve`: what it says when it cannot start, and that it can be started in several ways."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rankspec.cli import main

PATIENCE_SECONDS = 30
LOCAL = "model_list: [{model_name: bm25, litellm_params: {model: local/bm25}}]\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def started(*arguments: str, **environ: str) -> dict[str, Any]:
    """What the log says of the start; the server is stopped then, and must end well."""
    command = [sys.executable, "-m", "rankspec", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environ})
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)
    found: dict[str, Any] = json.loads(line)
    assert (process.returncode, found["event"], json.loads(rest)["event"]) == (0, "started", "stopped")
    return found


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "config.yaml"
    file.write_text(LOCAL)
    return str(file)


@pytest.mark.parametrize(
    "arguments",
    [["serve", "--config", "FILE", "--port", "0"], ["--config", "FILE", "--port", "0"], ["--port", "0", "-c", "FILE"]],
    ids=["serve", "no command", "no command, and the port first"],
)
def test_a_config_is_served(arguments: list[str], config: str) -> None:
    told = started(*[config if one == "FILE" else one for one in arguments])
    assert (told["models"], told["deployments"], told["key"]) == (1, 1, "not needed")


def test_without_a_config_providers_whose_keys_are_set_are_served_and_local() -> None:
    told = started("serve", "--port", "0", COHERE_API_KEY="k", JINA_API_KEY="k")
    assert (told["deployments"] >= 3, told["key"]) == (True, "not needed")


def test_a_config_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = run("serve", "--config", "missing.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == ("missing.yaml:1:1: error: cannot be read: No such file or directory [yaml-unreadable]\n")


def test_everything_that_is_wrong_with_a_config_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("model_list:\n- {model_name: 7, litellm_params: {model: cohere/x}}\n- {model_name: b}\n")
    for arguments in (["--config", str(file)], ["serve", "-c", str(file), "-w", "2"]):
        result = run(*arguments)
        assert result.exit_code == 1
        assert result.stderr.count("error: ") >= 2


def test_a_missing_key_refuses_the_start_and_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    entry = "{model_name: a, litellm_params: {model: cohere/rerank-v3.5, api_key: os.environ/MY_COHERE_KEY}}"
    file.write_text(LOCAL + f"- {entry}\n" if LOCAL.endswith("]") else f"model_list: [{entry}]\n")
    result = run("--config", str(file))
    assert (result.exit_code, "MY_COHERE_KEY" in result.stderr) == (1, True)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_that_is_taken_is_told(config: str, workers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--config", config, "--port", str(port), "--workers", workers)
    expected = f"rankspec: 127.0.0.1:{port} cannot be listened on: Address already in use\n"
    assert (result.exit_code, result.stderr) == (1, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "no such host"], "rankspec: no such host:4000 cannot be listened on: Name or service not known\n"),
        (["--fd", "987"], "rankspec: file descriptor 987 cannot be listened on: Bad file descriptor\n"),
        (["--uds", "missing/socket"], "rankspec: missing/socket cannot be listened on: No such file or directory\n"),
        (["--uds", "config.yaml"], "rankspec: config.yaml cannot be listened on: it is a file, and no socket\n"),
    ],
    ids=["host", "file descriptor", "path", "file"],
)
def test_what_cannot_be_listened_on_is_told(config: str, arguments: list[str], message: str) -> None:
    result = run("serve", "--config", config, *arguments)
    assert (result.exit_code, result.stderr) == (1, message)
    assert Path(config).read_text() == LOCAL


def test_a_worker_that_cannot_start_stops_everything_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "model_list: [{model_name: a, litellm_params: {model: bedrock/cohere.rerank-v3-5:0}}]\n", encoding="utf-8"
    )
    result = run("--config", str(file), "--port", "0", "--workers", "2")
    told = [line for line in result.stderr.splitlines() if "AWS_REGION" in line]
    assert (result.exit_code, result.stdout, len(told)) == (1, "", 1)


def test_rankspec_alone_still_shows_what_it_can_do() -> None:
    assert "serve" in run("--help").stdout
    assert "--config FILE" in run("serve", "--help").stdout
