"""The page for people: one small file that needs nothing else, and that a real browser runs under its policy."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rankspec.catalog import Catalog
from rankspec.gateway.description.docs_page import docs_page
from rankspec.gateway.description.models_page import models_page
from rankspec.gateway.description.openapi import openapi_document
from rankspec.gateway.values import DeploymentConfig, GatewayConfig

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PAGE = docs_page().body.decode()


def test_the_page_is_small_and_loads_nothing_from_elsewhere() -> None:
    assert len(docs_page().body) < 30_000
    assert not re.findall(r"https?://|//[a-z]+\.", PAGE.replace("// ", ""))
    assert not re.findall(r"<(?:script|img|iframe)[^>]+src|@import|\burl\(", PAGE)


def test_what_comes_from_elsewhere_is_never_read_as_markup() -> None:
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser", PAGE)


def test_the_policy_lets_the_page_run_its_own_script_and_talk_to_its_own_server_alone() -> None:
    policy = dict(part.strip().split(" ", 1) for part in docs_page().headers["content-security-policy"].split(";"))

    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", policy.pop("script-src"))
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", policy.pop("style-src"))
    assert policy == {
        "default-src": "'none'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


def test_every_control_has_a_name() -> None:
    controls = re.findall(r"<(?:input|select|textarea)[^>]*\bid=\"([^\"]+)\"([^>]*)", PAGE)
    named = set(re.findall(r"<label[^>]*\bfor=\"([^\"]+)\"", PAGE))
    wrapped = set(re.findall(r"<label[^>]*><input id=\"([^\"]+)\"", PAGE))

    assert controls
    assert {name for name, rest in controls if "aria-label" not in rest} == (named | wrapped)


@contextmanager
def a_server() -> Iterator[str]:
    """The page with what it reads, on loopback."""
    config = GatewayConfig(
        (DeploymentConfig("l", "plain", "local/bm25"), DeploymentConfig("c", "cohere/*", "cohere/*"))
    )
    catalog = Catalog(environ={})
    page = docs_page()
    replies = {
        "/docs": (page.headers, page.body),
        "/openapi.json": ({"content-type": "application/json"}, openapi_document(config, catalog, "1.2.3")),
        "/v1/models": ({"content-type": "application/json"}, json.dumps(models_page(config, catalog)).encode()),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers, body = replies.get(self.path, ({}, b""))
            self.send_response(200 if body else 404)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *parts: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(timeout=10)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_browser_shows_models_and_operations(tmp_path: Path) -> None:
    with a_server() as base:
        command = [
            str(BROWSER),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path}",
            "--virtual-time-budget=10000",
            "--dump-dom",
            f"{base}/docs",
        ]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout

    assert '<span id="version" class="soft">1.2.3</span>' in shown
    for path in ("/v2/rerank", "/v1/models/{model}", "/health/ready", "/metrics"):
        assert f"<code>{path}</code>" in shown
    assert '<option value="plain">plain</option>' in shown
    assert '<option value="cohere/rerank-v3.5">' in shown
    assert "client = cohere.ClientV2(" in shown
    assert f"curl '{base}/v2/rerank'" in shown
