"""Reads a bill of materials (CSV or XLSX), by level or by parent and child; alternates stand in repeated columns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pandas as pd

from supplychain.errors import Problems
from supplychain.facts.folder import UTF8, read_grid

# What a column is called in the files of others: lower case, letters and digits only.
_NAMES = {
    "part": ("part", "partnumber", "partno", "pn", "ipn", "internalpartnumber", "itemnumber", "item", "component",
             "componentnumber", "child", "childpart", "material"),
    "parent": ("parent", "parentpart", "parentpartnumber", "parentitem", "assembly", "parentmaterial"),
    "level": ("level", "bomlevel", "indent", "lvl"),
    "quantity": ("quantity", "qty", "quantityper", "qtyper", "componentquantity", "qtyperassembly"),
    "unit": ("unit", "uom", "unitofmeasure", "baseunit"),
    "description": ("description", "desc", "name", "partname", "partdescription", "itemdescription"),
    "manufacturer": ("manufacturer", "mfr", "mfg", "maker", "manufacturername", "mfrname", "brand"),
    "mpn": ("mpn", "manufacturerpartnumber", "mfrpartnumber", "mfgpartnumber", "mfrpn", "manufacturerpn"),
}  # fmt: skip
_ALTERNATE = re.compile(r"(?:alternate|alternative|alt|substitute|secondsource)(.*)")


@dataclass(frozen=True)
class Bom:
    """A bill of materials. lines: parent, part, quantity (per parent), unit, description, row. makers: part,
    manufacturer, mpn, alternate (0 = first choice), row. tops: parts that are in no other."""

    name: str
    lines: pd.DataFrame
    makers: pd.DataFrame
    tops: tuple[str, ...]
    rows_in: int
    ignored: tuple[str, ...]  # columns that say nothing this reader knows


def read_bom(path: Path, encoding: str = UTF8) -> Bom:
    """Return the bill of materials at `path`. Raises InputError with every fault: no part or quantity, a level that
    skips one, a part that contains itself, a line that stands twice with two quantities."""
    problems = Problems()
    header, rows = read_grid(path, problems, encoding)
    problems.raise_if_any()
    columns, alternates, ignored = _columns(header)
    if "part" not in columns:
        rule = "a bill of materials has a column of part numbers"
        cure = "name it 'part'; beside it: quantity, and level or parent"
        problems.add("column-missing", rule, cure, file=path.name, row=1, column="part")
    problems.raise_if_any()
    cells = {name: [record[columns[name]].strip() if name in columns else "" for _, record in rows] for name in _NAMES}
    frame = pd.DataFrame(cells, index=[number for number, _ in rows])
    frame = frame[(frame != "").any(axis=1)]
    _check_parts(frame, path.name, problems)
    quantity = _quantities(frame, path.name, problems)
    parents = _parents(frame, "level" in columns, path.name, problems)
    problems.raise_if_any()
    lines = pd.DataFrame(
        {"parent": parents, "part": frame["part"], "quantity": quantity, "unit": frame["unit"],
         "description": frame["description"], "row": frame.index}
    )  # fmt: skip
    _check_circles(lines, path.name, problems)
    problems.raise_if_any()
    records = dict(rows)
    makers = _makers(frame, records, alternates)
    inside = set(lines.loc[lines["parent"] != "", "part"])
    named = [*lines["parent"], *lines["part"]]
    tops = tuple(dict.fromkeys(name for name in named if name and name not in inside))
    return Bom(path.stem, lines.reset_index(drop=True), makers, tops, len(frame), ignored)


def _columns(header: list[str]) -> tuple[dict[str, int], list[tuple[str, int]], tuple[str, ...]]:
    """Return the position of each known column, (kind, position) of each alternate column, and the others' names."""
    columns: dict[str, int] = {}
    alternates: list[tuple[str, int]] = []
    ignored = []
    for at, title in enumerate(header):
        plain = re.sub(r"[^a-z]", "", title.lower())
        name = next((name for name, words in _NAMES.items() if plain in words), "")
        match = _ALTERNATE.fullmatch(plain)
        if name and name not in columns:
            columns[name] = at
        elif name in ("manufacturer", "mpn"):
            alternates.append((name, at))  # the same column once more
        elif match:
            kind = next((n for n in ("manufacturer", "mpn") if match[1] in _NAMES[n]), "")
            alternates.append((kind or "mpn", at))
        else:
            ignored.append(title)
    return columns, alternates, tuple(ignored)


