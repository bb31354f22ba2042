"""`rankspec check --live`: one tiny real call, with the key from the environment."""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import click

from rankspec.catalog import SpecOverridden
from rankspec.checks.live import DOCUMENTS, QUERY, LiveReport, judge
from rankspec.client import Client
from rankspec.specs import ProviderSpec


def call_live(file: Path, specs: tuple[str, ...], model: str | None, api_base: str | None) -> LiveReport:
    """What a real call to the provider of a spec file shows.

    Args:
        model: the model to ask for; by default the first that the spec lists, or else that an example asks for.
        api_base: where the provider is, if not where the spec says.

    Raises:
        RankspecError: the call fails, as Client.rerank tells.
        click.UsageError: no model is known to ask for.
    """
    with warnings.catch_warnings():
        # A spec that is being changed has the name of the one that it changes.
        warnings.simplefilter("ignore", SpecOverridden)
        client = Client(specs=(str(file), *specs), override=True, max_retries=0)
    with client:
        spec = client.catalog.load(file.stem)
        model = model or _first_model(spec)
        if model is None and spec.needs_model:
            raise click.UsageError(f"{spec.name} needs a model: pass --model")
        started = time.perf_counter()
        response = client.rerank(
            f"{spec.name}/{model}" if model else spec.name,
            QUERY,
            list(DOCUMENTS),
            api_base=api_base,
            return_documents=False,
        )
        seconds = time.perf_counter() - started
    return judge(spec.name, spec.model(model), model, response, seconds)


def _first_model(spec: ProviderSpec) -> str | None:
    listed = [name for name in spec.models if not name.endswith("*")]
    shown = [example["request"]["model"] for example in spec.examples if "model" in example.get("request", {})]
    return next(iter((*listed, *shown)), None)


def live_text(report: LiveReport) -> str:
    """The report for people."""
    name = f"{report.provider}/{report.model}" if report.model else report.provider
    least, most = min(report.scores), max(report.scores)
    lines = [
        f"{name}: answered in {report.seconds:.2f} s, {len(report.scores)} results",
        f"  scores {most:g} (answers the question) and {least:g} (does not)"
        if not report.problems
        else f"  scores by document: {', '.join(f'{score:g}' for score in report.scores)}",
        f"  scale declared {report.declared_scale}, seen {report.seen_scale}",
        f"  told: {', '.join(report.told) or 'nothing but the results'}",
    ]
    lines += [f"  warning: {text}" for text in report.warnings]
    lines += [f"  problem: {text}" for text in report.problems]
    return "\n".join(lines)
