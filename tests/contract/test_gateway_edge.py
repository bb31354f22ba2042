"""The gateway's server as a process: what callers do to connections, signals, reloads, sockets, workers.

These tests fail if those parts of uvicorn change that `rankspec.gateway.serving.protocol` relies on.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest
from loopback import Peer, Seen, Server, reply, wait_until

from rankspec.resources import data_folder

PATIENCE_SECONDS = 30.0
BODY = b'{"query":"paris","documents":["berlin","paris is in france"]}'
HEAD = b"POST /rerank HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
REQUEST = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
LIVE = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"
H2C = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQBAAAAAAIAAAAA\r\n"
LOCAL = "model_list: [{model_name: bm25, litellm_params: {model: local/bm25}}]\n"
COHERE_REPLY = {"id": "up", "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}


def upstream_config(url: str) -> str:
    entry = f"{{model_name: m, litellm_params: {{model: cohere/rerank-v3.5, api_key: k, api_base: '{url}'}}}}"
    return f"model_list: [{entry}]\n"


class Process:
    """`rankspec serve` while the `with` block runs. Its log is read all the time."""

    def __init__(self, folder: Path, config: str | None = LOCAL, *arguments: str, **popen: Any) -> None:
        self.file = folder / "config.yaml"
        command = [sys.executable, "-m", "rankspec", "serve", "--log", "json", *arguments]
        if config is not None:
            self.write(config)
            command += ["--config", str(self.file)]
        if not any(one in arguments for one in ("--port", "--uds", "--fd")):
            command += ["--port", "0"]
        popen = {"env": {**os.environ}, **popen}
        if "LISTEN_FDS" in popen["env"]:
            command = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *command]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **popen)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, name="gateway-log", daemon=True)

    def write(self, config: str) -> None:
        beside = self.file.with_suffix(".new")
        beside.write_text(config)
        beside.replace(self.file)

    def __enter__(self) -> Self:
        self._reader.start()
        wait_for(lambda: bool(self.events("started")) or self.process.poll() is not None)
        assert self.events("started"), self.lines
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def events(self, name: str) -> list[dict[str, Any]]:
        found = (json.loads(line) for line in list(self.lines) if line.startswith("{"))
        return [one for one in found if one["event"] == name]

    @property
    def port(self) -> int:
        return int(self.events("started")[0]["url"].rpartition(":")[2])

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.settimeout(PATIENCE_SECONDS)
        return connection

    def talk(self, *pieces: bytes, until: bytes | None = None) -> bytes:
        """Everything that comes for these pieces, sent one by one, until the connection ends or has said this."""
        with self.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.02)
            return read(connection, until)

    def get(self, path: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def models(self) -> list[str]:
        return [model["name"] for model in json.loads(self.get("/v1/models")[1])["models"]]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return code


def wait_for(claim: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not claim() and time.monotonic() < until:
        time.sleep(0.01)


def read(connection: socket.socket, until: bytes | None = None) -> bytes:
    data = b""
    with suppress(ConnectionResetError):
        while (until is None or until not in data) and (more := connection.recv(65536)):
            data += more
    return data


def replies(data: bytes) -> list[tuple[int, dict[str, str], Any]]:
    """The replies in what came over a connection: statuses, headers, and bodies from JSON."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        length = int(headers.get("content-length", "0"))
        found.append((int(first.split()[1]), headers, json.loads(data[:length] or b"null")))
        data = data[length:]
    return found


