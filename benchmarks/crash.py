"""Crash safety at length: `python -m benchmarks.crash [--quick]`. Exit code 1 if anything is ever found half written.

Every command that writes is run with its first, second, ... n-th call to the disk failing, until it passes (SQLite's
loop): once with that call alone, once with every call after it, as on a full disk. And a process that writes runs, one
after another, is killed at random moments. What stood there before must stand there still, or the new must.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supplychain import files
from supplychain.cli import run
from supplychain.locate import datasets
from supplychain.report import manifest

TEMPLATE = str(datasets() / "template")
_APART = ("started", "finished", "solves", "solved")  # may differ: what is remembered here is not solved again
_CALLS = ("write", "fsync", "replace", "rename", "mkdir", "fchmod", "ftruncate", "pwrite")


@dataclass
class Disk:
    """Stands between the program and the system: counts the calls under a folder and lets one, or all later, fail."""

    folder: Path
    fails_at: int
    stays_full: bool = False
    calls: int = 0
    handles: set[int] = field(default_factory=set)

    def refuses(self, kind: str, where: Any) -> bool:
        inside = where in self.handles if isinstance(where, int) else str(where).startswith(str(self.folder))
        if not inside:
            return False
        self.calls += 1
        return self.calls == self.fails_at or (self.stays_full and self.calls > self.fails_at)

    @contextlib.contextmanager
    def between(self) -> Iterator[Disk]:
        """Let the program meet this disk."""
        real = {name: getattr(os, name) for name in (*_CALLS, "open", "close")}
        exchange = files._exchange

        def opened(path: Any, flags: int, *more: Any, **named: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and self.refuses("open", path):
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            handle = real["open"](path, flags, *more, **named)
            if str(path).startswith(str(self.folder)):
                self.handles.add(handle)
            return int(handle)

        def closed(handle: int) -> None:
            self.handles.discard(handle)
            real["close"](handle)

        def call(name: str) -> Callable[..., Any]:
            def faulty(where: Any, *more: Any, **named: Any) -> Any:
                if self.refuses(name, where):
                    if name == "write" and len(more[0]) > 1:
                        real["write"](where, bytes(more[0])[: len(more[0]) // 2])  # a disk fills in the middle
                    raise OSError(errno.ENOSPC, "No space left on device")
                return real[name](where, *more, **named)

            return faulty

        def exchanged(first: Path, second: Path) -> bool:
            if self.refuses("exchange", first):
                return False
            return exchange(first, second)

        for name in _CALLS:
            setattr(os, name, call(name))
        os.open, os.close, files._exchange = opened, closed, exchanged  # type: ignore[assignment]
        try:
            yield self
        finally:
            for name, function in real.items():
                setattr(os, name, function)
            files._exchange = exchange


def state(folder: Path) -> dict[str, bytes]:
    """Return every file under a folder and its bytes; of manifests, all but the times and solves."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            if path.name.endswith(manifest.MANIFEST):
                record = json.loads(data)
                data = json.dumps({key: value for key, value in record.items() if key not in _APART}).encode()
            found[str(path.relative_to(folder))] = data
    return found


