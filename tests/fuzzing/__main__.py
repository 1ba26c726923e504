"""`python -m tests.fuzzing`: many mutated files through every reader. What is no SupplychainError is kept as a crasher.

Inputs run in forked children, a batch each: a reader that kills its process, or takes more than ten seconds of CPU, is
caught too. Crashers are written to tests/fuzzing/crashers and run by `make test` for ever after.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supplychain.errors import SupplychainError
from tests.fuzzing.mutate import mutated
from tests.fuzzing.targets import Target, by_name, work

CRASHERS = Path(__file__).with_name("crashers")
SECONDS = 10
BATCH = 250


class TooSlow(BaseException):
    """A reader took more than SECONDS of CPU."""


@dataclass
class Tally:
    """What became of the inputs of one target."""

    counts: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    told: set[str] = field(default_factory=set)


def attempt(target: Target, seed: str, data: bytes) -> tuple[str, str]:
    """Return how one input ended (read, refused, exit N, crash, slow) and the last line of a traceback."""
    try:
        target.read(seed, data)
        return "read", ""
    except SupplychainError as error:
        code = error.exit_code
        return ("refused" if code == 3 else f"exit {code}"), ""
    except TooSlow:
        return "slow", f"more than {SECONDS} s of CPU"
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "/supplychain/" in frame.filename]
        place = ours[-1] if ours else last
        return "crash", f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno} ({place.name})"


def inputs(target: Target, start: int, count: int, seed: int) -> Any:
    """The mutated inputs `start`... of a target: the same for the same seed."""
    names = sorted(target.seeds)
    for number in range(start, start + count):
        draw = random.Random(f"{seed} {target.name} {number}")
        name = names[number % len(names)]
        yield name, mutated(target.seeds[name], target.kinds, draw)


def keep(target: Target, name: str, data: bytes) -> Path:
    """Write a crasher where the tests find it."""
    CRASHERS.mkdir(exist_ok=True)
    digest = hashlib.sha256(data).hexdigest()[:12]
    path = CRASHERS / f"{target.name.replace(' ', '_')}--{name}--{digest}"
    path.write_bytes(data)
    return path


def batch(target: Target, start: int, count: int, seed: int, out: int) -> None:
    """Run a batch in this (forked) process; lines go to the pipe: kind, seconds, number, what."""
    signal.signal(signal.SIGPROF, _stop)  # seconds of CPU: a busy machine is not the reader's fault
    signal.signal(signal.SIGALRM, _stop)
    for offset, (name, data) in enumerate(inputs(target, start, count, seed)):
        os.write(out, f"begin\t0\t{start + offset}\t\n".encode())
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.alarm(60 * SECONDS)
        began = time.process_time()
        kind, told = attempt(target, name, data)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        os.write(out, f"{kind}\t{time.process_time() - began:.3f}\t{start + offset}\t{told}\n".encode())


def _stop(number: int, frame: object) -> None:
    raise TooSlow


def run(target: Target, count: int, seed: int, tally: Tally, until: float) -> int:
    """Run inputs of a target in forked batches; return how many ran."""
    done = 0
    while done < count and time.monotonic() < until:
        size = min(BATCH, count - done)
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            status = 1
            try:
                resource.setrlimit(resource.RLIMIT_AS, (6_000_000_000, 6_000_000_000))
                batch(target, done, size, seed, writer)
                status = 0
            finally:
                os._exit(status)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8", errors="replace") as lines:
            last, finished = -1, 0
            for line in lines:
                kind, seconds, number, told = line.rstrip("\n").split("\t")
                if kind == "begin":
                    last = int(number)
                    continue
                finished += 1
                _note(target, tally, kind, float(seconds), int(number), told, seed)
        _, status = os.waitpid(child, 0)
        if status and finished < size:
            kind = "contained" if target.apart else "died"
            _note(target, tally, kind, 0.0, last, f"status {status}", seed)
            finished += 1
        done += finished
    return done


def _note(target: Target, tally: Tally, kind: str, seconds: float, number: int, told: str, seed: int) -> None:
    tally.counts[kind] += 1
    tally.slowest = max(tally.slowest, seconds)
    if kind in ("crash", "slow", "died") and told not in tally.told:
        tally.told.add(told)
        name, data = next(inputs(target, number, 1, seed))
        path = keep(target, name, data)
        sys.stdout.write(f"{target.name}: {kind}: {told}: {path.name}\n")
        sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help="readers to fuzz; all by default")
    parser.add_argument("--count", type=int, default=100_000, help="inputs in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=600, help="stop after so long")
    given = parser.parse_args(arguments)
    work()
    chosen = by_name(given.targets)
    until = time.monotonic() + 60 * given.minutes
    weight = sum(target.weight for target in chosen)
    rows, crashed, ran = [], 0, 0
    for target in chosen:
        tally = Tally()
        began = resource.getrusage(resource.RUSAGE_CHILDREN)
        count = run(target, round(given.count * target.weight / weight), given.seed, tally, until)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        c = tally.counts
        bad = c["crash"] + c["slow"] + c["died"]
        crashed, ran = crashed + bad, ran + count
        other = count - c["read"] - c["refused"] - bad
        rows.append(f"{target.name:<18}{count:>9,}{c['read']:>9,}{c['refused']:>9,}{other:>7,}{bad:>8,}"
                    f"{tally.slowest:>9.2f}{ended.ru_utime - began.ru_utime:>8.0f}")  # fmt: skip
        sys.stdout.write(rows[-1] + "\n")
        sys.stdout.flush()
    head = f"{'reader':<18}{'inputs':>9}{'read':>9}{'refused':>9}{'other':>7}{'crashes':>8}{'slowest':>9}{'CPU s':>8}"
    sys.stdout.write("\n".join(["", head, *rows, f"{'in all':<18}{ran:>9,}{'':>25}{crashed:>8,}", ""]))
    return int(bool(crashed))


if __name__ == "__main__":
    sys.exit(main())
