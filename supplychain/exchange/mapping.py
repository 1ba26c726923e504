"""Mapping tables: what a name or code of another data set stands for here (`datasets/mappings/*.csv`)."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable
from functools import cache

import pandas as pd

from supplychain.facts.package import Package, read_package
from supplychain.locate import datasets


def mapping(name: str) -> dict[str, dict[str, str]]:
    """Return the bundled mapping table `name`: first column -> the other columns."""
    path = datasets() / "mappings" / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        key = next(iter(reader.fieldnames or ()))
        return {row.pop(key): row for row in reader}


@cache
def bundled() -> Package:
    """Return the bundled network; it is read once and must not be changed."""
    return read_package(datasets() / "semiconductors", "network")


def cited_sources(lists: Iterable[str], known: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `known` (a table of sources) that the `;` lists name."""
    named = {word for cell in lists for word in cell.split(";") if word}
    return known[known["source"].isin(named)].reset_index(drop=True)


def slug(text: str) -> str:
    """Return an identifier for a name: lower case, letters and digits of other alphabets dropped.

    >>> slug("CMP tools (adv. pkg.)")
    'cmp-tools-adv-pkg'
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if c.isascii())
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:100] or "x"


def distinct(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return an identifier for each (key, name): the slug of the name, with the key behind it where names meet."""
    pairs = list(names)
    slugs = [slug(name) for _, name in pairs]
    return {
        key: each if slugs.count(each) == 1 else slug(f"{each} {key}")
        for (key, _), each in zip(pairs, slugs, strict=True)
    }
