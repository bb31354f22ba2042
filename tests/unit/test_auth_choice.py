"""Several ways to authenticate: the one is taken that the caller has the secrets for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from stepping import KEY, play, scored, toy

from rankspec.binding import Arguments, Binding
from rankspec.errors import CredentialMissing, ExtraMissing, RankspecError
from rankspec.specs import ProviderSpec

API_KEY: dict[str, Any] = {"kind": "header", "name": "Api-Key", "key": {"env": ["TOY_API_KEY", "TOY_KEY"]}}
BASIC: dict[str, Any] = {
    "kind": "basic",
    "username": {"env": ["TOY_USER"], "argument": "toy_user"},
    "password": {"env": ["TOY_PASSWORD"], "argument": "toy_password"},
}
SIGV4: dict[str, Any] = {
    "kind": "aws_sigv4",
    "service": "service",
    "region": "us-east-1",
    "access_key_id": {"env": ["AWS_ACCESS_KEY_ID"], "argument": "aws_access_key_id"},
    "secret_access_key": {"env": ["AWS_SECRET_ACCESS_KEY"], "argument": "aws_secret_access_key"},
}
OPTIONAL: dict[str, Any] = {"kind": "bearer", "key": {"env": ["TOY_TOKEN"], "optional": True}}
ENTRA: dict[str, Any] = {
    "kind": "entra_id",
    "scope": "s",
    **{
        name: {"env": [f"AZURE_{name.upper()}"], "optional": True}
        for name in ("tenant_id", "client_id", "client_secret")
    },
}
GOOGLE: dict[str, Any] = {"kind": "google_oauth", "scopes": ["s"]}
NONE = {"kind": "none"}
PROFILE = "[default]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = from-profile\n"
USER = {"TOY_USER": "u", "TOY_PASSWORD": "p"}
PASSED = {"toy_user": "u", "toy_password": "p"}


@pytest.fixture(autouse=True)
def no_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """AWS's own file, which is not there to begin with."""
    file = tmp_path / "profiles"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return file


def taken(
    spec: ProviderSpec,
    environ: dict[str, str] | None = None,
    *,
    api_key: str | None = None,
    headers: dict[str, str] | None = None,
    **settings: Any,
) -> int | None:
    """The position of the way that is taken, or None if the caller's own headers are the proof."""
    arguments = Arguments(api_key=api_key, headers=headers, settings=settings)
    chosen = Binding(spec, arguments, environ or {}).authenticator("m")
    return None if chosen is None else [one is chosen for one in spec.authenticators].index(True)


CASES: list[tuple[str, list[dict[str, Any]], dict[str, Any], dict[str, str], int]] = [
    ("the first, of several that are set", [API_KEY, BASIC], {}, {"TOY_KEY": "k", **USER}, 0),
    ("the one that is set", [API_KEY, BASIC], {}, USER, 1),
    ("half of one is not enough", [API_KEY, BASIC, SIGV4], {}, {"TOY_USER": "u"}, 0),
    ("arguments go before the environment", [API_KEY, BASIC], PASSED, {"TOY_KEY": "k"}, 1),
    ("a key that is passed goes before the environment", [BASIC, API_KEY], {"api_key": KEY}, USER, 1),
    ("half in the call, half in the environment", [API_KEY, BASIC], {"toy_user": "u"}, {"TOY_KEY": "k", **USER}, 1),
    ("half in the call is asked for the rest", [API_KEY, BASIC], {"toy_user": "u"}, {"TOY_KEY": "k"}, 1),
    ("none at all", [API_KEY, BASIC], {}, {}, 0),
    ("what asks for nothing is possible always", [API_KEY, NONE], {}, {}, 1),
    ("what is set goes before what asks for nothing", [API_KEY, NONE], {}, {"TOY_KEY": "k"}, 0),
    ("half of one is not left out for what asks for nothing", [API_KEY, BASIC, NONE], {}, {"TOY_USER": "u"}, 1),
    ("half of one before the machine's own sign-in", [BASIC, ENTRA], {}, {"TOY_USER": "u"}, 1),
    (
        "what is optional is no half",
        [{**BASIC, "username": {"env": ["TOY_USER"], "optional": True}}, NONE],
        {},
        {"TOY_USER": "u"},
        1,
    ),
    ("an optional key that is not set", [API_KEY, OPTIONAL], {}, {}, 1),
    ("nothing behind what asks for nothing", [OPTIONAL, BASIC], {}, USER, 0),
    ("a machine's own sign-in comes last", [API_KEY, ENTRA], {}, {}, 1),
    ("a key goes before the machine's own sign-in", [ENTRA, API_KEY], {}, {"TOY_KEY": "k"}, 1),
    ("a machine's own sign-in that is named", [ENTRA, API_KEY], {}, {"AZURE_CLIENT_ID": "c", "TOY_KEY": "k"}, 0),
]


