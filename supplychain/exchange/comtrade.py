"""Reads UN Comtrade CSV files (reporterCode, partnerCode, cmdCode, flowCode, period, primaryValue).

Reporter and partner codes are Comtrade's own (Switzerland 757, United States 842, "Other Asia" 490 for Taiwan),
commodity codes are text, values are USD. Imports are taken as the importer reports them; exports stand in where the
importer reports nothing for that pair, product and year. Totals over partners or products, re-exports and breakdowns
by transport or customs procedure repeat other rows and are left out, counted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from supplychain.errors import Problems
from supplychain.exchange.intake import numbers, read_foreign
from supplychain.exchange.trade import TradeFlows, places_by_code
from supplychain.exchange.tradefolder import TradeImport, trade_files, write_trade

COLUMNS = ["reporterCode", "partnerCode", "cmdCode", "flowCode", "period", "primaryValue"]
NOTICE = """\
Contains data of UN Comtrade, United Nations Statistics Division (https://comtradeplus.un.org), under its terms of
use. Changed: codes of places to ISO 3166-1; imports as reported by the importer, else exports as by the exporter."""
# Columns whose total has this code; other codes repeat it in parts.
_TOTALS = {"partner2Code": "0", "motCode": "0", "customsCode": "C00", "mosCode": "0"}
IMPORT, EXPORT = "flows: imports as reported", "flows: exports as reported, where the importer reports none"


def import_comtrade(source: Path, dest: Path, *, overwrite: bool = False) -> TradeImport:
    """Read a Comtrade CSV, or every CSV of a folder, and write flows and indicators to `dest` like `import_baci`."""
    return write_trade(read_comtrade, trade_files(source, "*.csv"), dest, NOTICE, overwrite=overwrite)


def read_comtrade(file: Path, problems: Problems) -> tuple[TradeFlows, dict[str, int], Any]:
    """Return the flows of one file, how many of its rows went where, and the row of each flow."""
    before = len(problems.errors)
    frame, _ = read_foreign(file, problems, COLUMNS)
    value = numbers(frame, "primaryValue", file.name, problems)
    year = numbers(frame.assign(period=frame["period"].str[:4]), "period", file.name, problems, 1900, 2200)
    weight = numbers(frame, "netWgt", file.name, problems) if "netWgt" in frame else value * np.nan
    for row in frame.index[(frame["period"] == "").to_numpy(bool)][:25]:
        rule = "period is a year, or a month as YYYYMM"
        problems.add("blank", rule, "correct it in the source", file=file.name, row=int(row), column="period")
    went = _sort(frame, value)
    known = places_by_code()
    for column in ("reporterCode", "partnerCode"):
        codes = pd.to_numeric(frame[column], errors="coerce")
        wrong = went.isin([IMPORT, EXPORT]) & ~codes.isin(list(known))
        for row in frame.index[wrong.to_numpy(bool)][:25]:
            text = frame[column].loc[row]
            rule = f"{column} is a numeric code of a place"
            problems.add(
                "country", rule, "correct it in the source", file=file.name, row=int(row), column=column, value=text
            )
    names = tuple(sorted(set(known.values())))
    if len(problems.errors) > before:
        return _flows(names, frame.iloc[:0]), {}, []
    place = {
        name: pd.Series(pd.to_numeric(frame[name], errors="coerce"), frame.index).map(known)
        for name in ("reporterCode", "partnerCode")
    }
    outward = (frame["flowCode"] == "X").to_numpy(bool)
    table = pd.DataFrame(
        {
            "exporter": np.where(outward, place["reporterCode"], place["partnerCode"]),
            "importer": np.where(outward, place["partnerCode"], place["reporterCode"]),
            "product": frame["cmdCode"],
            "year": year,
            "value": value,
            "tonnes": weight / 1000,
            "outward": outward,
        },
        frame.index,
    )[went.isin([IMPORT, EXPORT])]
    key = ["year", "exporter", "importer", "product"]
    again = table.sort_values("outward", kind="stable").duplicated(key).reindex(table.index) & table["outward"]
    went.loc[again.index[again.to_numpy(bool)]] = "left out: export that the importer reports too"
    table = table[~again]
    revision = frame["classificationCode"] if "classificationCode" in frame else pd.Series("", frame.index)
    kept = went.index.isin(table.index) & (revision != "").to_numpy(bool)
    went = went.mask(kept, went + " (" + revision + ")")  # the revision of the commodity codes
    counts = {str(to): int(number) for to, number in went.value_counts().sort_index().items()}
    return _flows(names, table), counts, table.index


def _sort(frame: pd.DataFrame, value: pd.Series) -> pd.Series:
    went = pd.Series("", frame.index, dtype="object")
    rules = [
        (value.isna(), "left out: value unknown"),
        (frame["partnerCode"].isin(["0", "00", "000"]), "left out: total over partners"),
        (frame["cmdCode"].str.len() != 6, "left out: total over products"),
        (~frame["flowCode"].isin(["M", "X"]), "left out: re-exports, re-imports and other flows"),
    ]
    rules += [
        (~frame[column].isin([total, ""]), f"left out: breakdown by {column}")
        for column, total in _TOTALS.items()
        if column in frame
    ]
    for mask, reason in rules:
        went[mask.to_numpy(bool) & (went == "").to_numpy(bool)] = reason
    open_ = (went == "").to_numpy(bool)
    went[open_] = np.where(frame["flowCode"][open_] == "M", IMPORT, EXPORT)
    return went


def _flows(names: tuple[str, ...], table: pd.DataFrame) -> TradeFlows:
    if table.empty:
        empty: Any = [np.empty(0, kind) for kind in (np.int16, np.int16, np.int16, np.int32, float, float)]
        return TradeFlows(names, (), *empty)
    product, products = pd.factorize(table["product"].astype(object), sort=True)
    at = pd.Index(names)
    return TradeFlows(
        names,
        tuple(products),
        table["year"].to_numpy(np.int16),
        at.get_indexer(pd.Index(table["exporter"])).astype(np.int16),
        at.get_indexer(pd.Index(table["importer"])).astype(np.int16),
        product.astype(np.int32),
        table["value"].to_numpy(float),
        table["tonnes"].to_numpy(float),
    )