def statuses(data: bytes) -> list[int]:
    return [status for status, _, _ in replies(data)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One server for all tests that leave it as it was; its patience is short."""
    folder = tmp_path_factory.mktemp("gateway")
    with Process(folder, LOCAL, "--head-timeout", "0.5", "--keep-alive", "1") as process:
        yield process
        assert process.process.poll() is None
        assert process.stop() == 0
        assert not process.events("server"), "uvicorn told of an error"
        assert all(line.startswith("{") for line in process.lines)


def test_a_connection_is_kept_for_more_requests_and_closed_when_none_comes(server: Process) -> None:
    found = replies(server.talk(REQUEST, REQUEST, LIVE))
    assert [status for status, _, _ in found] == [200, 200, 200]
    assert [result["index"] for result in found[0][2]["results"]] == [1, 0]
    assert not any("connection" in headers for _, headers, _ in found)


def test_requests_in_one_piece_are_answered_in_order(server: Process) -> None:
    asked = [b"GET /health/live HTTP/1.1\r\nhost: x\r\nx-request-id: %d\r\n\r\n" % number for number in range(5)]
    found = replies(server.talk(b"".join(asked)))
    assert [headers["x-request-id"] for _, headers, _ in found] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello there\r\n\r\n",
        b"FROB / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\xc3\xa4 HTTP/1.1\r\nhost: x\r\n\r\n",
        HEAD + b"content-length: ten\r\n\r\n",
        HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\n",
        HEAD + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["TLS", "text", "method", "CONNECT", "HTTP/2", "URL", "length", "lengths", "length and chunks", "chunk"],
)
def test_what_is_no_http_is_refused_in_json(server: Process, data: bytes) -> None:
    ((status, headers, body),) = replies(server.talk(data))
    assert (status, headers["content-type"], headers["connection"]) == (400, "application/json", "close")
    assert body == {"message": "this is no request in HTTP/1.1 that can be read", "id": headers["x-request-id"]}


CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(BODY), BODY)


def test_what_follows_a_body_adds_nothing_to_the_head(server: Process) -> None:
    """Proxies in front look at the head alone."""
    last = b"0\r\ncontent-encoding: gzip\r\ncontent-type: text/plain\r\nx-request-id: late\r\n\r\n"
    ((status, headers, _), (live, _, _)) = replies(server.talk(CHUNKED + last + LIVE))
    assert (status, live) == (200, 200)
    assert headers["x-request-id"] != "late"


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (CHUNKED + b"0\r\n", b"a: b\r\n" * 100),
        (CHUNKED + b"0\r\na: ", b"b" * 600),
        (CHUNKED + b"1;a=", b"b" * 600),
    ],
    ids=["headers behind the body", "a header behind the body", "extension of a chunk"],
)
def test_a_body_that_goes_on_without_being_one_is_refused(server: Process, begin: bytes, more: bytes) -> None:
    ((status, headers, _),) = replies(server.talk(begin, *[more * 100] * 5))
    assert (status, headers["connection"]) == (400, "close")


def test_nonsense_behind_a_request_does_not_cost_its_answer(server: Process) -> None:
    ((status, headers, _),) = replies(server.talk(REQUEST + b"nonsense\r\n\r\n"))
    assert (status, headers["connection"]) == (200, "close")


def test_a_head_that_does_not_arrive_is_refused(server: Process) -> None:
    ((status, headers, body),) = replies(server.talk(b"POST /rerank HTTP/1.1\r\nhost:"))
    assert (status, headers["connection"]) == (408, "close")
    assert body["message"] == "the request's head did not arrive in time"
    assert statuses(server.talk(LIVE, b"GET /hea")) == [200, 408]


@pytest.mark.parametrize("pieces", [(), (b"\r\n\r\n",), (b"\r\n", b"\r\n")], ids=["silence", "blank lines", "apart"])
def test_a_connection_without_a_request_is_closed_without_a_word(server: Process, pieces: Sequence[bytes]) -> None:
    assert server.talk(*pieces) == b""


@pytest.mark.parametrize(
    "data",
    [
        b"GET /health/live HTTP/1.1\r\nx: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\n" + b"x: yyyyyyyyyy\r\n" * 10_000 + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nx: " + b"a" * 2_000_000,
    ],
    ids=["header", "headers", "URL", "without end"],
)
def test_a_head_that_is_too_large_is_refused(server: Process, data: bytes) -> None:
    ((status, headers, body),) = replies(server.talk(data))
    assert (status, headers["connection"]) == (431, "close")
    assert body["message"] == "the request's head is larger than 65536 bytes"


def test_a_large_head_is_taken(server: Process) -> None:
    assert statuses(server.talk(LIVE[:-2] + b"x: " + b"a" * 60_000 + b"\r\n\r\n")) == [200]


@pytest.mark.parametrize("size", [100_000, 5_000_000], ids=["some", "much"])
def test_a_body_that_is_refused_unread_does_not_spoil_the_connection(server: Process, size: int) -> None:
    head = b"POST /rerank HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n" % size
    assert statuses(server.talk(head + b"a" * size + LIVE)) == [415, 200]


@pytest.mark.parametrize(
    "framing",
    [
        lambda body: b"content-length: %d\r\n\r\n" % len(body) + body,
        lambda body: b"transfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
    ],
    ids=["length", "chunks"],
)
def test_a_body_that_is_too_large_is_refused_and_the_connection_stays(
    server: Process, framing: Callable[[bytes], bytes]
) -> None:
    found = replies(server.talk(HEAD + framing(b"a" * (64 * 1024 * 1024 + 1)) + LIVE))
    assert [status for status, _, _ in found] == [413, 200]
    assert found[0][2]["message"].startswith("the request's body is larger than 67108864 bytes")


def test_who_asks_before_sending_is_told_to_go_on_or_refused(server: Process) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(BODY))
        assert read(connection, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert statuses(read(connection)) == [200]
    refused = server.talk(HEAD + b"expect: 100-continue\r\ncontent-length: 999999999\r\n\r\n")
    assert [(status, headers["connection"]) for status, headers, _ in replies(refused)] == [(413, "close")]


@pytest.mark.parametrize("split", [0, 40, len(HEAD) + len(H2C) + 30, len(HEAD + H2C) + 60])
def test_the_offer_of_http_2_that_javas_client_makes_is_passed_over(server: Process, split: int) -> None:
    data = HEAD + H2C + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
    assert statuses(server.talk(data[:split], data[split:], LIVE[:-2] + H2C + b"\r\n", LIVE)) == [200, 200, 200]
    chunked = HEAD + H2C + b"transfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    assert statuses(server.talk(chunked + LIVE)) == [200, 200]


def test_a_compressed_body_is_read(server: Process) -> None:
    packed = gzip.compress(BODY)
    assert statuses(
        server.talk(HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed) + packed)
    ) == [200]


def test_an_old_client_is_answered_and_the_connection_ended(server: Process) -> None:
    ((status, headers, _),) = replies(server.talk(b"GET /health/live HTTP/1.0\r\n\r\n"))
    assert (status, headers["connection"]) == (200, "close")


def test_an_old_client_that_offers_another_protocol_is_answered_and_the_connection_ended(server: Process) -> None:
    ((status, headers, _),) = replies(server.talk(LIVE.replace(b"1.1", b"1.0")[:-2] + H2C + b"\r\n"))
    assert (status, headers["connection"]) == (200, "close")


def test_head_is_get_without_a_body(server: Process) -> None:
    head = server.talk(b"HEAD /docs HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert head.endswith(b"\r\n\r\n")
    assert b"content-length: 0" not in head


def test_a_body_that_does_not_arrive_is_refused(tmp_path: Path) -> None:
    with Process(tmp_path, LOCAL + "server: {body_timeout_seconds: 0.3}\n") as server:
        ((status, headers, _),) = replies(server.talk(HEAD + b"content-length: 100\r\n\r\n{"))
    assert (status, headers["connection"]) == (408, "close")


def test_when_the_caller_goes_away_the_call_to_the_provider_ends(tmp_path: Path) -> None:
    seconds: list[float | None] = []

    def watch(peer: Peer, seen: Seen) -> None:
        seconds.append(peer.seconds_until_client_closes())

    with Server(watch) as upstream:
        with Process(tmp_path, upstream_config(upstream.url)) as server:
            with server.connect() as connection:
                connection.sendall(REQUEST)
                wait_until(lambda: bool(upstream.seen))
            wait_for(lambda: bool(server.events("rerank")))
            wait_until(lambda: bool(seconds))
        (line,) = server.events("rerank")
    assert (line["status"], line["error"]) == (499, "CallerGone")
    assert seconds not in ([], [None])


class Gate:
    """A provider that answers when it is let."""

    def __init__(self) -> None:
        self.opened = threading.Event()

    def __call__(self, peer: Peer, seen: Seen) -> None:
        self.opened.wait(PATIENCE_SECONDS)
        with suppress(OSError):
            peer.send(reply(COHERE_REPLY))


def test_what_was_accepted_is_answered_before_the_server_stops(tmp_path: Path) -> None:
    gate = Gate()
    with Server(gate) as upstream, Process(tmp_path, upstream_config(upstream.url)) as server:
        port = server.port
        with server.connect() as waiting, server.connect() as idle:
            waiting.sendall(REQUEST)
            idle.sendall(LIVE)
            read(idle, b'"live"}')
            wait_until(lambda: bool(upstream.seen))
            server.process.send_signal(signal.SIGTERM)
            wait_for(lambda: is_refused(port))
            # A connection that is open takes one more request.
            idle.sendall(LIVE)
            ((status, headers, _),) = replies(read(idle))
            assert (status, headers["connection"]) == (200, "close")
            gate.opened.set()
            ((status, headers, body),) = replies(read(waiting))
        assert (status, headers["connection"], body["id"]) == (200, "close", "up")
        assert server.process.wait(PATIENCE_SECONDS) == 0
        assert [line["status"] for line in server.events("rerank")] == [200]


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass
    return False


def test_patience_with_requests_ends_with_an_answer(tmp_path: Path) -> None:
    gate = Gate()
    with Server(gate) as upstream, Process(tmp_path, upstream_config(upstream.url), "--grace", "1") as server:
        with server.connect() as waiting:
            waiting.sendall(REQUEST)
            wait_until(lambda: bool(upstream.seen))
            server.process.send_signal(signal.SIGTERM)
            ((status, headers, body),) = replies(read(waiting))
        assert (status, headers["connection"], headers["retry-after"]) == (503, "close", "1")
        assert body["message"] == "the gateway is stopping, please send the request again"
        assert server.process.wait(PATIENCE_SECONDS) == 0
        gate.opened.set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_signal_ends_it_at_once(tmp_path: Path, number: signal.Signals, workers: str) -> None:
    gate = Gate()
    with (
        Server(gate) as upstream,
        Process(tmp_path, upstream_config(upstream.url), "--workers", workers) as server,
        server.connect() as waiting,
    ):
        waiting.sendall(REQUEST)
        wait_until(lambda: bool(upstream.seen))
        server.process.send_signal(number)
        wait_for(lambda: is_refused(server.port))
        server.process.send_signal(number)
        assert server.process.wait(PATIENCE_SECONDS) == 1
        gate.opened.set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_ends_it_well(tmp_path: Path, number: signal.Signals, workers: str) -> None:
    with Process(tmp_path, LOCAL, "--workers", workers) as server:
        assert server.get("/health/ready")[0] == 200
        assert server.stop(number) == 0
        assert [json.loads(line)["event"] for line in server.lines] == ["started", "stopped"]


def test_the_start_is_told_in_one_line(tmp_path: Path) -> None:
    config = LOCAL + "general_settings: {master_key: sk-1234}\n"
    with Process(tmp_path, config) as server:
        (line,) = server.events("started")
    told = {name: line[name] for name in ("level", "models", "deployments", "key")}
    assert told == {"level": "info", "models": 1, "deployments": 1, "key": "needed"}
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", line["url"])
    assert "sk-1234" not in "".join(server.lines)


def test_being_open_to_other_machines_without_a_key_is_warned_of(tmp_path: Path) -> None:
    with Process(tmp_path, LOCAL, "--host", "0.0.0.0") as server:  # noqa: S104 - that is the point
        wait_for(lambda: bool(server.events("open_to_everyone")))
        assert [line["level"] for line in server.events("open_to_everyone")] == ["warning"]


def named(name: str) -> str:
    return LOCAL.replace("bm25,", f"{name},")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_config_that_changes_is_taken_over_and_a_bad_one_refused(tmp_path: Path, workers: str) -> None:
    with Process(tmp_path, named("one"), "--workers", workers) as server:
        assert server.models() == ["one"]
        server.write(named("two"))
        wait_for(lambda: len(server.events("reloaded")) == int(workers))
        assert server.models() == ["two"]
        server.write("model_list: [")
        wait_for(lambda: len(server.events("reload_refused")) == int(workers))
        refused = server.events("reload_refused")
        assert [(line["level"], len(line["findings"]) > 0) for line in refused] == [("error", True)] * int(workers)
        assert server.models() == ["two"]
        server.write(named("three"))
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(server.events("reloaded")) >= 2 * int(workers))
        assert server.models() == ["three"]
        assert server.stop() == 0


def test_a_folder_that_is_swapped_by_its_link_is_noticed(tmp_path: Path) -> None:
    """As Kubernetes updates the files of a config map."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(named(name))
    (tmp_path / "data").symlink_to("one")
    (tmp_path / "config.yaml").symlink_to("data/config.yaml")
    command = ["--config", str(tmp_path / "config.yaml")]
    with Process(tmp_path, None, *command) as server:
        assert server.models() == ["one"]
        (tmp_path / "new").symlink_to("two")
        (tmp_path / "new").rename(tmp_path / "data")
        wait_for(lambda: bool(server.events("reloaded")))
        assert server.models() == ["two"]


def test_a_spec_that_appears_is_taken_over(tmp_path: Path) -> None:
    specs = tmp_path / "specs"
    specs.mkdir()
    shipped = data_folder("provider_specs").joinpath("local.yaml").read_text()
    body = BODY.replace(b"{", b'{"model":"mine/bm25",', 1)
    asked = HEAD + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    with Process(tmp_path, "specs: [specs]\nmodel_list: [{model_name: '*', litellm_params: {model: '*'}}]\n") as server:
        assert statuses(server.talk(asked)) == [404]
        text = re.sub(r"(?m)^provider: local$", "provider: mine", shipped)
        (specs / "mine.yaml").write_text(re.sub(r"(?m)^aliases: .*\n", "", text))
        wait_for(lambda: bool(server.events("reloaded")))
        assert statuses(server.talk(asked)) == [200]


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    with Process(tmp_path, LOCAL, "--workers", "2") as server:
        before = children(server.process.pid)
        os.kill(before[0], signal.SIGKILL)
        wait_for(lambda: bool(server.events("worker_died")))
        assert [line["exit_code"] for line in server.events("worker_died")] == [-signal.SIGKILL]
        wait_for(lambda: len(children(server.process.pid)) == 2)
        assert statuses(server.talk(REQUEST, LIVE[:-2] + b"connection: close\r\n\r\n")) == [200, 200]
        assert server.stop() == 0


def children(process: int) -> list[int]:
    """The gateway's workers, by process id. Others that the library of processes starts are left out."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [one for one in map(int, found) if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


def test_workers_end_when_their_parent_has_died(tmp_path: Path) -> None:
    with Process(tmp_path, LOCAL, "--workers", "2") as server:
        workers = children(server.process.pid)
        server.process.kill()
        server.process.wait(PATIENCE_SECONDS)
        wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
        assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def test_workers_count_together(tmp_path: Path) -> None:
    with Process(tmp_path, LOCAL, "--workers", "2") as server:
        for _ in range(20):
            server.talk(REQUEST[:-2] + b"]}", until=b'"meta"')
        text = server.get("/metrics")[1].decode()
        assert 'rankspec_requests_total{dialect="cohere_v2",model="bm25",status="200"} 20.0' in text


@contextmanager
def listening(family: socket.AddressFamily = socket.AF_INET) -> Iterator[socket.socket]:
    with socket.socket(family) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


def test_a_socket_that_is_handed_over_is_listened_on(tmp_path: Path) -> None:
    with listening() as listener:
        arguments = ("--fd", str(listener.fileno()))
        with Process(tmp_path, LOCAL, *arguments, pass_fds=[listener.fileno()]) as server:
            assert server.port == listener.getsockname()[1]
            assert server.get("/health/ready")[0] == 200


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_socket_of_systemd_is_listened_on(tmp_path: Path, workers: str) -> None:
    with listening() as listener:

        def hand_over() -> None:
            os.dup2(listener.fileno(), 3)

        environ = {**os.environ, "LISTEN_FDS": "1"}
        popen: dict[str, Any] = {"env": environ, "pass_fds": [3, listener.fileno()], "preexec_fn": hand_over}
        with Process(tmp_path, LOCAL, "--workers", workers, **popen) as server:
            assert server.port == listener.getsockname()[1]
            assert server.get("/health/ready")[0] == 200
            assert server.stop() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_unix_socket_is_listened_on_and_removed(tmp_path: Path, workers: str) -> None:
    path = tmp_path / "gateway.sock"
    with socket.socket(socket.AF_UNIX) as leftover:
        leftover.bind(str(path))
    with Process(tmp_path, LOCAL, "--uds", str(path), "--workers", workers) as server:
        assert server.events("started")[0]["url"] == f"unix:{path}"
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE_SECONDS)
            connection.connect(str(path))
            connection.sendall(LIVE[:-2] + b"connection: close\r\n\r\n")
            assert statuses(read(connection)) == [200]
        assert server.stop() == 0
    assert not path.exists()


def test_a_unix_socket_of_a_successor_stays_when_the_predecessor_ends(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    gate = Gate()
    with (
        Server(gate) as upstream,
        Process(tmp_path, upstream_config(upstream.url), "--uds", str(path)) as first,
        socket.socket(socket.AF_UNIX) as waiting,
    ):
        waiting.connect(str(path))
        waiting.sendall(REQUEST)
        wait_until(lambda: bool(upstream.seen))
        first.process.send_signal(signal.SIGTERM)
        wait_for(lambda: is_deaf(path))
        with Process(tmp_path, LOCAL, "--uds", str(path)) as second:
            gate.opened.set()
            assert first.process.wait(PATIENCE_SECONDS) == 0
            assert path.exists()
            assert second.stop() == 0
    assert not path.exists()


def is_deaf(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) != 0


def test_a_signal_to_reload_does_not_end_a_worker_that_starts(tmp_path: Path) -> None:
    with Process(tmp_path, LOCAL, "--workers", "2") as server:
        os.kill(children(server.process.pid)[0], signal.SIGKILL)
        wait_for(lambda: bool(server.events("worker_died")))
        for _ in range(60):
            server.process.send_signal(signal.SIGHUP)
            time.sleep(0.05)
        wait_for(lambda: len(children(server.process.pid)) == 2)
        assert server.stop() == 0
    assert [line["exit_code"] for line in server.events("worker_died")] == [-signal.SIGKILL]


def test_connections_beyond_half_of_the_descriptors_are_refused(tmp_path: Path) -> None:
    """The other half is for connections to providers, files and the log."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 80))

    with Process(tmp_path, LOCAL, preexec_fn=limit) as server:
        with ExitStack() as open_ones:
            for _ in range(40):
                connection = open_ones.enter_context(server.connect())
                connection.sendall(LIVE)
                read(connection, b'"live"}')
            ((status, headers, body),) = replies(server.talk(b""))
            assert (status, headers["connection"], headers["retry-after"]) == (503, "close", "1")
            assert body["message"] == "the gateway has no room for another connection, please try again later"
            connection.sendall(REQUEST)
            assert read(connection, b'"meta"').startswith(b"HTTP/1.1 200 OK")
            assert replies(server.talk(b""))[0][0] == 503
        assert statuses(server.talk(LIVE[:-2] + b"connection: close\r\n\r\n")) == [200]
        assert [line["message"] for line in server.events("server")] == [
            "there are 40 connections: further ones are refused"
        ]


def test_two_gateways_share_a_port_so_that_one_replaces_the_other(tmp_path: Path) -> None:
    with Process(tmp_path, LOCAL, "--reuse-port") as first:
        port = str(first.port)
        with Process(tmp_path, LOCAL, "--reuse-port", "--port", port) as second:
            assert first.stop() == 0
            assert second.get("/health/ready")[0] == 200
