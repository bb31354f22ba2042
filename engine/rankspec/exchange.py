"""One rerank call as a generator: send, retry or read, page by page. No socket, clock or event loop.

It yields what is to be done (an HttpRequest, a Wait, several exchanges Together) and is sent what came of it; a
transport's error is thrown in. The sync and async drivers are one loop each, with no decision in them.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rankspec.auth import Authenticator
from rankspec.binding import Binding
from rankspec.contract import ContractBroken, Scored, attach_documents, check_results, rank
from rankspec.errors import (
    AuthenticationRejected,
    CredentialMissing,
    ProviderError,
    ResponseInvalid,
    SettingMissing,
    TimedOut,
    TransportError,
    redact,
)
from rankspec.long_documents import fit, whole
from rankspec.mapping import MappingFailed
from rankspec.models import (
    ChunkScore,
    Exchange,
    HttpRequest,
    HttpResponse,
    Json,
    LongDocuments,
    Policy,
    RerankMeta,
    RerankRequest,
    RerankResponse,
    Together,
    Wait,
)
from rankspec.parameters import check_limits, check_media, check_parameters
from rankspec.parts import Part, as_text, cost_of, joined, told
from rankspec.pieces import Piece, Pieces
from rankspec.replies import excerpt, is_retryable, read_error
from rankspec.response_mapping import Readings

MAX_PAGES = 100
MAX_RETRY_AFTER_SECONDS = 60.0
FIRST_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 8.0

MADE_ID = "(made here)"
"""The id of an offline call's response whose provider gives none."""


@dataclass(slots=True)
class Rules:
    """How a call behaves, whatever it asks.

    `timeout_seconds` bounds the whole call, retries and waits included. Without `long_documents` a document beyond a
    limit in characters is refused, and one that may be beyond a limit in tokens is sent.
    """

    timeout_seconds: float = 60.0
    max_retries: int = 2
    unsupported: Policy = "warn"
    long_documents: LongDocuments | None = None
    chunk_score: ChunkScore = "max"
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    new_id: Callable[[], str] = lambda: str(uuid.uuid4())

    def offline(self) -> Rules:
        """These rules for a call whose replies are at hand: no retries, no time passes, every made id is the same."""
        return replace(self, max_retries=0, clock=lambda: 0.0, new_id=lambda: MADE_ID)


def rerank_exchange(binding: Binding, request: RerankRequest, rules: Rules) -> Exchange:
    """The steps of one rerank call. Returns a RerankResponse.

    Raises:
        RequestInvalid, CredentialMissing, SettingMissing: nothing is sent.
        TransportError, ProviderError, ResponseInvalid: as their texts say.
        SpecInvalid: a template of the spec fails on this request.
    """
    return _Call(binding, request, rules).run()


def backoff_seconds(failures: int, jitter: float) -> float:
    """How long to wait after so many earlier failures when the provider does not say. `jitter` is from 0 to 1."""
    return min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 10)) * (0.5 + jitter / 2)


def run_offline(exchange: Exchange, answer: Callable[[HttpRequest], HttpResponse | None]) -> Any:
    """The outcome of an exchange whose requests are answered by a function; waits take no time.

    Where `answer` gives None the exchange is left open, and the outcome is None; those beside it still go on.
    """
    outcome: Any = None
    while True:
        try:
            step = exchange.send(outcome)
        except StopIteration as stop:
            return stop.value
        outcome = None
        if isinstance(step, HttpRequest):
            outcome = answer(step)
            if outcome is None:
                return None
        elif isinstance(step, Together):
            outcome = [run_offline(one, answer) for one in step.exchanges]
            if any(one is None for one in outcome):
                return None


def first_requests(exchange: Exchange) -> list[HttpRequest]:
    """What an exchange sends before it knows any reply: one request, or that of each part."""
    sent: list[HttpRequest] = []

    def leave_open(request: HttpRequest) -> None:
        sent.append(request)

    run_offline(exchange, leave_open)
    return sent


