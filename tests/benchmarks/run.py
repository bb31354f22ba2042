"""Measures everything that is promised of the speed.

    python tests/benchmarks/run.py [--only throughput --only sdk] [--rounds 5] [--seconds 3] [--output figures.json]
    python tests/benchmarks/report.py figures.json

Contenders take turns within each round; figures are ratios within one run, and their medians over the rounds. What is
measured runs on the first CPU, what asks and answers it on the second. Needs Linux and gcc; nginx and wrk are Debian's,
the installed ones or else unpacked; rankspec and LiteLLM are installed into environments below `.benchmarks`.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import environments
from outcomes import Missing, Outcome, Plan, tell
from processes import OTHER_CPU, keep_on
from report import target_lines

SUBJECTS = {
    "throughput": "The gateway under load, beside LiteLLM's proxy, nginx and a pass-through",
    "latency": "Added latency",
    "translation": "The translation core beside orjson alone",
    "sdk": "The SDK beside requests",
    "arerank": "The async SDK beside LiteLLM's",
    "imports": "Imports and the first call",
    "lifetimes": "Start and memory of the gateway, beside LiteLLM's proxy",
    "growth": "The gateway from small requests to the largest",
    "catalogs": "Many specs",
}


def main() -> None:
    """Measure, print the figures beside their targets, and write all of it."""
    arguments = _arguments()
    # Where this is set every import is a compile, also in what is started from here.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    keep_on(OTHER_CPU)
    conditions = _conditions(arguments)
    print(*(f"{name}: {text}" for name, text in conditions.items()), sep="\n", flush=True)
    subjects: dict[str, Any] = {}
    for name in arguments.only or SUBJECTS:
        print(f"\n{name}: {SUBJECTS[name]}", flush=True)
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            outcome = _measure(name, Plan(arguments.rounds, arguments.seconds, Path(folder)))
        taken = time.monotonic() - started
        subjects[name] = {"title": SUBJECTS[name], "conditions": conditions, **outcome.as_json()}
        print(*target_lines(outcome.figures), *outcome.skipped, f"({taken:.0f} s)", sep="\n", flush=True)
        if arguments.output:
            # After each: what was measured is there whatever comes later.
            Path(arguments.output).write_text(json.dumps({"subjects": subjects}, indent=1) + "\n")


def _measure(name: str, plan: Plan) -> Outcome:
    try:
        found: Outcome = importlib.import_module(name).measure(plan)
    except Missing as error:
        return Outcome(skipped=[f"{name}: {error}"])
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=SUBJECTS, help="this subject alone; may be given again")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one contender's turn under load")
    parser.add_argument("--output", help="a file for everything that was measured, as JSON")
    return parser.parse_args()


def _conditions(arguments: argparse.Namespace) -> dict[str, str]:
    load = os.getloadavg()[0]
    tell("installing this checkout")
    python = environments.rankspec_python()
    packages = ("rankspec", "uvicorn", "httptools", "uvloop", "wreq", "requests", "orjson", "jsonschema-rs")
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} CPUs, {_cpu_name()}, Linux {platform.release()}",
        "load before": f"{load:.2f}",
        "python": environments.version_of(python, "--version"),
        "packages": environments.versions(python, *packages),
        "compared": ", ".join(_compared()),
        "rounds": f"{arguments.rounds}, turns of {arguments.seconds:g} s under load",
    }


def _compared() -> list[str]:
    found = []
    for look in (
        lambda: environments.versions(environments.litellm_python(), "litellm"),
        lambda: environments.version_of(environments.nginx(), "-v"),
        lambda: environments.version_of(environments.wrk(), "-v").partition(" [")[0],
    ):
        try:
            found.append(look())
        except Missing as error:
            found.append(f"missing: {error}")
    return found


def _cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    sys.exit(main())
