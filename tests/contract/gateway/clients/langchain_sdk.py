"""langchain-cohere: CohereRerank, by its own method and as a compressor of LangChain's documents."""

from __future__ import annotations

from typing import Any

from calls import answer_calls
from langchain_cohere import CohereRerank
from langchain_core.documents import Document


def call(asked: dict[str, Any]) -> Any:
    """One call of `rerank` or `compress_documents`."""
    arguments = dict(asked["arguments"])
    model = arguments.pop("model")
    top_n = arguments.pop("top_n", None)
    ranker = CohereRerank(cohere_api_key=asked["api_key"], base_url=asked["base_url"], model=model, top_n=top_n)
    if asked["method"] == "compress_documents":
        documents = [Document(page_content=text, metadata={"at": at}) for at, text in enumerate(arguments["documents"])]
        kept = ranker.compress_documents(documents, arguments["query"])
        return [{"text": one.page_content, **one.metadata} for one in kept]
    return ranker.rerank(**arguments, top_n=top_n)


answer_calls(call)
