"""A deployment: one way to answer for a model's name, with everything that does not change between requests at hand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, replace
from math import inf
from operator import attrgetter
from typing import Any

from rankspec.binding import Arguments, Binding
from rankspec.catalog import Catalog
from rankspec.documents import longer_than
from rankspec.errors import RequestInvalid, SpecNotFound
from rankspec.exchange import Rules, rerank_exchange
from rankspec.gateway.routing.availability import DeploymentState
from rankspec.gateway.values import STAR, Asked, CallerCredentials, DeploymentConfig, Price, ServerConfig
from rankspec.models import Exchange, Problem, RerankRequest, RerankResponse
from rankspec.parameters import BY_LENGTH
from rankspec.parts import cost_of
from rankspec.specs import ModelSpec, ProviderSpec
from rankspec.transports.in_process import is_in_process

_TYPICAL_TOKENS = 20_000
"""Of a request, to compare prices by the token with prices by the search: a hundred documents of 200 tokens."""

_CHARACTERS_PER_TOKEN = 4

_BEHIND_MODEL = attrgetter(*[one.name for one in fields(RerankRequest)][3:])
"""The members of a request that follow its query, documents and model. `dataclasses.replace` takes three times as
long as to make a request anew."""


class Target:
    """The provider that a deployment calls, and the model's id there.

    Attributes:
        binding: the provider with its key and settings.
        model_id: the model there; None if none is named.
        spec: the provider.
        model: what holds for the model.
        max_documents: how many documents one request may hold.
        document_tokens: how much of a document is read; None if that is not known.
    """

    __slots__ = ("binding", "document_tokens", "max_documents", "model", "model_id", "spec")

    def __init__(self, binding: Binding, model_id: str | None) -> None:
        self.binding = binding
        self.model_id = model_id
        self.spec: ProviderSpec = binding.spec
        self.model: ModelSpec = binding.spec.model(model_id)
        limits = self.model.limits
        self.max_documents: float = inf if limits.documents is None else limits.documents
        self.document_tokens = limits.document_tokens


class Deployment:
    """One entry of the config, ready to use.

    Args:
        config: the entry; its model names a provider.
        catalog: the specs that can be called.
        environ: environment variables by name, for keys and settings that the entry does not have.
        state: what is known of it while the gateway runs.
        server: how callers are met.

    Attributes:
        timeout_seconds: how long a try may take, besides what its request has left.
        fixed_target: what it calls; None if that depends on what a star stands for.

    Raises:
        RankspecError: its provider or a setting of it is not known, or it lacks a key and callers may not bring one.
    """

    def __init__(
        self,
        config: DeploymentConfig,
        catalog: Catalog,
        environ: Mapping[str, str],
        state: DeploymentState,
        server: ServerConfig,
    ) -> None:
        self.config = config
        self.id = config.id
        self.timeout_seconds = inf if config.timeout_seconds is None else config.timeout_seconds
        self.state = state
        self._environ = environ
        self._server = server
        self._may_send_long = server.long_documents not in BY_LENGTH
        self._defaults = config.defaults
        self._arguments = Arguments(config.api_key, config.api_base, config.headers, config.settings)
        spec, model_id = catalog.resolve(config.model)
        self._target = Target(Binding(spec, self._arguments, environ), model_id)
        is_starred = model_id is not None and STAR in model_id
        self.fixed_target = None if is_starred else self._target
        self.fixed_model_id = None if is_starred else model_id
        self.is_in_process = is_in_process(spec)
        if not server.allow_caller_credentials:
            _require_all(self._target)

    @property
    def spec(self) -> ProviderSpec:
        """The provider."""
        return self._target.spec

    def target(self, star: str | None) -> Target:
        """What to call for the text that the star in the deployment's name stands for; None if no model is named."""
        if self.fixed_target is not None:
            return self.fixed_target
        target = self._target
        return Target(target.binding, None if star is None else str(target.model_id).replace(STAR, star, 1))

    def fitted(self, star: str | None, request: RerankRequest, asked: Asked) -> tuple[Target, RerankRequest, list[str]]:
        """What to call and with what, for a request that has something of its own: a star's text, credentials or extra.

        Returns:
            That, and the warnings about parameters that are left out.

        Raises:
            RequestInvalid: as `with_credentials` and `without_foreign_extra` say.
        """
        target = self.target(star)
        if asked.credentials is not None:
            target = self.with_credentials(target, asked.credentials)
        return target, *self.without_foreign_extra(target, request, asked.extra_of)

    def with_credentials(self, target: Target, credentials: CallerCredentials) -> Target:
        """The target as a caller with credentials of its own calls it.

        To a base URL of the caller's nothing goes that is the gateway's own: no key, header or environment.

        Raises:
            RequestInvalid: the provider takes no such key, or a header is the spec's own.
        """
        own, spec = self._arguments, target.spec
        _check_key(spec, credentials)
        if credentials.api_base is None:
            _check_headers(spec, credentials)
            headers = {**(own.headers or {}), **credentials.headers}
            arguments = Arguments(credentials.api_key or own.api_key, own.api_base, headers, own.settings)
            return Target(Binding(target.spec, arguments, self._environ), target.model_id)
        known = {*spec.settings, *(alias for setting in spec.settings.values() for alias in setting.aliases)}
        settings = {name: text for name, text in (own.settings or {}).items() if name in known}
        arguments = Arguments(credentials.api_key, credentials.api_base, credentials.headers, settings)
        return Target(Binding(target.spec, arguments, {}, discover=False), target.model_id)

    def without_foreign_extra(
        self, target: Target, request: RerankRequest, extra_of: str | None
    ) -> tuple[RerankRequest, list[str]]:
        """The request without parameters that only another provider knows, and the warnings that tell of them.

        Args:
            extra_of: the provider whose parameters the request's `extra` has; None if they are for any.

        Raises:
            RequestInvalid: there are some, and the policy is "error".
        """
        if not request.extra or extra_of is None or extra_of == target.spec.name:
            return request, []
        told = f"is a parameter of {extra_of}, which {target.spec.name} does not know"
        if self._server.unsupported == "error":
            raise RequestInvalid([Problem((name,), told) for name in request.extra])
        warnings = [] if self._server.unsupported == "ignore" else [f"{name} {told}: ignored" for name in request.extra]
        return replace(request, extra=None), warnings

    def exchange(
        self, target: Target, request: RerankRequest, given: Collection[str], timeout_seconds: float, max_retries: int
    ) -> Exchange:
        """The steps of one call.

        Args:
            request: what the caller asks; its model is of no account.
            given: the members that the caller gave, which no default replaces.
        """
        server = self._server
        rules = Rules(timeout_seconds, max_retries, server.unsupported, server.long_documents, server.chunk_score)
        if self._defaults or request.model != target.model_id:
            request = self._with_defaults(request, given, target.model_id)
        return rerank_exchange(target.binding, request, rules)

    def _with_defaults(self, request: RerankRequest, given: Collection[str], model_id: str | None) -> RerankRequest:
        defaults = self._defaults
        if not defaults:
            return RerankRequest(request.query, request.documents, model_id, *_BEHIND_MODEL(request))
        changes: dict[str, Any] = {name: value for name, value in defaults.items() if name not in given}
        if defaults.get("extra") and request.extra:
            changes["extra"] = {**defaults["extra"], **request.extra}
        return replace(request, model=model_id, **changes)

    def cost_usd(self) -> float | None:
        """What a request of ordinary size costs, for comparison, or None if the price is not known."""
        price = self.config.price or self._target.model.price
        if price is None:
            return None
        return price.usd / price.per * (1 if price.unit == "search_units" else _TYPICAL_TOKENS)

    def priced(self, response: RerankResponse, documents: int) -> None:
        """Replace the response's cost by what the config's own price makes of it."""
        price: Price | None = self.config.price
        if price is not None:
            units = [part for part in (response.meta.billed_units, response.meta.tokens) if part]
            cost = cost_of(price, units, documents)
            response["meta"].pop("cost", None)
            if cost is not None:
                response["meta"]["cost"] = cost

    def overlong_documents(self, target: Target, request: RerankRequest) -> int:
        """How many documents the provider is likely to cut: more than four characters for each token that it reads."""
        if not self._may_send_long:
            return 0
        tokens = target.document_tokens
        if request.max_tokens_per_doc is not None:
            tokens = min(request.max_tokens_per_doc, tokens or request.max_tokens_per_doc)
        if tokens is None:
            return 0
        return len(longer_than(request.documents, tokens * _CHARACTERS_PER_TOKEN))


