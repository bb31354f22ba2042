"""Which of several ways to authenticate a call takes: the first one that its caller has the secrets for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from rankspec.auth.base import Authenticator, Secret
from rankspec.errors import CredentialMissing, ExtraMissing


def choose(
    ways: Sequence[Authenticator],
    given: Collection[str],
    is_set: Callable[[Secret], bool],
    is_found: Callable[[Authenticator], bool],
) -> Authenticator | None:
    """The way to take, or None if the caller has what it takes for none of them.

    What is said in the call goes before what the environment says for all calls, and both before what has to be looked
    for.

    Args:
        ways: in the spec's order; those whose condition holds.
        given: the arguments of the call.
        is_set: whether a secret is among the arguments, or in the environment.
        is_found: whether a way can do without both.
    """
    ways = _until_always(ways)
    named = [way for way in ways if any(secret.argument in given for secret in way.secrets)]
    if named:
        return next((way for way in named if is_complete(way, is_set)), named[0])
    for way in ways:
        if any(is_set(secret) for secret in way.secrets) and is_complete(way, is_set):
            return way
    found = next((way for way in ways if is_found(way)), None)
    if found is None or not is_always_possible(found):
        return found
    # Half a proof is not left out: its owner would believe that the call is made in his name.
    half = (way for way in ways if any(is_set(secret) for secret in way.secrets if not secret.optional))
    return next(half, found)


def is_always_possible(way: Authenticator) -> bool:
    """Whether it needs nothing of the caller, so that those behind it are never taken."""
    return not way.is_ambient and all(secret.optional for secret in way.secrets)


def is_complete(way: Authenticator, is_set: Callable[[Secret], bool]) -> bool:
    """Whether all that it cannot do without is there."""
    return all(secret.optional or is_set(secret) for secret in way.secrets)


def can_do_without(way: Authenticator) -> bool:
    """Whether it finds what it takes in the places of the provider's own tools, or takes nothing. May look there."""
    if all(secret.optional for secret in way.secrets):
        return is_always_possible(way) or missing_extra(way) is None
    try:
        return bool(way.discover())
    except ExtraMissing:
        return False
    except CredentialMissing:
        return True  # There is something, and what is wrong with it is told when it is used.


def missing_extra(way: Authenticator) -> str | None:
    """What has to be installed for it, or None."""
    try:
        way.require()
    except ExtraMissing as error:
        return error.message
    return None


def how_to(way: Authenticator) -> str:
    """What to set for a way, as part of a sentence; empty if there is nothing to be set."""
    wanted = [secret for secret in way.secrets if not secret.optional] or way.secrets
    words = f"set {' and '.join(secret.env[0] for secret in wanted)}" if wanted else ""
    extra = missing_extra(way)
    if extra is None:
        return words
    return f"{words} ({extra})" if words else extra


def _until_always(ways: Sequence[Authenticator]) -> Sequence[Authenticator]:
    at = next((at for at, way in enumerate(ways) if is_always_possible(way)), len(ways))
    return ways[: at + 1]
