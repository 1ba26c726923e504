"""Writes a run: everything into a folder beside the target, then one rename; readers see the old run or the new."""

from __future__ import annotations

import io
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supplychain.errors import EnvironmentFault, UsageError
from supplychain.files import MANIFEST, make_folder, replacing, write_new

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

# A cell that a spreadsheet would run as a formula is written with a leading apostrophe (OWASP ASVS 1.2.10).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


@dataclass
class Run:
    """A run being built: files go into ``folder`` and are listed in ``written`` in the order they were written."""

    folder: Path
    written: list[str] = field(default_factory=list)

    def write(self, name: str, data: bytes) -> None:
        """Write one file, readable by its owner only."""
        path = self.folder / name
        make_folder(path.parent)
        write_new(path, data)
        self.written.append(name)

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a table twice: ``tables/NAME.csv`` for people, ``tables/NAME.parquet`` for programs."""
        flat = flatten(table)
        buffer = io.BytesIO()
        flat.to_parquet(buffer, index=False, compression="zstd")
        self.write(f"tables/{name}.parquet", buffer.getvalue())
        self.write(f"tables/{name}.csv", csv_text(flat).encode("utf-8"))


def flatten(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``table`` with lists and records inside cells as JSON text and days as text YYYY-MM-DD."""
    import pandas as pd

    flat = table.reset_index(drop=True).copy()
    for name in flat.columns:
        if pd.api.types.is_datetime64_any_dtype(flat[name]):
            flat[name] = flat[name].dt.strftime("%Y-%m-%d").fillna("")
        elif flat[name].dtype == object:
            cells = [_flat(value) for value in flat[name]]
            flat[name] = pd.Series(cells, dtype="str") if all(isinstance(c, str) for c in cells) else cells
    return flat


def _flat(value: Any) -> Any:
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value


def csv_text(table: pd.DataFrame) -> str:
    """Return a flat table as CSV in which no text can run as a formula; numbers stay numbers."""
    import pandas as pd

    safe = table.copy()
    for name in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[name]):
            safe[name] = [
                f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
                for value in safe[name]
            ]
    return str(safe.to_csv(index=False, lineterminator="\n"))


def check_target(target: Path, inputs: Sequence[Path]) -> None:
    """Refuse, before anything is computed, a target that is an input, holds something else, or cannot be written."""
    resolved = target.resolve()
    for source in inputs:
        root = source.resolve()
        if resolved == root or root in resolved.parents or resolved in root.parents:
            raise UsageError(f"--output {target} overlaps the input {source}: name another folder")
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UsageError(f"--output {target} exists and is not a folder: name another one")
    if target.is_dir() and any(target.iterdir()) and not is_run(target):
        raise UsageError(f"--output {target} holds files that are not a run of supplychain: name another folder")
    make_folder(resolved.parent)
    if not os.access(resolved.parent, os.W_OK | os.X_OK):
        raise EnvironmentFault(f"cannot write in {resolved.parent}: permission denied")


def is_run(folder: Path) -> bool:
    """Say whether ``folder`` holds a finished run of this tool."""
    try:
        return str(json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("tool")) == "supplychain"
    except (OSError, ValueError, AttributeError):
        return False


@contextmanager
def writing(target: Path) -> Iterator[Run]:
    """Give a run to fill; on a clean end it takes the place of ``target`` at once, on any error nothing changes.

    Raises EnvironmentFault when another live process writes the same run, or when the disk refuses.
    """
    with replacing(target) as work:
        yield Run(work)
