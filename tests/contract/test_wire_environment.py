"""What the environment may change: proxies and certificates, alike for every client; .netrc never."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from callers import CALLERS, KEY, Caller, failure_of
from loopback import Peer, Seen, Server, broken, refusing_host, reply

from rankspec import ConnectFailed, ProviderUnavailable, TransportError

GOOD = reply({"id": "r-1", "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]})
CHECK = "; check the address and the network"


def call(base: str, **others: Any) -> dict[str, Any]:
    """The arguments of a call to an address."""
    given = {"model": "cohere/rerank-v3.5", "query": "q", "documents": ["a", "b"], "api_key": KEY}
    return {**given, "api_base": base, "timeout": 5, "max_retries": 0, **others}


def test_netrc_is_not_used(caller: Caller, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = "machine 127.0.0.1 login other password other\ndefault login other password other\n"
    for name in ("netrc", ".netrc", "_netrc"):
        (tmp_path / name).write_text(netrc)
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with Server(GOOD) as server:
        caller.rerank(**call(server.url))
        assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"


def test_netrc_is_not_used_without_a_key(caller: Caller, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("default login other password other\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    results = [{"index": 1, "score": 0.9}, {"index": 0, "score": 0.1}]
    with Server(reply(results)) as server:
        caller.rerank(**call(server.url, model="huggingface", api_key=None))
        assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_of_the_environment_is_used(caller: Caller, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(GOOD) as proxy:
        monkeypatch.setenv(name, proxy.url)
        assert caller.rerank(**call("http://provider.invalid/base?a=b")).id == "r-1"
        (seen,) = proxy.seen
        assert seen.target == "http://provider.invalid/base/v2/rerank?a=b"
        assert seen.headers["host"] == "provider.invalid"
        assert seen.headers["authorization"] == f"Bearer {KEY}"
        assert "proxy-authorization" not in seen.headers


def test_a_proxy_without_a_scheme_is_used(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(GOOD) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.host)
        assert caller.rerank(**call("http://provider.invalid")).id == "r-1"


def test_the_proxys_own_password_is_sent_to_it(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(GOOD) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://us%40er:pa%3Ass@{proxy.host}")
        caller.rerank(**call("http://provider.invalid"))
        written = b64encode(b"us@er:pa:ss").decode()
        assert proxy.seen[0].headers["proxy-authorization"] == f"Basic {written}"


NO_PROXY = {
    "127.0.0.1": "direct",
    "*": "direct",
    "127.0.0.0/8": "direct",
    "other.example, 127.0.0.1": "direct",
    "localhost": "proxied",
    "other.example": "proxied",
    "128.0.0.0/8": "proxied",
    "": "proxied",
}


@pytest.mark.parametrize("listed", NO_PROXY)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_what_needs_no_proxy_gets_none(caller: Caller, name: str, listed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(GOOD) as proxy, Server(GOOD) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv(name, listed)
        caller.rerank(**call(server.url))
        used = {"direct": (0, 1), "proxied": (1, 0)}[NO_PROXY[listed]]
        assert (len(proxy.seen), len(server.seen)) == used


@pytest.mark.parametrize(
    ("host", "listed", "is_direct"),
    [
        ("localhost", "localhost", True),
        ("localhost", "127.0.0.1", False),
        ("a.provider.invalid", "provider.invalid", True),
        ("a.provider.invalid", ".provider.invalid", True),
        ("aprovider.invalid", ".provider.invalid", False),
        ("provider.invalid", "provider.invalid:{port}", True),
        ("provider.invalid", "provider.invalid:1", False),
    ],
)
def test_names_that_need_no_proxy_are_read_alike(
    caller: Caller, host: str, listed: str, is_direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(GOOD) as proxy, Server(GOOD) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", listed.format(port=server.port))
        base = f"http://{host}:{server.port}"
        if is_direct and host != "localhost":
            failure_of(caller, ConnectFailed, **call(base))  # There is no such host: nobody was asked for it.
        else:
            assert caller.rerank(**call(base)).id == "r-1"
        assert len(proxy.seen) == (0 if is_direct else 1)


def test_a_proxy_that_refuses_is_told(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://user:secret-of-proxy@{refusing_host()}")
    error = failure_of(caller, ConnectFailed, **call("http://provider.invalid"))
    assert str(error) == f"the connection to provider.invalid could not be made: Connection refused{CHECK}"
    assert "secret-of-proxy" not in f"{error!r} {error.__cause__!r} {error.__cause__}"


@pytest.mark.parametrize(
    "answer", ["HTTP/1.1 407 Who are you\nContent-Length: 0\n\n", "HTTP/1.1 502 No\n\n", "no\n\n", ""]
)
def test_a_proxy_that_opens_no_tunnel_is_told(caller: Caller, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(broken(answer)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = failure_of(caller, ConnectFailed, **call("https://provider.invalid"))
        assert str(error) == (
            f"the connection to provider.invalid could not be made: the proxy does not let it through{CHECK}"
        )
        (seen,) = proxy.seen
        assert (seen.method, seen.target) == ("CONNECT", "provider.invalid:443")
        assert KEY not in f"{seen.headers}"


def test_an_error_page_of_a_proxy_is_an_error(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(reply("<html>", 504, {"Content-Type": "text/html"})) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        failure_of(caller, ProviderUnavailable, **call("http://provider.invalid"))


@pytest.mark.parametrize("proxy", ["http://", "://", "gopher://127.0.0.1:1", "http://[", "socks9://127.0.0.1:1"])
def test_a_proxy_that_cannot_be_one_is_our_error(caller: Caller, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    failure_of(caller, ConnectFailed, **call(f"http://{refusing_host()}"))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificate of an authority, `ca.pem`, and what it signed for 127.0.0.1, `leaf.*`."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make certificates")
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "leaf.ext").write_text(
        "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n"
        "extendedKeyUsage=serverAuth\n"
    )
    new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    for command in (
        f"req -x509 {new_key} -keyout ca.key -out ca.pem -days 30 -subj /CN=loopback-authority -addext keyUsage=keyCertSign",
        f"req {new_key} -keyout leaf.key -out leaf.csr -subj /CN=127.0.0.1",
        "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.pem -days 30 -extfile leaf.ext",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def tls(authority: Path) -> ssl.SSLContext:
    """What a server for 127.0.0.1 needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "leaf.pem", authority / "leaf.key")
    return context


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_certificates_of_the_environment_are_trusted(
    caller: Caller, name: str, tls: ssl.SSLContext, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, str(authority / "ca.pem"))
    with Server(GOOD, tls=tls) as server:
        for _ in range(2):
            assert caller.rerank(**call(server.url)).id == "r-1"
        assert server.connections == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_certificate_that_is_not_trusted_or_for_another_host_is_refused(
    caller: Caller, host: str, tls: ssl.SSLContext, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if host == "localhost":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority / "ca.pem"))
    with Server(GOOD, tls=tls) as server:
        error = failure_of(caller, ConnectFailed, **call(f"https://{host}:{server.port}"))
        assert str(error) == (
            f"the connection to {host}:{server.port} could not be made: the server's certificate is not accepted "
            f"(REQUESTS_CA_BUNDLE may name a file of those to trust){CHECK}"
        )
        assert server.seen == []


