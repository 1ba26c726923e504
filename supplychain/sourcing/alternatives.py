"""How firm a plan is: other plans that cost almost the same, the range of each share, and what to qualify first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import sparse

from supplychain.linear import LinearModel
from supplychain.solve import LiveModel
from supplychain.sourcing.items import ItemModel, item_models, lines_of
from supplychain.sourcing.losses import Contracts, after_resourcing
from supplychain.sourcing.plan import NOTABLE, SHOWN, Plan, read_contracts
from supplychain.sourcing.problem import Flags, Floats

GAP = 1e-4  # proof that is asked of each of many small questions


def alternatives(plan: Plan, slack: float = 0.02, count: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Plans whose every item costs at most `slack` more and which avoid, as far as they can, what earlier ones
    bought.

    Hop, skip and jump (Brill, Chang and Hopkins, Management Science 28, 1982): each plan minimises the purchases
    on lines that earlier plans use. Returns two tables: one row per plan (alternative, cost, extra, moved: part
    of the needs bought elsewhere than planned, suppliers, worst loss after a single state's refusal), and one row
    per line that it changes (alternative, plant, item, supply, planned, share).
    """
    problem, model = plan.problem, plan.model
    found = [plan.outcome.x.copy() for _ in range(count)]
    for item in item_models(plan):
        live = LiveModel(_with_room(item, slack))
        seen = np.zeros(len(item.columns))
        bought = _bought(plan, item)
        last = item.x
        for k in range(count):
            seen += bought & (last > SHOWN)
            live.set_costs(np.arange(len(seen)), seen)
            solution = live.solve(gap=GAP, time_limit=10.0, start=item.x)
            last = solution.values if solution.has_values else last
            found[k][item.columns[item.own]] = last[item.own]
    heads, details = [], []
    planned = plan.contracts.buy[:, -1]
    for k, x in enumerate(found):
        contracts = read_contracts(model, x)
        share = contracts.buy[:, -1]
        worst = _worst(plan, contracts)
        heads.append(
            {
                "alternative": k + 1,
                "cost": float(model.linear.cost @ x),
                "extra": float(model.linear.cost @ (x - plan.outcome.x)) / max(abs(plan.outcome.objective), 1e-300),
                "moved": float(np.abs(share - planned).sum() / 2 / len(problem.needs)),
                "suppliers": int((np.bincount(problem.supply, share) > SHOWN).sum()),
                "worst": worst[0],
                "worst_loss": worst[1],
            }
        )
        lines = np.flatnonzero(np.abs(share - planned) > NOTABLE)
        details.append(_named(plan, lines).assign(alternative=k + 1, planned=planned[lines], share=share[lines]))
    return pd.DataFrame(heads), pd.concat(details, ignore_index=True)


def ranges(plan: Plan, slack: float = 0.01) -> pd.DataFrame:
    """How far each supply's part of an item may move while the item costs at most `slack` more.

    One row per supply that is bought from, today or in the plan: item, supply, today, share (part of the buyer's
    need of the item, in the last period), lowest, highest, do_nothing (the range holds today's share, so leaving
    it as it is costs next to nothing), firm (the range is narrower than a tenth of the need).
    """
    problem, model = plan.problem, plan.model
    weight = problem.line_demand / np.bincount(_item_of(plan), problem.demand)[_item_of(plan)[problem.need]]
    today, share = plan.before.buy[:, -1] * weight, plan.contracts.buy[:, -1] * weight
    rows = []
    for item in item_models(plan):
        buy = model.block["buy"]
        live = LiveModel(_with_room(item, slack))
        lines = lines_of(item, model)
        for supply in np.unique(problem.supply[lines]).tolist():
            own = lines[problem.supply[lines] == supply]
            if max(today[own].sum(), share[own].sum()) <= SHOWN:
                continue
            goal = np.zeros(len(item.columns))
            goal[np.searchsorted(item.columns, buy.start + (own + 1) * problem.periods - 1)] = weight[own]
            low, high = (_extreme(live, sign * goal, item.x) * sign for sign in (1.0, -1.0))
            planned, now = float(share[own].sum()), float(today[own].sum())
            rows.append(
                {
                    "item": item.item,
                    "supply": problem.supplies["supply"].iloc[supply],
                    "today": now,
                    "share": planned,
                    "lowest": max(min(low, planned), 0.0),
                    "highest": max(high, planned),
                }
            )
    table = pd.DataFrame(rows, columns=["item", "supply", "today", "share", "lowest", "highest"])
    inside = (table["today"] >= table["lowest"] - NOTABLE) & (table["today"] <= table["highest"] + NOTABLE)
    table["do_nothing"] = inside & ((table["share"] - table["today"]).abs() > NOTABLE)
    table["firm"] = table["highest"] - table["lowest"] < 0.1
    return table


