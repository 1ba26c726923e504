"""The table of `make bench`: its figures, its marks, and a benchmark that runs in quick form."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import Row
from benchmarks.__main__ import BEGIN, END, benchmarks, markdown, plain, write_into

CHECKOUT = Path(__file__).resolve().parents[1]


def found(*rows: Row, quick: bool = False) -> dict[str, object]:
    took = [{"benchmark": "b", "seconds": 61.2, "peak_gb": 1.26}]
    return {"machine": "a machine", "quick": quick, "rows": [asdict(row) for row in rows], "failed": [], "took": took}


def test_the_table_shows_figures_ratios_and_what_is_met() -> None:
    table = markdown(
        found(
            Row("flow", "warm | pooled", 0.0021, "cold", 0.021, "<= 0.1x", True),
            Row("esri", "every firm", 312.0, target="<= 300 s", met=False, note="loaded"),
            Row("law", "memory", 1.5, unit="GB"),
            Row("esri", "peer", float("nan"), note="not installed"),
        )
    ).splitlines()
    assert table[2] == "| flow | warm / pooled | 2.1 ms | cold | 21 ms | 0.1x | <= 0.1x | yes |  |"
    assert table[3] == "| esri | every firm | 312 s |  |  |  | <= 300 s | NO | loaded |"
    assert table[4] == "| law | memory | 1.5 GB |  |  |  |  |  |  |"
    assert table[5] == "| esri | peer |  |  |  |  |  |  | not installed |"
    assert table[-1] == "1 of 2 targets met. Took 61 s and at most 1.3 GB, on a machine."


def test_a_quick_run_judges_no_target() -> None:
    table = plain(found(Row("flow", "warm", 1.0, "cold", 4.0, "<= 0.1x", False), quick=True))
    assert "0.25x" in table
    assert "NO" not in table
    assert "<= 0.1x" not in table
    assert "targets met" not in table


def test_the_table_replaces_only_what_stands_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Speed\n\n{BEGIN}\nold\n{END}\n\nWhy.\n", encoding="utf-8")
    write_into(page, "new")
    write_into(page, "newer")
    assert page.read_text(encoding="utf-8") == f"# Speed\n\n{BEGIN}\nnewer\n{END}\n\nWhy.\n"


def test_the_page_on_performance_has_the_marks() -> None:
    page = (CHECKOUT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1


@pytest.mark.parametrize("name", [name for name in benchmarks() if name not in ("cascade", "growth", "esri")])
def test_every_benchmark_can_be_imported(name: str) -> None:
    assert callable(import_module(f"benchmarks.{name}").rows)


def test_a_benchmark_runs_in_quick_form_in_a_process_of_its_own(tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", str(rows), "cutsets"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "ladder" in done.stdout
    written = json.loads(rows.read_text(encoding="utf-8"))
    assert {row["benchmark"] for row in written["rows"]} == {"cut sets"}
    assert written["took"][0]["peak_gb"] > 0.02


def test_a_benchmark_that_fails_fails_the_run() -> None:
    command = [sys.executable, "-m", "benchmarks", "no-such"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such benchmark: no-such" in done.stderr
