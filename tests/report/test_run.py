"""A run is written whole or not at all, and a changed byte is found."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from supplychain.errors import EnvironmentFault, InputError, UsageError
from supplychain.report import manifest
from supplychain.report.run import check_target, csv_text, writing


def write_run(target: Path, text: bytes = b"<html>") -> None:
    with writing(target) as run:
        run.write("report.html", text)
        run.write_table("exposure", pd.DataFrame({"product": ["=cmd()", "ok"], "loss": [-0.5, 0.25]}))
        manifest.write(run, {"inputs": []}, "then")


def stopped_half_way(target: Path) -> None:
    with writing(target) as run:
        run.write("report.html", b"half")
        raise RuntimeError("stopped")


def test_a_run_is_replaced_whole_and_kept_on_failure(tmp_path: Path) -> None:
    target = tmp_path / "run"
    write_run(target, b"first")
    with pytest.raises(RuntimeError):
        stopped_half_way(target)
    assert (target / "report.html").read_bytes() == b"first"
    write_run(target, b"second")
    assert (target / "report.html").read_bytes() == b"second"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]  # no lock, no part left
    assert (target / "report.html").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_exit_5_and_leaves_the_old_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "run"
    write_run(target, b"first")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFault, match="No space left"):
        write_run(target, b"second")
    monkeypatch.undo()
    assert (target / "report.html").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_two_writers_of_one_run(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with writing(target) as run:
        run.write("report.html", b"first")
        with pytest.raises(EnvironmentFault, match=str(os.getpid())):
            write_run(target)
    (tmp_path / ".run.lock").write_text("999999999")  # a process that is gone
    write_run(target, b"second")
    assert (target / "report.html").read_bytes() == b"second"


def test_targets_that_are_refused(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    (tmp_path / "file").write_text("")
    for target, words in (
        (package / "out", "overlaps the input"),
        (package, "overlaps the input"),
        (tmp_path, "overlaps the input"),
        (tmp_path / "mine", "not a run"),
        (tmp_path / "file", "not a folder"),
    ):
        with pytest.raises(UsageError, match=words):
            check_target(target, [package])
    check_target(tmp_path / "new", [package])


def test_a_changed_missing_or_extra_file_is_found(tmp_path: Path) -> None:
    target = tmp_path / "run"
    write_run(target)
    body = manifest.read(target)
    assert all(finding.good for finding in manifest.compare_outputs(target, body))
    page = target / "report.html"
    page.write_bytes(page.read_bytes().replace(b"<", b">", 1))
    (target / "tables" / "exposure.csv").unlink()
    (target / "tables" / "more.csv").write_text("")
    bad = {finding.name: finding.outcome for finding in manifest.compare_outputs(target, body) if not finding.good}
    assert bad == {"report.html": "changed", "tables/exposure.csv": "missing", "tables/more.csv": "extra"}


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no-manifest"):
        manifest.read(tmp_path)


def test_csv_keeps_numbers_and_defuses_formulas() -> None:
    table = pd.DataFrame({"name": ["=1+1", "@x", "plain"], "loss": [-0.5, 0.0, 1.0]})
    assert csv_text(table) == "name,loss\n'=1+1,-0.5\n'@x,0.0\nplain,1.0\n"


def test_same_tables_same_bytes(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    write_run(tmp_path / "b")
    assert manifest.read(tmp_path / "a")["outputs"] == manifest.read(tmp_path / "b")["outputs"]
    assert all(
        finding.good for finding in manifest.compare_runs(manifest.read(tmp_path / "a"), manifest.read(tmp_path / "b"))
    )
