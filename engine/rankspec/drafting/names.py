"""The names that rerank APIs give to things, and JSON trees taken apart into leaves with their paths."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rankspec.models import Json, Path


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


QUERY = _words(
    "query queries question text_query query_text search_query q source_sentence anchor text_1 data_1 search"
)
DOCUMENTS = _words(
    "documents docs texts passages candidates records sources contexts chunks sentences paragraphs text_docs corpus "
    "document_list text_2 data_2 document passage_list"
)
PERHAPS_DOCUMENTS = _words("input inputs data datas items content contents instances targets values list")
NO_DOCUMENTS = _words(
    "rank_fields fields metadata metadatas tags labels stop ids return_fields include fallbacks titles urls "
    "weights messages tools"
)
BESIDE_DOCUMENTS = _words("metadata metadatas titles urls weights labels doc_ids document_ids ids")
"""Lists with one item for each document, which are of no use without the same documents."""

MODEL = _words("model model_id model_name model_arn rerank_model reranker reranker_model ranking_model model_uid")
COUNT = _words("top_n top_k topn topk number_of_results num_results return_top_n max_results result_count")
PERHAPS_COUNT = _words("limit n k top size count max_documents max_docs")
ECHO = _words(
    "return_documents return_document return_text return_texts return_input return_inputs return_passages return_docs "
    "echo is_echo include_documents return_content"
)
OPTIONAL = {
    "max_tokens_per_doc": "max_tokens_per_doc",
    "max_tokens_per_document": "max_tokens_per_doc",
    "max_chunks_per_doc": "max_chunks_per_doc",
    "max_chunks_per_document": "max_chunks_per_doc",
    "instruction": "instruction",
    "instruct": "instruction",
    "rerank_instruction": "instruction",
    "priority": "priority",
}
"""Names of Cohere's other parameters at providers, with ours."""

TEXT = _words("text content body passage document chunk page_content contents value string paragraph")
ID = _words("id doc_id document_id record_id passage_id uid key index idx position pos external_id _id")
TITLE = _words("title name heading url source")
CONSTANT = _words("type kind role format mime_type truncate truncation user user_id project_id space_id")

INDEX = ("index", "idx", "document_index", "doc_index", "passage_index", "corpus_id", "position", "id", "doc_id",
         "document_id", "record_id", "passage_id", "pos", "key")  # fmt: skip
"""Names of a document's position in replies, the surest first."""
SCORE = ("relevance_score", "rerank_score", "reranker_score", "ranking_score", "score", "relevance", "similarity",
         "similarity_score", "logit", "probability", "prob", "value", "data")  # fmt: skip
"""Names of a score in replies, the surest first."""
RANK = _words("rank order number size tokens length")


def plain(name: str | int) -> str:
    """A member's name in one spelling: numberOfResults, NumberOfResults and number-of-results are one."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name))
    return re.sub(r"[-. _]+", "_", text).lower()


def is_in(name: str | int, names: frozenset[str] | tuple[str, ...]) -> bool:
    """Whether a name is one of these, in any spelling."""
    spelt = plain(name)
    return spelt in names or spelt.replace("_", "") in {one.replace("_", "") for one in names}


def leaves(value: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Every scalar of a tree, with its path; empty objects and lists count as one."""
    if isinstance(value, dict) and value:
        for key, member in value.items():
            yield from leaves(member, (*path, key))
    elif isinstance(value, list) and value:
        for position, member in enumerate(value):
            yield from leaves(member, (*path, position))
    else:
        yield path, value


def lists(value: Json, path: Path = (), *, longest: int = 1) -> Iterator[tuple[Path, list[Json]]]:
    """Every list that is not empty, outer ones first. Of a list with more items than `longest`, none is looked into."""
    if isinstance(value, list) and value:
        yield path, value
        if len(value) <= longest:
            for position, member in enumerate(value):
                yield from lists(member, (*path, position), longest=longest)
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from lists(member, (*path, key), longest=longest)


def at(value: Json, path: Path) -> Json:
    """What stands at the path, which must be there."""
    for part in path:
        value = value[part]
    return value


def last_name(path: Path) -> str:
    """The innermost name of a path; positions in lists have none."""
    return next((part for part in reversed(path) if isinstance(part, str)), "")
