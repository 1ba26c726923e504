"""What the tables of the ETO data set must keep before they are read as a network; every fault with its row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from supplychain.errors import Problems
from supplychain.facts.cells import UNSEEN, Cure, nearest
from supplychain.facts.countries import is_country, likely_code
from supplychain.facts.raw import SHOWN

ROUNDING, TOLERANCE = 0.55, 2.5  # points by which the shares of a group may miss 100 in silence, and with a warning
TYPES = ("process", "tool_resource", "design_resource", "material_resource", "ultimate_output")
PROVIDERS = ("country", "organization")
REGIONS = ("", "EUR", "Various countries")  # what stands for a country and is none

Tables = Mapping[str, pd.DataFrame]


def check_tables(tables: Tables, problems: Problems) -> None:
    """Add every fault of the five tables, whose shares and years are read as numbers (`share`, `when`) already."""
    told = _Told(problems)
    told.blank(tables, "inputs", ["input_id", "input_name", "type"])
    told.blank(tables, "stages", ["stage_id", "stage_name"])
    told.blank(tables, "providers", ["provider_id", "provider_name", "provider_type"])
    told.blank(tables, "provision", ["provider_id", "provided_id", "year"])
    told.blank(tables, "sequence", ["input_id"])
    told.words(tables, "inputs", "type", TYPES)
    told.words(tables, "providers", "provider_type", PROVIDERS)
    _references(tables, told)
    _names(tables, told)
    _keys(tables, told)
    _countries(tables["providers"], told)
    _links(tables["sequence"], told)
    _shares(tables, told)


class _Told:
    """Adds faults of cells, at most SHOWN of a kind in a column one by one."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def rows(
        self, table: str, frame: pd.DataFrame, wrong: Any, column: str, code: str, rule: str, cure: Cure | str = ""
    ) -> None:
        rows = frame.index[np.asarray(wrong, dtype=bool)]
        for row in rows[:SHOWN]:
            value = frame[column].loc[row] if column in frame else ""
            made = cure if isinstance(cure, str) else cure(str(value))
            self.problems.add(code, rule, made, file=f"{table}.csv", row=int(row), column=column, value=value)
        if len(rows) > SHOWN:
            more = f"and {len(rows) - SHOWN:,} more cells of this column"
            self.problems.add(code, rule, more, file=f"{table}.csv", column=column)

    def blank(self, tables: Tables, table: str, columns: list[str]) -> None:
        for column in columns:
            wrong = pc.match_substring_regex(pa.array(tables[table][column], pa.large_string()), UNSEEN).to_numpy(False)
            self.rows(table, tables[table], wrong, column, "blank", f"{column} is never blank", "fill the cell")

    def words(self, tables: Tables, table: str, column: str, known: tuple[str, ...]) -> None:
        frame = tables[table]
        wrong = ~frame[column].isin([*known, ""])
        rule = f"{column} is one of {', '.join(known)}"
        self.rows(table, frame, wrong, column, "value", rule, lambda text: nearest(text, known) or "write one of these")


def _references(tables: Tables, told: _Told) -> None:
    """An id of `provided_id` and `goes_into_id` stands in inputs or in stages, every other id in its one table."""
    inputs, stages = set(tables["inputs"]["input_id"]), set(tables["stages"]["stage_id"])
    targets = {
        ("provision", "provided_id"): inputs | stages,
        ("provision", "provider_id"): set(tables["providers"]["provider_id"]),
        ("sequence", "input_id"): inputs,
        ("sequence", "goes_into_id"): inputs | stages,
        ("sequence", "is_type_of_id"): inputs,
        ("inputs", "stage_id"): stages,
    }
    for (table, column), target in targets.items():
        names = sorted(target - {""})
        wrong = ~tables[table][column].isin([*names, ""])
        rule = f"{column} is an id of the data set"

        def cure(text: str, names: list[str] = names) -> str:
            return nearest(text, names) or "are the five files of one edition?"

        told.rows(table, tables[table], wrong, column, "reference", rule, cure)


