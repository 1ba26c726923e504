"""Reads an Excel workbook (.xlsx), one sheet per table, as text cells; what a spreadsheet hides is a problem with its cell."""

from __future__ import annotations

from typing import Any

from supplychain.errors import Problems
from supplychain.facts.raw import RawTable


def read_workbook(
    data: bytes, file: str, problems: Problems
) -> tuple[dict[str, Any], dict[str, RawTable], frozenset[str]]:
    """Return the descriptor, the tables by sheet name, and the names of sheets that were refused."""
    problems.add("file-kind", "workbooks are read", "", file=file)
    return {}, {}, frozenset()
