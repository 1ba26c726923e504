"""Reads the Advanced Semiconductor Supply Chain data set of the Emerging Technology Observatory (ETO, Georgetown CSET).

Five tables: inputs, providers, provision, sequence, stages (https://eto.tech/dataset-docs/chipexplorer). Shares are
percentages that sum to 100 per item x year x level of provider (country or firm); a provider repeats for each of its
other names; `provided_id` points into inputs and into stages; a blank share is unknown.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from supplychain.errors import Problem, Problems
from supplychain.exchange.etocheck import check_tables
from supplychain.exchange.intake import (
    Intake,
    check_folder,
    counted,
    network_package,
    numbers,
    read_foreign,
    records,
    refuse_missing,
)
from supplychain.exchange.mapping import bundled, cited_sources, distinct, mapping
from supplychain.facts.countries import is_country, likely_code

FILES = {
    "inputs": ["input_id", "input_name", "type", "stage_id", "year"],
    "providers": ["provider_name", "alias", "provider_id", "provider_type", "country"],
    "provision": ["provider_name", "provider_id", "provided_id", "share_provided", "year", "source"],
    "sequence": ["input_id", "goes_into_id", "is_type_of_id"],
    "stages": ["stage_id", "stage_name"],
}
# Columns of the files that are not read.
OTHERS = ("stage_name", "description", "provided_name", "input_name", "goes_into_name", "is_type_of_name",
          "market_share_chart_global_market_size_info", "market_share_chart_caption",
          "market_share_chart_source")  # fmt: skip
ROLES = {"tool_resource": "capital", "design_resource": "knowledge", "material_resource": "consumable"}
NOTICE = """\
Contains the Advanced Semiconductor Supply Chain Dataset, Emerging Technology Observatory, Center for Security and
Emerging Technology, Georgetown University (https://eto.tech/dataset-docs/chipexplorer), licensed under Creative Commons
Attribution-NonCommercial 4.0 International (https://creativecommons.org/licenses/by-nc/4.0/). Changed: identifiers,
shares as fractions, control codes and producers of process steps added (marked derived, estimate or assumption)."""
_MARKET = re.compile(r"\$([\d.]+) (million|billion)(?: \((\d{4})\))?")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
COUNTRY, FIRM = "country", "organization"


@dataclass
class _Read:
    """The five tables as text, and what became of each of their rows."""

    tables: dict[str, pd.DataFrame]
    hashes: dict[str, str]
    warnings: tuple[Problem, ...]
    went: dict[str, pd.Series] = field(default_factory=dict)
    item: dict[str, str] = field(default_factory=dict)  # ETO id of an input or stage -> our item
    organisation: dict[str, str] = field(default_factory=dict)  # ETO provider -> our organisation
    sources: dict[str, str] = field(default_factory=dict)  # their citation -> our source id

    def mark(self, table: str, rows: Any, to: str) -> None:
        self.went[table].loc[rows] = to


def read_eto(folder: Path) -> Intake:
    """Return the data set in `folder` as a network; every row of the five files is accounted for.

    An item's weight is the level of firms where their shares are known, else that of countries; the other level is
    kept beside. A firm's site is the country of its head office (an assumption; the source's country shares are sums
    by head office). Raises InputError with all faults.
    """
    read = _read(folder)
    inputs, stages = read.tables["inputs"], read.tables["stages"]
    named = [*zip(inputs["input_id"], inputs["input_name"], strict=True)]
    named += [(key, f"stage {name}") for key, name in zip(stages["stage_id"], stages["stage_name"], strict=True)]
    read.item = distinct(named)
    read.organisation = _organisation_ids(read.tables["providers"])
    known = mapping("eto")
    citations = sorted({text for text in read.tables["provision"]["source"] if text})
    read.sources = {text: f"eto-{number:02d}" for number, text in enumerate(citations, start=1)}
    supplies = _supplies(read)
    supplies = pd.concat([supplies, _steps(read, supplies)], ignore_index=True)
    requirements, parts = _requirements(read, known, set(supplies["item"]))
    tables = {
        "items": _items(read, known, parts, requirements),
        "organisations": _organisations(read),
        "supplies": supplies,
        "requirements": requirements,
    }
    tables["sources"] = _sources(read, tables["items"])
    descriptor = {
        "title": "ETO Advanced Semiconductor Supply Chain Dataset",
        "description": NOTICE,
        "licences": [
            {"name": "CC-BY-NC-4.0", "path": "https://creativecommons.org/licenses/by-nc/4.0/", "title": "ETO, CSET"}
        ],
        "supplychain": {"input_hashes": read.hashes},
    }
    package = network_package("eto", tables, descriptor)
    journal = {f"{table}.csv": went.to_numpy() for table, went in read.went.items()}
    remarks = (
        "control codes come from a mapping table shipped with supplychain, each with its quality; none is from ETO",
        "process steps have the shares of their stage, the end product those of the last stage: assumptions",
        "links are ETO's; that an input is essential to what it goes into, and each of its types important, is assumed",
    )
    rows_in = {file: len(went) for file, went in journal.items()}
    return Intake(package, counted(journal), rows_in, NOTICE, remarks, read.warnings)


def _read(folder: Path) -> _Read:
    files = [f"{name}.csv" for name in FILES]
    refuse_missing(folder, files)
    problems = Problems()
    check_folder(folder, files, problems)
    tables, hashes = {}, {}
    for name, columns in FILES.items():
        ids = [column for column in columns if column.endswith("_id")]
        path = folder / f"{name}.csv"
        tables[name], hashes[path.name] = read_foreign(path, problems, columns, known=OTHERS, ids=ids)
    if any(len(table) == 0 for table in tables.values()):
        problems.raise_if_any()
    provision = tables["provision"]
    provision["share"] = numbers(provision, "share_provided", "provision.csv", problems, 0, 100) / 100
    provision["when"] = numbers(provision, "year", "provision.csv", problems, 1900, 2200, whole=True)
    tables["inputs"]["when"] = numbers(tables["inputs"], "year", "inputs.csv", problems, 1900, 2200, whole=True)
    check_tables(tables, problems)
    problems.raise_if_any()
    went = {name: pd.Series("", table.index, dtype="object") for name, table in tables.items()}
    return _Read(tables, hashes, problems.warnings, went)


def _organisations(read: _Read) -> pd.DataFrame:
    """One row per provider; its other names are kept in the note."""
    table = read.tables["providers"]
    rows = []
    for provider, group in table.groupby("provider_id", sort=True):
        first = group.iloc[0]
        read.mark("providers", group.index[:1], "organisations")
        read.mark("providers", group.index[1:], "organisations: another name of one")
        other = sorted({alias for alias in group["alias"] if alias})
        names = f"; also {', '.join(other)}" if other else ""
        rows.append(
            {
                "organisation": read.organisation[str(provider)],
                "name": f"Firms of {first.alias or first.provider_name}" if _is_place(first) else first.provider_name,
                "jurisdiction": _place(first),
                "source": "eto",
                "note": f"ETO provider {provider}{names}",
            }
        )
    known = pd.DataFrame(rows)
    various = known["organisation"] == "other"
    other_row = {"organisation": "other", "name": "Various firms and countries", "source": "eto", "jurisdiction": ""}
    other_row["note"] = "; ".join(known.loc[various, "note"])
    return pd.concat([known[~various], pd.DataFrame([other_row])], ignore_index=True)


def _is_place(provider: pd.Series) -> bool:
    return bool(provider["provider_type"] == COUNTRY)


def _place(provider: pd.Series) -> str:
    """Return the alpha-3 code of a provider's country, "" where it is several or a region (EUR is no country)."""
    text = provider["provider_name"] if _is_place(provider) else provider["country"]
    return text if is_country(text) else likely_code(text)


def _organisation_ids(providers: pd.DataFrame) -> dict[str, str]:
    """Return our organisation for each provider: firms by name, countries as "firms of", "Various" as other."""
    first = providers.drop_duplicates("provider_id")
    ids = distinct(zip(first["provider_id"], first["provider_name"], strict=True))
    for row in first.to_dict("records"):
        if row["provider_name"].startswith("Various"):
            ids[row["provider_id"]] = "other"
        elif row["provider_type"] == COUNTRY:
            ids[row["provider_id"]] = f"firms-of-{row['provider_name'].lower()}"
    return ids


def _supplies(read: _Read) -> pd.DataFrame:
    """One row per row of `provision`; for each item one level (firms or countries) of its latest year weighs."""
    providers = read.tables["providers"].drop_duplicates("provider_id").set_index("provider_id")
    frame = read.tables["provision"]
    about = {key: (read.organisation[str(key)], _place(row), row["provider_type"]) for key, row in providers.iterrows()}
    columns = pd.DataFrame([about[key] for key in frame["provider_id"]], frame.index, ["organisation", "site", "level"])
    frame = frame.join(columns)
    frame["item"] = [read.item[key] for key in frame["provided_id"]]
    chosen = _levels(frame)
    weight = [chosen.get(key) == (level, when) for key, level, when in zip(
        frame["provided_id"], frame["level"], frame["when"], strict=True)]  # fmt: skip
    frame["weight"] = weight
    blank = frame["share"].isna()
    read.mark("provision", frame.index[frame["weight"] & ~blank], "supplies: the share that weighs")
    read.mark("provision", frame.index[~frame["weight"] & ~blank], "supplies: the other level, kept beside")
    read.mark("provision", frame.index[blank], "supplies: share unknown")
    level = frame["level"].map({COUNTRY: "country", FIRM: "firm"})
    source = ["eto" if not text else f"eto;{read.sources[text]}" for text in frame["source"]]
    year = frame["when"].map(lambda value: f"{value:.0f}" if value == value else "undated")
    supplies = pd.DataFrame(
        {
            "supply": frame["item"] + "." + frame["organisation"] + "." + year + "." + level,
            "organisation": frame["organisation"],
            "item": frame["item"],
            "site": frame["site"],
            "share": frame["share"],
            "basis": "revenue",
            "weight": frame["weight"],
            "year": frame["when"],
            "quality": "reported",
            "source": source,
            "note": [f"provision.csv row {row}; site is the country of the head office" for row in frame.index],
        }
    )
    again = supplies.groupby("supply").cumcount()  # "Various" stands for several providers of one level
    supplies["supply"] += again.map(lambda count: f".{count + 1}" if count else "")
    return supplies.reset_index(drop=True)


def _levels(frame: pd.DataFrame) -> dict[str, tuple[str, float]]:
    """Return for each provided id the level and year that weigh: the latest with shares, firms before countries; where
    no share is known, firms (or else countries) with unknown shares."""
    chosen: dict[str, tuple[str, float]] = {}
    groups = frame.groupby(["provided_id", "level", "when"], dropna=False)["share"].count().reset_index()
    for key, group in groups.groupby("provided_id"):
        ranked = sorted((row.share > 0, row.when, row.level == FIRM, row.level) for row in records(group))
        chosen[str(key)] = (ranked[-1][3], ranked[-1][1])
    return chosen


def _steps(read: _Read, supplies: pd.DataFrame) -> pd.DataFrame:
    """Producers of process steps and of the end product, of which ETO gives none: those of their stage."""
    inputs, stages = read.tables["inputs"], read.tables["stages"]
    last = sorted(stages["stage_id"])[-1] if len(stages) else ""
    have = set(supplies["item"])
    parts = []
    for row in records(inputs):
        step, final = row.type == "process", row.type == "ultimate_output"
        item, stage = read.item[row.input_id], read.item.get(row.stage_id if step else last, "")
        if not (step or final) or item in have or not stage:
            continue
        of_stage = supplies[(supplies["item"] == stage) & supplies["weight"]]
        note = (
            f"shares of the stage {row.stage_id or last}, of which this is a step"
            if step
            else "shares of the last stage"
        )
        parts.append(
            of_stage.assign(
                supply=item + "." + of_stage["organisation"] + ".stage", item=item, quality="assumption", note=note
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else supplies.iloc[:0]


def _requirements(
    read: _Read, known: dict[str, dict[str, str]], made: set[str]
) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Requirements, and the types of each input. What an input goes into needs it, and its types too; an input that is
    only a heading (types, but no known producer) is left out of the way."""
    frame, inputs = read.tables["sequence"], read.tables["inputs"].set_index("input_id")
    kind = inputs["type"].to_dict()
    types: dict[str, list[str]] = defaultdict(list)
    links: list[tuple[int, str, str]] = []
    for row in records(frame):
        tool_of_tool = kind.get(row.goes_into_id) == "tool_resource" == kind[row.input_id]
        whole = row.is_type_of_id or (row.goes_into_id if tool_of_tool else "")
        if whole:
            types[whole].append(row.input_id)
            read.mark("sequence", row.Index, "items: part of an aggregate")
        elif row.goes_into_id:
            links.append((int(row.Index), row.input_id, row.goes_into_id))
            read.mark("sequence", row.Index, "requirements")
        else:
            read.mark("sequence", row.Index, "nothing: the row names no link")
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for number, part, whole in links:
        below = _below(part, types)
        heading = bool(below) and read.item[part] not in made
        wanted = ([] if heading else [(part, "essential")]) + [(each, "important") for each in below]
        for need, essentiality in wanted:
            key = (whole, need)
            if read.item[need] not in made and need != part and need in types:
                continue  # a heading between headings
            if key in rows and (need != part or rows[key]["essentiality"] == "essential"):
                continue
            item, requires = read.item[whole], read.item[need]
            said = f"sequence.csv row {number}" + ("" if need == part else f": a type of {read.item[part]}")
            rows[key] = {
                "requirement": f"{item}.needs.{requires}",
                "item": item,
                "requires": requires,
                "role": known.get(need, {}).get("role") or ROLES.get(kind.get(need, ""), "consumable"),
                "essentiality": essentiality,
                "quality": "estimate" if need == part else "assumption",
                "source": "eto",
                "note": f"{said}; essentiality assumed",
            }
    return pd.DataFrame(list(rows.values())), {whole: sorted(parts) for whole, parts in types.items()}


def _below(whole: str, types: dict[str, list[str]]) -> list[str]:
    """Return the types of an input and their types, each once."""
    found: list[str] = []
    waiting = list(types.get(whole, ()))
    while waiting:
        each = waiting.pop()
        if each not in found and each != whole:
            found.append(each)
            waiting += types.get(each, [])
    return sorted(found)


def _items(
    read: _Read, known: dict[str, dict[str, str]], parts: dict[str, list[str]], requirements: pd.DataFrame
) -> pd.DataFrame:
    inputs, stages = read.tables["inputs"], read.tables["stages"]
    read.mark("inputs", inputs.index, "items")
    read.mark("stages", stages.index, "items")
    size = "market_share_chart_global_market_size_info"
    rows = [(r.input_id, r.input_name, r.type.replace("_", "-"), r.when, getattr(r, size, "")) for r in records(inputs)]
    rows += [(r.stage_id, f"Stage: {r.stage_name}", "stage", float("nan"), "") for r in records(stages)]
    tier = _tiers([read.item[row[0]] for row in rows if row[2] == "ultimate-output"], requirements)
    table = []
    for key, name, category, year, market in rows:
        match = _MARKET.fullmatch(market)
        codes = known.get(key, {})
        table.append(
            {
                "item": read.item[key],
                "name": name,
                "tier": tier.get(read.item[key], float("nan")),
                "category": category,
                "aggregate_of": ";".join(sorted(read.item[part] for part in parts.get(key, ()))),
                "market_usd": float(match[1]) * {"million": 1e6, "billion": 1e9}[match[2]] if match else float("nan"),
                "control_codes": codes.get("control_codes", ""),
                "control_source": codes.get("source", ""),
                "control_quality": codes.get("quality", ""),
                "year": year,
                "quality": "reported",
                "source": "eto",
                "note": f"ETO {key}" + (f"; market {market}" if market else ""),
            }
        )
    return pd.DataFrame(table)


def _tiers(ends: list[str], requirements: pd.DataFrame) -> dict[str, float]:
    """Return the fewest steps from an end product to each item that it needs; items it does not need have none."""
    needs: dict[str, list[str]] = defaultdict(list)
    for row in records(requirements):
        needs[row.item].append(row.requires)
    tier = dict.fromkeys(ends, 0.0)
    waiting = list(ends)
    for item in waiting:  # grows while it is read: breadth first
        for each in sorted(needs[item]):
            if each not in tier:
                tier[each] = tier[item] + 1
                waiting.append(each)
    return tier


def _sources(read: _Read, items: pd.DataFrame) -> pd.DataFrame:
    own = [("eto", "ETO Advanced Semiconductor Supply Chain Dataset", "https://eto.tech/dataset-docs/chipexplorer")]
    own += [(source, _LINK.sub(r"\1", text), "") for text, source in read.sources.items()]
    table = pd.DataFrame(own, columns=["source", "title", "url"]).assign(
        publisher="Emerging Technology Observatory, CSET, Georgetown University",
        licence="CC BY-NC 4.0",
        note=["", *read.sources],
    )
    cited = cited_sources(items["control_source"], bundled().tables["sources"])
    return pd.concat([table, cited.drop(columns=["date"]).assign(date=cited["date"])], ignore_index=True)
