"""Assumptions: named values with unit, reason, range and source; read from TOML, swept by name, printed in reports.

A file holds one entry per assumption. ``value`` is one number, word or list; ``values`` a table of them by category:

    [short_run.stock_days]
    value = 30
    unit = "days"
    range = [0, 90]
    why = "..."
    source = "none"

A file given by a user is laid over the bundled ``models/assumptions/default.toml``: it states only what it changes, and
may do so in short (``short_run.stock_days = 60``).
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final

import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator

from supplychain.errors import Problems, UsageError
from supplychain.facts.tomlfile import read_toml, seen
from supplychain.locate import models

_LEAF = frozenset({"value", "values"})
_FREE = r"[A-Za-z0-9][A-Za-z0-9._-]*"
# The names that the program reads, with the lowest and highest number each may take; `*` stands for one name of the
# user's (a category, a policy).
_KNOWN: Final[dict[str, tuple[float, float]]] = {
    "short_run.stock_days": (0, 36_500),
    "short_run.capital_months": (0, 1_200),
    "short_run.knowledge_months": (0, 1_200),
    "resourcing.outbid": (0, 1),
    "resourcing.outbid_rivals": (0, 1),
    "resourcing.expansion": (0, 10),
    "resourcing.substitution": (0, 1),
    "resourcing.spare": (0, 10),
    "resourcing.qualification_months": (0, 1_200),
    "resourcing.new_capacity_months": (0, 1_200),
    "resourcing.own_industry": (0, 0),
    "sourcing.smallest_share": (0, 1),
    "sourcing.claim": (0, 1e9),
    "sourcing.small_premium": (0, 10),
    "sourcing.new_premium": (0, 10),
    "sourcing.qualification_cost": (0, 1e3),
    "sourcing.spread": (0, 2),
    "licence.*": (0, 36_500),
    "content.default": (0, 1),
    "content.category.*": (0, 1),
}

Real = Annotated[float, Strict()]  # a number, not a text or a truth value that reads like one
Value = Real | str | list[str]
Range = Annotated[list[Annotated[float, Strict(), Field(allow_inf_nan=False)]], Field(min_length=2, max_length=2)]


class Assumption(BaseModel):
    """One named assumption. ``range`` is what a sweep may try; ``source`` is a source's id, or ``none``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    value: Value | None = None
    values: dict[str, Value] | None = None
    unit: str
    why: Annotated[str, Field(min_length=1), AfterValidator(seen)]
    range: Range | None = None
    source: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Assumption:
        if (self.value is None) == (self.values is None):
            raise ValueError("give either value or values")
        for number in self.numbers():
            if not math.isfinite(number):
                raise ValueError(f"{number} is not a finite number")
            if self.range is not None and not self.range[0] <= number <= self.range[1]:
                raise ValueError(f"{number:g} lies outside the range {self.range[0]:g} to {self.range[1]:g}")
        if self.range is not None and self.range[0] > self.range[1]:
            raise ValueError("the range starts above its end")
        return self

    @property
    def plain(self) -> Any:
        return self.value if self.values is None else dict(self.values)

    def numbers(self) -> Iterator[float]:
        yield from (v for v in _parts(self).values() if isinstance(v, (int, float)))


@dataclass(frozen=True)
class Assumptions:
    """All assumptions of a case by dotted name, in alphabetical order."""

    entries: Mapping[str, Assumption]
    name: str = "default"
    hashes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | str | None = None) -> Assumptions:
        """Return the bundled assumptions, with the file at ``path`` laid over them.

        Raises InputError naming every unknown name (with the nearest known one), wrong value and missing part.
        """
        bundled = models() / "assumptions" / "default.toml"
        entries: dict[str, Assumption] = {}
        hashes: dict[str, str] = {}
        for file in (bundled, *((Path(path),) if path is not None else ())):
            raw, digest = _read(file)
            entries = _checked(_leaves(raw), entries, file.name)
            hashes[file.name] = digest
        name = "default" if path is None else Path(path).stem
        return cls(dict(sorted(entries.items())), name, hashes)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The plain values as nested tables: ``settings["resourcing"]["outbid"]``."""
        nested: dict[str, Any] = {}
        for name, entry in self.entries.items():
            *path, last = name.split(".")
            table = nested
            for part in path:
                table = table.setdefault(part, {})
            table[last] = entry.plain
        return nested

    def number(self, name: str) -> float:
        """Return the value of one assumption that is a number."""
        value = self.entries[name].value if name in self.entries else None
        if not isinstance(value, (int, float)):
            raise UsageError(_unknown(name, list(self.entries)))
        return float(value)

    def with_(self, changes: Mapping[str, Any]) -> Assumptions:
        """Return the assumptions with other values by name; a part of a table is named ``name:key``.

        >>> Assumptions.load().with_({"short_run.stock_days": 60}).number("short_run.stock_days")
        60.0
        """
        entries = dict(self.entries)
        for name, value in sorted(changes.items()):
            base, _, key = name.partition(":")
            entry = entries.get(base)
            if entry is None or (key and entry.values is None):
                raise UsageError(_unknown(base, list(entries)))
            new = {"values": {**(entry.values or {}), key: value}} if key else {_part(entry): value}
            try:
                made = Assumption.model_validate({**entry.model_dump(exclude_none=True), **new, "range": None})
            except ValidationError as error:
                raise UsageError(f"assumption {name}: {_told(error)}") from None
            if wrong := [*_unlike(made, entry), *_outside(made, base)]:
                raise UsageError(f"assumption {name}: {'; '.join(wrong)}")
            entries[base] = made
        return Assumptions(entries, f"{self.name}*", self.hashes)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per value: assumption, value, unit, low, high (the range of a sweep), why, source."""
        rows = []
        for name, entry in self.entries.items():
            low, high = entry.range or (float("nan"), float("nan"))
            for key, value in _parts(entry).items():
                text = (
                    ";".join(value)
                    if isinstance(value, list)
                    else f"{value:g}"
                    if isinstance(value, (int, float))
                    else value
                )
                label = f"{name}:{key}" if key else name
                rows.append((label, text, entry.unit, low, high, entry.why, entry.source))
        return pd.DataFrame(rows, columns=["assumption", "value", "unit", "low", "high", "why", "source"])


