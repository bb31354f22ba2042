"""Which specs there are, which file a name means, and what a model's name resolves to."""

from __future__ import annotations

import os
import threading
import warnings
from pathlib import Path
from typing import Any

import platformdirs
import pytest
import yaml
from stepping import TOY, toy_text

from rankspec.catalog import Catalog, SpecOverridden, config_folder, shipped_alias
from rankspec.errors import SpecInvalid, SpecNotFound
from rankspec.resources import data_folder, shipped_specs
from rankspec.specs import ProviderSpec
from rankspec.strict_yaml import read_yaml

SHIPPED = sorted(shipped_specs())


def write(folder: Path, name: str, **changes: Any) -> Path:
    """The small spec as a file of that name."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.yaml"
    file.write_text(toy_text(**{"provider": name, "title": name.title(), **changes}))
    return file


def own(*folders: Path, environ: dict[str, str] | None = None, **options: Any) -> Catalog:
    return Catalog(folders, environ=environ or {}, **options)


def finding_of(catalog: Catalog, name: str) -> tuple[str, str, str]:
    with pytest.raises(SpecInvalid) as caught:
        catalog.load(name)
    (finding,) = caught.value.findings
    return finding.code, finding.file, finding.message


# Shipped specs


def test_every_shipped_file_is_a_spec_of_its_name() -> None:
    catalog = own()
    assert [source.name for source in catalog.sources] == SHIPPED
    assert all(source.is_shipped and not source.overrides for source in catalog.sources)
    for source in catalog.sources:
        spec = catalog.load(source.name)
        assert spec.name == source.name
        assert spec.file == source.label == f"provider_specs/{source.name}.yaml"


def test_no_two_shipped_specs_share_a_name_or_alias() -> None:
    catalog = own()
    names = [name for source in catalog.sources for name in (source.name, *catalog.load(source.name).aliases)]
    assert len({name.replace("-", "_") for name in names}) == len(names)


def test_a_spec_is_loaded_once_and_only_when_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = write(tmp_path, "mine")
    catalog = own(tmp_path)
    first = catalog.load("mine")
    file.write_text("broken: [")
    assert catalog.load("mine") is first
    assert catalog.load("MINE") is first


def test_the_examples_of_a_shipped_spec_are_read_when_they_are_asked_for() -> None:
    catalog = own()
    for name, file in shipped_specs().items():
        whole = read_yaml(file.read_text("utf-8"), name).data
        assert catalog.load(name).examples == whole["examples"]
        assert "examples" not in catalog.load(name).data


def test_a_list_has_every_spec_or_why_it_does_not_load(tmp_path: Path) -> None:
    example = "examples:\n  - title: 5\n"
    (tmp_path / "fine.yaml").write_text(f"{yaml.dump({**TOY, 'provider': 'fine'})}{example}", "utf-8")
    write(tmp_path, "broken", limits=None)
    write(tmp_path, "cohere")
    write(tmp_path, "hf")
    catalog = own(tmp_path)
    told = dict(zip([source.name for source in catalog.sources], catalog.listed(), strict=True))
    assert {name for name, one in told.items() if isinstance(one, ProviderSpec)} == {*SHIPPED, "fine"} - {"cohere"}
    for name in ("broken", "cohere", "hf"):
        with pytest.raises(SpecInvalid) as caught:
            catalog.load(name)
        assert str(told[name]) == str(caught.value)
    # A list has no use for examples; a call is strict with all of a user's own file.
    with pytest.raises(SpecInvalid, match=r"examples\[0\]\.title: must be text, not the number 5"):
        catalog.load("fine")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("cohere", "cohere"),
        ("Cohere", "cohere"),
        ("COHERE-V1", "cohere_v1"),
        ("jina", "jina_ai"),
        ("Jina-AI", "jina_ai"),
        ("together", "together_ai"),
        ("TogetherAI", "together_ai"),
        ("azure", "azure_ai"),
        ("hf", "huggingface"),
        ("tei", "huggingface"),
        ("huggingface-tei", "huggingface"),
        ("aws-bedrock", "bedrock"),
    ],
)
def test_a_provider_may_be_written_as(written: str, name: str) -> None:
    assert own().load(written).name == name


def test_an_unknown_provider_is_answered_with_the_known_ones() -> None:
    with pytest.raises(SpecNotFound) as caught:
        own().load("cohre")
    error = caught.value
    assert str(error) == f"no provider is called 'cohre'; did you mean 'cohere'?; known are {', '.join(SHIPPED)}"
    assert (error.name, error.known, error.nearest) == ("cohre", tuple(SHIPPED), "cohere")


@pytest.mark.parametrize("name", ["", " ", "../cohere", "cohere.yaml", "provider_specs/cohere", "\0"])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(SpecNotFound):
        own().load(name)


def test_threads_share_one_spec(tmp_path: Path) -> None:
    write(tmp_path, "mine")
    catalog = own(tmp_path)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(catalog.load("mine"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({id(spec) for spec in found}) == 1


# Drop-in folders


def test_a_spec_in_the_working_folder_is_a_provider(tmp_path: Path) -> None:
    write(tmp_path / "provider_specs", "mine")
    catalog = own()
    assert catalog.load("mine").title == "Mine"
    (source,) = [source for source in catalog.sources if source.name == "mine"]
    assert (source.is_shipped, source.overrides) == (False, False)
    assert Path(source.label) == Path("provider_specs/mine.yaml")


def test_a_spec_in_the_config_folder_is_a_provider(tmp_path: Path) -> None:
    write(tmp_path / "home" / "rankspec" / "provider_specs", "mine")
    assert own(environ={"XDG_CONFIG_HOME": str(tmp_path / "home")}).load("mine").title == "Mine"


def test_folders_and_files_that_the_environment_names_hold_providers(tmp_path: Path) -> None:
    write(tmp_path / "a", "one")
    file = write(tmp_path / "b", "two")
    write(tmp_path / "b", "three")
    catalog = own(environ={"RANKSPEC_SPECS": os.pathsep.join([str(tmp_path / "a"), "", str(file)])})
    assert [catalog.load(name).title for name in ("one", "two")] == ["One", "Two"]
    with pytest.raises(SpecNotFound):
        catalog.load("three")


def test_folders_and_files_that_are_passed_hold_providers(tmp_path: Path) -> None:
    write(tmp_path / "a", "one")
    catalog = Catalog([str(tmp_path / "a"), write(tmp_path / "b", "two")], environ={})
    assert [catalog.load(name).title for name in ("one", "two")] == ["One", "Two"]


def test_the_process_own_environment_is_looked_in_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(tmp_path / "a", "one")
    monkeypatch.setenv("RANKSPEC_SPECS", str(tmp_path / "a"))
    assert Catalog().load("one").title == "One"


PLACES = ["passed", "environment", "working", "config"]


@pytest.mark.parametrize("first", range(4), ids=PLACES)
def test_of_files_of_one_name_the_first_place_wins(tmp_path: Path, first: int) -> None:
    folders = {
        "passed": tmp_path / "p",
        "environment": tmp_path / "e",
        "working": tmp_path / "provider_specs",
        "config": tmp_path / "home" / "rankspec" / "provider_specs",
    }
    for folder in folders.values():
        folder.mkdir(parents=True)
    for place in PLACES[first:]:
        write(folders[place], "mine", title=place)
    environ = {"RANKSPEC_SPECS": str(folders["environment"]), "XDG_CONFIG_HOME": str(tmp_path / "home")}
    assert own(folders["passed"], environ=environ).load("mine").title == PLACES[first]


def test_only_yaml_files_are_specs(tmp_path: Path) -> None:
    write(tmp_path / "a", "one")
    for name in ("README.md", "two.yml", "three.yaml.bak", "four.json"):
        (tmp_path / "a" / name).write_text("x")
    assert [source.name for source in own(tmp_path / "a").sources if not source.is_shipped] == ["one"]


@pytest.mark.parametrize("way", ["passed", "environment"])
def test_a_named_place_that_is_not_there_is_an_error(tmp_path: Path, way: str) -> None:
    place = tmp_path / "nowhere"
    specs, environ = ([place], {}) if way == "passed" else ([], {"RANKSPEC_SPECS": str(place)})
    with pytest.raises(SpecInvalid) as caught:
        Catalog(specs, environ=environ)
    assert str(caught.value) == f"{place}:1:1: error: there is no such file or folder of specs [yaml-unreadable]"


def test_customary_places_need_not_be_there(tmp_path: Path) -> None:
    assert [source.name for source in own(environ={"XDG_CONFIG_HOME": str(tmp_path / "nowhere")}).sources] == SHIPPED


def test_the_config_folder_is_the_platforms_without_xdg() -> None:
    assert config_folder({"XDG_CONFIG_HOME": "/x"}) == Path("/x/rankspec")
    assert config_folder({}).name == "rankspec"
    assert config_folder({"XDG_CONFIG_HOME": ""}) == config_folder({})


@pytest.mark.parametrize("xdg", [None, "", "/somewhere", "relative"])
@pytest.mark.parametrize("home", ["/home/me", "/home/me/", "", None])
def test_the_config_folder_is_where_platformdirs_says(
    monkeypatch: pytest.MonkeyPatch, xdg: str | None, home: str | None
) -> None:
    for name, value in (("XDG_CONFIG_HOME", xdg), ("HOME", home)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert config_folder({}) == Path(platformdirs.user_config_dir("rankspec", appauthor=False))


# Overrides


def test_a_shipped_name_is_taken(tmp_path: Path) -> None:
    file = write(tmp_path / "a", "cohere")
    catalog = own(tmp_path / "a")
    message = "'cohere' is the name of a shipped spec; give the file another name, or ask for the override"
    assert finding_of(catalog, "cohere") == ("spec-shadows", str(file), message)
    assert finding_of(catalog, "cohere_v2")[0] == "spec-shadows"
    assert catalog.load("jina_ai").name == "jina_ai"
    assert catalog.load("azure_ai").data["request"]["body"]["query"] == "{{ query }}"


def test_a_shipped_spec_is_replaced_when_asked_and_a_warning_says_so(tmp_path: Path) -> None:
    file = write(tmp_path / "a", "cohere", title="Mine")
    with pytest.warns(SpecOverridden) as caught:
        catalog = own(tmp_path / "a", override=True)
    assert [str(warning.message) for warning in caught] == [f"the shipped spec 'cohere' is replaced by {file}"]
    assert catalog.load("cohere").title == "Mine"
    (source,) = [source for source in catalog.sources if source.name == "cohere"]
    assert (source.is_shipped, source.overrides, source.label) == (False, True, str(file))


def test_a_new_name_is_no_override(tmp_path: Path) -> None:
    write(tmp_path / "a", "mine")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert own(tmp_path / "a", override=True).load("mine").title == "Mine"


def test_a_copy_of_a_shipped_file_is_the_shipped_spec(tmp_path: Path) -> None:
    copy = tmp_path / "provider_specs" / "cohere.yaml"
    copy.parent.mkdir()
    copy.write_bytes(shipped_specs()["cohere"].read_bytes())
    assert own().load("cohere").file == "provider_specs/cohere.yaml"
    (source,) = [source for source in own().sources if source.name == "cohere"]
    assert source.is_shipped


def test_the_shipped_folder_as_working_folder_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = data_folder("provider_specs")
    if not isinstance(folder, Path):
        pytest.skip("the package is zipped")
    monkeypatch.chdir(folder.parent)
    assert all(source.is_shipped for source in own().sources)


@pytest.mark.parametrize("kind", ["a folder", "a link to nowhere"])
@pytest.mark.parametrize("name", ["cohere", "mine"])
def test_a_file_that_cannot_be_read_is_our_error_and_leaves_the_others_alone(
    tmp_path: Path, kind: str, name: str
) -> None:
    write(tmp_path / "a", "fine")
    file = tmp_path / "a" / f"{name}.yaml"
    if kind == "a folder":
        file.mkdir()
    else:
        file.symlink_to(tmp_path / "nowhere")
    catalog = own(tmp_path / "a")
    assert catalog.load("fine").title == "Fine"
    code, label, message = finding_of(catalog, name)
    assert label == str(file)
    assert code in ("yaml-unreadable", "spec-shadows")
    if name == "mine":
        reason = "Is a directory" if kind == "a folder" else "No such file or directory"
        assert message == f"cannot be read: {reason}"


def test_a_file_that_is_not_utf_8_says_so(tmp_path: Path) -> None:
    file = write(tmp_path / "a", "mine")
    file.write_bytes(b"title: caf\xe9\n")
    message = "is not UTF-8: byte 10 cannot be read; save the file as UTF-8"
    assert finding_of(own(tmp_path / "a"), "mine") == ("yaml-unreadable", str(file), message)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    file = write(tmp_path / "a", "mine")
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert own(tmp_path / "a").load("mine").title == "Mine"


def test_the_provider_is_called_as_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "a", "mine", provider="other")
    message = "the provider is 'other' but the file is called mine.yaml; make them the same"
    assert finding_of(own(tmp_path / "a"), "mine") == ("spec-name", str(file), message)


def test_a_broken_file_fails_when_it_is_called_and_not_before(tmp_path: Path) -> None:
    write(tmp_path / "a", "fine", aliases=["nick"])
    (tmp_path / "a" / "broken.yaml").write_text("a: [\n")
    (tmp_path / "a" / "odd.yaml").write_text("aliases: 7\nmodels: []\n")
    (tmp_path / "a" / "odder.yaml").write_text("aliases: [7, null]\nmodels: {m: 7, n: {aliases: x}}\n")
    (tmp_path / "a" / "text.yaml").write_text("just text\n")
    (tmp_path / "a" / "bytes.yaml").write_bytes(b"\xff")
    catalog = own(tmp_path / "a")
    assert catalog.load("nick").name == "fine"
    for name in ("broken", "odd", "odder", "text", "bytes"):
        with pytest.raises(SpecInvalid):
            catalog.load(name)


# Extends


def extending(folder: Path, name: str, parent: str, **own: Any) -> Path:
    blank = dict.fromkeys(TOY)
    return write(
        folder, name, **{**blank, "spec_version": 2, "provider": name, "title": name, "extends": parent, **own}
    )


def test_a_users_spec_may_extend_a_shipped_one_and_another_of_the_users(tmp_path: Path) -> None:
    extending(tmp_path, "one", "cohere", endpoint={"base_url": "https://one.example"})
    extending(tmp_path, "two", "one", endpoint={"path": "/v7/rerank"})
    spec = own(tmp_path).load("two")
    assert spec.data["endpoint"]["base_url"] == "https://one.example"
    assert spec.data["endpoint"]["path"] == "/v7/rerank"
    assert spec.data["auth"]["key"]["env"] == ["COHERE_API_KEY", "CO_API_KEY"]
    assert spec.models == {}


def test_a_parent_may_be_extended_by_many(tmp_path: Path) -> None:
    for name in ("one", "two"):
        extending(tmp_path, name, "cohere", endpoint={"path": f"/{name}"})
    catalog = own(tmp_path)
    assert [catalog.load(name).data["endpoint"]["path"] for name in ("one", "two", "cohere")] == ["/one", "/two", "/v2/rerank"]  # fmt: skip


def test_an_unknown_parent_is_answered_with_the_nearest(tmp_path: Path) -> None:
    extending(tmp_path, "mine", "cohre")
    with pytest.raises(SpecInvalid) as caught:
        own(tmp_path).load("mine")
    [finding] = caught.value.findings
    assert finding.message == "no spec is called 'cohre'; did you mean 'cohere'?"
    assert (finding.code, finding.path, finding.suggestion) == ("unknown-parent", ("extends",), "cohere")


def test_an_unknown_parents_parent_is_told_too(tmp_path: Path) -> None:
    extending(tmp_path, "one", "zzz")
    extending(tmp_path, "two", "one")
    with pytest.raises(SpecInvalid) as caught:
        own(tmp_path).load("two")
    [finding] = caught.value.findings
    assert (finding.code, finding.file, finding.message) == (
        "unknown-parent",
        str(tmp_path / "one.yaml"),
        "no spec is called 'zzz'",
    )


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ({"a": "a"}, "'a' extends itself"),
        ({"a": "b", "b": "a"}, "the specs extend each other in a circle: b -> a -> b"),
        ({"a": "b", "b": "c", "c": "a"}, "the specs extend each other in a circle: b -> c -> a -> b"),
        ({"a": "b", "b": "c", "c": "b"}, "the specs extend each other in a circle: b -> c -> b"),
        ({"a": "b", "b": "b"}, "'b' extends itself"),
    ],
    ids=["itself", "two", "three", "a circle above", "a parent itself"],
)
def test_a_circle_is_an_error(tmp_path: Path, links: dict[str, str], message: str) -> None:
    for name, parent in links.items():
        extending(tmp_path, name, parent)
    code, _, told = finding_of(own(tmp_path), "a")
    assert (code, told) == ("extends-cycle", message)


def test_a_parent_that_does_not_read_is_told_with_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: 1\na: 2\n")
    extending(tmp_path, "mine", "broken")
    code, file, _ = finding_of(own(tmp_path), "mine")
    assert (code, file) == ("yaml-duplicate-key", str(tmp_path / "broken.yaml"))


# Aliases


def test_a_name_goes_before_an_alias(tmp_path: Path) -> None:
    write(tmp_path, "aaa", aliases=["zzz", "cohere"])
    write(tmp_path, "zzz")
    catalog = own(tmp_path)
    assert catalog.load("zzz").name == "zzz"
    assert catalog.load("cohere").name == "cohere"


def test_a_users_spec_cannot_take_a_shipped_alias(tmp_path: Path) -> None:
    write(tmp_path, "aaa", aliases=["together", "jina", "mine"])
    catalog = own(tmp_path)
    assert catalog.load("together").name == "together_ai"
    assert catalog.load("jina").name == "jina_ai"
    assert catalog.load("mine").name == "aaa"


def test_of_two_specs_with_one_alias_the_first_by_name_has_it(tmp_path: Path) -> None:
    for name in ("two", "one"):
        write(tmp_path, name, aliases=["shared"])
    assert own(tmp_path).load("shared").name == "one"


def test_dashes_in_an_alias_are_as_good_as_underscores(tmp_path: Path) -> None:
    write(tmp_path, "mine", aliases=["my-own"])
    assert own(tmp_path).load("my-own").name == own(tmp_path).load("My_Own").name == "mine"


# What a user writes


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    tmp_path = tmp_path_factory.mktemp("specs")
    write(tmp_path, "alpha", aliases=["al"], models={"only-alpha": {"aliases": ["nick"]}, "shared": {}, "family-*": {}})
    write(tmp_path, "beta", models={"shared": {}, "org/model": {}, "gamma/x": {}})
    return own(tmp_path)


FORMS = [
    ("provider and model", "alpha/m", None, "alpha", "m"),
    ("a model with slashes", "alpha/org/m/x", None, "alpha", "org/m/x"),
    ("an alias", "al/m", None, "alpha", "m"),
    ("another case", "ALPHA/M", None, "alpha", "M"),
    ("a provider alone", "alpha", None, "alpha", None),
    ("a provider and a slash", "alpha/", None, "alpha", None),
    ("an alias alone", "al", None, "alpha", None),
    ("a model that one spec knows", "only-alpha", None, "alpha", "only-alpha"),
    ("a models alias that one spec knows", "nick", None, "alpha", "nick"),
    ("a model with a slash that one spec knows", "org/model", None, "beta", "org/model"),
    ("a model whose first part is no provider", "gamma/x", None, "beta", "gamma/x"),
    ("a model that several know, with its provider", "beta/shared", None, "beta", "shared"),
    ("a provider given apart", "m", "alpha", "alpha", "m"),
    ("a provider given apart and again", "alpha/m", "alpha", "alpha", "m"),
    ("a provider given apart and again by alias", "al/m", "Alpha", "alpha", "m"),
    ("a provider given apart with an alias", "alpha/m", "al", "alpha", "m"),
    ("another provider's name is part of the model", "beta/m", "alpha", "alpha", "beta/m"),
    ("a model with slashes, the provider given apart", "org/m", "alpha", "alpha", "org/m"),
    ("the provider's name again and twice", "alpha/alpha/m", "alpha", "alpha", "alpha/m"),
    ("the provider's name twice", "alpha/alpha/m", None, "alpha", "alpha/m"),
    ("only the provider, given apart and again", "alpha/", "alpha", "alpha", None),
    ("no model, the provider given apart", "", "alpha", "alpha", None),
    ("a model that is called as its provider", "alpha", "alpha", "alpha", "alpha"),
    ("a shipped provider", "jina/jina-reranker-v3", None, "jina_ai", "jina-reranker-v3"),
]


@pytest.mark.parametrize(
    ("model", "provider", "name", "found"), [pytest.param(*case[1:], id=case[0]) for case in FORMS]
)
def test_a_user_may_write(catalog: Catalog, model: str, provider: str | None, name: str, found: str | None) -> None:
    spec, model_id = catalog.resolve(model, provider)
    assert (spec.name, model_id) == (name, found)


def test_a_model_that_several_specs_know_is_answered_with_all_forms(catalog: Catalog) -> None:
    with pytest.raises(SpecNotFound) as caught:
        catalog.resolve("shared")
    assert str(caught.value) == "several providers have the model 'shared': write alpha/shared or beta/shared"
    assert (caught.value.name, caught.value.known) == ("shared", ("alpha", "beta"))


def test_a_family_is_no_model_by_itself(catalog: Catalog) -> None:
    for model in ("family-x", "family-*"):
        with pytest.raises(SpecNotFound):
            catalog.resolve(model)


def test_an_unknown_form_is_answered_with_what_was_meant(catalog: Catalog) -> None:
    names = ", ".join(sorted([*SHIPPED, "alpha", "beta"]))
    with pytest.raises(SpecNotFound) as caught:
        catalog.resolve("cohre/rerank-v3.5")
    assert str(caught.value) == (
        "no provider is called 'cohre', and no spec lists the model 'cohre/rerank-v3.5'; "
        f"did you mean 'cohere/rerank-v3.5'? Write provider/model, with a provider out of {names}"
    )
    assert (caught.value.name, caught.value.nearest) == ("cohre/rerank-v3.5", "cohere")


def test_an_unknown_form_near_to_nothing_is_answered_with_the_form(catalog: Catalog) -> None:
    names = ", ".join(sorted([*SHIPPED, "alpha", "beta"]))
    with pytest.raises(SpecNotFound) as caught:
        catalog.resolve("zzzzzz/m")
    assert str(caught.value) == (
        "no provider is called 'zzzzzz', and no spec lists the model 'zzzzzz/m'. "
        f"Write provider/model, with a provider out of {names}"
    )
    assert caught.value.nearest is None


@pytest.mark.parametrize("model", ["", "/", "/m", "//", " "])
def test_nothing_resolves_to_nothing(catalog: Catalog, model: str) -> None:
    with pytest.raises(SpecNotFound):
        catalog.resolve(model)


def test_an_unknown_provider_given_apart_is_an_error(catalog: Catalog) -> None:
    with pytest.raises(SpecNotFound, match="^no provider is called 'gamma'"):
        catalog.resolve("alpha/m", "gamma")


def test_a_broken_spec_does_not_hide_the_models_of_others(tmp_path: Path) -> None:
    write(tmp_path, "alpha", models={"only-alpha": {}})
    (tmp_path / "broken.yaml").write_text("models: {only-alpha: [\n")
    assert own(tmp_path).resolve("only-alpha")[0].name == "alpha"


def test_the_other_names_of_shipped_specs_are_taken_too(tmp_path: Path) -> None:
    extending(tmp_path, "jina", "cohere")
    with pytest.raises(SpecInvalid, match="'jina' is another name of the shipped spec 'jina_ai'"):
        own(tmp_path).load("jina")
    with pytest.raises(SpecInvalid, match="spec-shadows"):
        own(tmp_path).resolve("jina/jina-reranker-v3")


def test_every_alias_of_a_shipped_spec_is_known_without_reading_it() -> None:
    catalog = Catalog(environ={})
    told = {alias.replace("-", "_"): name for name in SHIPPED for alias in catalog.load(name).aliases}
    assert {alias: shipped_alias(alias) for alias in told} == told
    assert shipped_alias("acme") is None
