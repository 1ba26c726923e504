"""The book and its door to the past: days known and unknown, branches, faults."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from supplychain.errors import InputError, UsageError
from supplychain.facts.package import read_package
from supplychain.locate import datasets
from supplychain.regimes import RegimeBook

GALLIUM = pd.DataFrame([{"item_codes": "CN:3C001.ga-metal", "origin": "CHN", "destination": "USA"}])


def test_the_bundled_book_passes_strictly_and_holds_all_that_was_read() -> None:
    tables = read_package(datasets() / "regimes", "regimes", strict=True).tables
    assert len(tables["regimes"]) == 53
    added = ["us-ccl-multilateral", "eu-dual-use", "baseline-lists"]
    added += ["us-embargoes", "us-russia-belarus", "eu-russia-belarus", "us-entity-list"]
    facts = tables["controls"][~tables["controls"]["regime"].isin(added)]
    # Three rows were read since: Macau in 2023, item 5506 of Canada as one, DUV scanners under 734.4(a)(3).
    assert len(facts) == 217 + 3
    assert (tables["exceptions"]["basis"] == "published").sum() == 20
    assert set(tables["controls"]["quality"]) <= {"reported", "estimate", "assumption", "derived"}
    for name, table in tables.items():
        if "quality" in table:
            rows = table[table["source"].str.contains("unverified")]
            assert (rows["quality"] != "reported").all(), f"{name}: general knowledge is never called reported"


def test_a_day_after_the_book_warns_and_names_what_may_have_changed(book: RegimeBook) -> None:
    assert book.known_as_of == date(2026, 10, 8)
    assert book.determine(GALLIUM, "2026-10-08").warnings == ()
    late = book.determine(GALLIUM, "2026-11-28").warnings
    assert "known as of 2026-10-08" in late[0]
    assert sum("branch" in text for text in late) == 3
    assert "silent" in book.determine(GALLIUM, "2019-12-31").warnings[0]
    assert list(book.branches("2026-11-09")["branch"]) == []


def test_each_branch_is_another_book(book: RegimeBook) -> None:
    denied = book.determine(GALLIUM, "2026-12-01").table["policy"].iloc[0]
    longer = book.with_branch("chn-ga-ge-sb-denial", "long")
    assert (denied, longer.determine(GALLIUM, "2026-12-01").table["policy"].iloc[0]) == (
        "presumption-of-denial",
        "case-by-case",
    )
    assert longer.changes == ("branch chn-ga-ge-sb-denial:long",)
    assert book.determine(GALLIUM, "2026-12-01").table["policy"].iloc[0] == denied, "the book itself is not changed"
    with pytest.raises(UsageError, match="chn-ga-ge-sb-denial:lapse"):
        book.with_branch("chn-ga-ge-sb-denial", "forever")


def test_faults_of_the_law_are_told_together(book: RegimeBook) -> None:
    controls = book.tables["controls"].copy()
    controls.loc[0, "destination_scope"] = "A:9;D:1"
    controls.loc[1, "reach"] = "de-minimis-lots"
    controls.loc[2, "item_code"] = "3C001"
    entries = book.tables["entries"].copy()
    entries.loc[0, "hs6"] = "8486.20"
    controls.loc[3, "item_code"] = "USA:3B001"
    controls.loc[4, "item_code"] = "ZZ:3B001"
    groups = pd.concat([book.tables["groups"], book.tables["groups"].iloc[[0]].assign(to=pd.NaT)], ignore_index=True)
    groups.loc[len(groups) - 1, "from"] = pd.Timestamp("2025-01-01")
    with pytest.raises(InputError) as caught:
        book.with_tables("faulty", controls=controls, groups=groups, entries=entries)
    found = {(p.table, p.column): p for p in caught.value.problems}
    assert found["controls", "destination_scope"].row == 2
    assert "A:9" in found["controls", "destination_scope"].cure
    assert found["controls", "reach"].value == "de-minimis-lots"
    assert found["entries", "hs6"].row == 2
    codes = {p.row: p.cure for p in caught.value.problems if p.column == "item_code"}
    assert set(codes) == {4, 5, 6}
    assert "write US" in codes[5]
    assert any(p.code == "overlap" for p in caught.value.problems)


def test_a_proposal_is_listed_and_never_in_force(book: RegimeBook) -> None:
    standing = book.in_force("2030-01-01").set_index("control")["standing"]
    assert set(standing[standing == "proposed"].index) == {"can-2025-proposed"}
    assert (book.tables["controls"]["status"] != "").all()


def test_a_control_wants_a_date_and_a_source_unless_it_is_proposed(book: RegimeBook) -> None:
    controls = book.tables["controls"].copy()
    controls.loc[0, "from"] = pd.NaT
    controls.loc[1, "source"] = ""
    with pytest.raises(InputError) as caught:
        book.with_tables("faulty", controls=controls)
    assert {(p.code, p.row) for p in caught.value.problems} == {("undated", 2), ("unsourced", 3)}
    controls = book.tables["controls"].copy()
    controls.loc[0, ["from", "status"]] = [pd.NaT, "proposed"]
    assert len(book.with_tables("proposed", controls=controls).tables["controls"]) == len(controls)


def test_versions_of_one_rule_join(book: RegimeBook) -> None:
    controls = book.tables["controls"].copy()
    later = controls.index[controls["control"] == "us-746.8-russia-ccl"]
    for day, code in (("2022-04-09", "gap"), ("2022-04-07", "overlap")):
        controls.loc[later, "from"] = pd.Timestamp(day)
        with pytest.raises(InputError) as caught:
            book.with_tables("faulty", controls=controls)
        assert [(p.code, p.row) for p in caught.value.problems] == [(code, int(later[0]) + 2)]
    controls.loc[later, ["from", "gap"]] = [pd.Timestamp("2022-04-09"), "one day without a rule"]
    assert book.with_tables("told", controls=controls).changes == ("told",)


def test_a_hole_in_coverage_says_how_strict_it_may_be(book: RegimeBook) -> None:
    coverage = book.tables["coverage"].copy()
    row = coverage.index[coverage["coverage"] == "wa-others"]
    coverage.loc[row, ["at_most", "states"]] = ["", "entity:footnote-5"]
    coverage.loc[coverage.index[-1], "item_code"] = "US:3B903"
    with pytest.raises(InputError) as caught:
        book.with_tables("faulty", coverage=coverage)
    assert {p.column for p in caught.value.problems} == {"at_most", "states", "item_code"}


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("controls", "reach", "fdp@today"),
        ("controls", "reach", "fdp@"),
        ("controls", "reach", "de-minimis-25 if entity:"),
        ("controls", "reach", "fdp if entity:footnote-5\u200b"),
        ("controls", "reach", "none;fdp"),
        ("controls", "destination_scope", "entity:footnote-5\u200b"),
        ("controls", "rule", "us-746.8\u00a0ccl"),
        ("coverage", "class", "any\u2011item"),
        ("jurisdictions", "jurisdiction", "UK"),
        ("jurisdictions", "jurisdiction", "usa"),
        ("branches", "date", pd.Timestamp("1990-01-01")),
        ("exceptions", "condition", "entity:footnote-5\u200b"),
    ],
)
def test_a_cell_that_would_mean_something_else_unseen_is_refused(
    book: RegimeBook, table: str, column: str, value: object
) -> None:
    frame = book.tables[table].copy()
    if table == "jurisdictions":
        frame.loc[len(frame)] = {**frame.iloc[0].to_dict(), column: value}
    else:
        frame.loc[0, column] = value
    with pytest.raises(InputError) as caught:
        book.with_tables("faulty", **{table: frame})
    row = len(frame) + 1 if table == "jurisdictions" else 2
    told = [p for p in caught.value.problems if (p.table, p.row, p.column) == (table, row, column)]
    assert told
    assert told[0].cure


def test_a_suspension_outside_its_control_and_a_code_that_stands_for_itself_are_refused(book: RegimeBook) -> None:
    controls, same = book.tables["controls"].copy(), book.tables["correspondences"].copy()
    at = int(controls["to"].notna().to_numpy().argmax())
    controls.loc[at, "suspended_from"] = controls.loc[at, "to"]
    same.loc[3, "corresponds"] = same.loc[3, "code"]
    with pytest.raises(InputError) as caught:
        book.with_tables("faulty", controls=controls, correspondences=same)
    found = {(p.code, p.row, p.column) for p in caught.value.problems}
    assert {("period", at + 2, "suspended_from"), ("correspondence", 5, "corresponds")} <= found


def test_a_group_or_state_with_an_unseen_character_is_no_other_one(tmp_path: Path) -> None:
    shutil.copytree(datasets() / "regimes", tmp_path / "book")
    path = tmp_path / "book" / "groups.csv"
    lines = path.read_text(encoding="utf-8").split("\n")
    at = next(number for number, line in enumerate(lines) if ",D:5," in line)
    lines[at] = lines[at].replace(",D:5,", ",D:5\u2060,")
    path.write_text("\n".join(lines), encoding="utf-8", newline="")
    with pytest.raises(InputError) as caught:
        read_package(tmp_path / "book")
    (problem,) = caught.value.problems
    assert (problem.code, problem.file, problem.row, problem.column) == ("name", "groups.csv", at + 1, "group")
    assert "'D:5'" in problem.cure