def test_a_server_without_tls_is_told(caller: Caller) -> None:
    def answer_plainly(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 400 The plain HTTP request was sent to HTTPS port\r\n\r\n")
        peer.pause(0.1)
        peer.close()

    with Server(on_connect=answer_plainly) as server:
        error = failure_of(caller, ConnectFailed, **call(f"https://{server.host}"))
        assert str(error) == (f"the connection to {server.host} could not be made: TLS could not be agreed on{CHECK}")


def test_a_server_with_tls_that_is_called_without_is_told(caller: Caller) -> None:
    def refuse(peer: Peer, seen: Seen) -> None:
        peer.send(b"\x15\x03\x03\x00\x02\x02\x0a")
        peer.close()

    with Server(refuse) as server:
        failure_of(caller, TransportError, **call(server.url))


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_file_of_certificates_that_is_not_there_is_our_error(
    caller: Caller, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, str(tmp_path / "none.pem"))
    with Server(GOOD) as server:
        error = failure_of(caller, ConnectFailed, **call(server.url))
        assert str(error) == f"there is no file of certificates at {tmp_path / 'none.pem'}; correct {name}, or unset it"
        assert error.provider == "cohere"
    # What runs in this process needs none.
    assert caller.rerank(model="local/bm25", query="q", documents=["a"]).results


def test_a_file_of_certificates_that_holds_none_is_our_error(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").write_text("no certificate\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
    with Server(GOOD) as server:
        failure_of(caller, ConnectFailed, **call(f"https://{server.host}"))


def test_a_folder_of_certificates_does_not_stop_a_call(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: Path
) -> None:
    shutil.copy(authority / "ca.pem", tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    with Server(GOOD) as server:
        assert caller.rerank(**call(server.url)).id == "r-1"


@pytest.mark.parametrize("kind", CALLERS)
def test_the_environment_is_read_when_a_client_is_first_used(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = CALLERS[kind]()
    with Server(GOOD) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert caller.rerank(**call("http://provider.invalid")).id == "r-1"
    caller.close()
