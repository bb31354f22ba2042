"""One gateway for each test process that is in front of every emulated provider, and the stock clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fleet import GATEWAY_KEY, Fleet
from gateway_process import Gateway
from loopback import Peer, Seen, Server, reply
from stock import StockClient, newest_python_packages, node_client, npm_packages, python_client
from upstreams import every_upstream, upstream


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Started once, by the first test that needs it. Nothing in it cools down: tests do not disturb each other."""
    with ExitStack() as stack:
        upstreams = stack.enter_context(every_upstream())
        limited = stack.enter_context(upstream("cohere", "429"))
        down = stack.enter_context(upstream("cohere", "503"))
        closed = stack.enter_context(upstream("cohere", "401"))
        recovering = stack.enter_context(Server(limited_at_first()))
        cohere = upstreams["cohere"]
        config = {
            "model_list": [
                *(one.entry(f"{name}-model") for name, one in upstreams.items()),
                {"model_name": "local", "litellm_params": {"model": "local/bm25"}},
                limited.entry("limited"),
                down.entry("down"),
                closed.entry("closed"),
                cohere.entry("recovering", api_base=recovering.url),
                down.entry("degraded"),
            ],
            "router_settings": {"num_retries": 0, "cooldown_time": 0, "fallbacks": [{"degraded": ["passthrough"]}]},
            "general_settings": {"master_key": "os.environ/GATEWAY_KEY"},
        }
        environ = {"GATEWAY_KEY": GATEWAY_KEY}
        for one in upstreams.values():
            environ |= one.variables
        gateway = stack.enter_context(Gateway(tmp_path_factory.mktemp("gateway"), config, environ))
        yield Fleet(gateway, upstreams, recovering)


def limited_at_first() -> Callable[[Peer, Seen], None]:
    """A behaviour: 429 for a query that comes for the first time, and an answer when it comes again."""
    known: set[str] = set()

    def behave(peer: Peer, seen: Seen) -> None:
        query = seen.json["query"]
        if query in known:
            peer.send(reply({"id": "r-1", "results": [{"index": 0, "relevance_score": 0.5}]}))
        else:
            known.add(query)
            peer.send(reply({"message": "slow down"}, 429, {"Retry-After": "1"}))

    return behave


@pytest.fixture(scope="session")
def client_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clients")


@pytest.fixture(scope="session")
def cohere_sdk(client_folder: Path) -> Iterator[StockClient]:
    """The cohere SDK that langchain-cohere allows."""
    with python_client("cohere_sdk.py", client_folder) as client:
        yield client


@pytest.fixture(scope="session")
def newest_cohere_sdk(client_folder: Path) -> Iterator[StockClient]:
    with python_client("cohere_sdk.py", client_folder, newest_python_packages()) as client:
        yield client


@pytest.fixture(scope="session")
def langchain(client_folder: Path) -> Iterator[StockClient]:
    with python_client("langchain_sdk.py", client_folder) as client:
        yield client


@pytest.fixture(scope="session")
def rerankers(client_folder: Path) -> Iterator[StockClient]:
    with python_client("rerankers_sdk.py", client_folder) as client:
        yield client


@pytest.fixture(scope="session")
def cohere_ai(client_folder: Path) -> Iterator[StockClient]:
    with node_client("cohere_ai.cjs", client_folder, npm_packages()) as client:
        yield client