@pytest.mark.parametrize(
    ("auth", "arguments", "environ", "expected"), [pytest.param(*case[1:], id=case[0]) for case in CASES]
)
def test_the_first_way_is_taken_that_the_caller_has_the_secrets_for(
    auth: list[dict[str, Any]], arguments: dict[str, Any], environ: dict[str, str], expected: int
) -> None:
    assert taken(toy(auth=auth), environ, **arguments) == expected


def test_the_request_has_the_proof_of_the_way_that_is_taken() -> None:
    spec = toy(auth=[API_KEY, BASIC])
    request = {"model": "m", "query": "q", "documents": ["a"]}
    sent = play(spec, request, [scored(1)], arguments=Arguments(), environ=USER).sent[0]
    assert (sent.headers["Authorization"], "Api-Key" in sent.headers) == ("Basic dTpw", False)


def test_a_condition_that_does_not_hold_is_no_way() -> None:
    spec = toy(auth=[{**API_KEY, "when": "{{ model == 'other' }}"}, {**BASIC, "when": "{{ model == 'm' }}"}, SIGV4])
    assert taken(spec, {"TOY_KEY": "k", **USER}) == 1
    assert taken(spec, {"TOY_KEY": "k"}) == 1


def test_a_profile_is_looked_for_only_where_nothing_is_set(no_profile: Path) -> None:
    spec = toy(auth=[API_KEY, SIGV4, BASIC])
    no_profile.write_text(PROFILE)
    assert taken(spec) == 1
    assert taken(spec, USER) == 2
    assert taken(spec, api_key=KEY) == 0


def test_a_profile_goes_before_what_asks_for_nothing(no_profile: Path) -> None:
    spec = toy(auth=[SIGV4, NONE])
    assert taken(spec) == 1
    no_profile.write_text(PROFILE)
    assert taken(toy(auth=[SIGV4, NONE])) == 0


def test_a_broken_profile_is_told_where_nothing_else_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    binding = Binding(toy(auth=[API_KEY, SIGV4]), Arguments(), {})
    with pytest.raises(CredentialMissing, match=r"The config profile \(not-there\) could not be found"):
        binding.credentials(chosen_of(binding))


def chosen_of(binding: Binding) -> Any:
    chosen = binding.authenticator("m")
    assert chosen is not None
    return chosen


def test_what_is_not_to_be_looked_for_is_not_taken(no_profile: Path) -> None:
    no_profile.write_text(PROFILE)
    for auth in ([API_KEY, SIGV4], [API_KEY, ENTRA], [API_KEY, GOOGLE]):
        spec = toy(auth=auth)
        assert Binding(spec, Arguments(), {}, discover=False).authenticator("m") is spec.authenticators[0]


@pytest.mark.parametrize(
    ("auth", "message", "name"),
    [
        (ENTRA, "Toy needs a key: set AZURE_TENANT_ID, or pass tenant_id=", "tenant_id"),
        (GOOGLE, "Toy needs a key", "key"),
    ],
    ids=["with secrets of its own", "without"],
)
def test_the_machines_own_sign_in_is_not_for_others_callers(auth: dict[str, Any], message: str, name: str) -> None:
    binding = Binding(toy(auth=auth), Arguments(), {}, discover=False)
    with pytest.raises(CredentialMissing) as caught:
        binding.credentials(chosen_of(binding))
    assert (str(caught.value), caught.value.name) == (message, name)


