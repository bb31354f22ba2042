"""What the edge knows of a way of asking: Cohere's here, and those that specs describe in `spec_dialect.py`."""

from __future__ import annotations

from typing import Protocol

from rankspec.gateway.values import Asked
from rankspec.models import HttpResponse, Json, RerankResponse

JSON_HEADERS = {"content-type": "application/json"}


class Dialect(Protocol):
    """The words in which a caller asks and is answered. It serves any number of requests."""

    @property
    def name(self) -> str:
        """Such as cohere_v2; a label of metrics and logs."""

    @property
    def takes_raw_documents(self) -> bool:
        """Whether a body's member `documents` may come to `read` as `RawTexts`."""

    def read(self, body: Json) -> Asked:
        """What a request's decoded body asks.

        Raises:
            RequestInvalid, Refused: it asks nothing that can be answered.
        """

    def answer(self, asked: Asked, response: RerankResponse) -> HttpResponse:
        """The reply that holds a ranking."""

    def refuse(self, status: int, message: str, request_id: str) -> HttpResponse:
        """The reply that says why there is none: a JSON object with at least `message` and `id`."""
