"""Reads world production from the data release of the USGS Mineral Commodity Summaries: one row per figure.

Columns: commodity, section, country, statistic, statistic_detail, unit, year, value, notes. Countries are names; "W" is
withheld, "NA" not available, a dash zero; the world total is a row, rounded on its own.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from supplychain.errors import Problems, UsageError
from supplychain.exchange.intake import Intake, counted, network_package, read_foreign, records
from supplychain.exchange.mapping import bundled, cited_sources, distinct, mapping
from supplychain.facts.countries import countries, likely_code

COLUMNS = ["commodity", "section", "country", "statistic", "statistic_detail", "unit", "year", "value"]
NOTICE = """\
Contains data of the U.S. Geological Survey, Mineral Commodity Summaries (https://www.usgs.gov/centers/national-minerals-\
information-center/mineral-commodity-summaries), in the public domain. Changed: shares computed from volumes; names of
countries to ISO 3166-1; control codes added (each with its quality)."""
SOURCE = "usgs-mcs"
_OTHER, _TOTAL = "other countries", ("world total", "world total (rounded)", "world")
_ZERO, _HIDDEN = ("—", "–", "-"), ("W", "NA", "", "XX", "E")
_INEXACT = re.compile(r"[<>].*|[a-z]|[\d,.]+\s*[-–]\s*[\d,.]+")  # a bound, a mark (s: small), a range
_NUMBER = re.compile(r"-?\d{1,3}(,\d{3})*(\.\d+)?|-?\d+(\.\d+)?")
_UNITS = {"metric tons": ("t", 1.0), "thousand metric tons": ("t", 1e3), "thousand metric dry tons": ("t", 1e3),
          "million metric tons": ("t", 1e6), "kilograms": ("kg", 1.0), "million cubic meters": ("m3", 1e6),
          "million liters": ("m3", 1e3)}  # fmt: skip


def read_usgs(file: Path) -> Intake:
    """Return world production as a network of items without requirements: one supply per item, country, year and
    statistic; the latest year's production weighs, capacities and earlier years are kept beside.

    A share is the volume over the printed world total, or over the sum of the rows where that is larger or no total is
    printed. Withheld and inexact figures ("W", ">2,000") stay unknown. Raises InputError with all faults.
    """
    problems = Problems()
    if not file.is_file():
        raise UsageError(f"there is no file at {str(file)!r}")
    frame, digest = read_foreign(file, problems, [])
    frame = frame.rename(columns={name: str(name).lower().replace(" ", "_") for name in frame})
    frame = frame.rename(columns={"statistics": "statistic", "statistics_detail": "statistic_detail"})
    for column in COLUMNS:
        if column not in frame:
            rule = f"the data release has the columns {', '.join(COLUMNS)}"
            problems.add("column-missing", rule, "is this the world data file?", file=file.name, row=1, column=column)
    problems.raise_if_any()
    went = pd.Series("left out: no world production or capacity", frame.index, dtype="object")
    kept = frame["section"].str.startswith("World") & frame["statistic"].isin(["Production", "Capacity"])
    table = frame[kept].copy()
    table["detail"] = table["statistic_detail"].str.replace(r"(?i)[:,]?\s*\(?rounded\)?$", "", regex=True)
    table["place"] = _places(table, file.name, problems)
    if not ((table["statistic"] == "Production") & (table["place"] != "world")).any():
        rule = "some row of a section World... gives the Production of a country"
        value = "; ".join(sorted(set(frame["section"]))[:5])
        problems.add("no-rows", rule, "is this the world data file?", file=file.name, column="section", value=value)
    table["volume"] = _volumes(table, file.name, problems)
    table["when"] = pd.to_numeric(table["year"], errors="coerce")
    bad_year = table.index[table["when"].isna()]
    for row in bad_year[:25]:
        value = table["year"].loc[row]
        problems.add("number", "year is a year", file=file.name, row=int(row), column="year", value=value)
    problems.raise_if_any()
    total = table["place"] == "world"
    went.loc[table.index[total]] = "items: world volume"
    item = _items(table)
    supplies = _supplies(table[~total], table[total], item, went)
    supplies["note"] = [f"{file.name} row {note}" for note in supplies["note"]]
    known = mapping("usgs")
    tables = {
        "supplies": supplies,
        "items": _item_rows(table, item, known, supplies),
        "organisations": _producers(supplies),
        "requirements": pd.DataFrame(),
    }
    source = {"source": SOURCE, "title": "Mineral Commodity Summaries", "publisher": "U.S. Geological Survey"}
    cited = cited_sources(tables["items"]["control_source"], bundled().tables["sources"])
    tables["sources"] = pd.concat([pd.DataFrame([{**source, "licence": "public domain"}]), cited], ignore_index=True)
    descriptor = {
        "title": "USGS world production of minerals",
        "description": NOTICE,
        "licences": [{"name": "public-domain", "title": "U.S. Geological Survey"}],
        "supplychain": {"input_hashes": {file.name: digest}},
    }
    remarks = (
        "shares are of production in a country; the firms behind them are not named",
        "no requirements are in this source: lay the package over another with `supplychain merge`",
    )
    package = network_package("usgs", tables, descriptor)
    return Intake(package, counted({file.name: went.to_numpy()}), {file.name: len(went)}, NOTICE, remarks)


def _places(table: pd.DataFrame, file: str, problems: Problems) -> pd.Series:
    """Return alpha-3 codes, "other" and "world"; a name that is no country exactly is a problem."""
    names = sorted(set(table["country"]))
    known: dict[str, str] = {}
    for name in names:
        low = name.casefold()
        plain = re.sub(r"\s*\(.*?\)$", "", name)
        turned = " ".join(reversed([part.strip() for part in name.split(",")]))
        code = likely_code(name) or likely_code(turned) or _SPELLED.get(name, "") or likely_code(plain)
        known[name] = "other" if low == _OTHER else "world" if low in _TOTAL or low.startswith("world total") else code
    for name in names:
        if not known[name]:
            row = int(table.index[(table["country"] == name).to_numpy(bool)][0])
            rule = "country is the name of a country, Other countries or World total"
            problems.add(
                "country", rule, "name it as ISO 3166-1 does", file=file, row=row, column="country", value=name
            )
    return table["country"].map(known)


_SPELLED = {"Burma": "MMR", "Congo (Kinshasa)": "COD", "Congo (Brazzaville)": "COG", "Korea, North": "PRK",
            "Korea, Republic of": "KOR", "Turkey": "TUR", "Côte d’Ivoire": "CIV", "Laos": "LAO"}  # fmt: skip


def _volumes(table: pd.DataFrame, file: str, problems: Problems) -> pd.Series:
    """Return volumes as numbers: a dash is 0; withheld, not available and inexact ones are unknown."""
    values = []
    for row in records(table):
        text = row.value.strip()
        if text in _ZERO:
            values.append(0.0)
        elif text in _HIDDEN or _INEXACT.fullmatch(text):
            values.append(np.nan)
        elif _NUMBER.fullmatch(text):
            values.append(float(text.replace(",", "")))
        else:
            rule = "value is a number, a dash, W or NA"
            problems.add("number", rule, file=file, row=int(row.Index), column="value", value=text)
            values.append(np.nan)
    return pd.Series(values, table.index)


def _items(table: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return the item of each commodity and kind of production; a capacity belongs to the production of its section."""
    production = table[table["statistic"] == "Production"]
    pairs = sorted({(row.commodity, row.detail) for row in records(production)})
    alone = {commodity for commodity, _ in pairs if sum(1 for c, _ in pairs if c == commodity) == 1}
    names = distinct([(f"{c}|{d}", c if c in alone else f"{c} {d}") for c, d in pairs])
    found = {(c, d): names[f"{c}|{d}"] for c, d in pairs}
    for row in records(table[table["statistic"] == "Capacity"]):
        same = [(c, d) for c, d in pairs if c == row.commodity]
        stem = row.detail.lower().replace("capacity", "").split()
        fits = [pair for pair in same if all(word in pair[1].lower() for word in stem if word != "yearend")]
        if len(same) == 1 or len(fits) == 1:
            found[row.commodity, row.detail] = found[(same if len(same) == 1 else fits)[0]]
    return found