class _Call:
    def __init__(self, binding: Binding, request: RerankRequest, rules: Rules) -> None:
        self.binding = binding
        self.spec = binding.spec
        self.model = self.spec.model(request.model)
        self.request = request
        self.rules = rules
        self.deadline = 0.0
        self.secrets = binding.secrets

    def run(self) -> Exchange:
        self.deadline = self.rules.clock() + self.rules.timeout_seconds
        request, rules, spec, model = self.request, self.rules, self.spec, self.model
        warnings = check_parameters(spec, model, request, rules.unsupported, rules.long_documents)
        self.binding.require_settings()
        check_limits(spec, model.limits, request, rules.long_documents)
        check_media(spec, model, request)
        fitted = None
        if rules.long_documents is not None:
            fitted = fit(spec, model, request, rules.long_documents, rules.chunk_score)
            if fitted is not None:
                warnings.append(fitted.warning)
        sent = Pieces(self.binding, model, request, fitted)
        # All are rendered before one is sent: what is wrong with the last document is told while nothing is paid.
        pieces = sent.cut()
        if len(pieces) == 1:
            part = yield from self._part(sent, pieces[0])
        else:
            parts: list[Part] = yield Together([self._part(sent, piece) for piece in pieces])
            part = joined(parts)
        return self._response(sent, part, warnings)

    def _part(self, sent: Pieces, piece: Piece) -> Exchange:
        """What comes of one piece."""
        count, start = len(piece.forms), piece.start
        reply, response = yield from self._send(piece.body)
        found = self._read(reply, response)
        part = told(self.spec, found, self.secrets)
        if found.next_token is not None and found.next_token != "":
            found, part, reply = yield from self._all_pages(sent, piece, found, part, reply)
        # A provider that is told top_n may stop there; one that is not told must rank everything.
        top_n = sent.top_n(count)
        expected = count if top_n is None or "top_n" not in self.model.body.names else top_n
        scored = None
        if found.columns is not None:  # Then there is but one page, which this is.
            scored = found.columns.scored(found.results, count, expected, start)
            if scored is None:
                found = self._read(reply, response, by_columns=False)
        part.results = self._check(found.results, reply, count, expected, start) if scored is None else scored
        return part

    def _all_pages(self, sent: Pieces, piece: Piece, found: Readings, part: Part, reply: Json) -> Exchange:
        """What is found in the last page, with the results of all; the part that they make; and the last reply."""
        pages, results = [part], []
        tokens: set[str] = set()
        while True:
            if not isinstance(found.results, list):
                self._check(found.results, reply, len(piece.forms), 0)
            results += found.results
            token = found.next_token
            if token is None or token == "":
                return found._replace(results=results), joined(pages), reply
            if not isinstance(token, str):
                raise self._invalid(f"the token of its next page is no text: {as_text(token)}", reply)
            if token in tokens:
                raise self._invalid(f"its pages do not end: page {len(pages)} leads to one that was read", reply)
            if len(pages) == MAX_PAGES:
                raise self._invalid(f"its pages do not end: there are more than {MAX_PAGES}", reply)
            tokens.add(token)
            reply, response = yield from self._send(sent.body(piece.forms, token))
            found = self._read(reply, response)
            pages.append(told(self.spec, found, self.secrets))

    def _send(self, body: bytes) -> Exchange:
        """The decoded reply and the response it came in, after as many tries as it takes."""
        rules, model_id = self.rules, self.spec.model_id(self.request.model)
        sending = self.binding.sending(model_id)
        common, authenticator = sending.request, sending.authenticator
        credentials = self.binding.credentials(authenticator) if authenticator else {}
        attempt, has_renewed = 0, False
        while True:
            remaining = self.deadline - rules.clock()
            if remaining <= 0:
                raise self._timed_out()
            http = HttpRequest(common.method, common.url, common.headers, body, remaining, common.secrets)
            failure: Exception
            try:
                if authenticator is not None:
                    http = yield from authenticator.flow(http, credentials, sending.scope)
                    if authenticator.renews:  # A token took some of the time, if it had to be fetched.
                        http = replace(http, timeout_seconds=self.deadline - rules.clock())
                        if http.timeout_seconds <= 0:
                            raise self._timed_out()
                self.secrets = http.secrets
                response: HttpResponse = yield http
            except TimedOut:
                raise self._timed_out() from None
            except (SettingMissing, CredentialMissing) as error:
                error.provider = self.spec.name
                if isinstance(error, CredentialMissing) and authenticator is not None:
                    self.binding.tell_other_ways(error, authenticator, model_id)
                raise
            except (TransportError, ProviderError, ResponseInvalid) as error:  # The latter two are of a token's issuer.
                error.provider = self.spec.name
                failure = error
            else:
                error_found, reply = read_error(self.spec, response, http.secrets)
                if error_found is None:
                    return reply, response
                failure = error_found
                if authenticator is not None and not has_renewed and _is_stale(error_found, response, authenticator):
                    authenticator.forget(http, credentials)
                    has_renewed = True
                    continue
            if attempt >= rules.max_retries or not is_retryable(failure):
                raise failure
            pause = getattr(failure, "retry_after_seconds", None)
            if pause is None:
                pause = backoff_seconds(attempt, rules.jitter())
            if pause > MAX_RETRY_AFTER_SECONDS or rules.clock() + pause >= self.deadline:
                raise failure
            yield Wait(pause)
            attempt += 1

    def _timed_out(self) -> TimedOut:
        seconds = self.rules.timeout_seconds
        message = f"{self.spec.title} gave no complete answer within {seconds:g} seconds; pass a longer timeout="
        return TimedOut(message, provider=self.spec.name, seconds_waited=seconds)

    def _check(self, found: Json, reply: Json, count: int, expected: int, start: int = 0) -> Scored:
        try:
            return check_results(found, count, expected, start)
        except ContractBroken as error:
            raise self._invalid(str(error), reply, self.spec.response.results.text) from None

    def _read(self, reply: Json, response: HttpResponse, *, by_columns: bool = True) -> Readings:
        try:
            return self.spec.response.search(reply, response.headers, by_columns=by_columns)
        except MappingFailed as error:
            message = f"'{error.expression}' does not fit its reply: {error}"
            raise self._invalid(message, reply, error.expression) from error

    def _invalid(self, message: str, reply: Json, expression: str | None = None) -> ResponseInvalid:
        shown = excerpt(as_text(reply).encode(), self.secrets)
        text = redact(f"{self.spec.title} answered 200 but {message}", self.secrets)
        return ResponseInvalid(text, provider=self.spec.name, expression=expression, excerpt=shown)

    def _response(self, sent: Pieces, part: Part, warnings: list[str]) -> RerankResponse:
        request, price = self.request, self.model.price
        scored = whole(part.results, sent.owners, self.rules.chunk_score) if sent.owners else part.results
        results = rank(scored, request.top_n, self.model.transform)
        if request.return_documents:
            attach_documents(results, request.documents)
        meta = RerankMeta()
        if part.api_version:
            meta["api_version"] = part.api_version
        for name, units in part.units.items():
            if units:
                meta[name] = units
        cost = cost_of(price, part.units.values(), sent.document_count) if price else None
        if cost is not None:
            meta["cost"] = cost
        if part.warnings or warnings:
            meta["warnings"] = list(dict.fromkeys((*part.warnings, *warnings)))
        return RerankResponse(id=part.id or self.rules.new_id(), results=results, meta=meta)


def _is_stale(error: Exception, response: HttpResponse, authenticator: Authenticator) -> bool:
    """Whether it may be a kept token that the provider refuses: a 403 is about what the caller may do."""
    is_refused = isinstance(error, AuthenticationRejected) and (response.status == 401 or response.status < 300)
    return is_refused and authenticator.renews
