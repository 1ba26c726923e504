"""Countries of ISO 3166-1 with the names people give them. Names are matched exactly or not at all, never loosely."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from functools import cache

from supplychain.errors import UsageError
from supplychain.locate import datasets


@dataclass(frozen=True)
class Country:
    """One entry of `datasets/reference/countries.csv`. `eu_to` is the first day outside the European Union."""

    iso3: str
    iso2: str
    numeric: str
    name: str
    aliases: tuple[str, ...]
    region: str
    eu_from: date | None
    eu_to: date | None

    def in_eu(self, on: date) -> bool:
        """Was the country a member of the European Union (or of the Communities before it) on that day?"""
        return self.eu_from is not None and self.eu_from <= on and (self.eu_to is None or on < self.eu_to)


@cache
def countries() -> dict[str, Country]:
    """Return every country by its alpha-3 code, in the order of the codes."""
    path = datasets() / "reference" / "countries.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [_country(row) for row in csv.DictReader(file, strict=True)]
    return {row.iso3: row for row in sorted(rows, key=lambda row: row.iso3)}


def _country(row: dict[str, str]) -> Country:
    return Country(
        iso3=row["iso3"],
        iso2=row["iso2"],
        numeric=row["numeric"],
        name=row["name"],
        aliases=tuple(alias for alias in row["aliases"].split(";") if alias),
        region=row["region"],
        eu_from=date.fromisoformat(row["eu_from"]) if row["eu_from"] else None,
        eu_to=date.fromisoformat(row["eu_to"]) if row["eu_to"] else None,
    )


def is_country(code: str) -> bool:
    """Is `code` an alpha-3 code, in upper case?"""
    return code in countries()


def country(code: str) -> Country:
    """Return the country with this alpha-3 code; anything else is a UsageError that names what was probably meant."""
    found = countries().get(code)
    if found is None:
        likely = likely_code(code)
        hint = f"did you mean {likely} ({countries()[likely].name})?" if likely else "such as IND, DEU or USA"
        raise UsageError(f"{code!r} is not a country code of ISO 3166-1 alpha-3; {hint}")
    return found


def likely_code(text: str) -> str:
    """Return the alpha-3 code of a code, name or alias in any case, or "" when it is none exactly.

    >>> likely_code("Republic of Korea"), likely_code("korea")
    ('KOR', '')
    """
    return _words().get(" ".join(text.split()).casefold(), "")


@cache
def _words() -> dict[str, str]:
    return {
        word.casefold(): row.iso3
        for row in countries().values()
        for word in (row.iso3, row.iso2, row.name, *row.aliases)
    }