def _supplies(
    rows: pd.DataFrame, totals: pd.DataFrame, item: dict[tuple[str, str], str], went: pd.Series
) -> pd.DataFrame:
    world = {(r.commodity, r.detail, r.year): r.volume for r in records(totals)}
    summed = rows.groupby(["commodity", "detail", "year"])["volume"].sum().to_dict()
    latest = rows[rows["statistic"] == "Production"].groupby(["commodity", "detail"])["when"].max().to_dict()
    found = []
    for row in records(rows):
        key = (row.commodity, row.detail)
        if key not in item:
            went.loc[row.Index] = "left out: capacity of no production listed"
            continue
        whole = max(np.nan_to_num(world.get((*key, row.year), 0.0)), summed[(*key, row.year)])
        capacity = row.statistic == "Capacity"
        weight = not capacity and row.when == latest[key]
        went.loc[row.Index] = (
            "supplies: capacity, kept beside" if capacity else "supplies: figure unknown" if row.volume != row.volume
            else "supplies: the share that weighs" if weight else "supplies: earlier year, kept beside"
        )  # fmt: skip
        unit, factor = _UNITS.get(row.unit, ("", np.nan))
        maker = "other" if row.place == "other" else f"producers-of-{row.place.lower()}"
        found.append(
            {
                "supply": f"{item[key]}.{maker}.{row.year}" + (".capacity" if capacity else ""),
                "organisation": maker,
                "item": item[key],
                "site": "" if row.place == "other" else row.place,
                "share": row.volume / whole if whole else np.nan,
                "capacity": row.volume * factor if capacity and unit else np.nan,
                "basis": "capacity" if capacity else "volume",
                "weight": weight,
                "year": row.when,
                "quality": "estimate" if "stimated" in str(getattr(row, "notes", "")) else "derived",
                "source": SOURCE,
                "note": f"{row.Index}: {row.statistic_detail}, {row.value} {row.unit}",
            }
        )
    return _told_apart(pd.DataFrame(found))


