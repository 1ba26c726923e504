"""Does the advice stand when the data are not quite right? Resampled by quality, with the worth of better facts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from supplychain.assumptions import Assumptions
from supplychain.solve import LiveModel
from supplychain.sourcing.core import margins
from supplychain.sourcing.items import ItemModel, item_models, lines_of
from supplychain.sourcing.plan import Plan
from supplychain.sourcing.problem import Floats, Ints

MOVED = 0.1  # part of an item's need that must move before the advice counts as changed
GAP = 1e-4


@dataclass(frozen=True, eq=False)
class Robustness:
    """What resampling did to a plan.

    supplies: item, supply, share planned, mean share over the draws, low and high (5th and 95th of a hundred),
    chosen (part of the draws that buy there at all). items: item, changes (part of the draws in which more than a
    tenth of the need moves), worth (expected gain from knowing the facts before deciding: value of perfect
    information), worst_quality and facts (the supplies whose facts are weakest, to be found first); sorted by
    worth. changes: probability that advice changes for some item; draws and seed.
    """

    supplies: pd.DataFrame
    items: pd.DataFrame
    changes: float
    draws: int
    seed: int
    spread: dict[str, float]


def robustness(plan: Plan, draws: int = 20, seed: int = 0, assumptions: Assumptions | None = None) -> Robustness:
    """Draw prices and capacities around the recorded ones, wider where quality is lower, and plan each item anew.

    A price is multiplied by exp(s z - s^2 / 2), a capacity by min(exp(s z), 2), z normal, s by the quality of the
    supply's row (assumption sourcing.spread). In a draw, demand that the plan or its rival cannot serve costs its
    margin. Numbers are drawn by supply in canonical order, so the same seed gives the same draws whatever the
    order of the rows.
    """
    spread = dict((assumptions or Assumptions.load()).entries["sourcing.spread"].values or {})
    widths = {str(key): float(value) for key, value in spread.items() if isinstance(value, (int, float))}
    problem = plan.problem
    quality = problem.supplies["quality"].to_numpy(object)
    sigma = np.array([widths.get(str(q), widths["unknown"]) for q in quality])
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal((draws, 2, len(problem.supplies)))
    price = np.exp(sigma * normal[:, 0] - sigma**2 / 2)
    room = np.minimum(np.exp(sigma * normal[:, 1]), 2.0)
    supplies, items, moved_any = [], [], np.zeros(draws, dtype=bool)
    for item in item_models(plan):
        lines = lines_of(item, plan.model)
        need_size = problem.demand[np.unique(problem.need[lines])].sum()
        weight = problem.line_demand[lines] / need_size
        planned = _by_supply(problem.supply[lines], plan.contracts.buy[lines, -1] * weight)
        shares, regret, moved = [], np.zeros(draws), np.zeros(draws, dtype=bool)
        for k in range(draws):
            share, gain = _draw(plan, item, lines, price[k], room[k])
            by_supply = _by_supply(problem.supply[lines], share * weight)
            shares.append(by_supply)
            regret[k] = gain
            moved[k] = sum(abs(by_supply.get(s, 0.0) - planned.get(s, 0.0)) for s in planned | by_supply) / 2 > MOVED
        moved_any |= moved
        items.append((item.item, float(moved.mean()), float(regret.mean()), *_weakest(plan, lines, sigma)))
        for supply in sorted({s for found in [planned, *shares] for s, v in found.items() if v > 1e-6}):
            values = np.array([found.get(supply, 0.0) for found in shares])
            low, high = np.quantile(values, [0.05, 0.95])
            name = problem.supplies["supply"].iloc[supply]
            chosen = float((values > 1e-4).mean())
            supplies.append((item.item, name, planned.get(supply, 0.0), float(values.mean()), low, high, chosen))
    table = pd.DataFrame(items, columns=["item", "changes", "worth", "worst_quality", "facts"])
    return Robustness(
        supplies=pd.DataFrame(supplies, columns=["item", "supply", "share", "mean", "low", "high", "chosen"]),
        items=table.sort_values(["worth", "item"], ascending=[False, True], ignore_index=True),
        changes=float(moved_any.mean()),
        draws=draws,
        seed=seed,
        spread=widths,
    )


def _draw(plan: Plan, item: ItemModel, lines: Ints, price: Floats, room: Floats) -> tuple[Floats, float]:
    """Shares of the item's lines in the best plan of one draw, and how much better it is than the plan kept as it
    is."""
    problem, model = plan.problem, plan.model
    linear = item.linear
    factor, limit = np.ones(len(item.columns)), np.ones(len(item.rows))
    for name in ("buy", "reserve", "deliver"):
        if name in model.block:
            at, line = _columns_of(plan, item, name)
            factor[at] = price[problem.supply[line]]
    upper = linear.col_upper.copy()
    cost = linear.cost * factor
    matrix = linear.matrix.copy()
    for row in np.flatnonzero(model.family[item.rows] == "capacity").tolist():
        span = slice(matrix.indptr[row], matrix.indptr[row + 1])
        buys = matrix.indices[span]
        supply = _supply_of_row(plan, item, buys)
        held = np.isin(item.columns[buys], np.arange(model.block["panel"].start, model.block["panel"].stop))
        limit[row] = room[supply]
        data = matrix.data[span]
        data[held] *= room[supply]
    # What cannot be served, or secured, costs its margin in the plan that is kept and in its rival alike; rules that
    # the plan names as given way stay so.
    lost = margins(problem, plan.policy) * problem.demand
    for soft in model.softs:
        place = int(np.searchsorted(item.columns, soft.column))
        if place < len(item.columns) and item.columns[place] == soft.column and upper[place] == 0:
            upper[place], cost[place] = 1.0, lost[soft.need] if soft.need >= 0 else float(lost.sum())
    grown = replace(
        linear,
        cost=cost,
        matrix=matrix,
        col_upper=upper,
        row_upper=np.where(linear.row_upper > 0, linear.row_upper * limit, linear.row_upper),
    )
    live = LiveModel(grown)
    best = live.solve(gap=GAP, time_limit=10.0, certify=False)
    if not best.has_values:
        return plan.contracts.buy[lines, -1], 0.0
    kept = _kept(plan, item, live)
    buy = model.block["buy"].start + (lines + 1) * problem.periods - 1
    return best.values[np.searchsorted(item.columns, buy)], max(kept - best.objective, 0.0)


def _kept(plan: Plan, item: ItemModel, live: LiveModel) -> float:
    """Cost of the draw when no more is bought anywhere than planned: what cannot be delivered is lost."""
    upper = live.model.col_upper.copy()
    for name in ("buy", "reserve", "panel", "build"):
        if name in plan.model.block:
            span = plan.model.block[name]
            at = np.flatnonzero((item.columns >= span.start) & (item.columns < span.stop))
            upper[at] = np.minimum(upper[at], np.maximum(item.x[at], live.model.col_lower[at]) + 1e-9)
    live.set_columns(np.arange(len(upper)), live.model.col_lower, upper)
    solution = live.solve(gap=GAP, time_limit=10.0, certify=False)
    return solution.objective if solution.has_values else 0.0


def _columns_of(plan: Plan, item: ItemModel, name: str) -> tuple[Ints, Ints]:
    """Positions within the item of the columns of a block, and the line of each."""
    problem, model = plan.problem, plan.model
    start, stop = model.block[name].start, model.block[name].stop
    if name == "deliver":
        every = np.flatnonzero((item.columns >= start) & (item.columns < start + len(model.kept)))
        width = sum(
            model.block[b].stop - model.block[b].start
            for b in ("deliver", "unmet", "hold", "excess")
            if b in model.block
        )
        place = model.kept[item.columns[every] - start] % width
        inside = place < stop - start
        return every[inside], place[inside] // problem.after
    at = np.flatnonzero((item.columns >= start) & (item.columns < stop))
    return at, (item.columns[at] - start) // (problem.periods if name == "buy" else problem.after)


def _supply_of_row(plan: Plan, item: ItemModel, columns: Ints) -> int:
    buy = plan.model.block["buy"]
    found = item.columns[columns]
    line = (found[(found >= buy.start) & (found < buy.stop)][0] - buy.start) // plan.problem.periods
    return int(plan.problem.supply[line])


def _by_supply(supply: Ints, share: Floats) -> dict[int, float]:
    total: dict[int, float] = {}
    for s, value in zip(supply.tolist(), share.tolist(), strict=True):
        total[s] = total.get(s, 0.0) + value
    return total


def _weakest(plan: Plan, lines: Ints, sigma: Floats) -> tuple[str, str]:
    supplies = np.unique(plan.problem.supply[lines])
    worst = sigma[supplies].max()
    named = plan.problem.supplies.iloc[supplies[sigma[supplies] == worst]]
    return str(named["quality"].iloc[0] or "unknown"), "; ".join(named["supply"].astype(str).tolist()[:4])
