"""Many specs: what listing them takes, and what a call pays for one among them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from environments import HERE, ROOT, environ, nowhere, rankspec_command, rankspec_python
from outcomes import Outcome, Plan, Table, spread, tell
from processes import SERVER_CPU, cpu_of_run, keep_on

LEAST_COUNT, LEAST_ROUNDS = 50, 5


def measure(plan: Plan) -> Outcome:
    """Processes in turns: a call of one among all, the command, and the command without its imports."""
    outcome = Outcome()
    shipped = sorted(file for file in (ROOT / "provider_specs").glob("*.yaml"))
    count = len(shipped) + 1
    assert count >= LEAST_COUNT
    own = plan.folder / "own"
    _copy(ROOT / "provider_specs" / "cohere.yaml", "copy", own)
    first_ms, compiled, opened, listed, command = [], [], [], [], []
    for number in range(max(LEAST_ROUNDS, plan.rounds)):
        tell(f"{count} specs: round {number + 1}")
        one = _worker("first_call", str(own), "copy")
        first_ms.append(one["ms"])
        compiled.append(one["compiled"])
        opened.append(one["opened"])
        listed.append(_worker("listing", str(own))["ms"])
        command.append(_command_ms(own))
    outcome.figures["catalog-compiled"] = compiled
    outcome.figures["catalog-listing"] = listed
    outcome.figures["catalog-command"] = command
    rows = [
        ("first call", spread(first_ms, 1)),
        ("specs compiled for it", spread(compiled, 0)),
        ("spec files opened for it, also to look for names", spread(opened, 0)),
        ("`rankspec providers`, everything imported", spread(listed, 0)),
        ("`rankspec providers`, the whole process", spread(command, 0)),
    ]
    conditions = (
        f"The shipped specs and one in a folder of the user's, which is called: {count} in all. All ms are of CPU: a "
        "call's up to a connection that is refused, in a process that has made another call before."
    )
    outcome.tables.append(Table("One spec among many", conditions, ("", "ms, or files"), rows))
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
