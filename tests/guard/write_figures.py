"""Stores what every case does now, for the Python that runs this: `python tests/guard/write_figures.py`.

Run it after a change that is meant to do more, or that does much less; the change of the file is then reviewed with it.
"""

from __future__ import annotations

import json

from comparison import FILE, cheaper, counted, dearer, python, stored


def main() -> None:
    """Write, and print what has changed by a third or more."""
    figures, now = stored(), counted()
    before = figures.get(python(), {})
    known = {name: values for name, values in now.items() if name in before}
    print(*dearer(known, before), *cheaper(known, before), sep="\n")
    figures[python()] = now
    rows = [
        f'  "{version}": {{\n'
        + ",\n".join(f"    {json.dumps(name)}: {json.dumps(values)}" for name, values in cases.items())
        + "\n  }"
        for version, cases in sorted(figures.items())
    ]
    FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n")
    print(f"{FILE.name}: {len(now)} cases for Python {python()}")


if __name__ == "__main__":
    main()
