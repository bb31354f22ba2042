"""What somebody who comes from LiteLLM's proxy does: its config file, its port, its paths, its key."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from gateway_process import Gateway
from upstreams import DOCUMENTS, QUERY, RANKING, UPSTREAM_KEY, upstream

CONFIG = """\
model_list:
  - model_name: Salesforce/Llama-Rank-V1
    litellm_params:
      model: together_ai/Salesforce/Llama-Rank-V1
      api_key: os.environ/TOGETHERAI_API_KEY
  - model_name: rerank-english-v3.0
    litellm_params:
      model: cohere/rerank-english-v3.0
      api_key: os.environ/COHERE_API_KEY
"""
MODELS = ("Salesforce/Llama-Rank-V1", "rerank-english-v3.0")
PORT = 4000


@pytest.fixture
def providers() -> Iterator[dict[str, str]]:
    """The environment in which both providers are emulated ones."""
    with ExitStack() as stack:
        together, cohere = (stack.enter_context(upstream(name)) for name in ("together_ai", "cohere"))
        yield {
            "TOGETHERAI_API_KEY": UPSTREAM_KEY,
            "COHERE_API_KEY": UPSTREAM_KEY,
            "TOGETHER_BASE_URL": together.url,
            "CO_API_URL": cohere.url,
        }


@pytest.fixture
def default_port() -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            pytest.skip(f"something else listens on port {PORT}")


@pytest.mark.usefixtures("default_port")
def test_a_config_of_litellms_proxy_is_served_with_one_option(tmp_path: Path, providers: dict[str, str]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    with Gateway(tmp_path, CONFIG, providers, arguments=()) as gateway:
        assert gateway.url == f"http://127.0.0.1:{PORT}"
        for model in MODELS:
            body = {"model": model, "query": QUERY, "documents": DOCUMENTS, "top_n": 3}
            command = ["curl", "-sS", f"http://0.0.0.0:{PORT}/rerank", "-H", "Authorization: Bearer sk-1234"]
            command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
            assert [one["index"] for one in json.loads(done.stdout)["results"]] == RANKING[:3]
        assert gateway.stop() == 0


def test_without_a_file_every_provider_whose_key_is_set_is_served(tmp_path: Path, providers: dict[str, str]) -> None:
    with Gateway(tmp_path, None, providers) as gateway:
        for model in ("cohere/rerank-v3.5", "together_ai/Salesforce/Llama-Rank-V1", "local/bm25", "rerank-v3.5"):
            reply = gateway.post("/v2/rerank", {"model": model, "query": QUERY, "documents": DOCUMENTS})
            assert [one["index"] for one in reply.json["results"]] == RANKING, model
        refused = gateway.post("/v2/rerank", {"model": "jina_ai/m", "query": QUERY, "documents": DOCUMENTS})
        assert refused.status == 404


def test_a_missing_variable_refuses_the_start_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="COHERE_API_KEY"), Gateway(tmp_path, CONFIG, {}):
        pass


def test_a_lenient_start_leaves_out_what_lacks_its_key(tmp_path: Path, providers: dict[str, str]) -> None:
    del providers["COHERE_API_KEY"]
    arguments = ("serve", "--port", "0", "--lenient")
    with Gateway(tmp_path, CONFIG, providers, arguments) as gateway:
        statuses = [
            gateway.post("/rerank", {"model": model, "query": QUERY, "documents": DOCUMENTS}).status for model in MODELS
        ]
        assert statuses == [200, 404]
        assert "COHERE_API_KEY" in gateway.text
