"""Fifty specs: what listing them takes, and what a call pays for one among them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from environments import HERE, ROOT, environ, nowhere, rankspec_command, rankspec_python
from outcomes import Outcome, Plan, Table, ratios, spread, tell
from processes import SERVER_CPU, cpu_of_run, keep_on

COUNT = 50
LEAST_ROUNDS = 5


def measure(plan: Plan) -> Outcome:
    """Processes in turns: a call among fifty and a call among one, the command, and the command without its imports."""
    outcome = Outcome()
    shipped = sorted(file for file in (ROOT / "provider_specs").glob("*.yaml"))
    many, few = plan.folder / "many", plan.folder / "few"
    names = [f"copy_{at}" for at in range(COUNT - len(shipped))]
    for at, name in enumerate(names):
        _copy(shipped[at % len(shipped)], name, many)
    called = names[[file.stem for file in shipped].index("cohere")]
    _copy(many / f"{called}.yaml", called, few)
    many_ms, few_ms, compiled, opened, listed, command = [], [], [], [], [], []
    for number in range(max(LEAST_ROUNDS, plan.rounds)):
        tell(f"fifty specs: round {number + 1}")
        one = _worker("first_call", str(many), called)
        many_ms.append(one["ms"])
        compiled.append(one["compiled"])
        opened.append(one["opened"])
        few_ms.append(_worker("first_call", str(few), called)["ms"])
        listed.append(_worker("listing", str(many))["ms"])
        command.append(_command_ms(many))
    outcome.figures["catalog-compiled"] = compiled
    outcome.figures["catalog-listing"] = listed
    outcome.figures["catalog-command"] = command
    rows = [
        ("first call, the folder has one spec", spread(few_ms, 1)),
        ("first call, there are fifty", spread(many_ms, 1)),
        ("the second in terms of the first", spread(ratios(many_ms, few_ms))),
        ("specs compiled for it", spread(compiled, 0)),
        ("spec files opened for it, also to look for names", spread(opened, 0)),
        ("`rankspec providers`, everything imported", spread(listed, 0)),
        ("`rankspec providers`, the whole process", spread(command, 0)),
    ]
    conditions = (
        "The shipped specs, and copies of them under other names, fifty in all. All ms are of CPU: a call's up to "
        "a connection that is refused, in a process that has made another call before."
    )
    outcome.tables.append(Table("One spec among fifty", conditions, ("", "ms, or files"), rows))
    return outcome


def _copy(spec: Path, name: str, folder: Path) -> None:
    """The spec under another name, without the names that only one may have."""
    folder.mkdir(exist_ok=True)
    text = re.sub(r"^provider: .*$", f"provider: {name}", spec.read_text(), flags=re.MULTILINE)
    (folder / f"{name}.yaml").write_text(re.sub(r"^aliases: .*\n", "", text, flags=re.MULTILINE))


def _worker(what: str, *values: str) -> dict[str, float]:
    done = subprocess.run(
        [rankspec_python(), str(HERE / "catalog_worker.py"), what, *values],
        env=environ(),
        cwd=nowhere(),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        preexec_fn=lambda: keep_on(SERVER_CPU),
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _command_ms(folder: Path) -> float:
    taken = cpu_of_run([rankspec_command(), "providers", "--specs", str(folder)], environ(), nowhere())
    assert taken is not None, "rankspec providers failed"
    return taken * 1000
