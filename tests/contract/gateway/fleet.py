"""What most tests here use: one gateway in front of every emulated provider."""

from __future__ import annotations

from dataclasses import dataclass

from gateway_process import Gateway
from loopback import Server
from upstreams import Upstream

GATEWAY_KEY = "sk-1234"


@dataclass(frozen=True)
class Fleet:
    """A gateway, and the emulated providers behind it by name.

    Its models: <provider>-model for each provider; local; limited, which always answers 429 and asks to wait a second;
    down, which always answers 503; closed, whose provider refuses the gateway's key; recovering, which answers every
    query with 429 when it comes first; degraded, which falls back to the documents' own order.

    Attributes:
        recovering: the provider behind the model of that name.
    """

    gateway: Gateway
    upstreams: dict[str, Upstream]
    recovering: Server


SPECIAL_MODELS = ("limited", "down", "closed", "recovering", "degraded")
