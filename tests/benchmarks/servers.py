"""The contenders of the gateway's benchmarks, started as their users start them, each on the first CPU."""

from __future__ import annotations

import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import environments
from payloads import KEY, as_http, asked, body, cohere_reply
from processes import OTHER_CPU, SERVER_CPU, running, started, wait_until

START_SECONDS = 90.0
POLL_SECONDS = 0.01
MODEL = "rerank-v3.5"

_CONFIG = """\
model_list:
  - model_name: {model}
    litellm_params: {{model: cohere/rerank-v3.5, api_base: "{upstream}", api_key: key}}
general_settings: {{master_key: {key}}}
"""
"""For both gateways: rankspec reads LiteLLM's files."""

_NGINX = """\
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 64m;
  client_body_buffer_size 2m;
  proxy_buffers 16 16k;
  keepalive_requests 1000000;
  upstream provider {{ server {upstream}; keepalive 256; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location / {{ proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""


@dataclass(frozen=True)
class Provider:
    """Answers requests for so many documents."""

    url: str
    count: int


@dataclass(frozen=True)
class Server:
    """A contender that answers, and how long it took from its command to its first 200."""

    pid: int
    url: str
    start_seconds: float = 0.0


Maker = Callable[[Provider, Path], AbstractContextManager[Server]]
"""What starts a contender in front of a provider, with a folder for its files."""


@contextmanager
def upstream(count: int, folder: Path, *, delay_ms: int = 0) -> Iterator[Provider]:
    """The provider in C on the second CPU: Cohere's reply for so many documents."""
    file = folder / f"reply-{time.monotonic_ns()}"
    file.write_bytes(as_http(cohere_reply(count)))
    command = [environments.mock_upstream(), str(file), str(delay_ms)]
    with started(command, cpu=OTHER_CPU) as (_, port):
        yield Provider(f"http://127.0.0.1:{port}", count)


@contextmanager
def gateway(provider: Provider, folder: Path) -> Iterator[Server]:
    """rankspec's gateway; its log is written and thrown away."""
    config, port = _config(provider, folder), _free_port()
    command = [environments.rankspec_command(), "serve", "--config", str(config), "--port", str(port)]
    with _answering(command, port, provider, folder / "rankspec.log", {}) as server:
        yield server


@contextmanager
def litellm(provider: Provider, folder: Path) -> Iterator[Server]:
    """LiteLLM's proxy, stock. Spared: looking on the network for prices, which takes seconds where there is none.

    Raises:
        Missing: it cannot be installed.
    """
    config, port = _config(provider, folder), _free_port()
    command = [environments.litellm_command(), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    told = {
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    with _answering(command, port, provider, folder / "litellm.log", told) as server:
        yield server


@contextmanager
def nginx(provider: Provider, folder: Path) -> Iterator[Server]:
    """Debian's nginx with `proxy_pass`, one worker, connections to the provider kept.

    Raises:
        Missing: it is not installed.
    """
    port, file = _free_port(), folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    address = provider.url.removeprefix("http://")
    file.write_text(_NGINX.format(user=user, folder=folder, upstream=address, port=port))
    command = [environments.nginx(), "-c", str(file), "-p", str(folder), "-e", str(folder / "nginx.log")]
    with _answering(command, port, provider, folder / "nginx.out", {}) as server:
        yield server


@contextmanager
def pass_through(form: str, provider: Provider) -> Iterator[Server]:
    """A gateway that does nothing. `form` is json or bytes."""
    script = environments.HERE / "pass_through.py"
    command = [environments.rankspec_python(), str(script), form, f"{provider.url}/v2/rerank"]
    with started(command, cpu=SERVER_CPU, environ=environments.environ()) as (pid, url):
        yield Server(pid, f"{url}/v2/rerank")


@contextmanager
def _answering(command: list[str], port: int, provider: Provider, log: Path, told: dict[str, str]) -> Iterator[Server]:
    probe = body(asked(provider.count, 20, model=MODEL))
    began = time.perf_counter()
    with running(
        command, cpu=SERVER_CPU, environ=environments.environ(**told), log=log, cwd=environments.nowhere()
    ) as process:
        url = f"http://127.0.0.1:{port}/v2/rerank"
        try:
            wait_until(lambda: _answers(url, probe), process, seconds=START_SECONDS, step=POLL_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{command[0]} {error}: {log.read_text()[-1000:]}") from None
        yield Server(process.pid, url, time.perf_counter() - began)


def _answers(url: str, probe: bytes) -> bool:
    """Whether a ranking is answered with 200."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    request = urllib.request.Request(url, probe, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(urllib.error.HTTPError, OSError), opener.open(request, timeout=20) as reply:
        return bool(reply.status == 200)
    return False


def _config(provider: Provider, folder: Path) -> Path:
    file = folder / "config.yaml"
    file.write_text(_CONFIG.format(model=MODEL, upstream=provider.url, key=KEY))
    return file


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