def _told_apart(supplies: pd.DataFrame) -> pd.DataFrame:
    """Number supplies of one id: a country may have two capacities of one item."""
    again = supplies.groupby("supply").cumcount()
    return supplies.assign(supply=supplies["supply"] + again.map(lambda n: f".{n + 1}" if n else ""))


def _item_rows(
    table: pd.DataFrame, item: dict[tuple[str, str], str], known: dict[str, dict[str, str]], supplies: pd.DataFrame
) -> pd.DataFrame:
    production = table[table["statistic"] == "Production"]
    totals = production[production["place"] == "world"].sort_values("when", kind="stable")
    volume = {(r.commodity, r.detail): r for r in records(totals)}
    rows = []
    for row in records(production.drop_duplicates(["commodity", "detail"])):
        key = (row.commodity, row.detail)
        codes = known.get("|".join(key), {})
        unit, factor = _UNITS.get(row.unit, ("", np.nan))
        last = volume.get(key)
        rows.append(
            {
                "item": item[key],
                "name": f"{row.commodity}: {row.detail[:1].lower()}{row.detail[1:]}",
                "category": "mineral" if "ine prod" in row.detail else "refined-metal",
                "unit": unit,
                "world_volume": last.volume * factor if last is not None else np.nan,
                "control_codes": codes.get("control_codes", ""),
                "control_source": codes.get("source", ""),
                "control_quality": codes.get("quality", ""),
                "year": supplies.loc[supplies["item"] == item[key], "year"].max(),
                "quality": "reported",
                "source": SOURCE,
                "note": f"bundled: {codes['item']}" if codes.get("item") else "",
            }
        )
    return pd.DataFrame(rows)


def _producers(supplies: pd.DataFrame) -> pd.DataFrame:
    rows = supplies[["organisation", "site"]].drop_duplicates("organisation")
    names = [
        f"Producers of {countries()[site].name}" if site else "Producers of other countries" for site in rows["site"]
    ]
    return (
        rows.rename(columns={"site": "jurisdiction"})
        .assign(name=names, source=SOURCE, note="head offices not known")
        .assign(jurisdiction="")
    )
