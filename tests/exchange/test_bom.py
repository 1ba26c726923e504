"""Bills of material: levels and parents say the same, alternates are kept, and nothing is matched silently."""

from __future__ import annotations

import csv
from pathlib import Path

import openpyxl
import pytest

from supplychain.cli import run
from supplychain.errors import InputError
from supplychain.exchange.bom import bom_network, propose, read_mapping, write_mapping
from supplychain.exchange.bomfile import read_bom
from supplychain.exchange.mapping import bundled
from supplychain.exchange.merge import lay_over

LEVELS = """\
Level,Part Number,Description,Qty,UOM,Manufacturer,MPN,Alt Mfr,Alternate MPN,Alt Mfr,Alternate MPN,Colour
0,BRD-1,Inference board,1,piece,,,,,,,
1,U1,AI accelerator (data-centre GPU or ASIC),2,piece,Nvidia,H100,,,,,
1,U2,High-bandwidth memory (HBM) stack,4,piece,SK Hynix,X1,Micron,Y,Samsung,Z,
1,ASM-2,Power module,1,piece,,,,,,,
2,Q1,SiC power device,8,piece,Infineon,AA,,,,,
2,HBM,Ceramic capacitor 10uF,20,piece,Murata,007,TDK,C32,,,red
"""
PARENTS = """\
Parent,Component,Quantity,Description,Mfr,Mfr Part Number,Alternate
BRD-1,U1,2,AI accelerator (data-centre GPU or ASIC),Nvidia,H100,
BRD-1,U2,4,High-bandwidth memory (HBM) stack,SK Hynix,X1,Micron: Y
BRD-1,ASM-2,1,Power module,,,
ASM-2,Q1,8,SiC power device,Infineon,AA,
ASM-2,HBM,20,Ceramic capacitor 10uF,Murata,007,TDK: C32
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def answered(path: Path, yes: dict[str, str]) -> None:
    """Answer every row of a mapping, as a user would in a spreadsheet."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["confirmed"] = "yes" if row["part"] in yes else "no"
        row["item"] = yes.get(row["part"], row["item"])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def test_levels_parents_and_workbooks_say_the_same(tmp_path: Path) -> None:
    levels = read_bom(write(tmp_path / "a.csv", LEVELS))
    parents = read_bom(write(tmp_path / "b.csv", PARENTS))
    book = openpyxl.Workbook()
    for row in csv.reader(LEVELS.splitlines()):
        book.worksheets[0].append([int(cell) if cell.isdecimal() and cell != "007" else cell for cell in row])
    book.save(tmp_path / "c.xlsx")
    workbook = read_bom(tmp_path / "c.xlsx")
    relation = {(row.parent, row.part): row.quantity for row in parents.lines.itertuples()}
    for other in (levels, workbook):
        inner = other.lines[other.lines["parent"] != ""]
        assert {(row.parent, row.part): row.quantity for row in inner.itertuples()} == relation
        assert other.tops == parents.tops == ("BRD-1",)
        assert other.ignored == ("Colour",)
        makers = {(row.part, row.manufacturer, row.mpn): row.alternate for row in other.makers.itertuples()}
        assert makers["U2", "Samsung", "Z"] == 2
        assert makers["HBM", "Murata", "007"] == 0  # text stays text
    makers = {(row.part, row.manufacturer, row.mpn) for row in parents.makers.itertuples()}
    assert ("U2", "Micron", "Y") in makers


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("2,Q1,", "3,Q1,", "level"),
        ("1,U1,", "one,U1,", "number"),
        (",8,piece", ",eight,piece", "number"),
        ("1,U1,", "1,,", "blank"),
        ("2,Q1,", "2,BRD-1,", "cycle"),
        ("Part Number", "Colour2", "column-missing"),
    ],
)
def test_faults(tmp_path: Path, old: str, new: str, code: str) -> None:
    assert LEVELS.count(old) == 1
    with pytest.raises(InputError) as caught:
        read_bom(write(tmp_path / "a.csv", LEVELS.replace(old, new)))
    assert code in {problem.code for problem in caught.value.problems}


