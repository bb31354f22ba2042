"""A config to what answers requests: deployments, router and dialects, put together once and replaced as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from rankspec.catalog import Catalog
from rankspec.errors import RankspecError
from rankspec.gateway.routing.availability import DeploymentState
from rankspec.gateway.routing.deployments import AnyProvider, Deployment
from rankspec.gateway.routing.groups import Groups
from rankspec.gateway.routing.router import Router
from rankspec.gateway.routing.tries import Transport
from rankspec.gateway.values import PASSTHROUGH, STAR, DeploymentConfig, GatewayConfig, star_in


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a request needs, as it was when the request began. `left_out` says what lenience cost."""

    config: GatewayConfig
    catalog: Catalog
    router: Router
    left_out: Mapping[str, str] = field(default_factory=dict)


class Assembly:
    """Puts snapshots together.

    Args:
        environ: environment variables by name.
        transport: sends what deployments have to send.
        workers: how many processes share the deployments' limits.
        is_lenient: leave a deployment out that cannot work, instead of refusing the whole.
    """

    def __init__(
        self, environ: Mapping[str, str], transport: Transport, *, workers: int = 1, is_lenient: bool = False
    ) -> None:
        self._environ = environ
        self._transport = transport
        self._workers = workers
        self._is_lenient = is_lenient

    def build(
        self, config: GatewayConfig, *, catalog: Catalog | None = None, previous: Snapshot | None = None
    ) -> Snapshot:
        """The snapshot of a config.

        Args:
            catalog: the specs that can be called; by default the shipped ones, the user's and those the config names.
            previous: the one that it replaces; what is known of deployments that are called as before is kept.

        Raises:
            RankspecError: a deployment cannot work; its text begins with the deployment's name.
        """
        if catalog is None:
            catalog = Catalog(config.specs, override=config.override_specs, environ=self._environ)
        known = {one.id: one for one in previous.router.groups.deployments} if previous else {}

        def make_state(entry: DeploymentConfig) -> DeploymentState:
            state = DeploymentState(entry, config.routing, share=self._workers)
            if entry.id in known:
                state.adopt(known[entry.id].state)
            return state

        members: list[Deployment | AnyProvider] = []
        left_out: dict[str, str] = {}
        for entry in (*config.deployments, *_implied(config)):
            try:
                members.append(self._member(entry, config, catalog, make_state))
            except RankspecError as error:
                if not (self._is_lenient or entry.is_optional):
                    error.message = f"{entry.name}: {error.message}"
                    error.args = (error.message,)
                    raise
                left_out[entry.id] = error.message
        if left_out:
            kept = tuple(entry for entry in config.deployments if entry.id not in left_out)
            config = replace(config, deployments=kept)
        groups = Groups(members, config.routing.aliases)
        return Snapshot(config, catalog, Router(groups, config.routing, self._transport), left_out)

    def _member(
        self,
        entry: DeploymentConfig,
        config: GatewayConfig,
        catalog: Catalog,
        make_state: Callable[[DeploymentConfig], DeploymentState],
    ) -> Deployment | AnyProvider:
        if entry.model == STAR:
            return AnyProvider(entry, catalog, self._environ, make_state, config.server)
        return Deployment(entry, catalog, self._environ, make_state(entry), config.server)


def _implied(config: GatewayConfig) -> list[DeploymentConfig]:
    """Deployments for members of fallback chains that are no configured names: provider/model, such as local/bm25."""
    routing = config.routing
    names = {deployment.name for deployment in config.deployments} | routing.aliases.keys() | {PASSTHROUGH}
    wanted = [*routing.default_fallbacks, *(one for chain in routing.fallbacks.values() for one in chain)]
    new = dict.fromkeys(one for one in wanted if one not in names and not _has_pattern(one, config))
    return [DeploymentConfig(id=one, name=one, model=one) for one in new]


def _has_pattern(name: str, config: GatewayConfig) -> bool:
    """Whether a configured name with a star matches."""
    return any(star_in(deployment.name, name) is not None for deployment in config.deployments)
