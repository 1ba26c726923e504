"""Mutated files through every reader: some new ones on every run, and every file that ever broke one.

`make fuzz` runs 100,000.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzzing.__main__ import CRASHERS, SECONDS, _stop, attempt, inputs
from tests.fuzzing.targets import Target, targets

COUNT = 1_700
FOUND = {target.name: target for target in targets()}
WEIGHT = sum(target.weight for target in FOUND.values())


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, _stop)
    signal.alarm(12 * SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", FOUND)
def test_a_reader_reads_a_mutated_file_or_refuses_it(name: str) -> None:
    target = FOUND[name]
    if target.apart:
        pytest.skip("the product reads binary files in a child: `make fuzz`")
    count = max(10, COUNT * target.weight // WEIGHT)
    ends = [attempt(target, seed, data) for seed, data in inputs(target, 0, count, 20_261_123)]
    assert [told for kind, told in ends if kind in ("crash", "slow")] == []
    assert any(kind == "refused" for kind, _ in ends)


@pytest.mark.parametrize("name", FOUND)
def test_the_seeds_are_sound(name: str) -> None:
    target = FOUND[name]
    assert {seed: attempt(target, seed, data)[0] for seed, data in target.seeds.items()} == dict.fromkeys(
        target.seeds, "read"
    )


def crashers() -> list[Path]:
    return sorted(path for path in CRASHERS.iterdir() if "--" in path.name) if CRASHERS.is_dir() else []


@pytest.mark.parametrize("path", crashers(), ids=lambda path: path.name)
def test_what_once_broke_a_reader_is_refused_now(path: Path) -> None:
    reader, seed, _ = path.name.split("--")
    target: Target = FOUND[reader.replace("_", " ")]
    assert attempt(target, seed, path.read_bytes())[0] in ("read", "refused", "exit 2")
