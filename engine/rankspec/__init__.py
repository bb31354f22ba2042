"""A rerank translator: every provider is one YAML file. The public names; everything else is private.

from rankspec import rerank
rerank(model="cohere/rerank-v3.5", query="...", documents=["...", "..."], top_n=3)
"""

from rankspec.version import __version__

TYPE_CHECKING = False  # Importing typing to learn that takes longer than all that is done here.
if TYPE_CHECKING:
    from rankspec.catalog import SpecOverridden
    from rankspec.client import AsyncClient, Client, arerank, rerank
    from rankspec.errors import (
        AuthenticationRejected,
        ConfigInvalid,
        ConnectFailed,
        CredentialMissing,
        ExtraMissing,
        ProviderError,
        ProviderUnavailable,
        RankspecError,
        RateLimited,
        RequestInvalid,
        RequestRejected,
        ResponseInvalid,
        SettingMissing,
        SpecInvalid,
        SpecNotFound,
        TimedOut,
        TransportError,
    )
    from rankspec.models import RerankMeta, RerankResponse, RerankResult
else:
    # Whoever imports rankspec may need nothing of it in this process: each name is fetched when it is asked for.
    _ELSEWHERE = {
        "AsyncClient": "client",
        "Client": "client",
        "RerankMeta": "models",
        "RerankResponse": "models",
        "RerankResult": "models",
        "SpecOverridden": "catalog",
        "arerank": "client",
        "rerank": "client",
    }
    """The room of each public name that is no error."""

    def __getattr__(name):
        from importlib import import_module

        if name in ("client", "errors", "models"):
            return import_module(f"{__name__}.{name}")  # Users write `except rankspec.errors.RateLimited`.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'errors')}"), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})


__all__ = [
    "AsyncClient",
    "AuthenticationRejected",
    "Client",
    "ConfigInvalid",
    "ConnectFailed",
    "CredentialMissing",
    "ExtraMissing",
    "ProviderError",
    "ProviderUnavailable",
    "RankspecError",
    "RateLimited",
    "RequestInvalid",
    "RequestRejected",
    "RerankMeta",
    "RerankResponse",
    "RerankResult",
    "ResponseInvalid",
    "SettingMissing",
    "SpecInvalid",
    "SpecNotFound",
    "SpecOverridden",
    "TimedOut",
    "TransportError",
    "__version__",
    "arerank",
    "rerank",
]
