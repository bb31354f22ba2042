"""A spec attacked with generated requests and damaged replies. What holds for one text must hold for all of them."""

from __future__ import annotations

from dataclasses import dataclass

from rankspec.checks.generated.bodies import Bodies
from rankspec.checks.generated.cases import Requests
from rankspec.checks.generated.missing import missing_problems
from rankspec.checks.generated.replies import Replies
from rankspec.checks.generated.search import search
from rankspec.checks.generated.strategies import reply_cases, request_cases
from rankspec.checks.generated.target import Target
from rankspec.models import Problem
from rankspec.specs import ProviderSpec

__all__ = ["Attacked", "attack"]

REPLIES_OF_CASES = 3
"""One case in so many is a damaged reply, if the spec has examples to take replies from."""


@dataclass(frozen=True, slots=True)
class Attacked:
    """What generated requests and replies came to: the problems, and how many were tried."""

    problems: list[Problem]
    cases: int


def attack(spec: ProviderSpec, *, seed: int, cases: int) -> Attacked:
    """What is wrong with a spec whose examples go as they say.

    Args:
        spec: the provider. Its secrets are made up; neither the environment nor the network plays a part.
        seed: the same one gives the same result.
        cases: how many requests and replies to try.

    Returns:
        Problems whose paths lie in the spec's data and whose messages show the smallest case found, with the codes
        generated-fails, generated-text, generated-absent, generated-credential and generated-reply.
    """
    if cases < 1:
        return Attacked([], 0)
    target = Target(spec)
    requests, replies = Requests(target, seed), Replies(target)
    of_replies = cases // REPLIES_OF_CASES if replies.count else 0
    problems = list(missing_problems(target))
    bodies = Bodies(target, requests)
    strategy = request_cases(requests)
    found, tried = search(strategy, bodies.problems, requests.simplify, cases=cases - of_replies, seed=seed)
    problems += found
    if of_replies:
        strategy = reply_cases(replies.count, replies.most_damages)
        found, tried_replies = search(strategy, replies.problems, lambda case, fails: case, cases=of_replies, seed=seed)
        problems += found
        tried += tried_replies
    return Attacked(problems, tried)
