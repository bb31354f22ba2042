"""Headers that are read when somebody asks, and the same then as if they had been read at once."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from rankspec.transports.reply_headers import ReplyHeaders

NAMES = st.sampled_from(["X-A", "x-a", "X-B", "Retry-After", "retry-after"])


def test_nothing_is_read_before_somebody_asks() -> None:
    reads: list[str] = []

    def read() -> Iterator[tuple[str, str]]:
        reads.append("read")
        yield "X-A", "b"

    headers = ReplyHeaders(read)
    assert reads == []
    assert (headers["x-a"], headers.get("x-b"), "x-a" in headers, len(headers)) == ("b", None, True, 1)
    assert reads == ["read"]


@given(lines=st.lists(st.tuples(NAMES, st.text(max_size=3))))
def test_they_are_what_reading_at_once_gives(lines: list[tuple[str, str]]) -> None:
    read: dict[str, list[str]] = {}
    for name, text in lines:
        read.setdefault(name.lower(), []).append(text)
    assert dict(ReplyHeaders(lambda: lines)) == {name: ", ".join(texts) for name, texts in read.items()}
