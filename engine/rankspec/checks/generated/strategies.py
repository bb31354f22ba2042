"""Hypothesis strategies of generated cases. They import Hypothesis when called, for it takes a tenth of a second."""

from __future__ import annotations

from typing import Any

from rankspec.checks.generated.cases import KINDS, Case, Requests, Shape
from rankspec.checks.generated.replies import ReplyCase

_TIMES = (1,) * 15 + (10,)


def request_cases(requests: Requests) -> Any:
    """Requests: few documents mostly, sometimes many. A document is one number, for every draw takes its time.

    Texts are put together of pieces, and not drawn from all of Unicode: the table for that takes Hypothesis half a
    second to make, and is then kept in a folder.
    """
    from hypothesis import strategies as st

    texts = len(requests.texts)
    return st.tuples(
        st.integers(0, requests.model_count - 1),
        st.integers(0, requests.binding_count - 1) if requests.binding_count > 1 else st.just(0),
        st.integers(0, len(requests.options) - 1),
        st.integers(0, texts - 1),
        st.lists(st.integers(0, len(KINDS) * texts - 1), min_size=1, max_size=4),
        st.sampled_from(_TIMES),
    ).map(lambda drawn: _case(requests, *drawn))


def reply_cases(count: int, most_damages: int) -> Any:
    """Damaged replies: one or two damages to one of `count` replies."""
    from hypothesis import strategies as st

    damage = st.integers(0, most_damages - 1)
    return st.builds(ReplyCase, st.integers(0, count - 1), st.lists(damage, min_size=1, max_size=2).map(tuple))


def _case(
    requests: Requests, model: int, binding: int, options: int, query: int, documents: list[int], times: int
) -> Case:
    chosen = (documents * times)[: requests.most_documents(model)]
    kinds = tuple(KINDS[number % len(KINDS)] for number in chosen)
    texts = (requests.texts[number // len(KINDS)] for number in chosen)
    return Case(Shape(model, binding, options, kinds), (requests.texts[query], *texts))
