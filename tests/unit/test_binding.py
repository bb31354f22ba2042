"""Settings, secrets, base URL and headers: where each comes from, and what is refused."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from stepping import KEY, play, scored, toy

from rankspec.binding import Arguments, Binding, Bindings
from rankspec.catalog import Catalog
from rankspec.errors import CredentialMissing, RequestInvalid, SettingMissing
from rankspec.specs import ProviderSpec

REGION = {"region": {"description": "Region", "env": ["TOY_REGION", "REGION"], "aliases": ["toy_region_name"]}}
OPTIONAL_REGION = {"region": {**REGION["region"], "optional": True}}
BY_REGION = {
    "base_url": "https://{{ settings.region }}.toy.example",
    "base_url_env": ["TOY_API_BASE", "TOY_BASE_URL"],
    "path": "/v1/rerank",
}


def bound(spec: ProviderSpec, environ: dict[str, str] | None = None, **arguments: Any) -> Binding:
    return Binding(spec, Arguments(**arguments), environ or {})


def problem_of(spec: ProviderSpec, environ: dict[str, str] | None = None, **arguments: Any) -> str:
    """What is wrong with these arguments, whether found at once or when the URL and headers are made."""

    def use() -> None:
        binding = bound(spec, environ, **arguments)
        binding.url("m")
        binding.headers("m")
        binding.authenticator("m")

    with pytest.raises(RequestInvalid) as caught:
        use()
    return str(caught.value).removeprefix("invalid request: ")


# Settings

FROM = [
    ("argument", {"settings": {"region": "arg"}}, {"TOY_REGION": "env"}, "default", "arg"),
    ("alias", {"settings": {"toy_region_name": "arg"}}, {"TOY_REGION": "env"}, "default", "arg"),
    ("first variable", {}, {"TOY_REGION": "one", "REGION": "two"}, "default", "one"),
    ("second variable", {}, {"REGION": "two"}, "default", "two"),
    ("second variable, the first being blank", {}, {"TOY_REGION": " ", "REGION": "two"}, "default", "two"),
    ("default", {}, {}, "default", "default"),
    ("default, the variables being blank", {}, {"TOY_REGION": "", "REGION": "\t"}, "default", "default"),
    ("environment, the argument being empty", {"settings": {"region": ""}}, {"TOY_REGION": "env"}, None, "env"),
    ("environment, the argument being blank", {"settings": {"region": " \n"}}, {"TOY_REGION": "env"}, None, "env"),
    ("environment, the argument being None", {"settings": {"region": None}}, {"TOY_REGION": "env"}, None, "env"),
    ("argument, trimmed", {"settings": {"region": " arg\n"}}, {}, None, "arg"),
    ("environment, trimmed", {}, {"TOY_REGION": "\tenv "}, None, "env"),
    ("nowhere", {}, {}, None, None),
]


@pytest.mark.parametrize(
    ("arguments", "environ", "default", "value"), [pytest.param(*case[1:], id=case[0]) for case in FROM]
)
def test_a_setting_comes_from(
    arguments: dict[str, Any], environ: dict[str, str], default: str | None, value: str | None
) -> None:
    setting = {**REGION["region"], **({"default": default} if default else {})}
    assert bound(toy(settings={"region": setting}), environ, **arguments).settings == {"region": value}


@pytest.mark.parametrize(("given", "text"), [(7, "7"), (1.5, "1.5"), ("7", "7")])
def test_a_number_is_a_settings_text(given: object, text: str) -> None:
    assert bound(toy(settings=REGION), settings={"region": given}).settings == {"region": text}


@pytest.mark.parametrize(
    ("given", "kind"), [(True, "bool"), (["a"], "list"), ({"a": 1}, "dict"), (b"a", "bytes"), (object(), "object")]
)
def test_a_setting_of_another_type_is_refused(given: object, kind: str) -> None:
    assert problem_of(toy(settings=REGION), settings={"region": given}) == f"region: must be text, not a {kind}"


def test_an_unknown_keyword_is_answered_with_the_nearest_known_one() -> None:
    message = problem_of(toy(settings=REGION), settings={"regoin": "a"})
    assert message == "regoin: toy has no such setting; did you mean 'region'?"


def test_an_unknown_keyword_is_answered_with_all_known_ones_if_none_is_near() -> None:
    message = problem_of(toy(settings=REGION), settings={"zzz": "a"})
    assert message == "zzz: toy has no such setting; it knows api_key, region, toy_region_name"


def test_a_provider_without_settings_and_keys_knows_no_keyword() -> None:
    assert problem_of(toy(auth={"kind": "none"}), settings={"region": "a"}) == "region: toy has no such setting"


def test_all_bad_keywords_are_told_at_once() -> None:
    message = problem_of(toy(settings=REGION), settings={"zone": "a", "region": True}, api_key=7, api_base=b"x")
    assert message == (
        "api_key: must be text, not a int; api_base: must be text, not a bytes; "
        "zone: toy has no such setting; it knows api_key, region, toy_region_name; region: must be text, not a bool"
    )


def test_an_unknown_keyword_that_is_none_was_not_given() -> None:
    assert bound(toy(settings=REGION), settings={"zone": None}).settings == {"region": None}


def test_litellms_name_of_the_aws_region_is_understood() -> None:
    spec = Catalog(environ={}).load("bedrock")
    binding = bound(spec, {"AWS_REGION": "us-east-1"}, settings={"aws_region_name": "eu-central-1"})
    assert binding.url("m") == "https://bedrock-agent-runtime.eu-central-1.amazonaws.com/rerank"


def test_a_missing_setting_is_told_with_its_argument_and_variables() -> None:
    played = play(toy(settings=REGION), {"model": "m", "query": "q", "documents": ["a"]})
    assert isinstance(played.error, SettingMissing)
    assert str(played.error) == "Toy needs a setting: pass region= (Region), or set TOY_REGION or REGION"
    assert (played.error.provider, played.error.name, played.error.variables) == (
        "toy",
        "region",
        ("TOY_REGION", "REGION"),
    )
    assert played.sent == []


def test_a_missing_setting_without_variables_is_told_with_its_argument() -> None:
    spec = toy(settings={"account": {"description": "Account number"}})
    error = play(spec, {"model": "m", "query": "q", "documents": ["a"]}).error
    assert str(error) == "Toy needs a setting: pass account= (Account number)"


def test_an_optional_setting_may_be_missing() -> None:
    played = play(toy(settings=OPTIONAL_REGION), {"model": "m", "query": "q", "documents": ["a"]}, [scored(1)])
    assert played.ranking == [(0, 1.0)]


# Base URL


BASES = [
    ("the spec", {}, {}, "https://api.toy.example/v1/rerank"),
    ("the environment", {}, {"TOY_API_BASE": "https://env.example"}, "https://env.example/v1/rerank"),
    (
        "api_base",
        {"api_base": "https://arg.example"},
        {"TOY_API_BASE": "https://env.example"},
        "https://arg.example/v1/rerank",
    ),
    (
        "the environment, api_base being empty",
        {"api_base": ""},
        {"TOY_API_BASE": "https://env.example"},
        "https://env.example/v1/rerank",
    ),
    ("the spec, api_base being blank", {"api_base": " \n"}, {}, "https://api.toy.example/v1/rerank"),
    ("the spec, the variable being blank", {}, {"TOY_API_BASE": "  "}, "https://api.toy.example/v1/rerank"),
    ("api_base, trimmed", {"api_base": " https://arg.example/ "}, {}, "https://arg.example/v1/rerank"),
    ("a loopback api_base", {"api_base": "localhost:8080"}, {}, "http://localhost:8080/v1/rerank"),
]


@pytest.mark.parametrize(("arguments", "environ", "url"), [pytest.param(*case[1:], id=case[0]) for case in BASES])
def test_the_base_url_comes_from(arguments: dict[str, Any], environ: dict[str, str], url: str) -> None:
    assert bound(toy(), environ, **arguments).url("m") == url


BY_SETTING = [
    ("setting passed", {"settings": {"region": "arg"}}, {}, "https://arg.toy.example/v1/rerank"),
    (
        "setting passed goes before base URL variable",
        {"settings": {"region": "arg"}},
        {"TOY_API_BASE": "https://env.example"},
        "https://arg.toy.example/v1/rerank",
    ),
    (
        "setting passed by alias goes before base URL variable",
        {"settings": {"toy_region_name": "arg"}},
        {"TOY_API_BASE": "https://env.example"},
        "https://arg.toy.example/v1/rerank",
    ),
    (
        "api_base goes before a setting passed",
        {"settings": {"region": "arg"}, "api_base": "https://base.example"},
        {},
        "https://base.example/v1/rerank",
    ),
    (
        "base URL variable goes before setting variable",
        {},
        {"TOY_REGION": "env", "TOY_API_BASE": "https://env.example"},
        "https://env.example/v1/rerank",
    ),
    (
        "base URL variable goes before a blank setting",
        {"settings": {"region": " "}},
        {"TOY_REGION": "env", "TOY_API_BASE": "https://env.example"},
        "https://env.example/v1/rerank",
    ),
    (
        "second base URL variable",
        {},
        {"TOY_API_BASE": "", "TOY_BASE_URL": "https://two.example"},
        "https://two.example/v1/rerank",
    ),
    ("setting variable", {}, {"TOY_REGION": "env"}, "https://env.toy.example/v1/rerank"),
    (
        "a setting cannot leave its place in the host",
        {"settings": {"region": "evil.example/"}},
        {},
        "https://evil.example%2F.toy.example/v1/rerank",
    ),
    (
        "a setting cannot hide what follows it",
        {"settings": {"region": "evil.example?#"}},
        {},
        "https://evil.example%3F%23.toy.example/v1/rerank",
    ),
    (
        "a setting cannot make the rest a password",
        {"settings": {"region": "u:p@evil"}},
        {},
        "https://u%3Ap%40evil.toy.example/v1/rerank",
    ),
]


@pytest.mark.parametrize(("arguments", "environ", "url"), [pytest.param(*case[1:], id=case[0]) for case in BY_SETTING])
def test_a_base_url_made_of_a_setting(arguments: dict[str, Any], environ: dict[str, str], url: str) -> None:
    assert bound(toy(settings=OPTIONAL_REGION, endpoint=BY_REGION), environ, **arguments).url("m") == url


def test_the_first_base_url_whose_names_are_all_present_is_used() -> None:
    settings = {name: {"description": name, "optional": True} for name in ("resource", "deployment", "region")}
    bases = [
        "https://{{ settings.resource }}.a.example",
        "https://{{ settings.deployment }}.{{ settings.region }}.b.example",
    ]
    spec = toy(settings=settings, endpoint={"base_url": bases, "path": "/rerank"})
    assert bound(spec, settings={"resource": "r"}).url("m") == "https://r.a.example/rerank"
    assert bound(spec, settings={"deployment": "d", "region": "e"}).url("m") == "https://d.e.b.example/rerank"
    assert bound(spec, settings={"resource": "r", "deployment": "d", "region": "e"}).url("m").startswith("https://r.a.")
    with pytest.raises(SettingMissing) as caught:
        bound(spec, settings={"deployment": "d"}).url("m")
    assert str(caught.value) == "Toy needs to know where to send this: pass resource= (resource) or region= (region)"


def test_without_a_base_url_the_error_names_every_way_to_give_one() -> None:
    with pytest.raises(SettingMissing) as caught:
        bound(toy(settings=OPTIONAL_REGION, endpoint=BY_REGION)).url("m")
    assert str(caught.value) == (
        "Toy needs to know where to send this: pass region= (Region) or api_base=, "
        "or set TOY_API_BASE or TOY_BASE_URL or TOY_REGION or REGION"
    )
    assert caught.value.variables == ("TOY_API_BASE", "TOY_BASE_URL", "TOY_REGION", "REGION")
    assert caught.value.name == "region"


def test_a_bad_api_base_is_refused_by_its_name() -> None:
    assert problem_of(toy(), api_base="ftp://x.example") == "api_base: must start with http:// or https://, not ftp://"


def test_a_bad_base_url_variable_is_refused_by_its_name() -> None:
    message = problem_of(toy(), {"TOY_API_BASE": "https://u:p@x.example"})
    assert message == "TOY_API_BASE: must not hold a user name or password; give the key as api_key"


# Path


def in_path(path: str | list[str], **more: Any) -> ProviderSpec:
    return toy(endpoint={"base_url": "https://h.example", "path": path}, **more)


MODELS = [
    ("plain", "/m/{{ model }}", "bge-v2.5", "https://h.example/m/bge-v2.5"),
    ("slashes are encoded", "/m/{{ model }}", "BAAI/bge", "https://h.example/m/BAAI%2Fbge"),
    ("slashes are kept", "/m/{{ model | keep_slashes }}", "BAAI/bge", "https://h.example/m/BAAI/bge"),
    ("a colon and an at sign", "/m/{{ model }}", "a:b@c", "https://h.example/m/a%3Ab%40c"),
    ("a query and a fragment", "/m/{{ model | keep_slashes }}", "a?b=c#d", "https://h.example/m/a%3Fb%3Dc%23d"),
    ("a percent sign", "/m/{{ model }}", "a%2e%2e", "https://h.example/m/a%252e%252e"),
    ("encoded dots", "/m/{{ model | keep_slashes }}", "%2e%2e/x", "https://h.example/m/%252e%252e/x"),
    ("space and umlaut", "/m/{{ model }}", "ä b", "https://h.example/m/%C3%A4%20b"),
    ("a line break", "/m/{{ model }}", "a\r\nHost: evil", "https://h.example/m/a%0D%0AHost%3A%20evil"),
    ("a backslash", "/m/{{ model | keep_slashes }}", "..\\..", "https://h.example/m/..%5C.."),
    ("dots inside", "/m/{{ model }}", "a..b", "https://h.example/m/a..b"),
    ("dots before more text", "/m/{{ model }}:rerank", "..", "https://h.example/m/..:rerank"),
    ("encoded slashes make no dot segment", "/m/{{ model }}", "../x", "https://h.example/m/..%2Fx"),
    ("a first slash", "/m/{{ model | keep_slashes }}", "/evil.example", "https://h.example/m//evil.example"),
    ("slashes first of all", "/{{ model | keep_slashes }}", "//evil.example/x", "https://h.example///evil.example/x"),
    ("the first path that can be made", ["/m/{{ model }}", "/m"], None, "https://h.example/m"),
    ("no name for the base", "/{{ 'a' if 'h.example' in base_url else 'b' }}/r", None, "https://h.example/a/r"),
]


@pytest.mark.parametrize(("path", "model", "url"), [pytest.param(*case[1:], id=case[0]) for case in MODELS])
def test_a_model_in_the_path(path: str | list[str], model: str | None, url: str) -> None:
    assert bound(in_path(path)).url(model) == url


@pytest.mark.parametrize("model", ["..", ".", "../admin", "a/../../admin", "a/..", "a/./b"])
def test_a_model_that_leads_elsewhere_is_refused(model: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        bound(in_path("/m/{{ model | keep_slashes }}/rerank")).url(model)
    assert str(caught.value) == f"invalid request: model: '{model}' cannot be part of a path"


def test_a_setting_that_leads_elsewhere_is_refused_by_its_own_name() -> None:
    spec = in_path("/accounts/{{ settings.region }}/rerank", settings=REGION)
    with pytest.raises(RequestInvalid) as caught:
        bound(spec, settings={"region": ".."}).url("m")
    assert str(caught.value) == "invalid request: region: '..' cannot be part of a path"


def test_a_path_that_needs_a_model_says_so() -> None:
    with pytest.raises(RequestInvalid) as caught:
        bound(in_path("/m/{{ model }}")).url(None)
    assert str(caught.value) == "invalid request: model: toy needs a model: write toy/MODEL"


def test_each_model_has_a_url_of_its_own() -> None:
    binding = bound(in_path("/m/{{ model }}"))
    assert [binding.url(model) for model in "aba"] == [f"https://h.example/m/{model}" for model in "aba"]


def test_query_parameters_of_the_spec_are_added_and_absent_ones_left_out() -> None:
    endpoint = {
        "base_url": "https://h.example",
        "path": "/rerank",
        "query": {"api-version": "2024-05-31", "region": "{{ settings.region }}", "m": "{{ model }}"},
    }
    spec = toy(settings=OPTIONAL_REGION, endpoint=endpoint)
    assert bound(spec).url("a&b") == "https://h.example/rerank?api-version=2024-05-31&m=a%26b"
    assert bound(spec, settings={"region": "x"}).url("c") == (
        "https://h.example/rerank?api-version=2024-05-31&region=x&m=c"
    )


FAILING = "{{ model - 1 }}"
WHY = "cannot be made: TypeError: unsupported operand type(s) for -: 'str' and 'int'"


@pytest.mark.parametrize(
    ("endpoint", "what"),
    [
        ({"base_url": f"https://{FAILING}.example"}, "a base URL"),
        ({"path": f"/{FAILING}"}, "a path"),
        ({"query": {"v": FAILING}}, "the query parameter v"),
        ({"headers": {"X-V": FAILING}}, "the header X-V"),
    ],
    ids=["base URL", "path", "query", "header"],
)
def test_a_text_of_the_endpoint_that_fails_is_our_error(endpoint: dict[str, Any], what: str) -> None:
    spec = toy(endpoint={"base_url": "https://h.example", "path": "/r", **endpoint})
    assert problem_of(spec) == f"{what} {WHY}"


def test_a_condition_that_fails_is_our_error() -> None:
    spec = toy(auth=[{"kind": "none", "when": FAILING}, {"kind": "none"}])
    assert problem_of(spec) == f"the kind of authentication {WHY}"


# Headers


def test_a_call_has_these_headers() -> None:
    headers = bound(toy()).headers("m")
    assert headers.pop("User-Agent").startswith("rankspec/")
    assert headers == {"Content-Type": "application/json", "Accept": "application/json"}


def test_headers_of_the_spec_are_added_and_absent_ones_left_out() -> None:
    fixed = {
        "X-Version": "2026-04",
        "X-Region": "{{ settings.region }}",
        "X-Model": "{{ model }}",
        "X-Base": "{{ base_url }}",
    }
    spec = toy(settings=OPTIONAL_REGION, endpoint={"base_url": "https://h.example", "path": "/r", "headers": fixed})
    headers = bound(spec).headers("m")
    assert {name: text for name, text in headers.items() if name.startswith("X-")} == {
        "X-Version": "2026-04",
        "X-Model": "m",
        "X-Base": "https://h.example",
    }


def test_a_header_of_the_spec_takes_the_place_of_ours_in_any_case() -> None:
    fixed = {"content-type": "application/vnd.toy+json", "USER-AGENT": "toy"}
    spec = toy(endpoint={"base_url": "https://h.example", "path": "/r", "headers": fixed})
    assert bound(spec).headers("m") == {"Accept": "application/json", **fixed}


def test_the_callers_headers_take_the_place_of_all_others_in_any_case() -> None:
    fixed = {"X-Version": "1", "X-Other": "1"}
    spec = toy(endpoint={"base_url": "https://h.example", "path": "/r", "headers": fixed})
    given = {"x-version": "2", "accept": "*/*", "User-agent": "me", "X-Mine": "a\tb"}
    assert bound(spec, headers=given).headers("m") == {"Content-Type": "application/json", "X-Other": "1", **given}


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"kind": "bearer", "key": {"env": ["TOY_API_KEY"]}}, "authorization"),
        ({"kind": "header", "name": "Api-Key", "key": {"env": ["TOY_API_KEY"]}}, "API-KEY"),
        ({"kind": "basic", "username": {"env": ["U"]}, "password": {"env": ["P"]}}, "Authorization"),
    ],
    ids=["bearer", "header", "basic"],
)
def test_a_callers_own_proof_takes_the_place_of_the_key(auth: dict[str, Any], header: str) -> None:
    played = play(
        toy(auth=auth),
        {"model": "m", "query": "q", "documents": ["a"]},
        [scored(1)],
        arguments=Arguments(headers={header: "Proof of-the-caller"}),
        environ={"TOY_API_KEY": KEY, "U": "u", "P": "p"},
    )
    headers = played.sent[0].headers
    assert [text for name, text in headers.items() if name.lower() == header.lower()] == ["Proof of-the-caller"]
    assert KEY not in str(headers)


def test_another_header_leaves_the_key_alone() -> None:
    played = play(
        toy(),
        {"model": "m", "query": "q", "documents": ["a"]},
        [scored(1)],
        arguments=Arguments(api_key=KEY, headers={"X-Authorization": "x"}),
    )
    assert played.sent[0].headers["Authorization"] == f"Bearer {KEY}"


BAD_HEADERS = [
    ("line break", {"X-A": "a\r\nX-B: b"}, "headers.X-A: must be text without line breaks"),
    ("line feed", {"X-A": "a\nb"}, "headers.X-A: must be text without line breaks"),
    ("line break at the end", {"X-A": "a\n"}, "headers.X-A: must be text without line breaks"),
    ("NUL", {"X-A": "a\0"}, "headers.X-A: must be text without line breaks"),
    ("next line", {"X-A": "a\x85b"}, "headers.X-A: must be text without line breaks"),
    ("half a surrogate pair", {"X-A": "\ud800"}, "headers.X-A: must be text without line breaks"),
    ("beyond ASCII", {"X-A": "ü"}, "headers.X-A: must be ASCII text"),
    ("a number", {"X-A": 1}, "headers.X-A: must be text without line breaks"),
    ("None", {"X-A": None}, "headers.X-A: must be text without line breaks"),
    ("bytes", {"X-A": b"a"}, "headers.X-A: must be text without line breaks"),
    ("a name with a space", {"X A": "a"}, "headers: 'X A' is not a header's name"),
    ("a name with a line break", {"X\r\nA": "a"}, "headers: 'X\\r\\nA' is not a header's name"),
    ("a name with a colon", {"X:": "a"}, "headers: 'X:' is not a header's name"),
    ("no name", {"": "a"}, "headers: '' is not a header's name"),
    ("a name that is no text", {1: "a"}, "headers: 1 is not a header's name"),
    ("a list", [("X-A", "a")], "headers: must be an object of texts, not a list"),
    ("an empty list", [], "headers: must be an object of texts, not a list"),
    ("text", "X-A: a", "headers: must be an object of texts, not a str"),
    (
        "a length of its own",
        {"content-length": "1"},
        "headers.content-length: frames the body, and is set by the transport alone",
    ),
    (
        "an encoding of its own",
        {"Transfer-Encoding": "chunked"},
        "headers.Transfer-Encoding: frames the body, and is set by the transport alone",
    ),
]


@pytest.mark.parametrize(("headers", "message"), [pytest.param(*case[1:], id=case[0]) for case in BAD_HEADERS])
def test_a_callers_headers_are_refused_for(headers: Any, message: str) -> None:
    assert problem_of(toy(), headers=headers) == message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("a\r\nX-Evil: 1", "headers.X-Region: must be text without line breaks"),
        ("é", "headers.X-Region: must be ASCII text"),
    ],
    ids=["line break", "beyond ASCII"],
)
def test_a_setting_cannot_smuggle_a_header(value: str, message: str) -> None:
    endpoint = {"base_url": "https://h.example", "path": "/r", "headers": {"X-Region": "{{ settings.region }}"}}
    assert problem_of(toy(settings=REGION, endpoint=endpoint), settings={"region": value}) == message


def test_spaces_around_a_callers_header_are_not_sent() -> None:
    assert bound(toy(), headers={"X-A": " a b\t"}).headers("m")["X-A"] == "a b"


def test_the_refusal_of_a_header_does_not_show_it() -> None:
    assert KEY not in problem_of(toy(), headers={"Authorization": f"Bearer {KEY}\n"})


# Secrets


KEYS = [
    ("argument", {"api_key": "arg"}, {"TOY_API_KEY": "env"}, "arg"),
    ("keyword", {"settings": {"api_key": "arg"}}, {"TOY_API_KEY": "env"}, "arg"),
    ("first variable", {}, {"TOY_API_KEY": "one", "TOY_KEY": "two"}, "one"),
    ("second variable", {}, {"TOY_KEY": "two"}, "two"),
    ("second variable, the first being blank", {}, {"TOY_API_KEY": " ", "TOY_KEY": "two"}, "two"),
    ("environment, the argument being empty", {"api_key": ""}, {"TOY_API_KEY": "env"}, "env"),
    ("environment, the argument being blank", {"api_key": " \t"}, {"TOY_API_KEY": "env"}, "env"),
    ("argument, trimmed", {"api_key": " arg\r\n"}, {}, "arg"),
    ("environment, trimmed", {}, {"TOY_API_KEY": "env\n"}, "env"),
]


@pytest.mark.parametrize(("arguments", "environ", "key"), [pytest.param(*case[1:], id=case[0]) for case in KEYS])
def test_the_key_comes_from(arguments: dict[str, Any], environ: dict[str, str], key: str) -> None:
    played = play(
        toy(),
        {"model": "m", "query": "q", "documents": ["a"]},
        [scored(1)],
        arguments=Arguments(**arguments),
        environ=environ,
    )
    assert played.sent[0].headers["Authorization"] == f"Bearer {key}"
    assert bound(toy(), environ, **arguments).secrets == (key,)


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [({}, {}), ({"api_key": "  "}, {}), ({"api_key": ""}, {"TOY_API_KEY": " ", "TOY_KEY": ""})],
    ids=["not given", "blank", "blank everywhere"],
)
def test_a_missing_key_is_told_with_its_variables_and_argument(
    arguments: dict[str, Any], environ: dict[str, str]
) -> None:
    played = play(
        toy(),
        {"model": "m", "query": "q", "documents": ["a"]},
        arguments=Arguments(**arguments),
        environ=environ,
    )
    error = played.error
    assert isinstance(error, CredentialMissing)
    assert str(error) == "Toy needs a key: set TOY_API_KEY or TOY_KEY, or pass api_key="
    assert (error.provider, error.name, error.variables) == ("toy", "key", ("TOY_API_KEY", "TOY_KEY"))
    assert played.sent == []


@pytest.mark.parametrize("bad", [f"{KEY}\nX", f"{KEY}\r\nX-Evil: 1", f"{KEY}\0", f"{KEY}ü", f"{KEY}\u200b"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(bad: str) -> None:
    for arguments, environ in ((Arguments(api_key=bad), {}), (Arguments(), {"TOY_API_KEY": bad})):
        played = play(toy(), {"model": "m", "query": "q", "documents": ["a"]}, arguments=arguments, environ=environ)
        assert isinstance(played.error, CredentialMissing)
        assert str(played.error) == (
            "the secret for Toy (TOY_API_KEY or TOY_KEY, or api_key=) holds a line break or another character that "
            "a header cannot carry; copy it again"
        )
        assert KEY not in "".join(traceback.format_exception(played.error))
        assert played.sent == []


@pytest.mark.parametrize(("key", "kind"), [(b"bytes", "bytes"), (7, "int"), (["k"], "list")])
def test_a_key_of_another_type_is_refused(key: Any, kind: str) -> None:
    assert problem_of(toy(), api_key=key) == f"api_key: must be text, not a {kind}"


def test_an_optional_key_may_be_missing() -> None:
    spec = toy(auth={"kind": "bearer", "key": {"env": ["TOY_API_KEY"], "optional": True}})
    request = {"model": "m", "query": "q", "documents": ["a"]}
    assert "Authorization" not in play(spec, request, [scored(1)], arguments=Arguments()).sent[0].headers
    sent = play(spec, request, [scored(1)], arguments=Arguments(), environ={"TOY_API_KEY": KEY}).sent[0]
    assert sent.headers["Authorization"] == f"Bearer {KEY}"


def test_secrets_other_than_the_key_come_from_their_own_arguments() -> None:
    auth = {
        "kind": "basic",
        "username": {"env": ["TOY_USER"], "argument": "toy_user"},
        "password": {"env": ["TOY_PASSWORD"]},
    }
    spec = toy(auth=auth)
    binding = bound(spec, {"TOY_USER": "env", "TOY_PASSWORD": "p-env"}, settings={"toy_user": "arg"})
    assert binding.credentials(spec.authenticators[0]) == {"username": "arg", "password": "p-env"}
    assert binding.secrets == ("arg", "p-env")
    binding = bound(spec, settings={"toy_user": "arg", "password": "p-arg"})
    assert binding.credentials(spec.authenticators[0]) == {"username": "arg", "password": "p-arg"}


def test_the_first_authentication_whose_condition_holds_is_used() -> None:
    auth = [
        {"kind": "header", "name": "api-key", "key": {"env": ["K"]}, "when": "{{ '.azure.example' in base_url }}"},
        {"kind": "none", "when": "{{ model == 'free' }}"},
        {"kind": "bearer", "key": {"env": ["K"]}},
    ]
    spec = toy(auth=auth)
    first, second, third = spec.authenticators
    assert bound(spec, api_base="https://x.azure.example").authenticator("m") is first
    assert bound(spec).authenticator("free") is second
    assert bound(spec).authenticator("m") is third
    assert bound(spec).authenticator(None) is third


def test_placeholders_stand_for_secrets_but_for_those_that_are_missing() -> None:
    auth = {"kind": "basic", "username": {"env": ["U"]}, "password": {"env": ["P"], "optional": True}}
    spec = toy(auth=auth)
    environ = {"U": "real", "P": "real"}
    binding = Binding(spec, Arguments(), environ, placeholders=True)
    assert binding.credentials(spec.authenticators[0]) == {"username": "<username>", "password": "<password>"}
    binding = Binding(spec, Arguments(), environ, placeholders=True, without=["password"])
    assert binding.credentials(spec.authenticators[0]) == {"username": "<username>"}
    binding = Binding(spec, Arguments(), environ, placeholders=True, without=["username"])
    with pytest.raises(CredentialMissing) as caught:
        binding.credentials(spec.authenticators[0])
    assert str(caught.value) == "Toy needs a key: set U, or pass username="


def test_placeholders_look_for_no_credentials_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    spec = Catalog(environ={}).load("bedrock")
    binding = Binding(spec, Arguments(), {}, placeholders=True)
    assert binding.credentials(spec.authenticators[0]) == {
        "access_key_id": "<access_key_id>",
        "secret_access_key": "<secret_access_key>",
        "session_token": "<session_token>",
    }


def test_what_a_caller_sends_as_proof_counts_as_secret() -> None:
    binding = bound(toy(), headers={"authorization": f"Bearer {KEY}", "X-Trace": "not-secret"})
    assert binding.secrets == (f"Bearer {KEY}", KEY)


# What is kept between calls


def test_what_requests_have_in_common_is_made_once_for_each_model() -> None:
    binding = bound(in_path("/m/{{ model }}"), api_key=KEY)
    sendings = [binding.sending(model) for model in "aba"]
    assert [one.request.url for one in sendings] == [f"https://h.example/m/{model}" for model in "aba"]
    assert sendings[0] is sendings[2]
    assert sendings[0].request.headers["Authorization"] == f"Bearer {KEY}"
    assert sendings[0].authenticator is None
    assert KEY in sendings[0].request.secrets
    assert KEY not in repr(sendings[0])


def test_models_that_callers_name_do_not_pile_up() -> None:
    binding = bound(in_path("/m/{{ model }}"), api_key=KEY)
    for at in range(1000):
        assert binding.sending(f"model-{at}").request.url == f"https://h.example/m/model-{at}"
    assert len(binding._sendings) <= 128


def test_a_signature_over_the_body_is_left_to_each_call() -> None:
    spec = Catalog(environ={}).load("bedrock")
    sending = Binding(spec, Arguments(settings={"region": "us-east-1"}), {}, placeholders=True).sending("m")
    assert sending.authenticator is spec.authenticators[-1]
    assert "Authorization" not in sending.request.headers


def test_a_missing_key_is_missed_at_every_call() -> None:
    binding = bound(toy())
    for _ in range(2):
        with pytest.raises(CredentialMissing):
            binding.sending("m")


def test_a_binding_is_kept_until_what_it_is_made_of_changes() -> None:
    environ = {"TOY_API_KEY": "one"}
    bindings, spec, other = Bindings(environ), toy(settings=REGION), toy()
    kept = bindings.of(spec, Arguments(headers={"X-A": "1"}))
    assert bindings.of(spec, Arguments(headers={"X-A": "1"})) is kept
    assert kept.secrets == ("one",)
    assert bindings.of(other, Arguments(headers={"X-A": "1"})).spec is other
    for different in (
        {"headers": {"X-A": "2"}},
        {"settings": {"region": "r"}},
        {"api_key": "k"},
        {"api_base": "http://h"},
    ):
        assert bindings.of(spec, Arguments(**{"headers": {"X-A": "1"}, **different})) is not kept
    environ["TOY_API_KEY"] = "two"
    assert bindings.of(spec, Arguments(headers={"X-A": "1"})).secrets == ("two",)
    environ["REGION"] = "eu"
    assert bindings.of(spec, Arguments(headers={"X-A": "1"})).settings == {"region": "eu"}


def test_a_kept_binding_has_the_key_of_its_own_time_whenever_its_request_is_made() -> None:
    environ = {"TOY_API_KEY": "one"}
    bindings, spec = Bindings(environ), toy()
    early = bindings.of(spec, Arguments())
    environ["TOY_API_KEY"] = "two"
    assert early.sending("m").request.headers["Authorization"] == "Bearer one"
    environ["TOY_API_KEY"] = "one"
    assert bindings.of(spec, Arguments()).sending("m").request.headers["Authorization"] == "Bearer one"


def test_settings_that_are_equal_and_read_differently_have_bindings_of_their_own() -> None:
    bindings, spec = Bindings({}), toy(settings=REGION)
    found = [bindings.of(spec, Arguments(settings={"region": value})).settings for value in (1, 1.0, "1")]
    assert found == [{"region": "1"}, {"region": "1.0"}, {"region": "1"}]
    with pytest.raises(RequestInvalid, match="must be text, not a bool"):
        bindings.of(spec, Arguments(settings={"region": True}))


def test_bindings_do_not_pile_up() -> None:
    bindings, spec = Bindings({}), toy()
    for at in range(1000):
        bindings.of(spec, Arguments(api_key=f"key-{at}"))
    assert len(bindings._kept) <= 128


@pytest.mark.parametrize(
    "arguments",
    [{"headers": "x"}, {"headers": {"X-A": []}}, {"settings": {"region": {}}}, {"api_key": ["k"]}],
    ids=["headers that are text", "a header that is a list", "a setting that is an object", "a key that is a list"],
)
def test_arguments_of_a_wrong_type_are_refused_as_without_keeping(arguments: dict[str, Any]) -> None:
    with pytest.raises(RequestInvalid) as caught:
        Bindings({}).of(toy(settings=REGION), Arguments(**arguments))
    with pytest.raises(RequestInvalid) as expected:
        bound(toy(settings=REGION), **arguments)
    assert str(caught.value) == str(expected.value)