def commands() -> dict[str, tuple[list[str], list[str]]]:
    """Return, by name, the command that writes the old state and the one that writes the new; {} is the folder."""
    export = ["export", "package", "{}/p", "--overwrite", "--network"]
    common = ["--network", TEMPLATE, "--quiet"]
    return {
        "regimes --output": (
            ["regimes", "--on", "2020-01-01", "--output", "{}/r.json", "--format", "json"],
            ["regimes", "--on", "2026-01-01", "--output", "{}/r.json", "--format", "json"],
        ),
        "match --output": (
            ["match", "{}/../list.jsonl", "--network", TEMPLATE, "--output", "{}/m.csv", "--format", "csv"],
            ["match", "{}/../list.jsonl", "--network", TEMPLATE, "--output", "{}/m.csv", "--format", "json"],
        ),
        "source --output": (
            ["source", *common, "--output", "{}/s.csv", "--format", "csv"],
            ["source", *common, "--output", "{}/s.csv", "--format", "csv", "--part", "summary"],
        ),
        "exposure into a folder": (
            ["exposure", *common, "--output", "{}/e", "--format", "csv"],
            ["exposure", *common, "--output", "{}/e", "--format", "json"],
        ),
        "cutsets with a picture": (
            ["cutsets", *common, "--output", "{}/c.json", "--format", "json", "--plot", "{}/c.svg"],
            ["cutsets", *common, "--output", "{}/c.json", "--format", "json", "--by", "supply", "--plot", "{}/c.svg"],
        ),
        "export package": ([*export, TEMPLATE], [*export, TEMPLATE, "--parquet"]),
        "export nodes-edges": (
            ["export", "nodes-edges", "{}/n", "--network", TEMPLATE],
            ["export", "nodes-edges", "{}/n", "--overwrite", "--network", str(datasets() / "semiconductors")],
        ),
        "export xlsx": (
            ["export", "plan", "{}/p.xlsx", *common],
            ["export", "plan", "{}/p.xlsx", *common, "--overwrite", "--policy", "cheapest"],
        ),
        "init": (["init", "{}/t"], ["init", "{}/t", "--overwrite"]),
        "merge": (
            ["merge", TEMPLATE, "{}/m", "--onto", TEMPLATE],
            ["merge", TEMPLATE, "{}/m", "--overwrite", "--output", "{}/m.csv", "--format", "csv"],
        ),
        "import": (
            ["import", "baci", "{}/../BACI_HS17_Y2022.csv", "{}/f"],
            ["import", "baci", "{}/../BACI_HS17_Y2022.csv", "{}/f", "--overwrite"],
        ),
        "whatif --page": (
            ["whatif", "{}/../one.toml", *common, "--page", "{}/w"],
            ["whatif", "{}/../one.toml", *common, "--page", "{}/w", "--horizons", "6"],
        ),
        "sweep": (
            [],
            ["sweep", "{}/../one.toml", *common, "--samples", "1", "--workers", "1", "--output", "{}/s"],
        ),
        "report": (
            ["report", *common, "--on", "2024-01-01", "--output", "{}/r"],
            ["report", *common, "--output", "{}/r"],
        ),
    }


TRADE = "t,i,j,k,v,q\n2022,490,276,010121,100.5,3\n2022,276,757,854231,2000,5\n"
SCENARIO = """title = "A stop"
question = "What if the chip maker stops?"
assumes = ["nothing else changes"]
[[action]]
do = "stock"
items = ["my-chip"]
days = 20
"""
LIST = '{"id": "x", "schema": "Company", "properties": {"name": ["Example"], "topics": ["sanction"]}}\n'


def spoken(arguments: list[str], folder: Path) -> tuple[int, str]:
    """Run a command line in this process and return its exit code and what it said on standard error."""
    told = io.StringIO()
    words = [word.replace("{}", str(folder)) for word in arguments]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(told):
        code = run(words)
    return code, told.getvalue()


@dataclass(frozen=True)
class Outcome:
    """What one command came through: calls to the disk that failed, of which so many were let pass, and the faults."""

    name: str
    failed: int
    survived: int
    wrong: tuple[str, ...]


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """Let a command that runs again compute nothing again: what fails here is the writing."""
    from supplychain.report import formats, gather, make
    from supplychain.whatif import compare

    def memory(function: Callable[..., Any]) -> Callable[..., Any]:
        kept: list[Any] = []

        def recall(*given: Any, **named: Any) -> Any:
            if not kept:
                kept.append(function(*given, **named))
            return kept[0]

        return recall

    real = [(gather, "gather"), (make, "document"), (formats, "files"), (compare, "compare")]
    functions = [getattr(module, name) for module, name in real]
    for (module, name), function in zip(real, functions, strict=True):
        setattr(module, name, memory(function))
    try:
        yield
    finally:
        for (module, name), function in zip(real, functions, strict=True):
            setattr(module, name, function)


def loop(name: str, most: int = 200, choose: Callable[[int], bool] = lambda n: True) -> Outcome:
    """Fail the n-th call of a command for n = 1..most (those that ``choose`` takes) until it passes untouched."""
    before, after = commands()[name]
    with tempfile.TemporaryDirectory(prefix="supplychain-crash-") as base:
        top = Path(base).resolve()
        (top / "one.toml").write_text(SCENARIO)
        (top / "list.jsonl").write_text(LIST)
        (top / "BACI_HS17_Y2022.csv").write_text(TRADE)
        place = top / "place"
        (place / "e").mkdir(parents=True)
        if before and (fault := spoken(before, place))[0]:
            raise RuntimeError(f"{name}: the first command failed: {fault[1]}")
        kept = top / "kept"
        shutil.copytree(place, kept)
        old = state(place)
        code, told = spoken(after, place)
        if code:
            raise RuntimeError(f"{name}: the second command failed: {told}")
        new = state(place)
        wrong: list[str] = []
        failed = survived = 0
        with remembered():
            for number in range(1, most + 1):
                calls = 0
                for stays_full in (False, True) if choose(number) else ():
                    shutil.rmtree(place)
                    shutil.copytree(kept, place)
                    disk = Disk(place, number, stays_full)
                    with disk.between():
                        code, told = spoken(after, place)
                    calls = disk.calls
                    if calls < number:
                        break
                    failed += 1
                    survived += code == 0
                    wrong += [f"{name}, call {number}: {fault}" for fault in judged(place, old, new, code, told)]
                if choose(number) and calls < number:
                    break
        return Outcome(name, failed, survived, tuple(wrong))


