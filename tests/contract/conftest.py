"""Every client for every test, and no key in any log of any of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from callers import CALLERS, SECRET_FORMS, Caller

from rankspec.catalog import Catalog

CATALOG = Catalog(environ={})


@pytest.fixture(params=CALLERS)
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    """A client of each kind in turn."""
    made = CALLERS[request.param]()
    made.client.catalog = CATALOG  # Loading a spec takes longer than most of these tests.
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_key_in_logs(caplog: pytest.LogCaptureFixture, _plain_environment: None) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    for secret in SECRET_FORMS:
        assert secret not in caplog.text


@pytest.fixture(autouse=True)
def _no_certificates_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def query_key_spec(tmp_path: Path) -> str:
    """The file of a spec whose key goes into the query, and whose errors come in several shapes."""
    file = tmp_path / "query_key.yaml"
    file.write_text(
        """
spec_version: 2
provider: query_key
title: Query key
extends: cohere
documentation: [{title: None, url: "https://query.example/", read: "2026-11-20"}]
auth: {kind: query, name: the key, key: {env: [QUERY_API_KEY]}}
errors:
  message: [error.message, message, "detail[0].msg"]
  code: [error_code]
  in_success: error_code
"""
    )
    return str(file)
