"""Run the benchmarks and print one table: `python -m benchmarks [--quick] [NAME ...]`.

Each benchmark runs in a process of its own, so that peak memory and warm caches of one never colour another.
"""

from __future__ import annotations

import argparse
import json
import math
import pkgutil
import subprocess
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

NOT_BENCHMARKS = {"__main__", "cross_check"}


def main() -> int:
    """Run the named benchmarks (default: all) and print the table; 1 if one of them failed."""
    names = sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if m.name not in NOT_BENCHMARKS)
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which of: {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that the benchmarks work")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(names)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if arguments.child:
        module = import_module(f"benchmarks.{arguments.names[0]}")
        sys.stdout.write("\n" + json.dumps([asdict(row) for row in module.rows(arguments.quick)]) + "\n")
        return 0
    rows: list[dict[str, Any]] = []
    failed = False
    for name in arguments.names or names:
        print(f"running {name}", file=sys.stderr)
        command = [sys.executable, "-m", "benchmarks", name, "--child", *(["--quick"] if arguments.quick else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            failed = True
            print(done.stderr, file=sys.stderr)
        else:
            rows += json.loads(done.stdout.splitlines()[-1])
    print(_table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return int(failed)


def _table(rows: list[dict[str, Any]]) -> str:
    head = ["benchmark", "case", "seconds", "peer", "peer s", "ratio", "target", "met", "note"]
    body = [
        [
            row["benchmark"],
            row["case"],
            _number(row["seconds"]),
            row["peer"],
            _number(row["peer_seconds"]),
            _number(row["seconds"] / row["peer_seconds"]) if row["peer"] else "",
            row["target"],
            {True: "yes", False: "NO", None: ""}[row["met"]],
            row["note"],
        ]
        for row in rows
    ]
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in [head, *body]]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
