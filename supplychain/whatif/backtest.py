"""Backtests: a dated event run as known on the day before, and its bracket against what the sources report happened.

A backtest file (models/backtests/NAME.toml) holds the event, the day before, the scenario of what then came, and
observations, each with its source. What was not known then and stands in the data all the same is told in `later`.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from supplychain.case import Case
from supplychain.errors import InputError, Problems, UsageError
from supplychain.facts.package import read_package
from supplychain.facts.tomlfile import read_toml
from supplychain.locate import datasets, models
from supplychain.network import SupplyNetwork
from supplychain.regimes import RegimeBook
from supplychain.whatif.actions import Day, Name, Names, State
from supplychain.whatif.apply import apply
from supplychain.whatif.outlook import Outlook, outlook
from supplychain.whatif.scenario import scenario_from

TOLERANCE: Final = 0.01  # an observed loss this close to the bracket counts as inside
HORIZONS: Final = (3.0, 12.0)


class Observation(BaseModel):
    """What a source reports: a loss of `item` at `destination` (fraction, between low and high) by a horizon, or the
    days that leave took under a policy. Without numbers it is told and not judged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["loss", "days", "told"]
    what: Name
    item: str = ""
    destination: str = ""
    measure: Literal["in force", "at leave"] = "in force"
    horizon: float = 12.0
    policy: str = ""
    low: float | None = None
    high: float | None = None
    source: Name
    remark: str = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Name
    event: Name
    on: Day
    places: Annotated[tuple[State, ...], Field(min_length=1)]
    products: Annotated[Names, Field(min_length=1)]
    shares: Names = ()
    later: tuple[str, ...] = ()
    action: tuple[dict[str, Any], ...] = ()
    observed: Annotated[tuple[Observation, ...], Field(min_length=1)]


@dataclass(frozen=True, eq=False)
class Backtest:
    """One event: what was asked and what came out.

    table: event, what, item, destination, measure, horizon, after, short, high (the model's bracket and its end if
    unknown facts were adverse), observed_low, observed_high, verdict (inside, below, above, not judged), source,
    remark.
    """

    name: str
    title: str
    on: str
    later: tuple[str, ...]
    table: pd.DataFrame


def backtests() -> tuple[str, ...]:
    """Names of the bundled backtests, sorted."""
    return tuple(sorted(path.stem for path in (models() / "backtests").glob("*.toml")))


def backtest(name: str) -> Backtest:
    """Run one backtest. Raises UsageError for an unknown name, InputError with every fault of its file."""
    path = models() / "backtests" / f"{name}.toml"
    if name not in backtests():
        close = difflib.get_close_matches(name, backtests(), n=1)
        raise UsageError(f"no backtest {name!r}{f'; did you mean {close[0]!r}?' if close else ''}")
    given = _read(path)
    network = _as_known(given.shares)
    outlooks = _Outlooks(given, network, name)
    rows = [_row(given, name, observation, outlooks) for observation in given.observed]
    return Backtest(name, given.title, given.on.isoformat(), given.later, pd.DataFrame(rows))


def _read(path: Path) -> _File:
    try:
        return _File.model_validate(read_toml(path, "a backtest")[0])
    except ValidationError as error:
        problems = Problems()
        for fault in error.errors():
            column = ".".join(str(step) for step in fault["loc"])
            problems.add("backtest", fault["msg"], file=path.name, column=column, value=fault.get("input", ""))
        problems.raise_if_any()
        raise


def _as_known(shares: Sequence[str]) -> SupplyNetwork:
    """The bundled network, with the share rows named (older sets that the package keeps) in place of today's."""
    package = read_package(datasets() / "semiconductors", "network")
    if not shares:
        return SupplyNetwork.from_package(package)
    supplies = package.tables["supplies"].copy()
    chosen = supplies["supply"].isin(list(shares))
    if chosen.sum() != len(set(shares)):
        missing = sorted(set(shares) - set(supplies["supply"]))
        raise InputError(f"the bundled network has no share row {missing[0]!r}")
    items = set(supplies.loc[chosen, "item"])
    of = supplies["item"].isin(items)
    supplies.loc[of, "weight"] = False
    supplies.loc[chosen, "weight"] = True
    return SupplyNetwork.from_package(replace(package, tables={**package.tables, "supplies": supplies}))


class _Outlooks:
    """The outlook of each place, computed when an observation asks for it."""

    def __init__(self, given: _File, network: SupplyNetwork, name: str) -> None:
        self.given, self.network, self.name = given, network, name
        self.known: dict[str, Outlook] = {}

    @cached_property
    def horizons(self) -> tuple[float, ...]:
        return tuple(sorted({*HORIZONS, *(o.horizon for o in self.given.observed if o.kind == "loss")}))

    def of(self, place: str) -> Outlook:
        if place not in self.known:
            given = self.given
            case = Case.make(self.network, RegimeBook.bundled(), place, given.products, given.on)
            scenario = scenario_from({"title": given.title, "action": list(given.action)}, self.name)
            self.known[place] = outlook(apply(scenario, case), self.horizons)
        return self.known[place]

    def days(self, policy: str) -> float:
        table = self.of(self.given.places[0]).applied.case.assumptions.settings["licence"]
        return float(table[policy]["delay_days"])


def _row(given: _File, name: str, seen: Observation, outlooks: _Outlooks) -> dict[str, object]:
    after = short = high = float("nan")
    if seen.kind == "days":
        after = short = high = outlooks.days(seen.policy)
    elif seen.item:
        table = outlooks.of(seen.destination or given.places[0]).losses
        row = table[
            (table["item"] == seen.item) & (table["measure"] == seen.measure) & (table["horizon"] == seen.horizon)
        ]
        if len(row) != 1:
            raise InputError(f"{name}.toml: {seen.item!r} is not among the products asked for")
        after, short, high = (float(row[end].iloc[0]) for end in ("after", "short", "short_high"))
    return {
        "event": name,
        "what": seen.what,
        "item": seen.item or seen.policy,
        "destination": seen.destination or given.places[0],
        "measure": seen.measure if seen.kind == "loss" else "",
        "horizon": seen.horizon if seen.kind == "loss" else float("nan"),
        "after": after,
        "short": short,
        "high": high,
        "observed_low": float("nan") if seen.low is None else seen.low,
        "observed_high": float("nan") if seen.high is None else seen.high,
        "verdict": _verdict(seen, after, high),
        "source": seen.source,
        "remark": seen.remark,
    }


def _verdict(seen: Observation, low: float, high: float) -> str:
    """Where the observation lies against [after, short run at its high end]; days: within a fifth."""
    if seen.kind == "told" or seen.low is None or seen.high is None:
        return "not judged"
    room = 0.2 * high if seen.kind == "days" else TOLERANCE
    if seen.high < low - room:
        return "below"
    return "above" if seen.low > high + room else "inside"