def _check_parts(frame: pd.DataFrame, file: str, problems: Problems) -> None:
    for row in frame.index[(frame["part"] == "").to_numpy(bool)][:25]:
        rule = "every line has a part number"
        problems.add("blank", rule, "fill it, or delete the line", file=file, row=int(row), column="part")


def _quantities(frame: pd.DataFrame, file: str, problems: Problems) -> list[float]:
    found = []
    for row, text in zip(frame.index, frame["quantity"], strict=True):
        good = re.fullmatch(r"\d+(\.\d+)?|\.\d+", text)
        if text and not good:
            rule, cure = (
                "a quantity is a plain number above 0",
                "write a decimal point, no thousands separator, no unit",
            )
            problems.add("number", rule, cure, file=file, row=int(row), column="quantity", value=text)
        found.append(float(text) if good else float("nan"))
    return found


def _parents(frame: pd.DataFrame, by_level: bool, file: str, problems: Problems) -> list[str]:
    """Return the parent of each line: its own column, or the last line one level up."""
    if not by_level:
        return list(frame["parent"])
    above: list[str] = []
    parents = []
    first: int | None = None
    for row, text, part in zip(frame.index, frame["level"], frame["part"], strict=True):
        plain = text.strip(".> ")
        if not plain.isdecimal():
            rule, cure = "a level is a whole number", "0 or 1 is the product, its parts one more"
            problems.add("number", rule, cure, file=file, row=int(row), column="level", value=text)
            parents.append("")
            continue
        first = int(plain) if first is None else first
        level = int(plain) - first
        if level < 0 or level > len(above):
            rule, cure = "a level is at most one deeper than the line before", "is a line missing above it?"
            problems.add("level", rule, cure, file=file, row=int(row), column="level", value=text)
            parents.append("")
            continue
        del above[level:]
        parents.append(above[-1] if above else "")
        above.append(part)
    return parents


def _check_circles(lines: pd.DataFrame, file: str, problems: Problems) -> None:
    graph: dict[str, set[str]] = {}
    for parent, part in zip(lines["parent"], lines["part"], strict=True):
        if parent:
            graph.setdefault(parent, set()).add(part)
    try:
        TopologicalSorter({key: sorted(value) for key, value in sorted(graph.items())}).prepare()
    except CycleError as error:
        circle = [str(part) for part in reversed(error.args[1])]
        inside = lines["parent"].isin(circle) & lines["part"].isin(circle)
        row = int(lines.loc[inside, "row"].iloc[0])
        rule = "no part contains itself"
        problems.add(
            "cycle", rule, "break it at one of its lines", file=file, row=row, column="part", value=" -> ".join(circle)
        )


def _makers(frame: pd.DataFrame, records: dict[int, list[str]], alternates: list[tuple[str, int]]) -> pd.DataFrame:
    """Return who makes each part. Alternate columns pair up in order: a manufacturer with the number after it."""
    found = []
    for row in frame.index:
        part = frame.at[row, "part"]
        found.append((part, frame.at[row, "manufacturer"], frame.at[row, "mpn"], 0, int(row)))
        maker, rank = "", 1
        for kind, at in alternates:
            text = records[int(row)][at].strip()
            if kind == "manufacturer":
                if maker:
                    found.append((part, maker, "", rank, int(row)))
                    rank += 1
                maker = text
            elif text or maker:
                own, _, number = text.partition(":")
                named = bool(number) and not maker  # "Maker: number" in one cell
                found.append((part, own.strip() if named else maker, number.strip() if named else text, rank, int(row)))
                maker, rank = "", rank + 1
        if maker:
            found.append((part, maker, "", rank, int(row)))
    table = pd.DataFrame(found, columns=["part", "manufacturer", "mpn", "alternate", "row"])
    said = (table["manufacturer"] != "") | (table["mpn"] != "")
    return table[said].drop_duplicates(["part", "manufacturer", "mpn"]).reset_index(drop=True)
