"""A table as it stands in a file: all cells text, every cell with its row number, nothing converted yet."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from supplychain.errors import Problems

SHOWN = 25  # faults of one kind in one column that are told one by one; the rest are counted
MAX_COLUMNS = 1_000
MAX_ROWS = 10_000_000
MAX_CELL = 4_000_000  # characters; a longer cell is a broken quote or an attack
MAX_CELLS = 200_000_000  # cells of one table
MAX_FILE = 250_000_000  # bytes; a CSV takes ten times its size in memory
MAX_INFLATED = 1_000_000_000  # bytes that a compressed file may unpack to
# Text that a spreadsheet would run as a formula leaves behind an apostrophe and loses it again on the way in.
_FORMULA = "[=+\\-@\t\r\n＝＋－＠]"


@dataclass(frozen=True)
class RawTable:
    """Cells of one table. `cells[column][i]` is the text at spreadsheet row `rows[i]`; blank is ""."""

    name: str
    file: str
    cells: dict[str, pa.ChunkedArray]
    rows: np.ndarray  # int64, the row number a spreadsheet shows (the header is row 1)

    def __len__(self) -> int:
        return len(self.rows)


def guard(cells: pa.Array) -> pa.Array:
    """Return the texts with an apostrophe in front of each that a spreadsheet would run as a formula."""
    return pc.replace_substring_regex(cells, f"^('*{_FORMULA})", r"'\1")


def unguard(cells: pa.Array) -> pa.Array:
    """Undo `guard`."""
    return pc.replace_substring_regex(cells, f"^'('*{_FORMULA})", r"\1")


def plain_header(header: str) -> str:
    """Return the name that a header probably means: without what is not seen, in lower case, words joined by `_`."""
    seen = "".join(c for c in unicodedata.normalize("NFKC", header) if unicodedata.category(c) not in ("Cf", "Cc"))
    return seen.strip().lower().replace(" ", "_").replace("-", "_")


def check_header(header: list[str], name: str, file: str, problems: Problems) -> bool:
    """Check that a header has distinct, non-blank names and is not too wide; return whether it can be used."""
    if len(header) > MAX_COLUMNS:
        problems.add(
            "too-wide", f"a table has at most {MAX_COLUMNS:,} columns", file=file, table=name, row=1, value=len(header)
        )
        return False
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        problems.add(
            "delimiter",
            "columns are separated by commas",
            "save the file as comma-separated CSV with a decimal point",
            file=file,
            table=name,
            row=1,
            value=header[0],
        )
        return False
    good = True
    for number, column in enumerate(header, start=1):
        if not plain_header(column):
            problems.add(
                "header-blank",
                "every column has a name",
                "name the column or delete it (is this a title line above the header?)",
                file=file,
                table=name,
                row=1,
                column=f"number {number}",
            )
            good = False
    seen: set[str] = set()
    for column in header:
        plain = plain_header(column)
        if plain and plain in seen:
            problems.add(
                "header-duplicate",
                "a column name occurs once",
                "rename or delete one of the columns",
                file=file,
                table=name,
                row=1,
                column=column,
            )
            good = False
        seen.add(plain)
    return good
