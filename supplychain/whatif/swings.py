"""One thing at a time: how far the headline moves when one assumption, one group of facts, or the unknown of the law is
put at its low and at its high end, all else as usual.

Assumptions take the ends of their named ranges. Facts of a group are moved together by one standard error of their
quality (``design.SPREAD``), down and up: figures of a group that err all one way are the worst that a quality allows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from supplychain.analysis.memory import Memory
from supplychain.case import Case
from supplychain.network import CONSUMABLE, PLANT, Floats, SupplyNetwork
from supplychain.shocks import Shocks
from supplychain.whatif.design import SPREAD, dimensions
from supplychain.whatif.outlook import need_weights, resourced, short_run
from supplychain.whatif.uncertain import refigured

HORIZON: Final = 12.0
PLANT_STOCKS: Final = "stocks of the buyer's plants"
UNKNOWN_LAW: Final = "open determinations"
COLUMNS: Final = ["what", "kind", "low", "high"]
ENDS: Final = ["short_low", "short_high", "after_low", "after_high"]


def swings(case: Case, horizon: float = HORIZON) -> pd.DataFrame:
    """Return what each thing alone does to the mean loss at leave, largest swing first.

    Columns: ``what, kind`` (assumption, facts or law), ``low, high`` (its ends: of the named range; for facts the
    smallest and largest factor; NaN for the law), ``short_low, short_high, after_low, after_high`` (the loss with it at
    its low and its high end, in the short run and after re-sourcing), ``short, after`` (all as usual), ``swing``.
    """
    study = _Study(case, horizon)
    short, after = study.losses(case)
    rows: list[tuple[object, ...]] = []
    for dim in dimensions([], case.assumptions, ["all"]):
        ends = [study.losses(study.assuming(dim.name, value)) for value in (dim.low, dim.high)]
        rows.append((dim.name, "assumption", dim.low, dim.high, *_columns(ends)))
    for name, column in _FACTS.items():
        ends = [study.losses(study.moved(column, sign)) for sign in (-1.0, 1.0)]
        rows.append((name, "facts", *_factors_of(case.network, column), *_columns(ends)))
    if (case.compiled.supply_kind == PLANT).any():
        ends = [study.losses(study.stocked(sign)) for sign in (-1.0, 1.0)]
        spread = SPREAD["assumption"]
        rows.append((PLANT_STOCKS, "facts", np.exp(-spread), np.exp(spread), *_columns(ends)))
    ends = [(short, after), study.adverse()]
    rows.append((UNKNOWN_LAW, "law", np.nan, np.nan, *_columns(ends)))
    found = pd.DataFrame(rows, columns=[*COLUMNS, *ENDS]).assign(short=short, after=after)
    spans = [(found[f"{end}_high"] - found[f"{end}_low"]).abs() for end in ("short", "after")]
    found["swing"] = np.maximum(spans[0].to_numpy(float), spans[1].to_numpy(float))
    return found.sort_values(["swing", "what"], ascending=[False, True], ignore_index=True)


# Groups of facts that losses rest on, by the column that holds them.
_FACTS: Final = {
    "stocks at makers": ("items", "stock_days"),
    "spare capacity": ("items", "spare_capacity"),
    "time to qualify": ("items", "qualification_months"),
    "time to build": ("items", "new_capacity_months"),
    "lives of equipment and terms of licences": ("requirements", "lifetime_years"),
}


def _columns(ends: list[tuple[float, float]]) -> tuple[float, float, float, float]:
    (short_low, after_low), (short_high, after_high) = ends
    return short_low, short_high, after_low, after_high


def _spread(table: pd.DataFrame) -> Floats:
    quality = table["ops_quality"] if "ops_quality" in table else table["quality"]
    return np.asarray(quality.map(SPREAD).fillna(SPREAD["assumption"]), float)


def _factors_of(network: SupplyNetwork, column: tuple[str, str]) -> tuple[float, float]:
    """Return the smallest factor down and the largest up among the figures of a group."""
    widest = float(_spread(getattr(network, column[0])).max(initial=0.0))
    return float(np.exp(-widest)), float(np.exp(widest))


class _Study:
    """The case and its variants, each different set of arrays computed once."""

    def __init__(self, case: Case, horizon: float) -> None:
        self.case, self.months = case, (horizon,)
        self.weight = need_weights(case)["weight"].to_numpy(float)
        self.memory = Memory()

    def losses(self, case: Case) -> tuple[float, float]:
        """Return the mean loss at leave, (short run, after re-sourcing), whatever the open determinations turn out."""
        return self._mean(case, self.case.at_leave("optimistic"))

    def adverse(self) -> tuple[float, float]:
        """Return the same if every open determination turned out to need leave."""
        low, high = self.losses(self.case), self._mean(self.case, self.case.at_leave("pessimistic"))
        return max(low[0], high[0]), max(low[1], high[1])

    def _mean(self, case: Case, shocks: Shocks) -> tuple[float, float]:
        short = short_run(case, shocks, self.months, self.memory)
        after, _ = resourced(case, shocks, self.months, short, self.memory)
        return float(self.weight @ short[:, 0, 0]), float(self.weight @ np.minimum(after, short)[:, 0, 0])

    def assuming(self, name: str, value: float) -> Case:
        """Return the case with one assumption set."""
        return self.case.with_(assumptions={name: value})

    def moved(self, column: tuple[str, str], sign: float) -> Case:
        """Return the case with the facts of a column one standard error lower (-1) or higher (1)."""
        table: pd.DataFrame = getattr(self.case.network, column[0])
        values = table[column[1]].to_numpy(float) * np.exp(sign * _spread(table))
        if column[1] == "spare_capacity":
            values = np.minimum(values, 1.0)
        changed: dict[str, Any] = {column[0]: table.assign(**{column[1]: values})}
        network = replace(self.case.network, **changed)
        if column[1] == "spare_capacity":
            supplies = network.supplies
            own = np.minimum(supplies["spare_capacity"].to_numpy(float) * np.exp(sign * _spread(supplies)), 1.0)
            network = replace(network, supplies=supplies.assign(spare_capacity=own))
        return refigured(self.case, network)

    def stocked(self, sign: float) -> Case:
        """Return the case with the stocks of the buyer's plants one standard error of an assumption lower or higher."""
        plain = self.case.plain
        own = (plain.supply_kind[plain.need_supply] == PLANT) & (plain.need_role == CONSUMABLE)
        factor = np.where(own, np.exp(sign * SPREAD["assumption"]), 1.0)
        case = replace(self.case)
        case.__dict__["plain"] = replace(plain, need_stock_days=plain.need_stock_days * factor)
        return case
