"""A rerank translator: every provider is one YAML file. The public names; everything else is private.

from rankspec import rerank
rerank(model="cohere/rerank-v3.5", query="...", documents=["...", "..."], top_n=3)
"""

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
from rankspec.version import __version__

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
