"""The fault kit: corrupted variants of every table and column of a data package, each with what must become of it.

Classes are those of docs/reliability.md: R refused with its place, W warned with its place, A accepted as text, results
unchanged. `python -m tests.facts.faultkit` runs all of them over the bundled packages, the template, a package of our
own that fills every column, an ETO import and the ETO files themselves (when ../shared is there), and prints a table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.facts.faultmodel import FORMS, Outcome, run_all
from tests.facts.faultseeds import seeds
from tests.facts.faultvariants import variants


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="*", help="packages to corrupt; all by default")
    parser.add_argument("--every", type=int, default=1, help="run each n-th variant only")
    parser.add_argument("--form", choices=FORMS, action="append", help="forms of the package; default csv")
    parser.add_argument("--wrong", type=int, default=40, help="how many wrong outcomes to print")
    given = parser.parse_args(arguments)
    lines, wrong = [], []
    with tempfile.TemporaryDirectory() as work:
        for seed in seeds(Path(work), given.seeds):
            for form in given.form or ["csv"]:
                if form != "csv" and seed.name == "eto-files":
                    continue
                started = time.process_time()
                outcomes = run_all(seed, list(variants(seed))[:: given.every], form)
                wrong += [(f"{seed.name} {form}", o) for o in outcomes if not o.right or not o.located]
                lines.append(tally(f"{seed.name} {form}", outcomes, time.process_time() - started))
    for where, o in wrong[: given.wrong]:
        first = "\n    ".join(o.told.splitlines()[:4] if o.got != "traceback" else o.told.splitlines()[-6:])
        found = f"{o.got}{'' if o.located else ', not located'}"
        what = f"[{o.variant.fault}] {o.variant.what[:90]}"
        say(f"{where} {what}: {o.variant.expected} at row {o.variant.row}, got {found}")
        say(f"    {first[:600]}")
    say(f"\n{'package':<24}{'variants':>9}{'right':>7}{'silent':>9}{'refused':>8}"
        f"{'traceback':>10}{'located':>9}{'CPU s':>7}")  # fmt: skip
    say("\n".join(lines))
    return int(bool(wrong))


def tally(name: str, outcomes: list[Outcome], seconds: float) -> str:
    """One line of the table: silently accepted means R or W expected and nothing said."""
    count = len(outcomes)
    silent = sum(o.variant.expected in "RW" and o.got == "accepted" for o in outcomes)
    refused = sum(o.variant.expected != "R" and o.got == "refused" for o in outcomes)
    refusals = [o for o in outcomes if o.variant.expected == "R" and o.got == "refused"]
    located = sum(o.located for o in refusals) / max(1, len(refusals))
    return (f"{name:<24}{count:>9,}{sum(o.right for o in outcomes):>7,}{silent:>9}{refused:>8}"
            f"{sum(o.got == 'traceback' for o in outcomes):>10}{located:>9.1%}{seconds:>7.0f}")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
