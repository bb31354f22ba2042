"""What a caller is told when there is no ranking: a status of Cohere's and one sentence, which gives nothing away."""

from __future__ import annotations

from rankspec.errors import RankspecError


class Refused(RankspecError):
    """A request is not answered. Its text is for the caller.

    Carries the HTTP `status`, `retry_after_seconds` (or None), and more `headers` of the reply.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        retry_after_seconds: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.headers = headers or {}


class ModelNotFound(Refused):
    """No deployment answers for that name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            404,
            f"model '{name[:200]}' not found, make sure the correct model ID was used and that you have access to the "
            "model.",
        )


class Busy(Refused):
    """Every deployment of the model is at its limit."""

    def __init__(self, name: str, retry_after_seconds: float) -> None:
        super().__init__(
            429,
            f"the model '{name}' is at its limit of requests, please wait and try again later",
            retry_after_seconds=retry_after_seconds,
        )
