"""Pages of what can be wrong with a gateway's config. Each example is a whole file."""

from rankspec.checks.pages.page import Page
from rankspec.models import Severity

_MODEL = "model_list:\n  - model_name: reranker\n    litellm_params: {model: local/bm25}\n"
_COHERE = "model_list:\n  - model_name: reranker\n    litellm_params:\n      model: cohere/rerank-v3.5\n      api_key: "


def _page(severity: Severity, title: str, what: str, why: str, bad: str, good: str) -> Page:
    return Page(severity, title, what, why, bad, good, is_whole=True, is_config=True)


PAGES = {
    "config-not-applied": _page(
        "warning",
        "Keys of LiteLLM's that have no effect",
        "The file is one for LiteLLM's proxy, and some of its keys are about something else than rerank, or about what "
        "this gateway does not do. All of them are named in one warning.",
        "The file works as it is, and nobody believes that what it says is done.",
        bad=_MODEL + "litellm_settings:\n  callbacks: [otel]\n",
        good=_MODEL + "litellm_settings:\n  drop_params: true\n",
    ),
    "config-left-out": _page(
        "warning",
        "A model is left out",
        "An entry of model_list is for something else than rerank, by the mode of its model_info or because there is "
        "no spec for its provider. With lenience the same happens to entries whose secrets are missing. What names "
        "such a model elsewhere is left out with it.",
        "Nobody can ask this gateway for that model.",
        bad=_MODEL + "  - model_name: gpt-4o\n    litellm_params: {model: openai/gpt-4o}\n",
        good=_MODEL,
    ),
    "config-conflict": _page(
        "error",
        "The same thing is said twice, and differently",
        "A thing has one name of ours and one or two of LiteLLM's, and two of them have different values. Between two "
        "of LiteLLM's own sections it is a warning: router_settings goes before litellm_settings, as it does there.",
        "It would depend on a rule that few know which of the two holds.",
        bad=_MODEL + "routing:\n  retries: 1\nrouter_settings:\n  num_retries: 3\n",
        good=_MODEL + "routing:\n  retries: 1\n",
    ),
    "config-extra": _page(
        "warning",
        "A parameter is sent to the provider as it is",
        "litellm_params has a key that is neither LiteLLM's nor a setting of the provider. As LiteLLM does, the "
        "gateway sends it with every request. Under extra_body it is plain that this is meant.",
        "If it is a misspelt key it has no effect, or the provider refuses every request.",
        bad=_MODEL.replace("bm25}", "bm25, truncation: true}"),
        good=_MODEL.replace("bm25}", "bm25, extra_body: {truncation: true}}"),
    ),
    "config-credential": _page(
        "error",
        "A credential that is not there",
        "litellm_credential_name names an entry that credential_list does not have.",
        "The model would be called without its key.",
        bad=_MODEL.replace("bm25}", "bm25, litellm_credential_name: team}"),
        good="credential_list:\n  - credential_name: team\n    credential_values: {timeout: 5}\n"
        + _MODEL.replace("bm25}", "bm25, litellm_credential_name: team}"),
    ),
    "config-id": _page(
        "error",
        "Two deployments have the same id",
        "The id of an entry is that of another one too.",
        "Logs, metrics and headers could not tell one from the other. Without an id an entry gets one of its own.",
        bad="models:\n  - {id: a, name: one, model: local/bm25}\n  - {id: a, name: two, model: local/bm25}\n",
        good="models:\n  - {id: a, name: one, model: local/bm25}\n  - {id: b, name: two, model: local/bm25}\n",
    ),
    "config-model": _page(
        "error",
        "The model cannot be found",
        "There is no spec for the provider, several providers have a model of that id, the spec does not load, or the "
        "provider needs a model and none is named.",
        "No request for the model could be sent.",
        bad="models:\n  - {name: reranker, model: locl/bm25}\n",
        good="models:\n  - {name: reranker, model: local/bm25}\n",
    ),
    "config-wildcard": _page(
        "error",
        "A * that matches nothing",
        "A name or a model has more than one *, or the model has one and the name has none.",
        "The * of a model is replaced by what the * of the name matched; there must be exactly one meaning.",
        bad="models:\n  - {name: reranker, model: local/*}\n",
        good='models:\n  - {name: "local/*", model: local/*}\n',
    ),
    "config-specs": _page(
        "error",
        "A file or folder of specs is not there",
        "specs names a file or folder that is not there. Relative paths start at the config's folder.",
        "The models that need it could not be called.",
        bad=_MODEL + "specs: [nowhere]\n",
        good=_MODEL + "specs: []\n",
    ),
    "config-no-models": _page(
        "error",
        "There is no model",
        "The file has no entry for a rerank model, or all of them are left out.",
        "Every request would be answered with 404.",
        bad="router_settings:\n  num_retries: 1\n",
        good=_MODEL + "router_settings:\n  num_retries: 1\n",
    ),
    "secret-missing": _page(
        "error",
        "A key or variable is not set",
        "The file refers to an environment variable or a file that is not there, or a provider needs a key that "
        "neither the file nor the environment has. The gateway refuses to start; with lenience it starts without that "
        "model. A check only warns: it may run elsewhere.",
        "Every request for that model would fail, one by one, and each with a less clear message.",
        bad=_COHERE + "os.environ/COHERE_KEY\n",
        good=_COHERE + "os.environ/COHERE_API_KEY\n",
    ),
    "secret-form": _page(
        "error",
        "A reference that is not read here",
        "A text has ${NAME}, $NAME, or os.environ/NAME in its middle. A reference stands for the whole value: "
        "os.environ/NAME, {env: NAME} or {file: PATH}.",
        "The provider would be sent the text as it stands.",
        bad=_COHERE + "${COHERE_API_KEY}\n",
        good=_COHERE + "{env: COHERE_API_KEY}\n",
    ),
    "secret-in-file": _page(
        "warning",
        "A secret stands in the file",
        "A key is written into the file itself. It works; only a check tells.",
        "Files are copied, committed and shown to others.",
        bad=_COHERE + "my-key-1\n",
        good=_COHERE + "os.environ/COHERE_API_KEY\n",
    ),
    "setting-missing": _page(
        "error",
        "A setting of the provider is not set",
        "The provider cannot be called without a setting, such as a region or a base URL, and neither the file nor the "
        "environment has it.",
        "Every request for that model would fail.",
        bad="models:\n  - {name: reranker, model: azure_ai/Cohere-rerank-v3-5, api_key: {env: COHERE_API_KEY}}\n",
        good="models:\n  - {name: reranker, model: azure_ai/Cohere-rerank-v3-5, api_key: {env: COHERE_API_KEY},\n"
        "     api_base: https://toy.example}\n",
    ),
    "unknown-model": _page(
        "error",
        "A name that no model has",
        "A fallback, an alias or the default model names what no entry of the file is called. A fallback may also be "
        "provider/model, or passthrough.",
        "It would be noticed when it is needed, in an outage.",
        bad=_MODEL + "routing:\n  default_model: rerankr\n",
        good=_MODEL + "routing:\n  default_model: reranker\n",
    ),
    "config-alias-cycle": _page(
        "error",
        "An alias stands for itself",
        "Following the alias leads back to it.",
        "It names no model.",
        bad=_MODEL + "routing:\n  aliases: {a: b, b: a}\n",
        good=_MODEL + "routing:\n  aliases: {a: b, b: reranker}\n",
    ),
    "config-alias-shadows": _page(
        "error",
        "An alias has the name of a model",
        "The same name is an alias and a model of its own.",
        "The alias is looked at first, so that the model could not be reached.",
        bad=_MODEL + "  - model_name: old\n    litellm_params: {model: local/bm25}\n"
        "routing:\n  aliases: {old: reranker}\n",
        good=_MODEL + "routing:\n  aliases: {old: reranker}\n",
    ),
    "fallback-passthrough": _page(
        "error",
        "Something follows passthrough",
        "passthrough stands in a chain of fallbacks, and is not its last member.",
        "It always answers, so that what follows is never reached.",
        bad=_MODEL + "routing:\n  fallbacks: {reranker: [passthrough, cohere/rerank-v3.5]}\n",
        good=_MODEL + "routing:\n  fallbacks: {reranker: [cohere/rerank-v3.5, passthrough]}\n",
    ),
    "fallback-repeats": _page(
        "warning",
        "A fallback that has failed by then",
        "A chain of fallbacks has a member twice, or the very model whose chain it is. It is left out at that place. "
        "Two models may be each other's fallback: a chain is never followed from one model into another one's.",
        "It would be asked again right after it failed.",
        bad=_MODEL + "routing:\n  fallbacks: {reranker: [reranker, passthrough]}\n",
        good=_MODEL + "routing:\n  fallbacks: {reranker: [passthrough]}\n",
    ),
}
