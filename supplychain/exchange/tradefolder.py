"""Folders of trade flows: every file read and checked, flows and indicators written as Parquet, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from supplychain.errors import Problems, UsageError
from supplychain.exchange.intake import COUNTS
from supplychain.exchange.trade import TradeFlows, indicators
from supplychain.files import check_free, creating, make_folder, replacing, write_new

# Reads one file: its flows, how many of its rows went where, and the spreadsheet row of each flow.
Reader = Callable[[Path, Problems], tuple[TradeFlows, dict[str, int], Any]]


@dataclass(frozen=True)
class TradeImport:
    """What an import of trade flows wrote: counts (file, went_to, rows), rows in by file, and the indicators."""

    counts: pd.DataFrame
    rows_in: dict[str, int]
    indicators: pd.DataFrame
    notice: str
    remarks: tuple[str, ...]

    @property
    def lost(self) -> int:
        return int(sum(self.rows_in.values()) - self.counts["rows"].sum())


def trade_files(source: Path, pattern: str) -> list[Path]:
    """Return the file `source`, or the files of the folder that match, by name; UsageError when there are none."""
    if source.is_file():
        return [source]
    found = sorted(source.glob(pattern)) or sorted(source.glob("*.csv")) if source.is_dir() else []
    if not found:
        raise UsageError(f"there is no trade file at {str(source)!r}")
    return found


def write_trade(
    read: Reader, files: Sequence[Path], dest: Path, notice: str, *, overwrite: bool = False
) -> TradeImport:
    """Read the files one by one, write flows and indicators to the folder `dest` (whole or not at all)."""
    check_free(dest, overwrite)
    if dest.exists() and not (dest / "datapackage.json").is_file():
        raise UsageError(f"{str(dest)!r} is not a folder of trade flows and will not be replaced")
    problems = Problems()
    counts: list[tuple[str, str, int]] = []
    found: list[pd.DataFrame] = []
    make_folder(dest.parent)
    with replacing(dest) as work:
        with (
            creating(work / "flows.parquet") as stream,
            pq.ParquetWriter(stream, _FLOWS, use_dictionary=_CODED) as writer,
        ):
            for file in files:
                before = len(problems.errors)
                flows, went, rows = read(file, problems)
                if len(problems.errors) > before:
                    continue
                writer.write_table(_table(flows, file.name, rows), row_group_size=1 << 20)
                counts += [(file.name, to, number) for to, number in went.items()]
                found.append(indicators(flows))
        problems.raise_if_any()
        table = pd.concat(found, ignore_index=True)
        with creating(work / "indicators.parquet") as stream:
            pq.write_table(pa.Table.from_pandas(table, preserve_index=False), stream, compression="zstd")
        result = TradeImport(
            pd.DataFrame(counts, columns=COUNTS),
            {file.name: sum(number for name, _, number in counts if name == file.name) for file in files},
            table,
            notice,
            ("a pair and product without a row had no trade that the source reports",),
        )
        _describe(result, files, work)
    return result


_PLACE = pa.dictionary(pa.int16(), pa.string())
_FLOWS = pa.schema(
    {
        "year": pa.int16(),
        "exporter": _PLACE,
        "importer": _PLACE,
        "product": pa.dictionary(pa.int32(), pa.string()),
        "value_usd": pa.float64(),
        "tonnes": pa.float64(),
        "file": pa.dictionary(pa.int16(), pa.string()),
        "row": pa.int32(),
    }
)


_CODED = ["exporter", "importer", "product", "file"]


def _table(flows: TradeFlows, file: str, rows: Any) -> pa.Table:
    places = pa.array(flows.places, pa.string())
    columns = [
        pa.array(flows.year),
        pa.DictionaryArray.from_arrays(pa.array(flows.exporter), places),
        pa.DictionaryArray.from_arrays(pa.array(flows.importer), places),
        pa.DictionaryArray.from_arrays(pa.array(flows.product), pa.array(flows.products, pa.string())),
        pa.array(flows.value),
        pa.array(flows.tonnes, from_pandas=True),
        pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(flows), np.int16)), pa.array([file])),
        pa.array(np.asarray(rows, dtype=np.int32)),
    ]
    return pa.Table.from_arrays(columns, schema=_FLOWS)


def _describe(result: TradeImport, files: Sequence[Path], folder: Path) -> None:
    hashes = {}
    for file in files:
        with file.open("rb") as stream:
            hashes[file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    described = {
        "name": "trade",
        "description": result.notice,
        "resources": [{"name": name, "path": f"{name}.parquet"} for name in ("flows", "indicators")],
        "supplychain": {
            "import": {
                "input_hashes": hashes,
                "rows_in": result.rows_in,
                "went_to": result.counts.to_dict("records"),
                "remarks": list(result.remarks),
            }
        },
    }
    write_new(folder / "datapackage.json", (json.dumps(described, indent=2) + "\n").encode())
