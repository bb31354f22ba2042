"""What a process loads before its first ranking. Sets of modules, and no clock: what is not imported takes no time."""

from __future__ import annotations

import ast
import inspect
import json
import pickle
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import rankspec
from rankspec import client, errors
from rankspec.resources import data_folder

THIRD_PARTY = {"click", "jinja2", "jmespath", "jsonschema", "jsonschema_rs", "markupsafe", "orjson", "platformdirs"}
THIRD_PARTY |= {"requests", "rich", "urllib3", "wreq", "yaml", "botocore", "numpy", "hypothesis", "prometheus_client"}
FOR_THE_FIRST_CALL = {"jmespath", "jsonschema_rs", "orjson", "requests", "urllib3", "yaml"}
CALL = "rerank('cohere/rerank-v3.5', 'q', ['a'], api_base='http://127.0.0.1:{}', api_key='k', max_retries=0)"


def printed(code: str, *arguments: str) -> Any:
    """The JSON that the code prints in a process of its own."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def loaded_by(code: str) -> set[str]:
    """The modules that the code loads in an interpreter that has loaded nothing but what it starts with."""
    lines = ("import sys", "before = set(sys.modules)", code, "after = set(sys.modules) - before")
    return set(printed("\n".join((*lines, "import json", "print(json.dumps(sorted(after)))"))))


def roots(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.fixture
def closed_port() -> int:
    """A port of this machine that refuses every connection."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


# Imports


def test_importing_rankspec_loads_itself_and_its_version() -> None:
    assert {module for module in loaded_by("import rankspec") if module != "__future__"} == {
        "rankspec",
        "rankspec.version",
    }


@pytest.mark.parametrize("room", ["client", "errors", "models"])
def test_the_rooms_of_the_public_names_are_there_without_an_import_of_their_own(room: str) -> None:
    assert f"rankspec.{room}" in loaded_by(f"import rankspec; rankspec.{room}")


def test_importing_rerank_loads_the_client_and_no_other_package() -> None:
    loaded = loaded_by("from rankspec import rerank")
    assert roots(loaded) & THIRD_PARTY == set()
    rooms = {module for module in loaded if module.startswith("rankspec.")}
    assert rooms == {"rankspec.client", "rankspec.errors", "rankspec.models", "rankspec.version"}
    assert loaded & {"asyncio", "email", "http.client", "importlib.resources", "logging", "ssl", "tempfile"} == set()


def test_the_first_call_loads_what_it_needs(closed_port: int) -> None:
    code = f"from rankspec import ConnectFailed, rerank\ntry:\n    {CALL}\nexcept ConnectFailed:\n    pass"
    loaded = loaded_by(code.format(closed_port))
    assert roots(loaded) & THIRD_PARTY == FOR_THE_FIRST_CALL
    for room in ("checks", "cli", "disclosure", "drafting", "emulator", "gateway", "reports", "summary"):
        assert f"rankspec.{room}" not in loaded
    assert "asyncio" not in loaded


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_the_command_tells_of_itself_without_loading_a_command(option: str) -> None:
    code = f"sys.argv = ['rankspec', '{option}']\nimport io, contextlib\nfrom rankspec.cli import main\n"
    loaded = loaded_by(code + "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main()")
    assert {module for module in loaded if module.startswith("rankspec.")} == {
        "rankspec.cli",
        "rankspec.errors",
        "rankspec.version",
    }
    assert roots(loaded) & THIRD_PARTY == {"click"}


# What is loaded late is there all the same


def test_every_public_name_is_that_of_its_room() -> None:
    tree = ast.parse(Path(rankspec.__file__).read_text("utf-8"))
    rooms = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("rankspec.")
        for alias in node.names
    }
    # What type checkers are told is what is there.
    assert sorted(rooms) == rankspec.__all__
    for name, room in rooms.items():
        assert getattr(rankspec, name) is getattr(sys.modules[str(room)], name)


def test_a_name_that_is_not_public_is_not_there() -> None:
    assert not hasattr(rankspec, "rerankk")
    with pytest.raises(AttributeError, match="module 'rankspec' has no attribute 'Catalog'"):
        _ = rankspec.Catalog  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="cannot import name 'Catalog' from 'rankspec'"):
        from rankspec import Catalog  # type: ignore[attr-defined]  # noqa: F401


def test_all_names_are_listed_and_come_with_a_star() -> None:
    code = "import json, rankspec\nlisted = dir(rankspec)\nfrom rankspec import *\n"
    there, named = printed(code + "print(json.dumps([set(rankspec.__all__) <= set(listed), rerank.__name__]))")
    assert (there, named) == (True, "rerank")


def test_the_functions_say_what_they_take_and_what_they_are() -> None:
    for name, method in (("rerank", client.Client.rerank), ("arerank", client.AsyncClient.rerank)):
        function = getattr(rankspec, name)
        assert function.__doc__ == method.__doc__
        assert list(inspect.signature(function).parameters) == list(inspect.signature(method).parameters)[1:]
        assert inspect.iscoroutinefunction(function) == (name == "arerank")


def test_an_error_is_itself_again_in_a_process_that_has_loaded_nothing() -> None:
    error = errors.TimedOut("too late", provider="cohere", seconds_waited=2.0)
    code = "import pickle, sys, json\nerror = pickle.loads(bytes.fromhex(sys.argv[1]))\nimport rankspec\n"
    code += "print(json.dumps([isinstance(error, rankspec.TimedOut), error.provider, str(error)]))"
    assert printed(code, pickle.dumps(error).hex()) == [True, "cohere", "too late"]


def test_first_calls_of_many_threads_at_once_are_all_made(closed_port: int) -> None:
    code = f"""
import json, threading, rankspec
start, told = threading.Barrier(8), []
def call():
    start.wait()
    try:
        rankspec.{CALL.format(closed_port)}
    except rankspec.ConnectFailed as error:
        told.append(error.provider)
threads = [threading.Thread(target=call) for _ in range(8)]
for one in threads: one.start()
for one in threads: one.join(60)
print(json.dumps(told))
"""
    assert printed(code) == ["cohere"] * 8


# One spec among many


def test_a_call_opens_the_file_of_its_spec_alone(tmp_path: Path, closed_port: int) -> None:
    text = data_folder("provider_specs").joinpath("cohere.yaml").read_text("utf-8")
    text = text.replace("aliases: [cohere_v2]\n", "", 1)
    for at in range(50):
        (tmp_path / f"copy_{at}.yaml").write_text(text.replace("provider: cohere", f"provider: copy_{at}", 1), "utf-8")
    code = f"""
import json, sys
from rankspec import Client, ConnectFailed
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
def files(provider):
    opened.clear()
    try:
        client.{CALL.replace("'cohere/rerank-v3.5'", "provider + '/m'").format(closed_port)}
    except ConnectFailed:
        pass
    return [file for file in opened if file.endswith(".yaml")]
client = Client(specs=[sys.argv[1]])
print(json.dumps([files("cohere"), files("copy_7"), files("copy_7")]))
"""
    shipped, own, again = printed(code, str(tmp_path))
    assert [Path(file).name for file in shipped] == ["cohere.yaml"]
    # Whether its name is a shipped spec's other name is looked up in the shipped files' lines, once.
    assert [Path(file).name for file in own if Path(file).parent == tmp_path] == ["copy_7.yaml"]
    assert again == []
