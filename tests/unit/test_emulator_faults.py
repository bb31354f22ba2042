"""Which faults are asked for, and which one is next."""

from __future__ import annotations

from collections import Counter

import pytest

from rankspec.emulator import Fault, Faults
from rankspec.emulator.faults import KINDS


def test_faults_are_read_from_texts_with_and_without_probability() -> None:
    assert Faults(["429:0.2, timeout:0.1", "cut-off:0.5"]).faults == (
        Fault("429", 0.2),
        Fault("timeout", 0.1),
        Fault("cut_off", 0.5),
    )
    assert Faults(["html"]).faults == (Fault("html", 1.0),)
    assert Faults(["", " , "]).faults == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "429s",
            "'429s' is no fault; there are timeout, reset, cut_off, truncated, html, empty, slow, "
            "and every HTTP status from 300 to 599",
        ),
        (
            "200",
            "'200' is no fault; there are timeout, reset, cut_off, truncated, html, empty, slow, "
            "and every HTTP status from 300 to 599",
        ),
        ("429:often", "'429:often' must end in a probability above 0 and up to 1, such as 429:0.2"),
        ("429:0", "'429:0' must end in a probability above 0 and up to 1, such as 429:0.2"),
        ("429:1.5", "'429:1.5' must end in a probability above 0 and up to 1, such as 429:0.2"),
        ("429:nan", "'429:nan' must end in a probability above 0 and up to 1, such as 429:0.2"),
        ("429,html:0.5", "the probabilities of the faults add up to 1.5, which is more than 1"),
    ],
)
def test_what_is_no_fault_is_told(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=".") as caught:
        Faults([text])
    assert str(caught.value) == message


def test_a_fault_without_probability_meets_every_request() -> None:
    faults = Faults(["503"])
    assert {faults.draw() for _ in range(100)} == {Fault("503", 1.0)}


def test_without_faults_none_is_drawn() -> None:
    assert Faults().draw() is None


def test_probabilities_that_add_up_to_one_leave_no_request_alone() -> None:
    faults = Faults([",".join(f"{kind}:0.1" for kind in (*KINDS, "500", "502", "503"))], seed=3)
    assert None not in {faults.draw() for _ in range(2000)}


def test_each_fault_meets_its_share_of_the_requests() -> None:
    faults = Faults(["429:0.2,html:0.5"], seed=1)
    drawn = Counter(fault.kind if fault else None for fault in (faults.draw() for _ in range(4000)))
    assert {kind: round(count / 4000, 1) for kind, count in drawn.items()} == {"429": 0.2, "html": 0.5, None: 0.3}


def test_the_same_seed_draws_the_same_faults() -> None:
    one, other = (Faults(["429:0.5,reset:0.3"], seed=7) for _ in range(2))
    assert [one.draw() for _ in range(50)] == [other.draw() for _ in range(50)]


def test_a_fault_that_is_a_status_knows_its_number() -> None:
    assert (Fault("429", 1.0).status, Fault("html", 1.0).status) == (429, None)
