"""Parquet files: typed columns become the text of a CSV; damage is a problem, never a crash."""

from __future__ import annotations

import io
import random
from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from supplychain.errors import Problems
from supplychain.facts import parquetfile
from supplychain.facts.parquetfile import read_parquet
from supplychain.facts.raw import RawTable


def written(table: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def read(data: bytes) -> tuple[RawTable | None, Problems]:
    problems = Problems()
    return read_parquet(data, "items", "items.parquet", problems), problems


def test_typed_columns_become_the_text_of_a_csv() -> None:
    table = pa.table(
        {
            "text": pa.array(["a", None, "NA"]),
            "number": pa.array([0.1, float("nan"), 2025.0]),
            "count": pa.array([1, None, 3]),
            "truth": pa.array([True, None, False]),
            "day": pa.array([date(2024, 9, 6), None, date(1999, 1, 1)]),
            "moment": pa.array([datetime(2024, 9, 6), None, datetime(1999, 1, 1)]),
            "word": pa.array(["x", "y", "x"]).dictionary_encode(),
            "nothing": pa.nulls(3),
        }
    )
    raw, problems = read(written(table))
    assert raw is not None
    assert problems.errors == ()
    assert {name: column.to_pylist() for name, column in raw.cells.items()} == {
        "text": ["a", "", "NA"],
        "number": ["0.1", "", "2025"],
        "count": ["1", "", "3"],
        "truth": ["true", "", "false"],
        "day": ["2024-09-06", "", "1999-01-01"],
        "moment": ["2024-09-06", "", "1999-01-01"],
        "word": ["x", "y", "x"],
        "nothing": ["", "", ""],
    }
    assert raw.rows.tolist() == [2, 3, 4]


def test_columns_that_are_no_cells_are_refused() -> None:
    raw, problems = read(written(pa.table({"item": [["a"], ["b"]]})))
    assert raw is None
    assert [(p.code, p.column) for p in problems.errors] == [("column-type", "item")]


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1", b"item,name\na,A\n"])
def test_what_is_no_parquet_is_refused(data: bytes) -> None:
    raw, problems = read(data)
    assert raw is None
    assert [problem.code for problem in problems.errors] == ["damaged"]


def test_one_long_text_a_million_times_is_refused_unopened() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int32()), ["x" * 100_000])
    data = written(pa.table({"item": column}), store_schema=False)
    assert len(data) < 200_000
    raw, problems = read(data)
    assert raw is None
    assert [problem.code for problem in problems.errors] == ["too-long"]


def test_cut_or_flipped_files_never_crash() -> None:
    sound = written(
        pa.table({"item": [f"i{k}" for k in range(300)], "share": [k / 300 for k in range(300)]}),
        write_page_checksum=True,
    )
    generator = random.Random(11)
    refused = 0
    for _ in range(150):
        data = bytearray(sound)
        data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        if generator.random() < 0.3:
            data = data[: generator.randrange(len(data))]
        raw, problems = read(bytes(data))
        assert (raw is None) == bool(problems.errors)
        refused += raw is None
    assert refused > 100


def test_rows_cells_and_headers_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    data = written(pa.table({"item": ["a", "b", "abcdef"]}))
    assert read(data)[0] is not None
    for limit, most, code in (("MAX_ROWS", 2, "too-long"), ("MAX_CELLS", 2, "too-long"), ("MAX_CELL", 5, "cell-size")):
        with monkeypatch.context() as patch:
            patch.setattr(parquetfile, limit, most)
            table, problems = read(data)
        assert table is None
        assert [problem.code for problem in problems.errors] == [code]
    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["item", "item"])
    table, problems = read(written(twice))
    assert table is None
    assert problems.errors