def test_a_bill_in_another_encoding_is_read_when_it_is_named(tmp_path: Path) -> None:
    text = LEVELS.replace("BRD-1", "推理板-1").replace("Power module", "功率模块")
    (tmp_path / "gbk.csv").write_bytes(text.encode("gbk"))
    (tmp_path / "utf8.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="gbk"):
        read_bom(tmp_path / "gbk.csv")
    found = read_bom(tmp_path / "gbk.csv", "gbk").lines
    assert found.equals(read_bom(tmp_path / "utf8.csv").lines)
    assert found.iloc[0]["part"] == "推理板-1"


def test_nothing_counts_until_it_is_confirmed(tmp_path: Path) -> None:
    base = bundled()
    bom = read_bom(write(tmp_path / "a.csv", LEVELS))
    proposed = propose(bom, base)
    assert (proposed["confirmed"] == "").all()
    best = proposed.set_index("part")["item"]
    assert (best["U1"], best["U2"]) == ("ai-accelerator", "hbm")
    write_mapping(proposed, tmp_path / "map.csv")
    with pytest.raises(InputError) as caught:
        read_mapping(tmp_path / "map.csv", bom, base)
    assert [problem.code for problem in caught.value.problems] == ["unconfirmed"] * 4
    answered(tmp_path / "map.csv", {"U1": "ai-accelerator", "U2": "hbm-9"})
    with pytest.raises(InputError, match="hbm-9"):
        read_mapping(tmp_path / "map.csv", bom, base)


def test_a_part_called_like_an_item_does_not_become_it(tmp_path: Path) -> None:
    base = bundled()
    bom = read_bom(write(tmp_path / "a.csv", LEVELS))
    write_mapping(propose(bom, base), tmp_path / "map.csv")
    answered(tmp_path / "map.csv", {"U1": "ai-accelerator", "U2": "hbm"})
    own, lines = bom_network(bom, read_mapping(tmp_path / "map.csv", bom, base), buyer="Me", site="IND", demand=1000)
    assert lines.set_index("part")["became"].to_dict() == {
        "BRD-1": "assembly",
        "U1": "matched",
        "U2": "matched",
        "ASM-2": "assembly",
        "Q1": "own item",
        "HBM": "own item",
    }
    merged = lay_over(own, base)
    assert not (merged.report["outcome"] == "replaces").any()
    items = merged.package.tables["items"].set_index("item")
    assert items.loc["hbm", "name"] == base.tables["items"].set_index("item").loc["hbm", "name"]
    assert items.at["part.hbm", "control_codes"] == ""  # never classified, hence unknown
    needs = merged.package.tables["requirements"].set_index("requirement")
    assert needs.at["part.brd-1.needs.hbm", "coefficient"] == 4
    assert needs.at["part.asm-2.needs.part.hbm", "coefficient"] == 20
    supplies = merged.package.tables["supplies"].set_index("supply")
    assert supplies.loc["part.hbm.maker.tdk", "note"] == "alternate C32"


def test_command_from_bill_to_exposure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bill, mapping, dest = write(tmp_path / "a.csv", LEVELS), tmp_path / "map.csv", tmp_path / "out"
    assert run(["bom", "propose", str(bill), str(mapping)]) == 0
    assert "0 confirmed" in capsys.readouterr().out
    apply = ["bom", "apply", str(bill), str(mapping), str(dest), "--buyer", "Me", "--site", "IND"]
    assert run(apply) == 3
    assert not dest.exists()
    answered(mapping, {"U1": "ai-accelerator"})
    assert run(apply) == 0
    assert run(["exposure", "--network", str(dest), "--buyer", "me", "--quiet", "--horizons", "12"]) == 0
    assert "part.brd-1" in capsys.readouterr().out
