"""Binary files are read in a child: what it read comes back whole, and its death is a refusal that names the file."""

from __future__ import annotations

import io
import os
import subprocess
import threading
import time
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_package import TABLES, refused, write

from supplychain.errors import Problems
from supplychain.facts import child, folder
from supplychain.facts.child import Job, read_apart
from supplychain.facts.package import read_package, write_package
from supplychain.facts.parquetfile import read_parquet
from tests.facts.content import content_hash


def parquet(**columns: list[object]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_a_package_is_the_same_in_every_form(small: Path, tmp_path: Path) -> None:
    package = read_package(small)
    write_package(package, tmp_path / "p", format="parquet")
    write_package(package, tmp_path / "p.xlsx")
    forms = {content_hash(read_package(path)) for path in (small, tmp_path / "p", tmp_path / "p.xlsx")}
    assert forms == {content_hash(package)}


def test_what_the_child_read_is_what_the_file_holds() -> None:
    data = parquet(item=["a", "=b", ""], share=[0.1, None, 1.0], weight=[True, None, False])
    problems = Problems()
    (found,) = read_apart([Job("parquet", "items", "items.parquet", data)], problems)
    here = read_parquet(data, "items", "items.parquet", Problems())
    assert here is not None
    there = found.tables["items"]
    assert {name: cells.to_pylist() for name, cells in there.cells.items()} == {
        name: cells.to_pylist() for name, cells in here.cells.items()
    }
    assert there.rows.tolist() == here.rows.tolist() == [2, 3, 4]
    assert not problems.errors


def test_faults_come_back_with_their_place() -> None:
    problems = Problems()
    sound = Job("parquet", "items", "items.parquet", parquet(item=["a"]))
    cut = Job("parquet", "supplies", "supplies.parquet", sound.data[:-9])
    found = read_apart([sound, cut], problems)
    assert [sorted(part.tables) for part in found] == [["items"], []]
    assert [(problem.code, problem.file) for problem in problems.errors] == [("damaged", "supplies.parquet")]


def test_a_child_that_dies_names_the_file_and_spares_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.run

    def deadly(command: list[str], *, input: bytes, **options: object) -> object:
        if b"killer.parquet" in input:
            command = ["sh", "-c", "kill -SEGV $$"]
        return real(command, input=input, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(child.subprocess, "run", deadly)
    problems = Problems()
    jobs = [Job("parquet", name, f"{name}.parquet", parquet(item=["a"])) for name in ("items", "killer")]
    found = read_apart(jobs, problems)
    assert [sorted(part.tables) for part in found] == [["items"], []]
    assert found[1].failed == {"killer"}
    (problem,) = problems.errors
    assert (problem.code, problem.file) == ("unreadable", "killer.parquet")
    assert "the reader died (11)" in problem.cure


def test_memory_and_time_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job("parquet", "items", "items.parquet", parquet(item=["a"]))
    monkeypatch.setattr(child, "MEMORY", 100_000_000)
    monkeypatch.setattr(child, "_PER_BYTE", 0)
    problems = Problems()
    assert not read_apart([job], problems)[0].tables
    monkeypatch.undo()
    monkeypatch.setattr(child, "SECONDS", 0.001)
    assert not read_apart([job], problems)[0].tables
    assert {problem.code for problem in problems.errors} == {"unreadable"}


def test_a_workbook_whose_parts_lie_about_their_size_is_refused(tmp_path: Path) -> None:
    write_package(read_package(write(tmp_path / "small", TABLES)), tmp_path / "book.xlsx")
    packed = io.BytesIO()
    with zipfile.ZipFile(tmp_path / "book.xlsx") as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            zeros = b" " * 60_000_000 if name.endswith("sheet2.xml") else b""
            new.writestr(name, old.read(name) + zeros)
    data = packed.getvalue()
    (tmp_path / "book.xlsx").write_bytes(data.replace((60_000_000).to_bytes(4, "little"), (900).to_bytes(4, "little")))
    assert {problem.file.split("!")[0] for problem in refused(tmp_path / "book.xlsx")} == {"book.xlsx"}


def test_a_file_that_changes_while_it_is_read_is_refused(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = folder.read_csv

    def changing(data: bytes, name: str, file: str, problems: Problems) -> object:
        if name == "items":
            with (small / "sources.csv").open("a") as stream:
                stream.write("s9,Another,,,,,\n")
            with (small / "events.csv").open("a") as stream:
                stream.write("e9,2022,,A stop,,reported,s1,\n")
        return real(data, name, file, problems)

    monkeypatch.setattr(folder, "read_csv", changing)
    assert [(problem.code, problem.file) for problem in refused(small)] == [("changed", "events.csv")]


def test_a_pipe_is_refused_at_once(small: Path) -> None:
    (small / "items.csv").unlink()
    os.mkfifo(small / "items.csv")
    os.mkfifo(small / "items.parquet")
    began = time.monotonic()
    done: list[set[str]] = []
    reader = threading.Thread(target=lambda: done.append({problem.code for problem in refused(small)}), daemon=True)
    reader.start()
    reader.join(5)
    assert done
    assert {"not-a-file", "table-twice"} <= done[0]
    assert time.monotonic() - began < 5


def test_a_link_by_way_of_a_folder_may_not_lead_out(small: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (small / "items.csv").rename(outside / "items.csv")
    (small / "sub").symlink_to(outside)
    text = (small / "datapackage.json").read_text().replace('"items.csv"', '"sub/items.csv"')
    (small / "datapackage.json").write_text(text)
    problems = refused(small)
    assert ("link-outside", "sub/items.csv") in {(problem.code, problem.file) for problem in problems}
    assert not any(str(outside) in str(problem) for problem in problems)
