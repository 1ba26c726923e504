"""Reads a Parquet file as text cells, so that the rules of CSV hold for it; a damaged file is a problem, no crash."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from supplychain.errors import Problems
from supplychain.facts.raw import MAX_CELL, MAX_CELLS, MAX_INFLATED, MAX_ROWS, RawTable, check_header


def read_parquet(data: bytes, name: str, file: str, problems: Problems) -> RawTable | None:
    """Return the table `name` held by the bytes of `file`, or None after adding what is wrong to `problems`.

    Row 2 is the first record, as if the table were shown in a spreadsheet.
    """
    try:
        footer = pq.read_metadata(pa.BufferReader(data))
        inflated = sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups))
        cells_in_all = footer.num_rows * footer.num_columns
        if footer.num_rows > MAX_ROWS or cells_in_all > MAX_CELLS or inflated > MAX_INFLATED:
            _too_long(name, file, problems)
            return None
        # Texts stay in their dictionary, so that a short file cannot unpack one long text a million times.
        schema = footer.schema.to_arrow_schema()
        texts = [
            field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]
        parquet = pq.ParquetFile(pa.BufferReader(data), read_dictionary=texts, page_checksum_verification=True)
        if not check_header(list(parquet.schema_arrow.names), name, file, problems):
            return None
        table = parquet.read()
        table.validate(full=True)
        if sum(_unpacked(column) for column in table.columns) > MAX_INFLATED:
            _too_long(name, file, problems)
            return None
    except (pa.ArrowException, OSError, ValueError) as error:
        value = (str(error).splitlines() or [type(error).__name__])[0]
        problems.add("damaged", "a .parquet file is whole", "write it again", file=file, table=name, value=value)
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


def _unpacked(column: pa.ChunkedArray) -> int:
    """Return how many bytes the texts of a column take when written out."""
    if not pa.types.is_dictionary(column.type) or not pa.types.is_string(column.type.value_type):
        return int(column.nbytes)
    return sum(
        int(pc.sum(pc.take(pc.binary_length(chunk.dictionary), chunk.indices)).as_py() or 0) for chunk in column.chunks
    )


def _too_long(name: str, file: str, problems: Problems) -> None:
    rule = f"a table has at most {MAX_ROWS:,} rows, {MAX_CELLS:,} cells and {MAX_INFLATED:,} bytes"
    problems.add("too-long", rule, "split it", file=file, table=name)
