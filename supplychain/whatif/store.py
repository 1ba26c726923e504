"""The folder of a sweep: the plan, one checkpoint per finished run, and at the end the table; old or new, never half.

plan.json            what the sweep is; a resumed sweep must be the same
runs/0000042.json    the outcomes of one run
failed.json          runs that no worker survived or finished in time, with why
sweep.parquet        the table, written last
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from supplychain.errors import EnvironmentFault, UsageError
from supplychain.locate import datasets, models
from supplychain.whatif.sweep import Plan, plan_text, results_table

TABLE: Final = "sweep.parquet"
_PLAN, _FAILED, _RUNS, _LOCK = "plan.json", "failed.json", "runs", ".lock"


@dataclass
class Store:
    """Checkpoints of one sweep. ``done`` holds what was read when it was opened and what was added since."""

    folder: Path
    plan: Plan
    done: dict[int, dict[str, Any]]
    failed: dict[int, str]

    def add(self, number: int, text: str) -> None:
        """Keep the outcomes of a finished run."""
        _write(self.folder / _RUNS / f"{number:07d}.json", text.encode())
        self.done[number] = json.loads(text)
        self.failed.pop(number, None)

    def fail(self, number: int, why: str) -> None:
        """Note a run that could not be computed."""
        self.failed[number] = why
        listed = {str(key): self.failed[key] for key in sorted(self.failed)}
        _write(self.folder / _FAILED, json.dumps(listed, indent=1).encode())

    @property
    def missing(self) -> list[int]:
        return [number for number in range(self.plan.runs) if number not in self.done]

    def table(self) -> pd.DataFrame:
        return results_table(self.plan, self.done)

    def finish(self) -> Path:
        """Write the table and return its path. The same runs give the same bytes, in whatever order they came."""
        buffer = io.BytesIO()
        self.table().to_parquet(buffer, index=False, compression="zstd")
        path = self.folder / TABLE
        _write(path, buffer.getvalue())
        return path


@contextmanager
def opened(folder: Path, plan: Plan) -> Iterator[Store]:
    """Give the store of a sweep, resumed where its folder holds one of the same plan.

    Raises UsageError when the folder holds something else or another sweep, EnvironmentFault when another process
    writes it or the disk refuses. A damaged checkpoint is computed again.
    """
    text = plan_text(plan)
    existing = folder / _PLAN
    _apart(folder, plan)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output {folder} is not a folder")
    if existing.is_file():
        if existing.read_text(encoding="utf-8") != text:
            raise UsageError(
                f"{folder} holds another sweep (other inputs, scenarios, draws or version): name another folder"
            )
    elif folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"--output {folder} holds files that are no sweep: name another folder")
    try:
        (folder / _RUNS).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(f"cannot write {folder}: {error.strerror or error}") from None
    with _locked(folder):
        if not existing.is_file():
            _write(existing, text.encode())
        yield Store(folder, plan, _read(folder / _RUNS, plan), {})


def _apart(folder: Path, plan: Plan) -> None:
    """Refuse a folder that lies in an input, or holds one."""
    spec = plan.spec
    given = [spec.network, spec.regimes, spec.assumptions, *spec.overlays]
    target = folder.resolve()
    for source in [datasets(), models(), *(Path(path) for path in given if path)]:
        root = source.resolve()
        if target == root or root in target.parents or target in root.parents:
            raise UsageError(f"--output {folder} overlaps the input {source}: name another folder")


def _read(folder: Path, plan: Plan) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["run"] == int(path.stem) < plan.runs:
                found[record["run"]] = record
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder; a lock whose process has died is taken over."""
    lock = folder / _LOCK
    for _ in range(2):
        try:
            handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            break
        except FileExistsError:
            owner = _owner(lock)
            if owner and owner != os.getpid() and _alive(owner):
                raise EnvironmentFault(f"process {owner} writes {folder} at this moment") from None
            lock.unlink(missing_ok=True)
        except OSError as error:
            raise EnvironmentFault(f"cannot write {folder}: {error.strerror or error}") from None
    else:
        raise EnvironmentFault(f"cannot lock {folder}")
    try:
        os.write(handle, str(os.getpid()).encode())
        os.close(handle)
        yield
    finally:
        lock.unlink(missing_ok=True)


def _owner(lock: Path) -> int:
    try:
        return int(lock.read_text())
    except (OSError, ValueError):
        return 0


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise EnvironmentFault(f"cannot write {path}: {error.strerror or error}") from None
