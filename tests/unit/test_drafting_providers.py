"""Documented calls of providers, each as curl line and reply: the draft must replay its own example."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from rankspec.catalog import Catalog
from rankspec.checks import check_text
from rankspec.drafting import draft_from_curl
from rankspec.strict_yaml import read_yaml

MODEL, QUERY, TEXTS, TOP_N = "{{ model }}", "{{ query }}", "{{ texts }}", "{{ top_n }}"
BEARER = '-H "Authorization: Bearer $KEY"'


def each(item: Any) -> dict[str, Any]:
    return {"$for": "document in documents", "$item": item}


@dataclass(frozen=True)
class Case:
    """A call, and what its draft must say. `sends` is the body of the example where it is not the recorded one."""

    url: str
    sent: Any
    reply: Any
    body: Any
    response: dict[str, Any]
    ranking: list[int]
    options: str = BEARER
    auth: dict[str, Any] = field(default_factory=lambda: {"kind": "bearer", "key": {"env": ["KEY"]}})
    path: str | None = None
    scale: str = "probability"
    sends: Any = None


def results(at: str, index: str, score: str, **meta: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"results": f"{at}[].{{index: {index}, relevance_score: {score}}}"}
    if "id" in meta:
        found["id"] = meta.pop("id")
    return found | ({"meta": meta} if meta else {})


def positional(at: str, score: str, **meta: Any) -> dict[str, Any]:
    return results(f"enumerate({at})", "index", score, **meta)


COHERE = {"model": MODEL, "query": QUERY, "documents": TEXTS}

CASES = {
    "voyage": Case(
        "https://api.voyageai.com/v1/rerank",
        {"model": "rerank-2.5", "query": "q", "documents": ["a", "b"], "top_k": 1, "return_documents": False, "truncation": True},
        {"object": "list", "data": [{"index": 0, "relevance_score": 0.44, "document": "a"}], "model": "rerank-2.5", "usage": {"total_tokens": 26}},
        {**COHERE, "top_k": TOP_N, "return_documents": False, "truncation": True},
        results("data", "index", "relevance_score", tokens={"input_tokens": "usage.total_tokens"}),
        [0],
    ),
    "jina": Case(
        "https://api.jina.ai/v1/rerank",
        {"model": "jina-reranker-v3", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 2, "return_documents": False},
        {"model": "jina-reranker-v3", "object": "list", "usage": {"total_tokens": 815}, "results": [{"index": 0, "relevance_score": 0.95}, {"index": 1, "relevance_score": -0.1}]},
        {**COHERE, "documents": "{{ documents }}", "top_n": TOP_N, "return_documents": False},
        results("results", "index", "relevance_score", tokens={"input_tokens": "usage.total_tokens"}),
        [0, 1],
        scale="unknown",
    ),
    "mixedbread": Case(
        "https://api.mixedbread.com/v1/reranking",
        {"model": "mixedbread-ai/mxbai-rerank-large-v2", "query": "q", "input": [{"title": "t", "body": "a"}, {"title": "u", "body": "b"}], "rank_fields": ["title", "body"], "top_k": 1, "return_input": True},
        {"object": "list", "model": "m", "usage": {"prompt_tokens": 30, "total_tokens": 30}, "data": [{"object": "rank_result", "index": 1, "score": 0.93, "input": {"title": "u", "body": "b"}}], "top_k": 1, "return_input": True},
        {"model": MODEL, "query": QUERY, "input": "{{ objects }}", "rank_fields": "{{ rank_fields }}", "top_k": TOP_N, "return_input": False},
        results("data", "index", "score", tokens={"input_tokens": "usage.prompt_tokens"}),
        [1],
        sends={"model": "mixedbread-ai/mxbai-rerank-large-v2", "query": "q", "input": [{"title": "t", "body": "a"}, {"title": "u", "body": "b"}], "rank_fields": ["title", "body"], "top_k": 1, "return_input": False},
    ),
    "pinecone": Case(
        "https://api.pinecone.io/rerank",
        {"model": "bge-reranker-v2-m3", "query": "q", "documents": [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}], "top_n": 1, "return_documents": False, "parameters": {"truncate": "END"}},
        {"model": "bge-reranker-v2-m3", "data": [{"index": 1, "score": 0.91, "document": {"id": "2", "text": "b"}}], "usage": {"rerank_units": 1}},
        {"model": MODEL, "query": QUERY, "documents": each({"id": "{{ (document.index + 1) | string }}", "text": "{{ document.text }}"}), "top_n": TOP_N, "return_documents": False, "parameters": {"truncate": "END"}},
        results("data", "index", "score", billed_units={"rerank_units": "usage.rerank_units"}),
        [1],
        options="-H 'Api-Key: pcsk_0123456789abcdef0123' -H 'X-Pinecone-Api-Version: 2026-04'",
        auth={"kind": "header", "name": "Api-Key", "key": {"env": ["PINECONE_API_KEY"]}},
    ),
    "nvidia": Case(
        "https://ai.api.nvidia.com/v1/retrieval/nvidia/llama-nemotron-rerank-1b-v2/reranking",
        {"model": "nvidia/llama-nemotron-rerank-1b-v2", "query": {"text": "q"}, "passages": [{"text": "a"}, {"text": "b"}], "truncate": "END"},
        {"rankings": [{"index": 0, "logit": -1.24}, {"index": 1, "logit": -3.03}], "usage": {"prompt_tokens": 100, "total_tokens": 100}},
        {"model": MODEL, "query": {"text": QUERY}, "passages": each({"text": "{{ document.text }}"}), "truncate": "END"},
        results("rankings", "index", "logit", tokens={"input_tokens": "usage.prompt_tokens"}),
        [0, 1],
        path="/v1/retrieval/{{ model | keep_slashes }}/reranking",
        scale="logit",
    ),
    "dashscope": Case(
        "https://dashscope.aliyuncs.com/api/v1/services/rerank/text-rerank/text-rerank",
        {"model": "gte-rerank-v2", "input": {"query": "q", "documents": ["a", "b"]}, "parameters": {"top_n": 1, "return_documents": True}},
        {"output": {"results": [{"index": 0, "relevance_score": 0.93, "document": {"text": "a"}}]}, "usage": {"total_tokens": 79}, "request_id": "r-1"},
        {"model": MODEL, "input": {"query": QUERY, "documents": TEXTS}, "parameters": {"top_n": TOP_N, "return_documents": False}},
        results("output.results", "index", "relevance_score", id="request_id", tokens={"input_tokens": "usage.total_tokens"}),
        [0],
        sends={"model": "gte-rerank-v2", "input": {"query": "q", "documents": ["a", "b"]}, "parameters": {"top_n": 1, "return_documents": False}},
    ),
    "zeroentropy": Case(
        "https://api.zeroentropy.dev/v1/models/rerank",
        {"model": "zerank-2", "query": "q", "documents": ["a", "b"], "top_n": 1},
        {"results": [{"index": 0, "relevance_score": 0.97}], "actual_latency_mode": "fast", "e2e_latency": 0.12, "inference_latency": 0.05, "total_bytes": 512, "total_tokens": 80},
        {**COHERE, "top_n": TOP_N},
        results("results", "index", "relevance_score", tokens={"input_tokens": "total_tokens"}),
        [0],
    ),
    "cohere_with_everything": Case(
        "https://api.cohere.com/v2/rerank",
        {"model": "rerank-v4.0-pro", "query": "capital of France", "documents": ["Paris is in France", "Berlin"], "top_n": 1, "max_tokens_per_doc": 4096, "priority": 0},
        {"id": "0a1b", "results": [{"index": 0, "relevance_score": 0.98}], "meta": {"api_version": {"version": "2", "is_experimental": False}, "billed_units": {"search_units": 1}}},
        {**COHERE, "top_n": TOP_N, "max_tokens_per_doc": "{{ max_tokens_per_doc }}", "priority": "{{ priority }}"},
        results("results", "index", "relevance_score", id="id", api_version="meta.api_version", billed_units="meta.billed_units"),
        [0],
    ),
    "tei": Case(
        "http://localhost:8080/rerank",
        {"query": "q", "texts": ["a", "b"], "truncate": True, "raw_scores": False, "return_text": False},
        [{"index": 1, "score": 0.998}, {"index": 0, "score": 0.002}],
        {"query": QUERY, "texts": TEXTS, "truncate": True, "raw_scores": False, "return_text": False},
        results("", "index", "score"),
        [1, 0],
        options="",
        auth={"kind": "none"},
    ),
    "tei_pairs": Case(
        "http://localhost:8080/predict",
        {"inputs": [["q", "a"], ["q", "b"]]},
        [[{"score": 0.9, "label": "LABEL_0"}], [{"score": 0.1, "label": "LABEL_0"}]],
        {"inputs": each([QUERY, "{{ document.text }}"])},
        positional("@", "value[0].score"),
        [0, 1],
        options="",
        auth={"kind": "none"},
    ),
    "vertex": Case(
        "https://discoveryengine.googleapis.com/v1/projects/my-project/locations/global/rankingConfigs/default_ranking_config:rank",
        {"model": "semantic-ranker-default-004", "query": "why is the sky blue", "records": [{"id": "0", "content": "Rayleigh scattering ..."}, {"id": "1", "content": "Bread recipe"}], "topN": 2, "ignoreRecordDetailsInResponse": True},
        {"records": [{"id": "0", "score": 0.98}, {"id": "1", "score": 0.01}]},
        {"model": MODEL, "query": QUERY, "records": each({"id": "{{ document.index | string }}", "content": "{{ document.text }}"}), "topN": TOP_N, "ignoreRecordDetailsInResponse": True},
        results("records", "to_number(id)", "score"),
        [0, 1],
        options='-H "Authorization: Bearer $(gcloud auth print-access-token)"',
        auth={"kind": "bearer", "key": {"env": ["VERTEX_API_KEY"]}},
    ),
    "watsonx": Case(
        "https://us-south.ml.cloud.ibm.com/ml/v1/text/rerank?version=2024-10-18",
        {"model_id": "cross-encoder/ms-marco-minilm-l-12-v2", "project_id": "PID", "query": "capital of France", "inputs": [{"text": "Paris is the capital"}, {"text": "Cats sleep a lot"}], "parameters": {"truncate_input_tokens": 512, "return_options": {"top_n": 2, "inputs": True}}},
        {"model_id": "m", "created_at": "2026-01-01T00:00:00Z", "results": [{"index": 0, "score": 2.93, "input": {"text": "Paris is the capital"}}, {"index": 1, "score": -11.05}], "input_token_count": 20},
        {"model_id": MODEL, "project_id": "PID", "query": QUERY, "inputs": each({"text": "{{ document.text }}"}), "parameters": {"truncate_input_tokens": 512, "return_options": {"top_n": TOP_N, "inputs": True}}},
        results("results", "index", "score", tokens={"input_tokens": "input_token_count"}),
        [0, 1],
        scale="unknown",
    ),
    "azure": Case(
        "https://my-resource.services.ai.azure.com/providers/cohere/v2/rerank",
        {"model": "Cohere-rerank-v4.0-pro", "query": "q", "documents": ["a", "b"], "top_n": 1},
        {"id": "x", "results": [{"index": 1, "relevance_score": 0.9}], "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}},
        {**COHERE, "top_n": TOP_N},
        results("results", "index", "relevance_score", id="id", api_version="meta.api_version", billed_units="meta.billed_units"),
        [1],
        options='-H "api-key: $AZURE_AI_API_KEY"',
        auth={"kind": "header", "name": "api-key", "key": {"env": ["AZURE_AI_API_KEY"]}},
    ),
    "deepinfra": Case(
        "https://api.deepinfra.com/v1/inference/Qwen/Qwen3-Reranker-8B",
        {"queries": ["q", "q"], "documents": ["a", "b"]},
        {"scores": [0.12, 0.98], "input_tokens": 40, "request_id": "R1", "inference_status": {"status": "succeeded", "runtime_ms": 30, "cost": 0.000002, "tokens_input": 40}},
        {"queries": each(QUERY), "documents": TEXTS},
        positional("scores", "value", id="request_id", tokens={"input_tokens": "input_tokens"}),
        [1, 0],
        path="/v1/inference/{{ model | keep_slashes }}",
    ),
    "siliconflow": Case(
        "https://api.siliconflow.com/v1/rerank",
        {"model": "Qwen/Qwen3-Reranker-8B", "query": "q", "documents": ["a", "b"], "top_n": 1, "return_documents": False, "instruction": "prefer recent"},
        {"id": "abc", "results": [{"index": 0, "relevance_score": 0.99}], "tokens": {"input_tokens": 20, "output_tokens": 0}},
        {**COHERE, "top_n": TOP_N, "return_documents": False, "instruction": "{{ instruction }}"},
        results("results", "index", "relevance_score", id="id", tokens={"input_tokens": "tokens.input_tokens", "output_tokens": "tokens.output_tokens"}),
        [0],
    ),
    "llama_cpp": Case(
        "http://localhost:8080/v1/rerank",
        {"model": "bge-reranker-v2-m3", "query": "q", "documents": ["a", "b"], "top_n": 2},
        {"model": "bge-reranker-v2-m3", "object": "list", "usage": {"prompt_tokens": 24, "total_tokens": 24}, "results": [{"index": 0, "relevance_score": 7.74}, {"index": 1, "relevance_score": -11.0}]},
        {**COHERE, "top_n": TOP_N},
        results("results", "index", "relevance_score", tokens={"input_tokens": "usage.prompt_tokens"}),
        [0, 1],
        options="-H 'X-Api-Key: ${LLAMA_API_KEY}'",
        auth={"kind": "header", "name": "X-Api-Key", "key": {"env": ["LLAMA_API_KEY"]}},
        scale="unknown",
    ),
    "isaacus": Case(
        "https://api.isaacus.com/v1/rerankings",
        {"model": "kanon-2-reranker", "query": "q", "texts": ["a", "b"], "top_n": 1},
        {"results": [{"index": 0, "score": 0.87}], "usage": {"input_tokens": 52}},
        {"model": MODEL, "query": QUERY, "texts": TEXTS, "top_n": TOP_N},
        results("results", "index", "score", tokens={"input_tokens": "usage.input_tokens"}),
        [0],
    ),
    "contextual": Case(
        "https://api.contextual.ai/v1/rerank",
        {"model": "ctxl-rerank-v2", "query": "q", "documents": ["a", "b"], "metadata": ["date: 2025", ""], "instruction": "prefer recent", "top_n": 1},
        {"results": [{"index": 1, "relevance_score": 0.91234567}]},
        {**COHERE, "instruction": "{{ instruction }}", "top_n": TOP_N},
        results("results", "index", "relevance_score"),
        [1],
        sends={"model": "ctxl-rerank-v2", "query": "q", "documents": ["a", "b"], "instruction": "prefer recent", "top_n": 1},
    ),
    "cloudflare": Case(
        "https://api.cloudflare.com/client/v4/accounts/$CLOUDFLARE_ACCOUNT_ID/ai/run/@cf/baai/bge-reranker-base",
        {"query": "capital of France", "contexts": [{"text": "Cats sleep"}, {"text": "Paris is the capital"}], "top_k": 2},
        {"result": {"response": [{"id": 1, "score": 0.9998}, {"id": 0, "score": 0.00004}], "usage": {"prompt_tokens": 20, "total_tokens": 20}}, "success": True, "errors": [], "messages": []},
        {"query": QUERY, "contexts": each({"text": "{{ document.text }}"}), "top_k": TOP_N},
        results("result.response", "id", "score", tokens={"input_tokens": "result.usage.prompt_tokens"}),
        [1, 0],
        path="/client/v4/accounts/{{ settings.account_id }}/ai/run/@cf/{{ model | keep_slashes }}",
    ),
    "oracle": Case(
        "https://inference.generativeai.eu-frankfurt-1.oci.oraclecloud.com/20231130/actions/rerankText",
        {"input": "capital of France", "documents": ["Paris is the capital", "Cats sleep"], "compartmentId": "ocid1.compartment.oc1..x", "servingMode": {"servingType": "ON_DEMAND", "modelId": "cohere.rerank.v3-5"}, "topN": 1, "isEcho": False, "maxTokensPerDocument": 512},
        {"id": "5f0c", "modelId": "cohere.rerank.v3-5", "modelVersion": "3.5", "documentRanks": [{"index": 0, "relevanceScore": 0.98}]},
        {"input": QUERY, "documents": TEXTS, "compartmentId": "ocid1.compartment.oc1..x", "servingMode": {"servingType": "ON_DEMAND", "modelId": MODEL}, "topN": TOP_N, "isEcho": False, "maxTokensPerDocument": "{{ max_tokens_per_doc }}"},
        results("documentRanks", "index", "relevanceScore", id="id"),
        [0],
    ),
    "tencent": Case(
        "https://lkeap.tencentcloudapi.com/",
        {"Query": "q", "Docs": ["a", "b"], "Model": "lke-reranker-base"},
        {"Response": {"RequestId": "r-1", "ScoreList": [-9.006, 2.857], "Usage": {"TotalTokens": 27}}},
        {"Query": QUERY, "Docs": TEXTS, "Model": MODEL},
        positional("Response.ScoreList", "value", id="Response.RequestId", tokens={"input_tokens": "Response.Usage.TotalTokens"}),
        [1, 0],
        options="-H 'Authorization: TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZ/2019-02-25/lkeap/tc3_request, SignedHeaders=content-type;host, Signature=be4f67d' -H 'X-TC-Action: RunRerank'",
        auth={"kind": "none"},
        scale="unknown",
    ),
    "vikingdb": Case(
        "https://api-knowledgebase.mlp.cn-beijing.volces.com/api/knowledge/service/rerank",
        {"rerank_model": "doubao-seed-rerank", "datas": [{"query": "q", "content": "a"}, {"query": "q", "content": "b"}]},
        {"code": 0, "message": "success", "request_id": "r-1", "data": {"scores": [0.27, 0.91], "token_usage": 12}},
        {"rerank_model": MODEL, "datas": each({"query": QUERY, "content": "{{ document.text }}"})},
        positional("data.scores", "value", id="request_id", tokens={"input_tokens": "data.token_usage"}),
        [1, 0],
    ),
    "vikingdb_nested_lists": Case(
        "https://api-vikingdb.vikingdb.cn-beijing.volces.com/api/vikingdb/rerank",
        {"model_name": "doubao-seed-rerank", "model_version": "251028", "query": [{"text": "q"}], "data": [[{"text": "a"}], [{"text": "b"}]], "instruction": "i"},
        {"code": "Success", "message": "", "request_id": "r-1", "result": {"data": [{"id": 0, "score": 0.91}, {"id": 1, "score": 0.27}]}},
        {"model_name": MODEL, "model_version": "251028", "query": [{"text": QUERY}], "data": each([{"text": "{{ document.text }}"}]), "instruction": "{{ instruction }}"},
        results("result.data", "id", "score", id="request_id"),
        [0, 1],
    ),
    "elasticsearch": Case(
        "https://es.example.com:9243/_inference/rerank/my-rerank?timeout=30s",
        {"query": "q", "input": ["a", "b", "c"], "top_n": 3},
        {"rerank": [{"index": "2", "relevance_score": "5.6E-4", "text": "c"}, {"index": "0", "relevance_score": "1.2E-4", "text": "a"}, {"index": "1", "relevance_score": "1.1E-5", "text": "b"}]},
        {"query": QUERY, "input": TEXTS, "top_n": TOP_N},
        results("rerank", "to_number(index)", "to_number(relevance_score)"),
        [2, 0, 1],
        options="-H 'Authorization: ApiKey aWQ6a2V5MDEyMzQ1Njc4OQ=='",
        auth={"kind": "header", "name": "Authorization", "scheme": "ApiKey", "key": {"env": ["ELASTICSEARCH_API_KEY"]}},
        path="/_inference/rerank/{{ model }}",
    ),
    "opensearch": Case(
        "https://localhost:9200/_plugins/_ml/_predict/text_similarity/zwla5YUB",
        {"query_text": "q", "text_docs": ["a", "b"]},
        {"inference_results": [{"output": [{"name": "similarity", "data_type": "FLOAT32", "shape": [1], "data": [10.2]}]}, {"output": [{"name": "similarity", "data_type": "FLOAT32", "shape": [1], "data": [-6.07]}]}]},
        {"query_text": QUERY, "text_docs": TEXTS},
        positional("inference_results", "value.output[0].data[0]"),
        [0, 1],
        options="-k -u 'admin:a-very-long-password'",
        auth={"kind": "basic", "username": {"env": ["OPENSEARCH_USERNAME"]}, "password": {"env": ["OPENSEARCH_PASSWORD"]}},
        path="/_plugins/_ml/_predict/text_similarity/{{ model }}",
        scale="unknown",
    ),
    "sglang": Case(
        "http://localhost:30000/v1/rerank",
        {"model": "BAAI/bge-reranker-v2-m3", "query": "q", "documents": ["a", "b"], "return_documents": True},
        [{"score": 0.99, "document": "b", "index": 1, "meta_info": {"id": "x", "prompt_tokens": 12, "e2e_latency": 0.01}}, {"score": 0.01, "document": "a", "index": 0, "meta_info": {"id": "x", "prompt_tokens": 11, "e2e_latency": 0.01}}],
        {**COHERE, "return_documents": False},
        results("", "index", "score"),
        [1, 0],
        options="",
        auth={"kind": "none"},
        sends={"model": "BAAI/bge-reranker-v2-m3", "query": "q", "documents": ["a", "b"], "return_documents": False},
    ),
    "bedrock_rerank": Case(
        "https://bedrock-agent-runtime.us-west-2.amazonaws.com/rerank",
        {"queries": [{"type": "TEXT", "textQuery": {"text": "q"}}], "sources": [{"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": "a"}}}, {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": "b"}}}], "rerankingConfiguration": {"type": "BEDROCK_RERANKING_MODEL", "bedrockRerankingConfiguration": {"numberOfResults": 2, "modelConfiguration": {"modelArn": "arn:aws:bedrock:us-west-2::foundation-model/amazon.rerank-v1:0"}}}},
        {"results": [{"index": 1, "relevanceScore": 0.91}, {"index": 0, "relevanceScore": 0.10}]},
        {"queries": [{"type": "TEXT", "textQuery": {"text": QUERY}}], "sources": each({"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": "{{ document.text }}"}}}), "rerankingConfiguration": {"type": "BEDROCK_RERANKING_MODEL", "bedrockRerankingConfiguration": {"numberOfResults": TOP_N, "modelConfiguration": {"modelArn": MODEL}}}},
        results("results", "index", "relevanceScore"),
        [1, 0],
        options='--aws-sigv4 "aws:amz:us-west-2:bedrock" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" -H "x-amz-security-token: $AWS_SESSION_TOKEN"',
        auth={
            "kind": "aws_sigv4", "service": "bedrock", "region": "{{ settings.region }}",
            "access_key_id": {"env": ["AWS_ACCESS_KEY_ID"]}, "secret_access_key": {"env": ["AWS_SECRET_ACCESS_KEY"]},
            "session_token": {"env": ["AWS_SESSION_TOKEN"], "optional": True},
        },
    ),
    "bedrock_invoke": Case(
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/cohere.rerank-v3-5%3A0/invoke",
        {"query": "q", "documents": ["a", "b"], "top_n": 2, "api_version": 2},
        {"results": [{"index": 1, "relevance_score": 0.91}, {"index": 0, "relevance_score": 0.10}]},
        {"query": QUERY, "documents": TEXTS, "top_n": TOP_N, "api_version": 2},
        results("results", "index", "relevance_score"),
        [1, 0],
        path="/model/{{ model }}/invoke",
    ),
    "zhipu": Case(
        "https://open.bigmodel.cn/api/paas/v4/rerank",
        {"model": "rerank", "query": "q", "documents": ["a", "b"], "top_n": 1, "return_documents": False},
        {"id": "2026x", "request_id": "r-1", "created": 1732083164, "results": [{"index": 1, "relevance_score": 0.9986}], "usage": {"prompt_tokens": 72, "total_tokens": 72}},
        {**COHERE, "top_n": TOP_N, "return_documents": False},
        results("results", "index", "relevance_score", id="id", tokens={"input_tokens": "usage.prompt_tokens"}),
        [1],
        path="/api/paas/v4/rerank",
    ),
    "baidu_v1": Case(
        "https://aip.baidubce.com/rpc/2.0/ai_custom/v1/wenxinworkshop/reranker/bce_reranker_base?access_token=24.4a3a19b2d6a3c8e9f0",
        {"query": "q", "documents": ["a", "b"], "top_n": 1},
        {"id": "as-x", "object": "rerank_list", "created": 1730000000, "results": [{"index": 0, "document": "a", "relevance_score": 0.98}], "usage": {"prompt_tokens": 20, "total_tokens": 20}},
        {"query": QUERY, "documents": TEXTS, "top_n": TOP_N},
        results("results", "index", "relevance_score", id="id", tokens={"input_tokens": "usage.prompt_tokens"}),
        [0],
        options="",
        auth={"kind": "query", "name": "access_token", "key": {"env": ["BAIDU_V1_API_KEY"]}},
        path="/rpc/2.0/ai_custom/v1/wenxinworkshop/reranker/{{ model }}",
    ),
}  # fmt: skip


def no_file(name: str) -> str:
    raise AssertionError(f"no file is named, but {name} is read")


@pytest.mark.parametrize("name", CASES)
def test_a_documented_call_becomes_a_spec_that_replays_it(name: str) -> None:
    case = CASES[name]
    curl = f"curl -sS -X POST '{case.url}' {case.options} -H 'Content-Type: application/json' \\\n  -d '{json.dumps(case.sent)}'"
    curl = curl.replace("'https://api.cloudflare", '"https://api.cloudflare').replace(
        "bge-reranker-base'", 'bge-reranker-base"'
    )
    draft = draft_from_curl(name, curl, json.dumps(case.reply), no_file)
    spec: dict[str, Any] = read_yaml(draft.text, name).data
    assert spec["request"]["body"] == case.body
    assert spec["response"] == case.response
    assert spec["auth"] == case.auth
    assert spec["scoring"] == {"scale": case.scale, "mode": "pointwise"}
    if case.path is not None:
        assert spec["endpoint"]["path"] == case.path
    [example] = spec["examples"]
    assert example["sends"]["body"] == (case.sent if case.sends is None else case.sends)
    assert [result["index"] for result in example["returns"]["results"]] == case.ranking
    checked = check_text(draft.text, f"{name}.yaml", Catalog().parent_data, cases=0)
    assert [str(finding) for finding in checked.findings if finding.severity == "error"] == []