def _parts(entry: Assumption) -> dict[str, Value | None]:
    return {"": entry.value} if entry.values is None else dict(entry.values)


def _part(entry: Assumption) -> str:
    return "value" if entry.values is None else "values"


def _read(path: Path) -> tuple[dict[str, Any], str]:
    if not path.is_file():
        raise UsageError(f"there is no assumptions file {str(path)!r}; name a TOML file")
    return read_toml(path, "a file of assumptions")


def _leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Return the entries by dotted name."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in table.items():
        name = (*path, key)
        if not isinstance(value, dict):
            found[".".join(name)] = {"value": value}
            continue
        if _LEAF & value.keys() or _pattern(".".join(name)) is not None:
            found[".".join(name)] = value
        else:
            found.update(_leaves(value, name))
    return found


def _checked(leaves: Mapping[str, dict[str, Any]], under: Mapping[str, Assumption], file: str) -> dict[str, Assumption]:
    """Return ``under`` with the entries laid over it; what an entry leaves out it takes from the one it covers."""
    problems = Problems()
    entries = dict(under)
    for name, leaf in leaves.items():
        pattern = _pattern(name)
        if pattern is None:
            known = sorted({*under, *(key for key in _KNOWN if "*" not in key)})
            problems.add("assumption-unknown", _unknown(name, known), "correct the name", file=file, column=name)
            continue
        base = entries[name].model_dump(exclude_none=True) if name in entries else {}
        if "values" in leaf and "values" in base and isinstance(leaf["values"], dict):
            leaf = {**leaf, "values": {**base["values"], **leaf["values"]}}
        if base and _LEAF & leaf.keys():
            base = {key: value for key, value in base.items() if key not in _LEAF}
        try:
            entry = Assumption.model_validate({**base, **leaf})
        except ValidationError as error:
            problems.add("assumption", _told(error), file=file, column=name)
            continue
        wrong = _unlike(entry, entries[name]) if name in entries else []
        for rule in (*wrong, *_outside(entry, name)):
            problems.add("assumption", rule, "correct the value", file=file, column=name, value=entry.plain)
        entries[name] = entry
    problems.raise_if_any()
    return entries


def _outside(entry: Assumption, name: str) -> list[str]:
    """Return what is wrong with the numbers of an entry: nothing when all lie within the bounds of its name."""
    low, high = _KNOWN[_pattern(name) or name]
    return [
        f"{number:g} must lie between {low:g} and {high:g}" for number in entry.numbers() if not low <= number <= high
    ]


def _unlike(entry: Assumption, under: Assumption) -> list[str]:
    """Return where an entry is of another kind than the one it covers: a number where that has words, or one value
    where it has several by name. What reads it would take the one for the other, or find nothing."""
    if (entry.values is None) != (under.values is None):
        return ["give one `value`" if under.values is None else f"give `values`, by {', '.join(sorted(under.values))}"]
    known = _parts(under)
    common = {type(value) for value in known.values()}
    wrong = []
    for key, value in _parts(entry).items():
        kinds = {type(known[key])} if key in known else common
        if kinds == {float} and not isinstance(value, float):
            wrong.append(f"{key or 'value'} is a number, written without quotes, not {value!r}")
        elif float not in kinds and isinstance(value, float):
            wrong.append(f"{key or 'value'} is text, not {value:g}")
    return wrong


def _pattern(name: str) -> str | None:
    """Return the known name or pattern that ``name`` falls under."""
    if name in _KNOWN:
        return name
    starred = (key for key in _KNOWN if "*" in key)
    return next((key for key in starred if re.fullmatch(re.escape(key).replace(r"\*", _FREE), name)), None)


def _unknown(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"there is no assumption {name!r}" + (f"; did you mean {close[0]!r}?" if close else "")


def _told(error: ValidationError) -> str:
    """Return pydantic's findings in one line."""
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'] if not str(part).startswith(('float', 'str', 'list')))} "
        f"{fault['msg'].removeprefix('Value error, ')}".strip()
        for fault in error.errors()
    )
