"""What a failed try means for the next one: whose fault it is, and who may still answer."""

from __future__ import annotations

from rankspec.errors import (
    AuthenticationRejected,
    CredentialMissing,
    ExtraMissing,
    RankspecError,
    RateLimited,
    RequestInvalid,
    RequestRejected,
    SettingMissing,
    SpecInvalid,
)
from rankspec.gateway.refusals import MISADDRESSED, Busy, ModelNotFound, Refused
from rankspec.gateway.routing.availability import DeploymentState

_OURS = (AuthenticationRejected, CredentialMissing, SettingMissing, SpecInvalid, ExtraMissing)
"""What no later try can mend: the config, the key or the spec has to be."""


def is_callers(error: RankspecError) -> bool:
    """Whether the caller has to change the request: no other deployment is asked.

    That there is nothing at an address is not the caller's fault: path and model are the config's.
    """
    if isinstance(error, RequestRejected):
        return error.status not in MISADDRESSED
    return isinstance(error, RequestInvalid) or (isinstance(error, Refused) and not isinstance(error, Busy))


def settle(state: DeploymentState, error: RankspecError, seconds: float, *, is_shared: bool) -> None:
    """Tell a deployment how its try failed.

    Args:
        seconds: how long the try was under way.
        is_shared: whether the try says something about others, which one with a caller's own key does not.
    """
    if not is_shared or is_callers(error):
        state.failed(counts=False, seconds=seconds)
    elif isinstance(error, RateLimited):
        state.failed(retry_after_seconds=error.retry_after_seconds, seconds=seconds)
    else:
        state.failed(at_once=isinstance(error, _OURS), seconds=seconds)


def for_caller(error: RankspecError, name: str, *, is_starred: bool, is_shared: bool) -> RankspecError:
    """The error as it concerns the caller.

    Args:
        name: the model in the caller's words.
        is_starred: whether the model's id is the caller's, and not the config's.
        is_shared: whether the provider's key is the gateway's.
    """
    if isinstance(error, RequestRejected) and error.status in MISADDRESSED and is_starred:
        return ModelNotFound(name)
    if isinstance(error, CredentialMissing) and not is_shared:
        return Refused(400, "this request brings no key for the provider that it is to be sent to")
    if isinstance(error, AuthenticationRejected) and not is_shared:
        return Refused(401, "the provider refused the key that this request brings for it")
    return error
