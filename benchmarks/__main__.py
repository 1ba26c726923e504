"""Run the benchmarks and print one table: `python -m benchmarks [--quick] [--markdown] [--into FILE] [NAME ...]`.

Each benchmark runs in a process of its own, so that peak memory and warm caches of one never colour another.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import Run, run

HEAD = ("benchmark", "case", "ours", "peer", "peer's", "ratio", "target", "met", "note")
BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"


def main() -> int:
    """Run the named benchmarks (default: all) and print the table; 1 if one of them failed."""
    names = benchmarks()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which of: {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="small sizes without targets, to see that they work")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    parser.add_argument("--into", type=Path, help="also write the table into this Markdown file, between its marks")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--from", dest="earlier", type=Path, help="show the rows of such a file and run nothing")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(names)):
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    if arguments.child:
        rows = import_module(f"benchmarks.{arguments.names[0]}").rows(arguments.quick)
        sys.stdout.write("\n" + json.dumps([asdict(row) for row in rows]) + "\n")
        return 0
    if arguments.earlier:
        found = json.loads(arguments.earlier.read_text(encoding="utf-8"))
    else:
        found = measured(arguments.names or names, arguments.quick)
    print(markdown(found) if arguments.markdown else plain(found))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if arguments.into:
        write_into(arguments.into, markdown(found))
    return int(bool(found["failed"]))


def benchmarks() -> list[str]:
    """Return the names of the modules of this package that have rows."""
    return sorted(
        path.stem
        for path in Path(__file__).parent.glob("*.py")
        if "\ndef rows(quick: bool" in path.read_text(encoding="utf-8")
    )


def measured(names: list[str], quick: bool) -> dict[str, Any]:
    """Run benchmarks one after another (quick ones, which are not judged, two at a time); return the machine, the
    rows, what failed, and what each run took.
    """
    found: dict[str, Any] = {"machine": machine(), "quick": quick, "rows": [], "failed": [], "took": []}

    def child(name: str) -> Run:
        print(f"running {name}", file=sys.stderr, flush=True)
        return run([sys.executable, "-m", "benchmarks", name, "--child", *(["--quick"] if quick else [])])

    with ThreadPoolExecutor(2 if quick else 1) as pool:
        runs = list(pool.map(child, names))
    for name, done in zip(names, runs, strict=True):
        if done.code:
            print(done.err, file=sys.stderr)
            found["failed"].append(name)
        else:
            found["rows"] += json.loads(done.out.splitlines()[-1])
        found["took"].append({"benchmark": name, "seconds": done.seconds, "peak_gb": done.peak_gb})
    return found


def machine() -> str:
    """Return on what the figures were measured, and how busy it was with other work."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "pandas", "numba", "highspy"))
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GB, Python {platform.python_version()}, "
        f"{libraries}; {os.getloadavg()[0]:.1f} other processes were running at the start"
    )


def lines(found: dict[str, Any]) -> list[list[str]]:
    """Return the cells of the table."""
    return [
        [
            row["benchmark"],
            row["case"],
            _number(row["seconds"], row["unit"]),
            row["peer"],
            _number(row["peer_seconds"], row["unit"]),
            _number(row["seconds"] / row["peer_seconds"], "x") if row["peer"] else "",
            "" if found["quick"] else row["target"],
            "" if found["quick"] else {True: "yes", False: "NO", None: ""}[row["met"]],
            row["note"],
        ]
        for row in found["rows"]
    ]


def plain(found: dict[str, Any]) -> str:
    """Return the table in columns, and how many targets are met."""
    body = [list(HEAD), *lines(found)]
    widths = [max(len(line[i]) for line in body) for i in range(len(HEAD))]
    body.insert(1, ["-" * width for width in widths])
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in body]
    return "\n".join([*table, "", summary(found)])


def markdown(found: dict[str, Any]) -> str:
    """Return the table in Markdown, and how many targets are met."""
    body = [list(HEAD), ["---"] * len(HEAD), *lines(found)]
    table = ["| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in body]
    return "\n".join([*table, "", summary(found)])


def summary(found: dict[str, Any]) -> str:
    """Return in a sentence what was met, on what machine, and how long it took."""
    told = [row["met"] for row in found["rows"] if row["met"] is not None]
    took = sum(part["seconds"] for part in found["took"])
    targets = "" if found["quick"] else f"{sum(told)} of {len(told)} targets met. "
    failed = f" FAILED: {', '.join(found['failed'])}." if found["failed"] else ""
    largest = max((part["peak_gb"] for part in found["took"]), default=0.0)
    return f"{targets}Took {took:.0f} s and at most {largest:.1f} GB, on {found['machine']}.{failed}"


def write_into(path: Path, table: str) -> None:
    """Replace what stands between the two marks of a Markdown file."""
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    path.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


def _number(value: float | None, unit: str) -> str:
    if value is None or math.isnan(value):
        return ""
    if unit == "s" and value < 0.1:
        return f"{value * 1e3:.3g} ms"
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.3g}{unit if unit == 'x' else ' ' + unit}"


if __name__ == "__main__":
    sys.exit(main())