def _check_key(spec: ProviderSpec, credentials: CallerCredentials) -> None:
    """A key that the provider does not take would leave the call to the gateway's own."""
    arguments = {secret.argument for one in spec.authenticators for secret in one.secrets}
    if credentials.api_key is not None and arguments and "api_key" not in arguments:
        raise RequestInvalid(
            [Problem(("api_key",), f"{spec.name} takes no key alone, but {', '.join(sorted(arguments))}")]
        )


def _check_headers(spec: ProviderSpec, credentials: CallerCredentials) -> None:
    """What a spec says in headers may be what is done, in whose name: with the gateway's signature that is its own."""
    own = {name.lower() for name in spec.endpoint.headers}
    if taken := [name for name in credentials.headers if name.lower() in own]:
        raise RequestInvalid([Problem(("headers", name), f"is set by the spec of {spec.name}") for name in taken])


def _require_all(target: Target) -> None:
    """Check while the gateway starts that nothing is missing that every call needs."""
    binding, model_id = target.binding, target.model_id
    binding.require_settings()
    binding.url(model_id)
    authenticator = binding.authenticator(model_id)
    if authenticator is not None:
        binding.credentials(authenticator)


class AnyProvider:
    """An entry of the config whose model is a star alone: a deployment for each provider that requests name.

    Args:
        make_state: what is known of a deployment, for its config.
    """

    def __init__(
        self,
        config: DeploymentConfig,
        catalog: Catalog,
        environ: Mapping[str, str],
        make_state: Callable[[DeploymentConfig], DeploymentState],
        server: ServerConfig,
    ) -> None:
        self.config = config
        self._catalog = catalog
        self._environ = environ
        self._make_state = make_state
        self._server = server
        self._made: dict[str, Deployment] = {}

    @property
    def deployments(self) -> list[Deployment]:
        """Those that requests have named so far."""
        return list(self._made.values())

    def deployment(self, name: str) -> tuple[Deployment, str | None]:
        """The deployment for a model in a caller's words, and the model's id there.

        Raises:
            SpecNotFound, SpecInvalid, CredentialMissing, SettingMissing: it names no model that can be called.
        """
        spec, model_id = self._catalog.resolve(name)
        if model_id is None and spec.needs_model:
            raise SpecNotFound(f"{spec.name} needs a model: write {spec.name}/MODEL", name=name, known=())
        if spec.name not in self._made:
            config = replace(self.config, id=f"{self.config.id}:{spec.name}", model=f"{spec.name}/{STAR}")
            state = self._make_state(config)
            self._made[spec.name] = Deployment(config, self._catalog, self._environ, state, self._server)
        return self._made[spec.name], model_id
