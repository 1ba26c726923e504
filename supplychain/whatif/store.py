"""The folder of a sweep: the plan, one checkpoint per finished run, and at the end the table; old or new, never half.

plan.json            what the sweep is; a resumed sweep must be the same
runs/0000042.json    the outcomes of one run
failed.json          runs that no worker survived or finished in time, with why
sweep.parquet        the table, written last
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from supplychain.errors import UsageError
from supplychain.files import locked, make_folder, remark, replace_file
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

    @property
    def plan_file(self) -> Path:
        """The plan as text, for workers to read once each."""
        return (self.folder / _PLAN).resolve()

    def add(self, number: int, text: str) -> None:
        """Keep the outcomes of a finished run."""
        replace_file(self.folder / _RUNS / f"{number:07d}.json", text.encode())
        self.done[number] = json.loads(text)
        self.failed.pop(number, None)

    def fail(self, number: int, why: str) -> None:
        """Note a run that could not be computed."""
        self.failed[number] = why
        listed = {str(key): self.failed[key] for key in sorted(self.failed)}
        replace_file(self.folder / _FAILED, json.dumps(listed, indent=1).encode())

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
        replace_file(path, buffer.getvalue())
        if not self.failed:
            (self.folder / _FAILED).unlink(missing_ok=True)
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
    make_folder(folder / _RUNS)
    with locked(folder / _LOCK, folder):
        if not existing.is_file():
            replace_file(existing, text.encode())
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
                continue
        except (OSError, ValueError, KeyError, TypeError):
            pass
        remark("damaged-checkpoint", f"{path} is damaged: that run is computed again")
    return found