def _names(tables: Tables, told: _Told) -> None:
    """A name that stands beside an id and is that of another: one of the two is mistaken, and the id is what counts."""
    inputs, stages, providers = tables["inputs"], tables["stages"], tables["providers"]
    items = [*zip(inputs["input_id"], inputs["input_name"], strict=True)]
    items += [*zip(stages["stage_id"], stages["stage_name"], strict=True)]
    firms = [*zip(providers["provider_id"], providers["provider_name"], strict=True)]
    firms += [*zip(providers["provider_id"], providers["alias"], strict=True)]
    pairs = (
        ("provision", "provided_id", "provided_name", items),
        ("provision", "provider_id", "provider_name", firms),
        ("sequence", "input_id", "input_name", items),
        ("sequence", "goes_into_id", "goes_into_name", items),
        ("sequence", "is_type_of_id", "is_type_of_name", items),
        ("inputs", "stage_id", "stage_name", items),
    )
    for table, key, name, known in pairs:
        frame = tables[table]
        if name not in frame:
            continue
        named: dict[str, set[str]] = {}
        for identifier, text in known:
            named.setdefault(text, set()).add(identifier)
        for row, identifier, text in zip(frame.index, frame[key], frame[name], strict=True):
            if identifier and text and identifier not in (others := named.get(text, {identifier})):
                rule = f"{key} and {name} mean the same; {text} is {', '.join(sorted(others))}"
                cure = "the id is taken: correct it, or the name"
                place: dict[str, Any] = {"file": f"{table}.csv", "row": int(row), "column": key}
                told.problems.warn("id-name", rule, cure, value=identifier, **place)


def _keys(tables: Tables, told: _Told) -> None:
    """An input and a stage stand once, a provider once under each of its names, a share once per year."""
    keys = {
        "inputs": ["input_id"],
        "stages": ["stage_id"],
        "providers": ["provider_id", "alias"],
        "provision": ["provider_id", "provided_id", "year"],
    }
    for table, key in keys.items():
        frame = tables[table]
        again = frame.duplicated(key).to_numpy(bool) & (frame[key[0]] != "").to_numpy(bool)
        first = frame.groupby(key, sort=False)[key[0]].transform(lambda group: group.index[0]) if again.any() else None
        for row in frame.index[again][:SHOWN]:
            assert first is not None
            told.problems.add(
                "duplicate-key",
                f"{', '.join(key)} occurs once",
                f"row {first.loc[row]} says something else under the same key: keep one",
                file=f"{table}.csv",
                row=int(row),
                column=key[0],
                value=", ".join(frame.loc[row, key]),
            )
    both = sorted(set(tables["inputs"]["input_id"]) & set(tables["stages"]["stage_id"]) - {""})
    told.rows("stages", tables["stages"], tables["stages"]["stage_id"].isin(both), "stage_id", "duplicate-key",
              "an id is that of an input or of a stage, not of both", "give the stage its own")  # fmt: skip
    frame = tables["providers"]
    for column in ("provider_type", "country"):
        first = frame.groupby("provider_id")[column].transform("first") if len(frame) else frame[column]
        rule = f"the rows of one provider agree on {column}"
        told.rows("providers", frame, frame[column] != first, column, "duplicate-key", rule, "correct one of them")


def _countries(providers: pd.DataFrame, told: _Told) -> None:
    places = {"country": providers["country"] != "", "provider_name": providers["provider_type"] == PROVIDERS[0]}
    for column, mask in places.items():
        known = {text: text in REGIONS or is_country(text) or bool(likely_code(text)) for text in providers[column]}
        wrong = mask & ~providers[column].map(known).astype(bool)
        rule = f"{column} is a country (ISO 3166-1), EUR or Various countries"
        told.rows("providers", providers, wrong, column, "country", rule, "write its alpha-3 code")