def qualify_first(plan: Plan) -> pd.DataFrame:
    """What each new supplier of the plan is worth: how much more the plan costs without it, in the order to start
    with.

    The qualifications of the plan with `worth` (objective without it minus objective with it), `worth_per_cost`,
    and `rank`: first what takes longest among what no plan can do without (worth not known: infinite), then by
    worth per cost.
    """
    table = plan.qualifications.copy()
    worth: dict[str, float] = {}
    names = plan.problem.supplies["supply"].tolist()
    position = {supply: i for i, supply in enumerate(plan.model.seats)}
    wanted = {name: plan.model.block["panel"].start + position[names.index(name)] for name in table["supply"]}
    for item in item_models(plan):
        for name, column in sorted(wanted.items()):
            at = int(np.searchsorted(item.columns, column))
            if at >= len(item.columns) or item.columns[at] != column:
                continue
            upper = item.linear.col_upper.copy()
            upper[at] = 0.0
            lower = np.minimum(item.linear.col_lower, upper)
            solution = LiveModel(replace(item.linear, col_upper=upper, col_lower=lower)).solve(gap=GAP, time_limit=10.0)
            worth[name] = max(solution.objective - item.cost, 0.0) if solution.has_values else np.inf
    table["worth"] = table["supply"].map(worth).astype(float)
    table["worth_per_cost"] = table["worth"] / table["cost"].where(table["cost"] > 0, np.nan)
    per_cost = table["worth_per_cost"].fillna(np.inf)
    order = np.lexsort((table["supply"], -table["ready_months"], -per_cost.to_numpy(float)))
    table = table.iloc[order].reset_index(drop=True)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table


def _with_room(item: ItemModel, slack: float) -> LinearModel:
    """The item's model with one more row: it costs at most `slack` more than planned."""
    linear = item.linear
    room = item.cost + slack * abs(item.cost) + 1e-9
    scale = max(abs(item.cost), 1.0)
    row = sparse.csr_array((linear.cost / scale)[None, :])
    return replace(
        linear,
        matrix=sparse.csr_array(sparse.vstack([linear.matrix, row])),
        row_lower=np.append(linear.row_lower, -np.inf),
        row_upper=np.append(linear.row_upper, room / scale),
    )


def _bought(plan: Plan, item: ItemModel) -> Flags:
    """Which columns are purchases in the last period."""
    buy, periods = plan.model.block["buy"], plan.problem.periods
    inside = (item.columns >= buy.start) & (item.columns < buy.stop)
    last = (item.columns - buy.start) % periods == periods - 1
    return np.asarray(inside & last)


def _extreme(live: LiveModel, goal: Floats, start: Floats) -> float:
    live.set_costs(np.arange(len(goal)), goal)
    solution = live.solve(gap=GAP, time_limit=10.0, start=start, certify=False)
    return float(goal @ (solution.values if solution.has_values else start))


def _item_of(plan: Plan) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.unique(plan.problem.needs["item"].to_numpy(object).astype(str), return_inverse=True)[1].astype(np.int64)


def _named(plan: Plan, lines: np.ndarray[tuple[int], np.dtype[np.intp]]) -> pd.DataFrame:
    problem = plan.problem
    needs = problem.needs.iloc[problem.need[lines]]
    supply = problem.supplies["supply"].iloc[problem.supply[lines]].to_numpy()
    return pd.DataFrame({"plant": needs["plant"].to_numpy(), "item": needs["item"].to_numpy(), "supply": supply})


def _worst(plan: Plan, contracts: Contracts) -> tuple[str, float]:
    states = [t for t in plan.problem.threats if t.kind == "state"]
    loss = {t.name: float(after_resourcing(plan.problem, contracts, t).mean()) for t in states}
    name = max(sorted(loss), key=lambda key: loss[key], default="")
    return name, loss.get(name, 0.0)
