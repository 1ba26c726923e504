"""Same facts, same bytes: rows and columns in any order, any hash seed, threads, time zone; names but for the names."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from supplychain.case import Case
from supplychain.cli import run
from supplychain.report import manifest

ROOT = Path(__file__).parents[1]
BUNDLED = ROOT / "datasets" / "semiconductors"
ASKED = ("--buyer", "IND", "--product", "quantum-computer", "--quiet", "--format", "json")
COMMANDS = (
    ("exposure", *ASKED),
    ("source", "--product", "ai-accelerator", "--quiet", "--format", "json"),
)


def shuffled(folder: Path, seed: int) -> Path:
    """Copy the bundled network with rows and columns in another order."""
    draw = random.Random(seed)
    shutil.copytree(BUNDLED, folder)
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file))
        order = draw.sample(range(len(header)), len(header))
        draw.shuffle(rows)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([[row[at] for at in order] for row in [header, *rows]])
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=[command[0] for command in COMMANDS])
def test_the_order_of_rows_and_columns_changes_no_byte(command: tuple[str, ...], tmp_path: Path) -> None:
    other = shuffled(tmp_path / "semiconductors", 5)
    assert run([*command, "--output", str(tmp_path / "a.json")]) == 0
    assert run([*command, "--network", str(other), "--output", str(tmp_path / "b.json")]) == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def renamed(folder: Path) -> dict[str, str]:
    """Copy the template with every item, organisation, supply and requirement called otherwise, in another order."""
    shutil.copytree(ROOT / "datasets" / "template", folder)
    names: dict[str, str] = {}
    for table, column in (("items", "item"), ("organisations", "organisation"), ("supplies", "supply"),
                          ("requirements", "requirement")):  # fmt: skip
        ids = sorted(pd.read_csv(folder / f"{table}.csv", dtype=str, keep_default_na=False)[column])
        # "other" is no name: it stands for producers that nobody names.
        names |= {name: f"{table[:3]}-{len(ids) - at:03}" for at, name in enumerate(ids) if name != "other"}
    for path in sorted(folder.glob("*.csv")):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        for column in table.columns:
            if column not in ("name", "note", "source", "quality"):
                table[column] = [";".join(names.get(part, part) for part in cell.split(";")) for cell in table[column]]
        table.to_csv(path, index=False)
    return names


def told_back(table: pd.DataFrame, back: dict[str, str]) -> pd.DataFrame:
    """Call everything by its first name again, in chains and lists too; the names of a list in order."""
    known = re.compile("|".join(re.escape(name) for name in back) or "$.")

    def cell(value: object) -> str:
        return "; ".join(sorted(known.sub(lambda hit: back[hit.group()], str(value)).split("; ")))

    words = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    return table.assign(**{name: table[name].map(cell) for name in words})


def test_other_names_give_the_same_results_under_these_names(tmp_path: Path) -> None:
    names = renamed(tmp_path / "template")
    back = {new: old for old, new in names.items()}
    found = []
    for network in (ROOT / "datasets" / "template", tmp_path / "template"):
        case = Case.load(network=network, buyer="illustrative", products=None, on="2026-11-01")
        tables = [case.exposure().table, case.chokepoints().table, case.source("balanced").lines]
        found.append([told_back(table, back if network.parent == tmp_path else {}) for table in tables])
    for ours, theirs in zip(*found, strict=True):
        words = [name for name in ours.columns if not pd.api.types.is_numeric_dtype(ours[name])]
        both = [
            table.astype(dict.fromkeys(words, str)).sort_values(words, kind="stable", ignore_index=True)
            for table in (ours, theirs)
        ]
        pd.testing.assert_frame_equal(*both, check_dtype=False, rtol=1e-12, atol=1e-12)


def test_hash_seed_threads_and_time_zone_change_no_byte(tmp_path: Path) -> None:
    hashes = []
    settings = (
        {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "TZ": "Pacific/Kiritimati"},
        {"PYTHONHASHSEED": "4242", "OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2", "TZ": "Pacific/Pago_Pago"},
    )
    for number, setting in enumerate(settings):
        folder = tmp_path / str(number)
        line = [sys.executable, "-m", "supplychain", "report", "--network", str(ROOT / "datasets" / "template"),
                "--quiet", "--output", str(folder)]  # fmt: skip
        subprocess.run(line, cwd=ROOT, env={**os.environ, **setting}, check=True, capture_output=True)
        hashes.append(manifest.read(folder)["outputs"])
    assert len(hashes[0]) > 20
    assert hashes[0] == hashes[1]
    assert json.loads((tmp_path / "0" / "manifest.json").read_bytes())["started"].endswith("+00:00")
