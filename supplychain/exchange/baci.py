"""Reads CEPII BACI: one CSV a year with t, i, j, k, v, q (year, exporter, importer, HS6, thousand USD, tonnes).

http://www.cepii.fr/DATA_DOWNLOAD/baci/doc/DescriptionBACI.html: k is text (leading zeros), flows up to 1,000 USD and
zeros are absent, places are numeric codes of trade statistics (Taiwan is 490). Licence: Etalab 2.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from supplychain.errors import EnvironmentFault, Problems
from supplychain.exchange.trade import Ints, TradeFlows, places_by_code
from supplychain.exchange.tradefolder import TradeImport, trade_files, write_trade
from supplychain.facts.raw import SHOWN

COLUMNS = ["t", "i", "j", "k", "v", "q"]
NOTICE = """\
Contains BACI: Gaulier, G. and Zignago, S. (2010), BACI: International Trade Database at the Product-Level, CEPII
Working Paper 2010-23. Licence: Etalab 2.0 (https://www.etalab.gouv.fr/licence-ouverte-open-licence). Changed: codes of
places to ISO 3166-1, thousand USD to USD. Flows of 1,000 USD or less are not in the source."""
_BLANK = ["", "NA", "         NA", "          NA", "           NA", " NA", "NULL"]
_MOST = 1e15  # no trade of a year is larger, in USD or tonnes
_BLOCK = 1 << 25  # bytes of CSV taken at a time
_TYPES = {"t": pa.int16(), "i": pa.int16(), "j": pa.int16(), "k": pa.string(), "v": pa.float64(), "q": pa.float64()}


def import_baci(source: Path, dest: Path, *, overwrite: bool = False) -> TradeImport:
    """Read a BACI file, or every BACI*.csv of a folder, check each row, and write the folder `dest`.

    `dest` holds flows.parquet (year, exporter, importer, product, value_usd, tonnes, file, row), indicators.parquet and
    datapackage.json. Raises InputError with the faults of all files; then nothing is written.
    """
    return write_trade(_read, trade_files(source, "BACI*.csv"), dest, NOTICE, overwrite=overwrite)


def _read(file: Path, problems: Problems) -> tuple[TradeFlows, dict[str, int], Ints]:
    flows = read_baci(file, problems)
    return flows, {"flows": len(flows)}, np.arange(2, len(flows) + 2, dtype=np.int32)


def read_baci(file: Path, problems: Problems) -> TradeFlows:
    """Return the flows of one file; its faults go to `problems`, with the row a spreadsheet would show."""
    batches = _batches(file, problems)
    if batches is None:
        return TradeFlows(
            (), (), *(np.empty(0, kind) for kind in (np.int16, np.int16, np.int16, np.int32, float, float))
        )
    years, sources, targets, codes, values, tonnes = batches
    known = places_by_code()
    names = tuple(sorted(set(known.values())))
    position = np.full(32768, -1, np.int16)
    for code, place in known.items():
        position[code] = names.index(place)
    products = codes.dictionary.to_pylist()
    flows = TradeFlows(
        names, tuple(products), years, position[sources], position[targets], codes.indices.to_numpy(), values, tonnes
    )
    _check(flows, sources, targets, file.name, problems)
    return flows


def _batches(file: Path, problems: Problems) -> Any:
    try:
        reader = pcsv.open_csv(
            file,
            pcsv.ReadOptions(block_size=_BLOCK),
            pcsv.ParseOptions(newlines_in_values=False),
            pcsv.ConvertOptions(
                column_types=_TYPES, null_values=_BLANK, strings_can_be_null=False, include_columns=COLUMNS
            ),
        )
        parts = [_compact(batch) for batch in reader]
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        _explain(file, str(error), problems)
        return None
    except OSError as error:
        raise EnvironmentFault(f"cannot read {str(file)!r}: {error}") from error
    if not parts:
        problems.add("file-empty", "a trade file has rows", file=file.name)
        return None
    arrays = [np.concatenate([part[at] for part in parts]) for at in (0, 1, 2, 4, 5)]
    codes = pa.chunked_array([part[3] for part in parts]).unify_dictionaries().combine_chunks()
    return arrays[0], arrays[1], arrays[2], codes, arrays[3], arrays[4]


def _compact(batch: pa.RecordBatch) -> tuple[Any, ...]:
    """Return year, exporter, importer, product (dictionary), USD and tonnes of a block; blanks as -1 or NaN."""
    numbers = [pc.fill_null(batch.column(name), -1).to_numpy(zero_copy_only=False) for name in ("t", "i", "j")]
    floats = [batch.column(name).to_numpy(zero_copy_only=False) for name in ("v", "q")]
    return *numbers, pc.dictionary_encode(batch.column("k")), floats[0] * 1000.0, floats[1]


def _explain(file: Path, message: str, problems: Problems) -> None:
    """Say of a file that does not convert which cells are at fault, reading it once more as text."""
    try:
        table = pcsv.read_csv(
            file,
            convert_options=pcsv.ConvertOptions(
                strings_can_be_null=False, column_types=dict.fromkeys(COLUMNS, pa.string())
            ),
        )
        names = table.column_names
    except UnicodeDecodeError:
        problems.add("encoding", "text is UTF-8", "export it as UTF-8", file=file.name, row=1)
        return
    except pa.ArrowInvalid as error:
        text = str(error).splitlines()[0]
        problems.add("ragged", "every record has the same cells", "was the file cut?", file=file.name, value=text)
        return
    missing = [name for name in COLUMNS if names.count(name) != 1]
    for name in missing:
        rule = f"a BACI file has the columns {', '.join(COLUMNS)}, each once"
        problems.add("column-missing", rule, file=file.name, row=1, column=name)
    for name in COLUMNS:
        if name in missing or name == "k":
            continue
        text = pc.utf8_trim_whitespace(table[name])
        pattern = r"^(NA|NULL|)$|^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$" if name in "vq" else r"^[0-9]{1,4}$"
        wrong = np.flatnonzero(~pc.match_substring_regex(text, pattern).to_numpy())
        _report(
            wrong,
            [str(table[name][int(at)].as_py()) for at in wrong[:SHOWN]],
            "number",
            f"{name} is a number",
            name,
            file.name,
            problems,
        )
    if not problems.errors:
        problems.add("number", "the cells of a BACI file are numbers in their range", file=file.name, value=message)


def _check(flows: TradeFlows, sources: Any, targets: Any, file: str, problems: Problems) -> None:
    products = np.array([not (len(code) == 6 and code.isascii() and code.isdigit()) for code in flows.products], bool)
    rules = [
        ((flows.year < 1900) | (flows.year > 2200), "year", "t is a year", "t", flows.year),
        (flows.exporter < 0, "country", "i is a numeric code of a place", "i", sources),
        (flows.importer < 0, "country", "j is a numeric code of a place", "j", targets),
        (~((flows.value >= 0) & (flows.value < _MOST)), "number", "v is at least 0 and never blank", "v", flows.value),
        ((flows.tonnes < 0) | (flows.tonnes > _MOST), "number", "q is at least 0, or blank", "q", flows.tonnes),
        (products[flows.product], "hs6", "k has six digits: keep leading zeros", "k", None),
    ]
    for wrong, code, rule, column, values in rules:
        at = np.flatnonzero(wrong)
        if len(at):
            texts = [flows.products[flows.product[n]] if values is None else str(values[n]) for n in at[:SHOWN]]
            _report(at, texts, code, rule, column, file, problems)
    if not problems.errors:
        _check_once(flows, sources, targets, file, problems)


def _check_once(flows: TradeFlows, sources: Any, targets: Any, file: str, problems: Problems) -> None:
    """Refuse a year, pair and product that has two rows: their values could only be added by guessing."""
    # By their codes, not our places: several codes stand for "no one state".
    key = flows.year.astype(np.int64) * len(flows.products) + flows.product
    key = (key * 10_000 + targets) * 10_000 + sources
    if (np.diff(key) > 0).all():
        return
    order = np.argsort(key, kind="stable")
    again = np.sort(order[1:][np.diff(key[order]) == 0])
    if len(again):
        texts = [flows.products[flows.product[n]] for n in again[:SHOWN]]
        _report(again, texts, "duplicate-key", "year, pair and product stand once", "k", file, problems)


def _report(at: Any, texts: Sequence[str], code: str, rule: str, column: str, file: str, problems: Problems) -> None:
    for number, text in zip(at[:SHOWN], texts, strict=True):
        problems.add(code, rule, "correct it in the source", file=file, row=int(number) + 2, column=column, value=text)
    if len(at) > SHOWN:
        problems.add(code, rule, f"and {len(at) - SHOWN:,} more rows", file=file, column=column)
