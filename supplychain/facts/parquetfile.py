"""Reads a Parquet file as text cells, so that the rules of CSV hold for it; a damaged file is a problem, no crash."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from supplychain.errors import Problems
from supplychain.facts.raw import MAX_CELL, MAX_FILE, MAX_ROWS, RawTable, check_header


def read_parquet(data: bytes, name: str, file: str, problems: Problems) -> RawTable | None:
    """Return the table `name` held by the bytes of `file`, or None after adding what is wrong to `problems`.

    Row 2 is the first record, as if the table were shown in a spreadsheet.
    """
    try:
        parquet = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        metadata = parquet.metadata
        inflated = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        if metadata.num_rows > MAX_ROWS or inflated > MAX_FILE:
            problems.add(
                "too-long", f"a table has at most {MAX_ROWS:,} rows and {MAX_FILE:,} bytes", file=file, table=name
            )
            return None
        if not check_header(list(parquet.schema_arrow.names), name, file, problems):
            return None
        table = parquet.read()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        problems.add(
            "damaged", "a .parquet file is whole", "write it again", file=file, table=name, value=_first_line(error)
        )
        return None
    cells: dict[str, pa.ChunkedArray] = {}
    for column in table.column_names:
        text = _as_text(table[column], column, name, file, problems)
        if text is None:
            return None
        cells[column] = text
    return RawTable(name, file, cells, np.arange(2, len(table) + 2, dtype=np.int64))


def _as_text(values: pa.ChunkedArray, column: str, name: str, file: str, problems: Problems) -> pa.ChunkedArray | None:
    """Return the values as the text of a CSV: true/false, YYYY-MM-DD, the shortest exact number, "" for null."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.cast(kind.value_type)
        kind = values.type
    if pa.types.is_timestamp(kind):
        values = pc.cast(values, pa.date32(), safe=False)
    elif pa.types.is_floating(kind):
        # NaN is how pandas writes a blank number; text NaN in a CSV stays a fault.
        values = pc.if_else(pc.is_nan(values), None, values)
    elif not (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_date(kind)
        or pa.types.is_null(kind)
    ):
        problems.add(
            "column-type",
            "columns hold text, numbers, dates or truth values",
            f"store {kind} as text",
            file=file,
            table=name,
            column=column,
        )
        return None
    text = pc.fill_null(pc.cast(values, pa.large_string()), "")
    longest = pc.max(pc.utf8_length(text)).as_py() or 0
    if longest > MAX_CELL:
        problems.add("cell-size", f"a cell has at most {MAX_CELL:,} characters", file=file, table=name, column=column)
        return None
    return text if isinstance(text, pa.ChunkedArray) else pa.chunked_array([text])


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