MISSING = [
    ("two", [API_KEY, BASIC], "; or set TOY_USER and TOY_PASSWORD"),
    ("three", [API_KEY, BASIC, SIGV4], "; or set TOY_USER and TOY_PASSWORD; or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    ("one", [API_KEY], ""),
]  # fmt: skip


@pytest.mark.parametrize(("auth", "others"), [pytest.param(*case[1:], id=case[0]) for case in MISSING])
def test_without_any_secret_the_error_names_the_first_way_and_the_others(
    auth: list[dict[str, Any]], others: str
) -> None:
    request = {"model": "m", "query": "q", "documents": ["a"]}
    error = play(toy(auth=auth), request, [], arguments=Arguments()).error
    assert isinstance(error, CredentialMissing)
    assert str(error) == f"Toy needs a key: set TOY_API_KEY or TOY_KEY, or pass api_key={others}"
    assert (error.provider, error.name, error.variables) == ("toy", "key", ("TOY_API_KEY", "TOY_KEY"))


def test_a_way_that_needs_a_package_is_no_way_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("azure.identity")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    binding = Binding(toy(auth=[API_KEY, ENTRA]), Arguments(), {})
    with pytest.raises(CredentialMissing) as caught:
        binding.sending("m")
    assert str(caught.value) == (
        "Toy needs a key: set TOY_API_KEY or TOY_KEY, or pass api_key=; or set AZURE_TENANT_ID and AZURE_CLIENT_ID and "
        "AZURE_CLIENT_SECRET (a token of Microsoft Entra ID needs an optional package: pip install 'rankspec[entra]')"
    )
    alone = play(toy(auth=ENTRA), {"model": "m", "query": "q", "documents": ["a"]}, [], arguments=Arguments())
    assert isinstance(alone.error, ExtraMissing)


def test_what_is_set_up_later_is_seen_at_the_next_call(no_profile: Path) -> None:
    binding = Binding(toy(auth=[SIGV4, {**API_KEY, "when": "{{ false }}"}, BASIC]), Arguments(), {})
    with pytest.raises(CredentialMissing):
        binding.sending("m")
    binding.spec.authenticators[0].__dict__.pop("_chain", None)
    no_profile.write_text(PROFILE)
    assert binding.sending("m").authenticator is binding.spec.authenticators[0]


@pytest.mark.parametrize(
    ("headers", "environ", "arguments", "expected"),
    [
        ({"api-key": "mine"}, {}, {}, None),
        ({"Authorization": "mine"}, {}, {}, None),
        ({"Authorization": "mine"}, {"TOY_KEY": "k"}, {}, None),
        ({"Authorization": "mine"}, {}, {"api_key": KEY}, 0),
        ({"X-Other": "1"}, USER, {}, 1),
    ],
    ids=["of the first", "of the second", "a key in the environment", "a key that is passed too", "of none"],
)
def test_a_callers_own_header_is_the_proof_of_any_way(
    headers: dict[str, str], environ: dict[str, str], arguments: dict[str, str], expected: int | None
) -> None:
    assert taken(toy(auth=[API_KEY, BASIC]), environ, headers=headers, **arguments) == expected


@pytest.mark.parametrize(
    ("without", "expected"),
    [((), 0), (("key",), 1), (("key", "password"), 0), (("password",), 0)],
    ids=["all are there", "without the first's", "without any", "without the second's"],
)
def test_with_placeholders_the_first_way_is_shown_that_has_all_of_its_own(
    without: tuple[str, ...], expected: int
) -> None:
    spec = toy(auth=[API_KEY, BASIC])
    binding = Binding(spec, Arguments(), {}, placeholders=True, without=without)
    assert binding.authenticator("m") is spec.authenticators[expected]


def test_what_is_explained_is_the_way_that_the_call_would_take() -> None:
    spec = toy(auth=[API_KEY, BASIC])
    binding = Binding(spec, Arguments(), USER, placeholders=True)
    assert binding.authenticator("m") is spec.authenticators[1]
    assert binding.credentials(spec.authenticators[1]) == {"username": "<username>", "password": "<password>"}


def test_the_gateway_knows_that_something_may_be_found() -> None:
    for auth, expected in (([API_KEY, BASIC], False), ([API_KEY, SIGV4], True), ([API_KEY, ENTRA], True)):
        assert Binding(toy(auth=auth), Arguments(), {}).may_discover("m") is expected


def test_a_failing_condition_is_our_error() -> None:
    spec = toy(auth=[{**API_KEY, "when": "{{ model - 1 }}"}, BASIC])
    with pytest.raises(RankspecError, match="the kind of authentication cannot be made"):
        taken(spec)


ENTRA_BY_KEY = {**ENTRA, "client_secret": {"env": ["AZURE_CLIENT_SECRET"], "argument": "api_key", "optional": True}}
GOOGLE_BY_KEY = {**GOOGLE, "credentials": {"env": ["TOY_CREDENTIALS"], "argument": "api_key", "optional": True}}
OCI_BY_KEY: dict[str, Any] = {
    "kind": "oci_rsa_sha256",
    **{name: {"env": [f"OCI_{name.upper()}"], "optional": True} for name in ("tenancy", "user", "fingerprint")},
    "private_key": {"env": ["OCI_KEY"], "argument": "api_key"},
}
LEADING_HERE = [
    ("half an application", ENTRA_BY_KEY, "secret", {}),
    ("half of it among the settings", ENTRA_BY_KEY, "secret", {"client_id": "c"}),
    ("a file's path", GOOGLE_BY_KEY, "/etc/service-account.json", {}),
    ("a type that reads files", GOOGLE_BY_KEY, '{"type": "external_account", "credential_source": {"file": "/x"}}', {}),
    ("no JSON", GOOGLE_BY_KEY, '{"type": "service_account"', {}),
    ("JSON without an end", GOOGLE_BY_KEY, '{"a":' * 100_000, {}),
    ("the path of a private key", OCI_BY_KEY, "/etc/key.pem", {}),
]


@pytest.mark.parametrize(("auth", "key", "settings"), [pytest.param(*case[1:], id=case[0]) for case in LEADING_HERE])
def test_what_anothers_caller_passes_leads_to_nothing_of_this_machine(
    auth: dict[str, Any], key: str, settings: dict[str, str]
) -> None:
    binding = Binding(toy(auth=auth), Arguments(api_key=key, settings=settings), {}, discover=False)
    with pytest.raises(CredentialMissing) as caught:
        binding.credentials(chosen_of(binding))
    assert key not in str(caught.value) or key == "secret"
    assert caught.value.provider == "toy"


@pytest.mark.parametrize(
    ("auth", "key", "settings", "name"),
    [
        (ENTRA_BY_KEY, "secret", {"tenant_id": "t", "client_id": "c"}, "client_secret"),
        (GOOGLE_BY_KEY, '{"type": "service_account"}', {}, "credentials"),
        (GOOGLE_BY_KEY, '{"type": "authorized_user"}', {}, "credentials"),
        (OCI_BY_KEY, "-----BEGIN PRIVATE KEY-----", {}, "private_key"),
    ],
    ids=["an application", "a service account", "a user", "a private key"],
)
def test_anothers_caller_may_bring_what_is_whole(
    auth: dict[str, Any], key: str, settings: dict[str, str], name: str
) -> None:
    binding = Binding(toy(auth=auth), Arguments(api_key=key, settings=settings), {}, discover=False)
    assert binding.credentials(chosen_of(binding))[name] == key


@pytest.mark.parametrize(
    ("auth", "environ"),
    [
        (ENTRA, {"AZURE_CLIENT_ID": "c"}),
        (GOOGLE_BY_KEY, {"TOY_CREDENTIALS": "/x.json"}),
        (OCI_BY_KEY, {"OCI_KEY": "~/k"}),
    ],
    ids=["a managed identity", "a file of credentials", "a file of a key"],
)
def test_the_environment_may_name_what_this_machine_has(auth: dict[str, Any], environ: dict[str, str]) -> None:
    binding = Binding(toy(auth=auth), Arguments(), environ, discover=False)
    assert list(binding.credentials(chosen_of(binding)).values()) == list(environ.values())