def judged(place: Path, old: dict[str, bytes], new: dict[str, bytes], code: int, told: str) -> list[str]:
    """Return what is wrong with a folder after a failed write: half files, remains, a traceback, a wrong code."""
    found = []
    if code not in (0, 5):
        found.append(f"exit code {code}: {told[-200:]}")
    if "Traceback" in told or (code and not told.strip()):
        found.append("no clear message")
    present = state(place)
    for path, data in present.items():
        checkpoint = "runs/" in path or path.endswith(("plan.json", "failed.json"))
        if data not in (old.get(path), new.get(path)) and not checkpoint:
            found.append(f"{path} is neither old nor new")
        if Path(path).name.startswith(".") or ".part/" in path:
            found.append(f"{path} was left behind")
    gone = [path for path in old if path not in present and path in new]
    found += [f"{path} has gone" for path in gone]
    folders = {path.parent for path in place.rglob(manifest.MANIFEST)}
    for folder in folders:
        if not (folder / "plan.json").exists():
            bad = [f for f in manifest.compare_outputs(folder, manifest.read(folder)) if not f.good]
            found += [f"{folder.name}/{f.name} {f.outcome}" for f in bad]
    return found


WRITER = """
import sys
from pathlib import Path
from supplychain.report import manifest
from supplychain.report.run import writing
target, number = Path(sys.argv[1]), int(sys.argv[2])
while True:
    number += 1
    with writing(target) as run:
        for name in ("report.html", "tables/a.csv", "tables/b.csv", "tables/c.parquet"):
            run.write(name, f"{number}\\n".encode() * 20000)
        manifest.write(run, {"number": number, "inputs": []}, "then")
    print(number, flush=True)
"""


def killed(times: int, seed: int = 0) -> list[str]:
    """Kill a process that writes one run after another, so often, at random moments; return what was half written."""
    draw, wrong, number = random.Random(seed), [], 0
    with tempfile.TemporaryDirectory(prefix="supplychain-kill-") as base:
        target = Path(base).resolve() / "run"
        for attempt in range(times):
            child = subprocess.Popen(
                [sys.executable, "-c", WRITER, str(target), str(number)], stdout=subprocess.PIPE, text=True
            )
            assert child.stdout is not None
            child.stdout.readline()  # it has written at least once since it began
            time.sleep(draw.random() * 0.03)
            child.send_signal(signal.SIGKILL)
            child.wait()
            child.stdout.close()
            body = manifest.read(target)
            bad = [finding.name for finding in manifest.compare_outputs(target, body) if not finding.good]
            versions = {path.read_text().split("\n", 1)[0] for path in manifest.files_in(target)}
            if bad or versions != {str(body["number"])}:
                wrong.append(f"kill {attempt}: {bad} {versions}")
            if body["number"] <= number:
                wrong.append(f"kill {attempt}: run {body['number']} is older than {number}")
            number = body["number"]
        remains = [path.name for path in target.parent.iterdir() if path != target]
        if len(remains) > 3:  # of one killed process at most: lock, the part, and the folder set aside
            wrong.append(f"remains pile up: {remains}")
    return wrong


def main() -> int:
    """Run the loops, print what each came through, and return 1 if anything was half written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every tenth call and 20 kills")
    parser.add_argument("names", nargs="*", help="commands; default: all")
    told = parser.parse_args()
    bad = 0
    for name in told.names or commands():
        began = time.perf_counter()
        found = loop(name, choose=(lambda n: n % 10 == 3) if told.quick else (lambda n: True))
        bad += len(found.wrong)
        seconds = time.perf_counter() - began
        counts = f"{found.failed} failed writes, {found.survived} survived, {len(found.wrong)} wrong"
        print(f"{name}: {counts}, {seconds:.0f} s")
        for line in found.wrong[:20]:
            print(f"  {line}")
    if not told.names:
        times = 20 if told.quick else 200
        wrong = killed(times)
        bad += len(wrong)
        print(f"kill -9: {times} kills, {len(wrong)} wrong")
        for line in wrong[:20]:
            print(f"  {line}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
