"""The files of a package: what is missing, doubled, stray, outside the folder or no file at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from small_package import places, refused

from supplychain.errors import EnvironmentFault, InputError, UsageError
from supplychain.facts.package import read_package


def test_the_small_package_is_sound(small: Path) -> None:
    package = read_package(small, strict=True)
    assert package.warnings == ()
    assert package.name == "small"
    assert set(package.hashes) == {path.name for path in small.iterdir()}


def test_nothing_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        read_package(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match=r"folder, or one \.xlsx"):
        read_package(tmp_path / "notes.txt")


def test_an_empty_folder_is_no_package(tmp_path: Path) -> None:
    assert [problem.code for problem in refused(tmp_path)] == ["not-a-package"]


def test_a_missing_table_says_who_refers_to_it(small: Path) -> None:
    descriptor = json.loads((small / "datapackage.json").read_text())
    descriptor["resources"] = [entry for entry in descriptor["resources"] if entry["name"] != "organisations"]
    (small / "datapackage.json").write_text(json.dumps(descriptor))
    (small / "organisations.csv").unlink()
    problems = refused(small)
    assert [problem.code for problem in problems] == ["table-missing"]
    assert "supplies.organisation" in problems[0].cure


def test_a_listed_file_that_is_not_there(small: Path) -> None:
    (small / "events.csv").unlink()
    assert places(refused(small)) == {("file-missing", "events.csv", None, "")}


def test_every_fault_is_told_at_once(small: Path) -> None:
    (small / "items.csv").write_text("item;name\n")
    (small / "sources.csv").write_bytes(b"")
    (small / "plants.csv").write_bytes(b"\x1f\x8b")
    text = (small / "supplies.csv").read_text().replace("0.6", "60%").replace("DEU", "Germany")
    (small / "supplies.csv").write_text(text)
    found = {(problem.code, problem.file) for problem in refused(small)}
    assert found == {
        ("delimiter", "items.csv"),
        ("file-empty", "sources.csv"),
        ("file-kind", "plants.csv"),
        ("number", "supplies.csv"),
        ("country", "supplies.csv"),
    }


@pytest.mark.parametrize("path", ["../items.csv", "/etc/passwd", "a/../../items.csv", "C:\\x.csv", ""])
def test_resources_stay_in_the_folder(small: Path, path: str) -> None:
    descriptor = json.loads((small / "datapackage.json").read_text())
    descriptor["resources"].append({"name": "demand", "path": path})
    (small / "datapackage.json").write_text(json.dumps(descriptor))
    assert "path-outside" in {problem.code for problem in refused(small)}


def test_links_out_of_the_folder_are_refused_and_their_target_not_told(small: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("event,date\nhidden,2024\n")
    (small / "events.csv").unlink()
    (small / "events.csv").symlink_to(secret)
    problems = refused(small)
    assert places(problems) == {("link-outside", "events.csv", None, "")}
    assert "secret" not in str(problems)


@pytest.mark.parametrize("target", ["nowhere.csv", "events.csv"])
def test_dangling_links_and_loops_are_refused(small: Path, target: str) -> None:
    (small / "events.csv").unlink()
    (small / "events.csv").symlink_to(target)
    assert {problem.code for problem in refused(small)} == {"link-outside"}


def test_a_link_inside_the_folder_is_read(small: Path) -> None:
    (small / "events.csv").rename(small / "events-2022.txt")
    (small / "events.csv").symlink_to("events-2022.txt")
    assert len(read_package(small).tables["events"]) == 1


def test_a_pipe_or_folder_is_refused_at_once(small: Path) -> None:
    (small / "events.csv").unlink()
    os.mkfifo(small / "events.csv")
    (small / "plants.csv").unlink()
    (small / "plants.csv").mkdir()
    assert places(refused(small)) == {
        ("not-a-file", "events.csv", None, ""),
        ("not-a-file", "plants.csv", None, ""),
    }


def test_one_table_in_two_files_is_refused(small: Path) -> None:
    (small / "EVENTS.CSV").write_text("event,date\n")
    assert [problem.code for problem in refused(small)] == ["table-twice"]


def test_stray_files_are_warned_of_and_refused_when_strict(small: Path) -> None:
    (small / "notes.txt").write_text("x")
    (small / "prices.csv").write_text("a,b\n")
    (small / "README.md").write_text("x")
    package = read_package(small)
    assert sorted(problem.file for problem in package.warnings) == ["notes.txt", "prices.csv"]
    assert [problem.code for problem in refused(small, strict=True)] == ["stray-file", "stray-file"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"resources": 3}', '{"resources": [{"name": "items"}]}', '{"supplychain": 1}']
)
def test_a_broken_descriptor_is_refused(small: Path, text: str) -> None:
    (small / "datapackage.json").write_text(text)
    assert {problem.code for problem in refused(small)} == {"descriptor"}


def test_a_day_of_knowledge_that_is_none_is_refused(small: Path) -> None:
    (small / "datapackage.json").write_text('{"supplychain": {"schema": "network", "known_as_of": "soon"}}')
    assert [(p.code, p.value) for p in refused(small)] == [("known-as-of", "soon")]


def test_an_unknown_schema_is_refused(small: Path) -> None:
    (small / "datapackage.json").write_text('{"supplychain": {"schema": "nets"}}')
    assert [(p.code, p.value) for p in refused(small)] == [("descriptor", "nets")]


def test_without_a_descriptor_tables_go_by_their_names(small: Path) -> None:
    (small / "datapackage.json").unlink()
    package = read_package(small)
    assert package.schema == "network"
    assert [problem.code for problem in package.warnings] == ["descriptor"]
    assert len(package.tables["supplies"]) == 4


def test_a_file_that_the_system_will_not_read_is_no_fault_of_the_input(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(EnvironmentFault, match="permission denied"):
        read_package(small)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"schema": "network"', '"schema": null'),
        ('"name": "small"', '"name": "small", "name": "other"'),
        ('"name": "small"', '"name": "small", "version": NaN'),
        ('"schema": "network"', '"schema": "network", "known_as_of": 20261101'),
        ('"schema": "network"', '"schema": "network", "known_as_of": "9999-12-31"'),
        ('"path": "plants.csv"', '"path": "plants.tsv"'),
        ('"path": "plants.csv"', '"path": "kept/plants.csv.gz"'),
        ('"name": "plants"', '"name": "Plants"'),
        ('"name": "plants"', '"name": "plantes"'),
    ],
)
def test_a_descriptor_that_would_lose_something_is_refused(small: Path, old: str, new: str) -> None:
    path = small / "datapackage.json"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    (problem,) = refused(small)
    assert problem.file == "datapackage.json"
    assert problem.cure


def test_a_path_may_begin_with_a_dot(small: Path) -> None:
    before = read_package(small)
    path = small / "datapackage.json"
    path.write_text(path.read_text().replace('"path": "', '"path": "./'))
    assert read_package(small, strict=True).hashes.keys() == before.hashes.keys()


def test_names_of_files_and_columns_are_shown_escaped(small: Path) -> None:
    (small / "a\x1b[31m\u202e.txt").write_text("x")
    (Path(os.fsdecode(os.fsencode(small) + b"/\xff.csv"))).write_text("x")
    (small / "sites.csv").write_text("site,name,country,source,x\x1b[1m\ns.1,S,NLD,none,1\n")
    descriptor = json.loads((small / "datapackage.json").read_text())
    descriptor["resources"].append({"name": "sites", "path": "sites.csv"})
    (small / "datapackage.json").write_text(json.dumps(descriptor))
    with pytest.raises(InputError) as caught:
        read_package(small, strict=True)
    assert all(problem.cure for problem in caught.value.problems)
    told = str(caught.value).replace("\n", "")
    assert told.isprintable()
    assert told.isascii()
