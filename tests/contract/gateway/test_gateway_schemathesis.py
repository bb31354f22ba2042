"""Schemathesis over /openapi.json against the real process: what it makes up from the document finds nothing.

RANKSPEC_SCHEMATHESIS_EXAMPLES asks for more of them for each operation, and RANKSPEC_SCHEMATHESIS_SEED for others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fleet import GATEWAY_KEY
from gateway_process import Gateway, plain_environment
from upstreams import upstream

EXAMPLES = os.environ.get("RANKSPEC_SCHEMATHESIS_EXAMPLES", "15")
SEED = os.environ.get("RANKSPEC_SCHEMATHESIS_SEED", "1")
RUN_SECONDS = 3600


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a key and a model of each kind that its description tells apart."""
    with ExitStack() as stack:
        cohere, jina = (stack.enter_context(upstream(name)) for name in ("cohere", "jina_ai"))
        config = {
            "model_list": [
                cohere.entry("rerank-v3.5"),
                jina.entry("jina/*", "*"),
                {"model_name": "local", "litellm_params": {"model": "local/bm25"}},
            ],
            "general_settings": {"master_key": GATEWAY_KEY},
        }
        environ = cohere.variables | jina.variables
        gateway = stack.enter_context(Gateway(tmp_path_factory.mktemp("openapi"), config, environ))
        yield gateway
        assert "Traceback" not in gateway.text


def test_schemathesis_finds_nothing(described: Gateway, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{described.url}/openapi.json"]
    command += ["--header", f"Authorization: Bearer {GATEWAY_KEY}", "--max-examples", EXAMPLES, "--seed", SEED]
    command += ["--checks", "all", "--mode", "all", "--no-color", "--request-timeout", "30"]
    environ = plain_environment(tmp_path)
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=RUN_SECONDS)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr


def test_the_description_is_openapi_3_1_and_names_every_path(described: Gateway) -> None:
    document = described.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    assert {"/rerank", "/v1/rerank", "/v2/rerank", "/v1/models", "/health/live", "/health/ready"} <= set(
        document["paths"]
    )
    json.dumps(document, allow_nan=False)


def test_the_page_for_people_needs_no_internet(described: Gateway) -> None:
    page = described.get("/docs")
    assert page.status == 200
    for outside in ("https://", "http://", "//cdn"):
        assert f'src="{outside}' not in page.body.decode()
        assert f'href="{outside}' not in page.body.decode()
