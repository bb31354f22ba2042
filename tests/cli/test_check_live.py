"""`rankspec check --live` makes one real call, here to the emulated provider, and holds the spec's claims against it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from rankspec.catalog import Catalog
from rankspec.cli import main
from rankspec.emulator import DEFAULT_KEY, EmulatedProvider, Faults, serve

SHIPPED = {source.name: source for source in Catalog(environ={}).sources}


def spec_file(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    text = SHIPPED[name].read()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = folder / f"{name}.yaml"
    file.write_text(text, "utf-8")
    return file


def live(file: Path, url: str, *more: str, key: str = DEFAULT_KEY) -> tuple[int, str, str]:
    words = ["check", str(file), "--cases", "0", "--live", "--api-base", url, *more]
    result = CliRunner().invoke(main, words, env={"TOGETHER_API_KEY": key, "CO_API_KEY": key})
    return result.exit_code, re.sub(r"[0-9.]+ s,", "T s,", result.stdout), result.stderr


def test_a_provider_that_does_as_the_spec_says(tmp_path: Path) -> None:
    file = spec_file(tmp_path, "together_ai")
    with serve(EmulatedProvider(Catalog(environ={}).load("together_ai"))) as url:
        code, out, _ = live(file, url, "--model", "some/model")
    assert code == 0
    assert re.fullmatch(
        r"together_ai/some/model: answered in T s, 2 results\n"
        r"  scores 0\.[0-9]+ \(answers the question\) and 0\S* \(does not\)\n"
        r"  scale declared probability, seen probability\n"
        r"  told: .+\n",
        out,
    )


def test_scores_that_are_turned_round_are_told(tmp_path: Path) -> None:
    text = 'results: "results[].{index: index, relevance_score: relevance_score}"'
    file = spec_file(
        tmp_path, "together_ai", (text, text.replace(": relevance_score}", ": sum([`1`, relevance_score])}"))
    )
    # Its examples no longer hold, which would end the check before the call.
    file.write_text(file.read_text("utf-8").partition("\nexamples:")[0] + "\n", "utf-8")
    with serve(EmulatedProvider(Catalog(environ={}).load("together_ai"))) as url:
        code, out, _ = live(file, url, "--model", "some/model")
    assert code == 1
    assert re.search(r"  problem: the score 1\.[0-9]+ is outside the declared scale probability\n", out)


def test_a_refused_key_is_an_error_without_the_key(tmp_path: Path) -> None:
    file = spec_file(tmp_path, "together_ai")
    with serve(EmulatedProvider(Catalog(environ={}).load("together_ai"))) as url:
        code, out, err = live(file, url, "--model", "some/model", key="wrong-key-1234")
    assert (code, out) == (1, "")
    assert "answered 401" in err
    assert "wrong-key-1234" not in err


def test_a_provider_that_fails_is_asked_once(tmp_path: Path) -> None:
    file = spec_file(tmp_path, "together_ai")
    seen: list[object] = []
    provider = EmulatedProvider(Catalog(environ={}).load("together_ai"))
    with serve(provider, faults=Faults(("503",)), log=lambda *one: seen.append(one)) as url:
        code, _, err = live(file, url, "--model", "some/model")
    assert code == 1
    assert "answered 503" in err
    assert len(seen) == 1


def test_nothing_is_sent_for_a_spec_with_errors(tmp_path: Path) -> None:
    file = spec_file(tmp_path, "together_ai", ("{{ query }}", "{{ qurey }}"))
    code, out, _ = live(file, "http://127.0.0.1:9")
    assert code == 1
    assert "unknown name 'qurey'" in out


@pytest.mark.parametrize("words", [("-",), ("a.yaml", "b.yaml"), (), ("a.yaml", "--output", "json")], ids=str)
def test_it_takes_one_file_and_prints_text(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, ["check", "--live", *words])
    assert result.exit_code == 2
    assert "--live takes one file or name, and prints text" in result.stderr
