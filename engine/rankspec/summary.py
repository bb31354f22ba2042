"""What a spec says, as plain values for people and machines: the providers' list, and the tables in the guides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rankspec.specs import UNSUPPORTABLE, ProviderSpec

EMULATED = ("top_n", "rank_fields", "return_documents")
"""Parameters that the engine does itself where the provider does not."""


def summarize(spec: ProviderSpec, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One provider as plain values.

    Args:
        environ: where variables are looked for; only whether they are set is told, never their values. Without it
            nothing is told of that: the summary is then the same everywhere, but for the `file`.
    """
    used = spec.default_model.body.names.union(*(model.body.names for model in spec.models.values()))
    return {
        "name": spec.name,
        "title": spec.title,
        "aliases": list(spec.aliases),
        "file": spec.file,
        "base_url": _base_url(spec),
        "base_url_variables": _variables(spec.endpoint.base_url_env, environ),
        "auth": [
            {
                "kind": one["kind"],
                **({"when": one["when"]} if "when" in one else {}),
                "secrets": [
                    {
                        "name": secret.name,
                        "argument": secret.argument,
                        "optional": secret.optional,
                        "variables": _variables(secret.env, environ),
                    }
                    for secret in authenticator.secrets
                ],
            }
            for one, authenticator in zip(_auth_entries(spec), spec.authenticators, strict=True)
        ],
        **({} if environ is None else {"key_is_set": key_is_set(spec, environ)}),
        "model_is_required": spec.needs_model,
        "settings": [
            {
                "name": setting.name,
                "aliases": list(setting.aliases),
                "description": setting.description,
                "default": setting.default,
                "optional": setting.optional or setting.default is not None,
                "variables": _variables(setting.env, environ),
            }
            for setting in spec.settings.values()
        ],
        "limits": {name: value for name, value in spec.default_model.limits._asdict().items() if value is not None},
        "scale": spec.default_model.scale,
        "mode": spec.default_model.mode,
        "parameters": {
            "native": sorted(used.intersection((*UNSUPPORTABLE, *EMULATED))),
            "emulated": [name for name in EMULATED if name not in used],
            "unsupported": [name for name in UNSUPPORTABLE if name not in used],
        },
        "echo": _echo(spec),
        "models": [
            {
                "id": name,
                "aliases": [alias for alias, own in spec.model_aliases.items() if own == name],
                "limits": {key: value for key, value in model.limits._asdict().items() if value is not None},
                "scale": model.scale,
                "mode": model.mode,
                "price": model.price._asdict() if model.price else None,
            }
            for name, model in spec.models.items()
        ],
        "documentation": spec.data.get("documentation", []),
        "confidence": spec.data.get("confidence"),
    }


def key_is_set(spec: ProviderSpec, environ: Mapping[str, str]) -> bool | None:
    """Whether the environment has what some way to authenticate needs; None if no key is needed."""
    if any(all(secret.optional for secret in one.secrets) for one in spec.authenticators):
        return None
    return any(
        all(secret.optional or any(environ.get(name, "").strip() for name in secret.env) for secret in one.secrets)
        for one in spec.authenticators
    )


def key_variables(spec: ProviderSpec) -> list[str]:
    """The environment variables of every secret that a call needs, in the order they are tried."""
    secrets = [secret for one in spec.authenticators for secret in one.secrets]
    return list(dict.fromkeys(name for secret in secrets for name in secret.env))


def price_text(price: Mapping[str, Any]) -> str:
    """A price as people write it."""
    return f"${price['usd']:g} per {price['per']:,} {price['unit']}"


def markdown_table(specs: Iterable[ProviderSpec]) -> str:
    """The providers as a Markdown table, for the guides."""
    lines = [
        "| provider | other names | key | documents in one request | score | mode |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for spec in specs:
        rows = (
            f"`{spec.name}`: {spec.title}",
            ", ".join(f"`{alias}`" for alias in spec.aliases),
            ", ".join(f"`{name}`" for name in key_variables(spec)) or "none",
            f"{spec.default_model.limits.documents:,}" if spec.default_model.limits.documents else "no limit known",
            spec.default_model.scale,
            spec.default_model.mode,
        )
        lines.append(f"| {' | '.join(rows)} |")
    return "\n".join(lines)


def _auth_entries(spec: ProviderSpec) -> list[dict[str, Any]]:
    auth = spec.data["auth"]
    return [auth] if isinstance(auth, dict) else list(auth)


def _echo(spec: ProviderSpec) -> dict[str, Any] | None:
    echo = spec.echo
    if echo is None:
        return None
    return {**echo._asdict(), "asked_by": ".".join(echo.asked_by), "member": ".".join(echo.member)}


def _base_url(spec: ProviderSpec) -> list[str]:
    urls = spec.data["endpoint"]["base_url"]
    return [urls] if isinstance(urls, str) else list(urls)


def _variables(names: Iterable[str], environ: Mapping[str, str] | None) -> list[dict[str, Any]]:
    if environ is None:
        return [{"name": name} for name in names]
    return [{"name": name, "is_set": bool(environ.get(name, "").strip())} for name in names]
