"""The official Python SDK: Client, AsyncClient, ClientV2 and AsyncClientV2."""

from __future__ import annotations

import asyncio
from typing import Any

import cohere
from calls import answer_calls


def call(asked: dict[str, Any]) -> Any:
    """One call of a method such as rerank or models.list."""
    kind = getattr(cohere, asked["client"])
    options = {"request_options": {"max_retries": asked["max_retries"]}} if "max_retries" in asked else {}
    client = kind(api_key=asked["api_key"], base_url=asked["base_url"])
    method: Any = client
    for name in asked["method"].split("."):
        method = getattr(method, name)
    arguments = {**asked["arguments"], **options}
    if asked["client"].startswith("Async"):
        return asyncio.run(_awaited(method, arguments)).model_dump(exclude_unset=True)
    return method(**arguments).model_dump(exclude_unset=True)


async def _awaited(method: Any, arguments: dict[str, Any]) -> Any:
    return await method(**arguments)


answer_calls(call)
