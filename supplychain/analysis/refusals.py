"""What each state could withhold: all its supply, and apart from that only what it controls on the date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from supplychain.analysis.flow import loss_after
from supplychain.analysis.needs import short_run
from supplychain.facts.countries import country
from supplychain.shocks import Bound, refuse_all, states

if TYPE_CHECKING:
    from supplychain.case import Case

SUPPLY: Final = "all its supply"
CONTROLLED: Final = "what it controls"
MEASURES: Final = (SUPPLY, CONTROLLED)
SATURATED: Final = 0.95
_EQUAL: Final = 3  # decimals to which two losses count as equal


@dataclass(frozen=True, eq=False)
class Refusals:
    """Losses of a case's needs if each state refused, for either measure at each horizon.

    `table`: state, measure, plant, destination, item, horizon, short_run, after_resourcing, short_run_high,
    after_resourcing_high (the high ends: unknown places are the state's, unknown facts adverse), because (chain from
    the product to the binding item). `supplies`: states that make something in the chain.
    """

    table: pd.DataFrame
    states: tuple[str, ...]
    horizons: tuple[float, ...]
    solved: int

    def matrix(self, measure: str, horizon: float, column: str = "after_resourcing") -> pd.DataFrame:
        """Return items (or plant and item) by state for one measure and horizon."""
        rows = self.table[(self.table["measure"] == measure) & (self.table["horizon"] == horizon)]
        label = rows["item"].where(rows["plant"] == "", rows["plant"] + ": " + rows["item"])
        wide = rows.assign(label=label).pivot_table(index="label", columns="state", values=column, sort=False)
        return wide.reindex(columns=[state for state in self.states if state in wide])

    def spread(self, measure: str, horizon: float) -> dict[str, float]:
        """Return how far the measure tells states and needs apart.

        values: pairs of state and need in which the state can withhold something in the short run (the rest are true
        zeros); saturated: part of them above 0.95 after re-sourcing; equal: part that equals another value to three
        decimals, zeros aside; zero: part that re-sourcing makes whole.
        """
        rows = self.table[(self.table["measure"] == measure) & (self.table["horizon"] == horizon)]
        value = rows.loc[rows["short_run"] > 1e-9, "after_resourcing"].to_numpy(float).round(_EQUAL)
        lost = value[value > 0]
        _, count = np.unique(lost, return_counts=True)
        n = max(len(value), 1)
        return {
            "values": len(value),
            "saturated": float((value > SATURATED).sum() / n),
            "equal": float(count[count > 1].sum() / n),
            "zero": float((value == 0).sum() / n),
            "lowest": float(lost.min(initial=1.0)) if len(lost) else 0.0,
            "highest": float(lost.max(initial=0.0)),
        }


def refusals(
    case: Case, refusing: Sequence[str] | None = None, horizons: Sequence[float] = (12,), high: bool = False
) -> Refusals:
    """Return what each state could withhold; `refusing` defaults to every state that makes or controls something.

    `high` adds the high ends, at twice the work. Raises UsageError for what is not a country; one without a part in
    the chain loses nobody anything.
    """
    compiled, months = case.compiled, tuple(sorted(float(horizon) for horizon in horizons))
    chosen = tuple(refusing) if refusing is not None else tuple(sorted({*states(compiled), *case.imposing_states}))
    for state in chosen:
        if state not in case.imposing_states:  # a union imposes controls as well (the EU), and is no country
            country(state)
    low, solved = _losses(case, chosen, months, "optimistic")
    frame = _keys(case, chosen, months).assign(**low)
    if high:
        top, more = _losses(case, chosen, months, "pessimistic")
        solved += more
        for name in ("short_run", "after_resourcing"):
            frame[f"{name}_high"] = np.maximum(np.asarray(low[name]), np.asarray(top[name]))
    return Refusals(frame, chosen, months, solved)


def _losses(case: Case, chosen: Sequence[str], months: Sequence[float], bound: Bound) -> tuple[dict[str, Any], int]:
    shocks = refuse_all(case.compiled, chosen, bound).beside(case.at_leave_by_state(chosen, bound))
    short = short_run(case, shocks, months)
    found = loss_after(case, shocks, months, short)
    # Rows run over measure, state, need, horizon; losses over need, shock (measure, then state), horizon.
    order = (1, 0, 2)
    because = [
        " <- ".join(found.after(v, b, t).chain)
        for b in range(len(shocks))
        for v in range(len(case.needs))
        for t in range(len(months))
    ]
    after = np.minimum(found.loss, short)
    return {
        "short_run": short.transpose(order).ravel(),
        "after_resourcing": after.transpose(order).ravel(),
        "because": because,
    }, found.solved


def _keys(case: Case, chosen: Sequence[str], months: Sequence[float]) -> pd.DataFrame:
    needs = case.needs[["plant", "destination", "item"]]
    size = len(needs) * len(months)
    rows = np.tile(np.repeat(np.arange(len(needs)), len(months)), len(MEASURES) * len(chosen))
    keys = needs.iloc[rows].reset_index(drop=True)
    keys.insert(0, "state", np.tile(np.repeat(np.array(chosen, object), size), len(MEASURES)))
    keys.insert(1, "measure", np.repeat(np.array(MEASURES, object), size * len(chosen)))
    keys["horizon"] = np.tile(np.array(months), len(keys) // len(months))
    return keys
