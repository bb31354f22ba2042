"""Callers who ask all at once, each request recognisable, and what became of every one of them."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools

ANSWER_SECONDS = 60.0
_CANCELLED_SHARE = 0.05
_FILLERS = ("cheese", "river", "mountain", "café", "naïve", "law", "treaty", "bread", "winter", "«quote»")


@dataclass
class Asked:
    """One request. `position` is the document that has the word that only this query has.

    Attributes:
        status: of the reply; None without one.
        problem: what is wrong with the reply; None if it is as it has to be.
        is_cancelled: the caller went away on purpose.
        is_sent: every byte of it was handed to the system.
    """

    word: str
    model: str
    position: int
    count: int
    is_cancelled: bool = False
    is_sent: bool = False
    status: int | None = None
    degraded: str | None = None
    problem: str | None = None
    request_id: str | None = None


_DOCUMENTS = {1: 10, 4: 40, 8: 30, 50: 12, 300: 3, 1100: 1}
_CHARACTERS = {20: 30, 200: 30, 1000: 6, 4000: 1}
"""How many documents requests have, and of how many characters each is; by how often that is so."""


@dataclass
class Traffic:
    """Callers of one gateway.

    Args:
        url: the gateway's.
        models: the names to ask for, by turns at random.
        seed: the same seed asks the same.
        answers_always: models whose requests must be answered with 200 whatever the providers do.
    """

    url: str
    models: tuple[str, ...]
    answers_always: frozenset[str] = frozenset()
    seed: int = 1
    cancelled_share: float = _CANCELLED_SHARE
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._numbers = itertools.count()
        self._is_stopped = False
        parts = urlsplit(self.url)
        self._address = parts.hostname or "", parts.port or 80

    def stop(self) -> None:
        """Let every caller end after the request that it is at."""
        self._is_stopped = True

    async def run(self, callers: int, seconds: float) -> None:
        """So many callers for so long; returns when the last one has its answer."""
        tasks = [asyncio.create_task(self._caller()) for _ in range(callers)]
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.gather(*tasks)), seconds)
        self.stop()
        await asyncio.wait_for(asyncio.gather(*tasks), ANSWER_SECONDS * 2)

    async def _caller(self) -> None:
        while not self._is_stopped:
            try:
                reader, writer = await asyncio.open_connection(*self._address)
            except ConnectionError:
                self.refused += 1
                return
            self.connections += 1
            try:
                await self._use(reader, writer, self._random.randint(1, 50))
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

    async def _use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: int) -> None:
        """Up to so many requests over one connection, which is closed after them."""
        for _ in range(requests):
            if self._is_stopped:
                return
            asked, body = self._next()
            self.asked.append(asked)
            try:
                await self._send(writer, body)
                asked.is_sent = True
                if self._random.random() < self.cancelled_share:
                    asked.is_cancelled = True
                    await asyncio.sleep(self._random.random() * 0.03)
                    writer.transport.abort()
                    return
                reply = await asyncio.wait_for(_read_reply(reader), ANSWER_SECONDS)
            except (OSError, asyncio.IncompleteReadError) as error:
                asked.problem = f"no reply: {type(error).__name__}"
                return
            except TimeoutError:
                asked.problem = f"no reply within {ANSWER_SECONDS:g} seconds"
                return
            self._judge(asked, reply)
            if not reply.keeps_alive:
                return

    def _next(self) -> tuple[Asked, dict[str, Any]]:
        chance, number = self._random, next(self._numbers)
        word = f"needle{self.seed}x{number}"
        count, length = (chance.choices([*given], [*given.values()])[0] for given in (_DOCUMENTS, _CHARACTERS))
        position = chance.randrange(count)
        documents: list[Any] = [f"{chance.choice(_FILLERS)} {at} " * max(1, length // 12) for at in range(count)]
        documents[position] = f"{word} {documents[position]}"
        if chance.random() < 0.3:
            documents = [{"text": text} for text in documents]
        model = chance.choice(self.models)
        body = {"model": model, "query": f"where is {word}", "documents": documents, "return_documents": True}
        return Asked(word, model, position, count), body

    async def _send(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        path = self._random.choice(("/rerank", "/v1/rerank", "/v2/rerank"))
        head = f"POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\ncontent-length: {len(data)}"
        writer.write(head.encode() + b"\r\n\r\n" + data)
        await writer.drain()

    def _judge(self, asked: Asked, reply: Reply) -> None:
        asked.status = reply.status
        asked.request_id = reply.headers.get("x-request-id")
        asked.degraded = reply.headers.get("x-rankspec-degraded")
        asked.problem = _problem(asked, reply, must_answer=asked.model in self.answers_always)

    @property
    def problems(self) -> list[Asked]:
        """Requests that did not get what they have to get."""
        return [one for one in self.asked if one.problem and not one.is_cancelled]

    def statuses(self) -> Counter[tuple[str, int | None]]:
        """How many requests ended how, by model."""
        return Counter((one.model, one.status) for one in self.asked if not one.is_cancelled)


def _problem(asked: Asked, reply: Reply, *, must_answer: bool) -> str | None:
    try:
        body = json.loads(reply.body)
    except ValueError:
        return f"{reply.status} with a body that is not JSON: {reply.body[:100]!r}"
    if reply.status != 200:
        if must_answer:
            return f"{reply.status}: {body}"
        return None if body.keys() == {"message", "id"} and body["id"] == asked.request_id else f"an odd error: {body}"
    results = body["results"]
    if sorted(one["index"] for one in results) != list(range(asked.count)):
        return f"{len(results)} results for {asked.count} documents"
    if asked.degraded != "passthrough" and results[0]["index"] != asked.position:
        return f"document {results[0]['index']} is first, and not {asked.position}"
    document = next(one for one in results if one["index"] == asked.position)["document"]
    return None if document["text"].startswith(f"{asked.word} ") else "another request's document"


class Reply:
    """One reply, as it comes."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.is_complete = False
        self.keeps_alive = False
        self._parts: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    @property
    def status(self) -> int:
        return self._parser.get_status_code()

    @property
    def body(self) -> bytes:
        return b"".join(self._parts)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        assert not self.is_complete, "two replies to one request"
        self.is_complete = True
        self.keeps_alive = self._parser.should_keep_alive()


async def _read_reply(reader: asyncio.StreamReader) -> Reply:
    reply = Reply()
    while not reply.is_complete:
        data = await reader.read(1 << 18)
        if not data:
            raise asyncio.IncompleteReadError(b"", None)
        reply.feed(data)
    return reply
