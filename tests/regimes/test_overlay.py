"""A user's own law over the bundled one: corrections, additions, removals, what changed, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from supplychain.errors import InputError, UsageError
from supplychain.regimes import RegimeBook
from supplychain.regimes.overlay import changes, overlay

ADDED = (
    "my-kor-hbm,alt-g7-minilateral,KOR,hypothetical,US:3A090.c,D:5;MAC,presumption-of-denial,none,2026-01-01,"
    "assumption,none\n"
)
HEAD = "control,regime,imposing,instrument,item_code,destination_scope,licence_policy,reach,from,quality,source\n"
HBM = pd.DataFrame(
    [{"item_codes": "US:3A090.c", "origin": "KOR", "destination": "CHN", "content": "none", "direct_product": "none"}]
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "controls.csv").write_text(HEAD + ADDED + "jpn-23,,,,,,presumption-of-denial,,,,\n")
    (tmp_path / "removals.csv").write_text("table,key,source\ncontrols,cn-2026-34,none\n")
    return tmp_path


def test_an_overlay_adds_corrects_and_removes(book: RegimeBook, folder: Path) -> None:
    laid = overlay(book, folder)
    assert book.determine(HBM, "2026-01-01").table["status"].iloc[0] == "free"
    row = laid.determine(HBM, "2026-01-01").table.iloc[0]
    assert (row["status"], row["control"]) == ("licence", "my-kor-hbm")
    assert laid.determine(HBM, "2025-12-31").table["status"].iloc[0] == "free"
    told = changes(book, laid)
    assert told[["key", "change"]].to_numpy().tolist() == [
        ["my-kor-hbm", "added"],
        ["cn-2026-34", "removed"],
        ["jpn-23", "changed"],
    ]
    assert told.loc[told["key"] == "jpn-23", ["column", "was", "is"]].to_numpy().tolist() == [
        ["licence_policy", "case-by-case", "presumption-of-denial"]
    ]
    assert changes(book, book).empty
    assert laid.changes == (f"overlay {folder.name}",)


def test_the_last_overlay_lies_on_top(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    over = tmp_path_factory.mktemp("over")
    (over / "controls.csv").write_text("control,licence_policy\njpn-23,presumption-of-approval\n")
    laid = RegimeBook.load(None, (folder, over))
    controls = laid.tables["controls"].set_index("control")
    assert controls.loc["jpn-23", "licence_policy"] == "presumption-of-approval"
    assert controls.loc["jpn-23", "instrument"] == "METI ordinance under FEFTA", "what an overlay leaves out stays"


def test_every_fault_of_an_overlay_is_told_with_its_row(book: RegimeBook, tmp_path: Path) -> None:
    (tmp_path / "controls.csv").write_text(
        HEAD
        + "bad-1,alt-g7,KORR,hypothetical,3A090.c,D:9,presumption,far,,assumption,\n"
        + "bad-2,w1-iec,KOR,x,US:3A090.c,D:5,case-by-case,none,2025-13-01,assumption,nowhere\n"
        + "bad-3,w1-iec,KOR,x,US:3A090.c,D:5,case-by-case,none,,assumption,none\n"
    )
    (tmp_path / "rules.csv").write_text("a,b\n1,2\n")
    (tmp_path / "removals.csv").write_text("table,key,source\ncontrols,no-such,none\nlaws,x,\n")
    with pytest.raises(InputError) as caught:
        overlay(book, tmp_path)
    found = {(p.file, p.row, p.column) for p in caught.value.problems}
    assert {
        ("controls.csv", 2, c) for c in ("regime", "imposing", "item_code", "destination_scope", "licence_policy")
    } <= found
    assert {("controls.csv", 2, "reach"), ("controls.csv", 2, "source"), ("controls.csv", 3, "from")} <= found
    assert {("controls.csv", 3, "source"), ("controls.csv", 4, "from")} <= found
    assert {("removals.csv", 2, "key"), ("removals.csv", 3, "table")} <= found
    assert any(p.file == "rules.csv" for p in caught.value.problems)


def test_overlapping_periods_are_refused(book: RegimeBook, tmp_path: Path) -> None:
    (tmp_path / "groups.csv").write_text(
        "jurisdiction,group,from,doubt,quality,source\nIND,A:5,2025-01-01,false,assumption,none\n"
    )
    with pytest.raises(InputError, match="overlap"):
        overlay(book, tmp_path)


def test_a_folder_that_is_none_and_one_that_is_empty(book: RegimeBook, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no overlay folder"):
        overlay(book, tmp_path / "nowhere")
    with pytest.raises(InputError, match="at least one table"):
        overlay(book, tmp_path)
