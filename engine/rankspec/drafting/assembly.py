"""Puts a spec together from a curl line and its reply, and runs its example through the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import orjson

from rankspec.binding import Arguments, Binding
from rankspec.disclosure import secrets_of
from rankspec.drafting.answers import ReplyDraft, read_reply
from rankspec.drafting.bodies import BodyDraft, read_body
from rankspec.drafting.body_secrets import cover_secrets
from rankspec.drafting.credentials import SHORTEST_HELD, CredentialsReader
from rankspec.drafting.curl import CurlRequest, ReadFile, read_curl
from rankspec.drafting.differences import differences
from rankspec.drafting.endpoint import EndpointDraft, read_address
from rankspec.drafting.layout import MODELINE, layout
from rankspec.drafting.names import at
from rankspec.drafting.outcome import Draft, DraftFailed, Notebook
from rankspec.drafting.placeholders import Settings
from rankspec.drafting.recordings import ERROR_MESSAGES, Recording, is_error, message_place, read_recording
from rankspec.errors import RankspecError, SpecNotFound
from rankspec.exchange import Rules, rerank_exchange
from rankspec.migrations import CURRENT_VERSION
from rankspec.models import HttpRequest, HttpResponse, Json, Path, RerankResponse
from rankspec.parameters import validated
from rankspec.specs import load_spec

_MADE_ID = "(made here)"
_ERRORS = {"message": list(ERROR_MESSAGES)}
_NO_RESPONSE = """TODO: how a reply is read. For {"id": "r-1", "results": [{"index": 0, "relevance_score": 0.9}]} it is
response:
  results: "results[].{index: index, relevance_score: relevance_score}"
  id: id"""
_GUESSED_ALWAYS: dict[Path, str] = {
    ("title",): "the name as people write it",
    ("errors", "message"): "no error reply was given",
    ("limits", "documents"): "look it up",
    ("scoring", "scale"): "no reply was given",
    ("scoring", "mode"): "listwise if a score depends on the other documents",
}
"""What no request and no reply tells; the scale stands here for a draft without a reply."""

_WORKED = "give the reply of a call that worked; this one could become an example of an error"
_NO_EXAMPLE = "TODO: a recorded call. With --reply, rankspec new writes it from the reply."
_DOCUMENTATION = """TODO: the pages that tell of this API, each with the day it was read:
documentation:
  - {title: Rerank API, url: "https://docs.example.com/rerank", read: "2026-01-31"}"""


def draft_from_curl(name: str, curl: str, reply: str | None, read_file: ReadFile) -> Draft:
    """A spec for a request that works.

    Args:
        name: the provider's name, as users will type it.
        curl: the text that holds the curl line.
        reply: the text of the reply it got, with or without its headers; None if there is none.
        read_file: gives the text of a file that the curl line names.

    Raises:
        DraftFailed: the line is no curl line with a JSON body, or the reply is not JSON.
    """
    notebook = Notebook()
    request = read_curl(curl, read_file, notebook)
    return _Assembly(name, request, notebook).draft(reply)


class _Assembly:
    def __init__(self, name: str, request: CurlRequest, notebook: Notebook) -> None:
        self._name = name
        self._request = request
        self._notebook = notebook
        self._settings = Settings(name)
        self._secrets: list[str] = []

    def draft(self, reply: str | None) -> Draft:
        notebook, request = self._notebook, self._request
        address = read_address(request.url, self._settings, notebook)
        reader = CredentialsReader(self._name, self._settings, notebook)
        user = request.user if request.user is not None else address.user
        sent, in_body = cover_secrets(self._body(), notebook)
        credentials = reader.read(request.headers, list(address.query), user, request.sigv4, in_body)
        self._secrets = [secret for secret in credentials.secrets if len(secret) >= SHORTEST_HELD]
        self._settings.forget_defaults(self._secrets)
        place = address.base + unquote(address.path) + address.path
        if secrets_of(place) or any(secret in place for secret in self._secrets):
            raise DraftFailed("the key stands in the address's host or path, where a spec cannot put one")
        sent = self._without_secrets(sent, "the body after -d")
        if request.body_expands:
            notebook.leave(
                "request.body: the shell replaces a variable in it; write the value in the file and try again"
            )
        body = read_body(sent, notebook)
        endpoint, model = EndpointDraft(address, self._settings, notebook).build(
            request.method, credentials.headers, credentials.query, body.request.get("model")
        )
        if model is not None:
            body.request = {"model": model, **body.request}
        spec = self._spec(endpoint, credentials.auth, body)
        recording = None if reply is None else read_recording(reply)
        answer: Json = None
        if recording is not None and not recording.has_failed:
            answer = self._without_secrets(_json(recording.text, "the reply"), "the reply")
        found = ReplyDraft(None) if answer is None else read_reply(answer, body.texts, body.ids, notebook)
        if found.response is None:
            self._no_response(recording, answer)
        for path, why in _GUESSED_ALWAYS.items():
            notebook.guess(path, why)
        before = {"endpoint" if "settings" not in spec else "settings": _DOCUMENTATION}
        if found.response is None:
            before |= {"errors": _NO_RESPONSE, "": _NO_EXAMPLE}
            del spec["response"]
        else:
            spec["response"] = found.response
            spec["scoring"]["scale"] = found.scale
            if answer is not None:
                self._add_example(spec, body, self._with_sent_ids(answer, found, body), sent)
        return self._draft(spec, before)

    def _draft(self, spec: dict[str, Json], before: dict[str, str]) -> Draft:
        notebook = self._notebook
        if "examples" in spec:
            notebook.leave("errors: no error reply is recorded yet; add an example of a refused key")
        else:
            notebook.leave("examples: no call is recorded yet")
        text = MODELINE + layout(spec, notebook.comments, before)
        return notebook.draft(text)

    def _spec(self, endpoint: dict[str, Any], auth: dict[str, Any], body: BodyDraft) -> dict[str, Json]:
        spec: dict[str, Json] = {
            "spec_version": CURRENT_VERSION,
            "provider": self._name,
            "title": self._name.replace("_", " ").title(),
            "confidence": "inferred",
        }
        if self._settings.declared:
            spec["settings"] = self._settings.declared
            for name in self._settings.made_up:
                self._notebook.guess(("settings", name), "a value that the caller brings")
        return spec | {
            "endpoint": endpoint,
            "auth": auth,
            "request": {"body": body.template},
            "response": {},
            "errors": _ERRORS,
            "limits": {"documents": "none"},
            "scoring": {"scale": "unknown", "mode": "pointwise"},
        }

    def _body(self) -> Json:
        """The body of the curl line, as it was sent.

        Raises:
            DraftFailed: it is no JSON object.
        """
        try:
            body = _json(self._request.body, "the body after -d")
        except DraftFailed:
            if self._request.body_cut:
                raise DraftFailed(self._request.body_cut) from None
            raise
        if not isinstance(body, dict | list) or not body:
            raise DraftFailed("the body after -d must be a JSON object with the query and the documents")
        return body

    def _without_secrets(self, value: Json, what: str) -> Json:
        redacted = self._redacted(value)
        if redacted != value:
            self._notebook.note(f"a key in {what} is written as <key>")
        return redacted

    def _redacted(self, value: Json) -> Json:
        if isinstance(value, dict):
            return {self._redacted(key): self._redacted(member) for key, member in value.items()}
        if isinstance(value, list):
            return [self._redacted(member) for member in value]
        if isinstance(value, str):
            for secret in sorted((*self._secrets, *secrets_of(value)), key=len, reverse=True):
                value = value.replace(secret, "<key>")
        return value

    def _no_response(self, recording: Recording | None, answer: Json) -> None:
        """Tell why nothing is known of how a reply is read."""
        notebook = self._notebook
        if recording is None:
            notebook.leave("response: how a reply is read; pass --reply FILE with the reply that the request got")
            return
        notebook.guess(("scoring", "scale"), "no reply with scores was given")
        if recording.has_failed or is_error(answer):
            status = f" (HTTP {recording.status})" if recording.has_failed else ""
            notebook.leave(f"response: this reply is an error{status}: {_WORKED}")
            where = message_place(recording.text)
            told = f"the error reply has it in {where}" if where else "the error reply has it elsewhere"
            notebook.guess(("errors", "message"), told)
        elif not any(one.startswith("response:") for one in notebook.remaining):
            notebook.leave("response: no list with an index and a score for each document was found in the reply")

    def _with_sent_ids(self, reply: Json, found: ReplyDraft, body: BodyDraft) -> Json:
        """The reply with positions in place of the ids that were recorded, where those are what the spec sends."""
        if found.uses_ids is None or body.ids is None:
            return reply
        results, inner = found.uses_ids
        positions = {value: str(index) if body.ids.are_texts else index for index, value in enumerate(body.ids.values)}
        reply = orjson.loads(orjson.dumps(reply))
        for item in at(reply, results):
            holder = at(item, inner[:-1])
            holder[inner[-1]] = positions[holder[inner[-1]]]
        self._notebook.guess(
            ("examples", 0, "reply"), "the recorded ids are written as the positions that the spec sends"
        )
        return reply

    def _add_example(self, spec: dict[str, Json], body: BodyDraft, reply: Json, sent: Json) -> None:
        """Record the call in the spec, with what the engine makes of it."""
        is_plain = body.request.keys() <= {"model", "query", "documents"}
        example: dict[str, Any] = {
            "title": "a plain call" if is_plain else "the recorded call",
            "request": body.request,
        }
        if self._settings.made_up:
            example["settings"] = self._settings.made_up
        try:
            request, response = _run(spec, example, reply)
        except RankspecError as error:
            self._notebook.leave(f"examples: the recorded call does not go through this draft: {error}")
            return
        example["sends"] = {
            "method": request.method,
            "url": request.url,
            "headers": _shown(request.headers, spec),
            "body": orjson.loads(request.body),
        }
        example["reply"] = {"status": 200, "body": reply}
        returns = response.to_dict()
        if returns["id"] == _MADE_ID:
            del returns["id"]
        example["returns"] = returns
        spec["examples"] = [example]
        self._compare(sent, example["sends"], body.request)

    def _compare(self, sent: Json, sends: dict[str, Any], request: dict[str, Any]) -> None:
        """Tell where the spec sends something else than the curl line did."""
        if changed := differences(sent, sends["body"], request):
            self._notebook.note(f"the spec sends these members otherwise than the curl line: {', '.join(changed)}")


def _json(text: str, what: str) -> Json:
    """The JSON of a text.

    Raises:
        DraftFailed: it is not JSON. The message does not quote it.
    """
    try:
        return orjson.loads(text.removeprefix("\ufeff").strip())
    except orjson.JSONDecodeError as error:
        raise DraftFailed(f"{what} is not JSON: {error}") from None


def _run(spec: dict[str, Json], example: dict[str, Any], reply: Json) -> tuple[HttpRequest, RerankResponse]:
    """The request that a spec sends, and what it makes of the reply.

    Raises:
        RankspecError: it does not load, or the call fails.
    """
    loaded = load_spec(layout(spec, {}, {}), "the draft", _no_parent)
    binding = Binding(loaded, Arguments(settings=example.get("settings")), {}, placeholders=True)
    rules = Rules(max_retries=0, clock=lambda: 0.0, new_id=lambda: _MADE_ID)
    exchange = rerank_exchange(binding, validated(example["request"]), rules)
    request = next(exchange)
    assert isinstance(request, HttpRequest)
    try:
        exchange.send(HttpResponse(200, {}, orjson.dumps(reply)))
    except StopIteration as stop:
        return request, stop.value
    raise AssertionError("a call of one request ends with its reply")


def _shown(headers: Mapping[str, str], spec: dict[str, Any]) -> dict[str, str]:
    """The headers that an example lists: the key's, the body's type, and the spec's own."""
    auth, endpoint = spec["auth"], spec["endpoint"]
    carriers = {"authorization", auth.get("name", "").lower(), *(name.lower() for name in endpoint.get("headers", {}))}
    shown = {name: value for name, value in headers.items() if name.lower() in carriers}
    if auth["kind"] == "basic":
        shown["Authorization"] = "Basic *"
    elif auth["kind"] == "aws_sigv4":
        shown["Authorization"] = "AWS4-HMAC-SHA256 Credential=<access_key_id>/*"
    return {**shown, "Content-Type": headers["Content-Type"]}


def _no_parent(name: str) -> Mapping[str, Any]:
    raise SpecNotFound(f"no spec is called '{name}'", name=name)
