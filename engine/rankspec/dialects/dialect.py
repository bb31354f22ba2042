"""A spec read in the other direction: requests in its dialect come in, replies in its dialect go out. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import orjson

from rankspec.dialects.answers import Answers
from rankspec.dialects.reading import BodyReader, Reading
from rankspec.dialects.refusals import ErrorShapes
from rankspec.models import HttpResponse, Json, RerankResponse
from rankspec.specs import ProviderSpec


class SpecDialect:
    """Speaks as the provider of a spec does. What the spec tells of it is learned once, here.

    Attributes:
        name: the spec's name.
        paths: as in `paths_of`.

    Raises:
        Unlearnable: a body of this spec cannot be read back, or no example shows a reply.
    """

    def __init__(self, spec: ProviderSpec) -> None:
        self.name = spec.name
        self.paths = tuple(paths_of(spec))
        self._bodies = BodyReader(spec)
        self._answers = Answers(spec)
        self._errors = ErrorShapes(spec)

    @property
    def path(self) -> str | None:
        """The path that the spec itself calls, or None if there are variables in it."""
        return self.paths[0] if self.paths else None

    def read(self, body: Json, model: str | None = None) -> Reading:
        """What a body asks.

        Limits of the spec do not hold: who answers may have others.

        Args:
            model: the model that the request names outside its body, if it does.

        Raises:
            RequestInvalid: it cannot be understood; paths and names are those of the body.
        """
        return self._bodies.read(body, model)

    def answer(self, response: RerankResponse, *, model: str | None, documents: int) -> HttpResponse:
        """The reply that tells a response.

        Documents are told where results have them. Counts that are not known are left out; they are 0 where no
        recorded reply lacks them.

        Args:
            response: scores may be None.
            model: the name that the caller wrote, if any.
            documents: how many the request had.
        """
        return self._answers.reply(response, model=model, documents=documents)

    def refuse(self, status: int, message: str, request_id: str) -> HttpResponse:
        """The reply that tells an error: an object that always has `message` and `id` too."""
        body = {"message": message, "id": request_id, **self._errors.object(status, message)}
        return HttpResponse(status, {"content-type": "application/json"}, orjson.dumps(body))


def paths_of(spec: ProviderSpec) -> Iterator[str]:
    """The paths without variables at which this provider is called, and the same behind the base URL's own path.

    Clients differ in which part of the URL they take for the base.
    """
    paths = [template.render({}) for template in spec.endpoint.paths if not template.names]
    bases = [template.render({}) for template in spec.endpoint.base_urls if not template.names]
    for path in paths:
        if path is not None:
            yield path
            yield from (
                base + path for base in (urlsplit(one or "").path.rstrip("/") for one in dict.fromkeys(bases)) if base
            )