def _links(sequence: pd.DataFrame, told: _Told) -> None:
    """No input is a type of itself, nor goes into itself, directly or by way of others of its own types."""
    for column in ("goes_into_id", "is_type_of_id"):
        own = (sequence["input_id"] == sequence[column]) & (sequence["input_id"] != "")
        told.rows("sequence", sequence, own, column, "cycle", f"{column} is another input", "correct one of the two")
    key = ["input_id", "goes_into_id", "is_type_of_id"]
    again = sequence.duplicated(key)
    told.rows("sequence", sequence, again, "input_id", "relation-twice", "a link stands once", "delete one of the rows")
    parent: dict[str, list[str]] = {}
    for part, whole in zip(sequence["input_id"], sequence["is_type_of_id"], strict=True):
        if whole and part != whole:
            parent.setdefault(part, []).append(whole)
    circle = _circle(parent)
    if circle:
        rows = sequence.index[
            (sequence["input_id"].isin(circle) & sequence["is_type_of_id"].isin(circle)).to_numpy(bool)
        ]
        told.problems.add(
            "cycle",
            f"is_type_of_id makes no circle: {' -> '.join(circle)}",
            f"break it at one of rows {', '.join(map(str, rows[:SHOWN]))}",
            file="sequence.csv",
            row=int(rows[0]),
            column="is_type_of_id",
            value=sequence["is_type_of_id"].loc[rows[0]],
        )


def _circle(above: Mapping[str, list[str]]) -> list[str]:
    from graphlib import CycleError, TopologicalSorter

    try:
        TopologicalSorter({node: sorted(ends) for node, ends in sorted(above.items())}).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def _shares(tables: Tables, told: _Told) -> None:
    """The shares of one item, year and level of provider sum to 100 where none is unknown, and never to more."""
    frame = tables["provision"]
    level = tables["providers"].drop_duplicates("provider_id").set_index("provider_id")["provider_type"]
    grouped = frame.assign(level=frame["provider_id"].map(level), row=frame.index).groupby(
        ["provided_id", "year", "level"]
    )
    groups = grouped.agg(total=("share", "sum"), known=("share", "count"), size=("share", "size"), row=("row", "min"))
    for (item, year, of), total, known, size, row in zip(
        groups.index, groups["total"] * 100, groups["known"], groups["size"], groups["row"], strict=True
    ):
        off = total - 100 if known == size else max(total - 100, 0.0)
        if abs(off) <= ROUNDING:
            continue
        place: dict[str, Any] = {"file": "provision.csv", "row": int(row), "column": "share_provided"}
        place["value"] = f"{item}, {year}, {of}: {total:.6g}"
        rule = "the shares of one item, year and level of provider sum to 100"
        if known == size and abs(total - 1) <= 0.02 and total < 2:
            told.problems.warn("fractions", f"{rule}: these sum to 1", "are they fractions among percents?", **place)
        elif abs(off) <= TOLERANCE:
            told.problems.warn("share-sum", rule, "taken as they are; this is the first row of the group", **place)
        else:
            told.problems.add("share-sum", rule, "correct them; this is the first row of the group", **place)
    blank = frame.index[frame["share"].isna() & (frame["share_provided"] == "")]
    if len(blank):
        told.problems.warn(
            "share-blank",
            f"share_provided is known: it is blank in {len(blank)} rows: {_ranges([int(row) for row in blank])}",
            "these count as unattributed, never as zero",
            file="provision.csv",
            row=int(blank[0]),
            column="share_provided",
        )


def _ranges(rows: list[int]) -> str:
    """Return numbers in rising order as "3, 5-9, 12"."""
    parts: list[list[int]] = []
    for row in sorted(rows):
        if parts and row == parts[-1][1] + 1:
            parts[-1][1] = row
        else:
            parts.append([row, row])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)
