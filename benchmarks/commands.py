"""End to end: the commands as a user types them, each in a fresh process, caches of compiled code warm."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks import Row, run

START = 0.3  # seconds until the list of commands is shown
COMMANDS = {
    "list of commands": ["--help"],
    "determine one flow": ["determine", "--item", "US:3B001.f.1", "--from", "USA", "--to", "CHN", "--on", "2026-11-01"],
    "what-if: one preset against the baseline": ["whatif", "taiwan-outage"],
    "source": ["source"],
    "report": ["report"],
}


def rows(quick: bool) -> list[Row]:
    """Run each command thrice (quick: the first two, once); the note says what it took of one processor and memory."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for case, words in list(COMMANDS.items())[: 2 if quick else None]:
            writes = ["--output", str(Path(folder, words[0].strip("-")))] if words[0] in ("report",) else []
            done = [run([sys.executable, "-m", "supplychain", *words, *writes]) for _ in range(1 if quick else 3)]
            if failed := [one for one in done if one.code]:
                raise RuntimeError(f"{' '.join(words)}: {failed[0].err}")
            seconds = statistics.median(one.seconds for one in done)
            spent = f"{statistics.median(o.processor for o in done):.1f} s of processor, {done[0].peak_gb:.2f} GB"
            limited = words == ["--help"]
            target, met = (f"<= {START:g} s", seconds <= START) if limited else ("", None)
            found.append(Row("commands", case, seconds, target=target, met=met, note=spent))
    return found
