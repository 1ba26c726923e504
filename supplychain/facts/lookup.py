"""Looks up one thing of the packages (item, organisation, supply, state, regime, control...) and what is said of it.

What belongs to a thing follows from the schema: every row of a table that refers to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from supplychain.errors import UsageError
from supplychain.facts.cells import nearest
from supplychain.facts.countries import countries, likely_code
from supplychain.facts.package import Package
from supplychain.facts.schema import LISTS, Column, Table, schema

STATE = "states"


@dataclass(frozen=True)
class Hit:
    """One thing with an identifier: its table (STATE for a country), its id and its name."""

    table: str
    id: str
    name: str


@dataclass(frozen=True)
class Related:
    """Rows of `table` whose column `by` names the thing."""

    table: str
    by: str
    rows: pd.DataFrame


@dataclass(frozen=True)
class Entry:
    """All that the packages say of one thing.

    `record` is its own row (column -> value), `related` the rows that refer to it, in schema order, and `sources` what
    these rows cite, its own row first (source, title, publisher, date, url, licence, note).
    """

    hit: Hit
    record: dict[str, object]
    related: tuple[Related, ...]
    sources: pd.DataFrame


def find(packages: Sequence[Package], word: str, table: str = "") -> tuple[Hit, ...]:
    """Return what goes by the id or the exact name `word` (in any case), best first: ids before names.

    `table` narrows the search. Raises UsageError with the nearest ids when nothing does.
    """
    known = list(_all(packages))
    hits = [hit for hit in known if table in ("", hit.table)]
    if not hits:
        tables = sorted({hit.table for hit in known})
        raise UsageError(f"no table {table!r} to look in; {nearest(table, tables) or ', '.join(tables)}")
    found = [hit for hit in hits if hit.id == word]
    folded = " ".join(word.split()).casefold()
    if not found:
        code = likely_code(word)
        named = [hit for hit in hits if folded in (hit.id.casefold(), hit.name.casefold())]
        states = [hit for hit in hits if hit.table == STATE and hit.id == code]
        found = list(dict.fromkeys([*states, *named]))
    if found:
        return tuple(sorted(found, key=lambda hit: (hit.table, hit.id)))
    part_of = [hit.id for hit in hits if len(folded) > 2 and (folded in hit.id or folded in hit.name.casefold())]
    if part_of:
        hint = f"it is part of {', '.join(sorted(set(part_of))[:8])}"
    else:
        hint = nearest(word, sorted({hit.id for hit in hits} | {hit.name for hit in hits}))
    raise UsageError(f"nothing is called {word!r}" + (f"; {hint}" if hint else ""))


def describe(packages: Sequence[Package], hit: Hit) -> Entry:
    """Return everything that the packages say of `hit`."""
    related: list[Related] = []
    record: dict[str, object] = {}
    if hit.table == STATE:
        country = countries()[hit.id]
        record = {"state": hit.id, "name": country.name, "region": country.region, "aliases": ";".join(country.aliases)}
        record |= {"eu_from": country.eu_from, "eu_to": country.eu_to}
    sources: list[pd.DataFrame] = []
    for package in packages:
        cited: list[str] = []
        for table, column in _columns(package):
            own = hit.table == table.name and (column.name,) == table.key
            if not own and not _refers(column, hit, package):
                continue
            frame = package.tables[table.name]
            rows = _whole_numbers(frame[_names(frame[column.name], column, hit.id)].reset_index(drop=True), table)
            if own and len(rows):
                record.update({str(name): value for name, value in rows.iloc[0].items()})
                cited = [*_cited(rows, table), *cited]
            elif len(rows):
                related.append(Related(table.name, column.name, rows))
                cited += _cited(rows, table)
        sources.append(_sources(package, cited))
    known = pd.concat(sources, ignore_index=True).drop_duplicates(ignore_index=True)
    return Entry(hit, record, tuple(related), known)


def _all(packages: Sequence[Package]) -> Iterator[Hit]:
    for package in packages:
        for table in schema(package.schema).tables:
            if len(table.key) != 1 or table[table.key[0]].type != "id":
                continue
            frame = package.tables[table.name]
            label = next((name for name in ("name", "title", "description") if name in frame), table.key[0])
            for identity, name in zip(frame[table.key[0]], frame[label], strict=True):
                yield Hit(table.name, identity, name)
    for code, country in countries().items():
        yield Hit(STATE, code, country.name)


def _columns(package: Package) -> Iterator[tuple[Table, Column]]:
    for table in schema(package.schema).tables:
        for column in table.columns:
            yield table, column


def _refers(column: Column, hit: Hit, package: Package) -> bool:
    if hit.table == STATE:
        return column.type == "country"
    kind = schema(package.schema)
    if hit.table not in kind.names:
        return False
    key = kind[hit.table].key
    return len(key) == 1 and column.references == f"{hit.table}.{key[0]}"


def _names(values: pd.Series, column: Column, identity: str) -> pd.Series:
    if column.type in LISTS:
        return (";" + values + ";").str.contains(f";{identity};", regex=False)
    return values == identity


def _whole_numbers(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return the rows with years and other whole numbers as such, not as 2025.0."""
    return rows.astype({column.name: "Int64" for column in table.columns if column.type in ("integer", "year")})


def _cited(rows: pd.DataFrame, table: Table) -> list[str]:
    names = [column.name for column in table.columns if column.references == "sources.source"]
    return [word for name in names for cell in rows[name] for word in str(cell).split(";") if word]


def _sources(package: Package, cited: list[str]) -> pd.DataFrame:
    """Return the rows of `sources` with these ids, in this order."""
    known = package.tables["sources"]
    order = {word: position for position, word in enumerate(dict.fromkeys(cited))}
    found = known[known["source"].isin(list(order))]
    return found.sort_values("source", key=lambda values: values.map(order), ignore_index=True)
