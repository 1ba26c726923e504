"""A solved model taken apart by item: each item's own columns, with the rest of the plan held where it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from supplychain.linear import LinearModel
from supplychain.sourcing.plan import Plan
from supplychain.sourcing.problem import Flags, Floats, Ints
from supplychain.sourcing.tiling import SourcingModel, need_of_scenario_column

SHARED = -1


@dataclass(frozen=True, eq=False)
class ItemModel:
    """The model of one item. `columns` and `rows` are positions in the whole model; `own` marks the columns that are
    not shared with other items; `cost` is what the item's own part of the plan costs (the model's objective)."""

    item: str
    columns: Ints
    rows: Ints
    own: Flags
    linear: LinearModel
    x: Floats
    cost: float


def item_models(plan: Plan) -> Iterator[ItemModel]:
    """One model per item, in alphabetical order. Where nothing joins the items (no budget, no tail risk) they are
    exact; else everything else stays as planned and only what the items share may follow."""
    model, x = plan.model, plan.outcome.x
    linear = allowed(plan)
    names = sorted(set(plan.problem.needs["item"]))
    code = column_items(model, names)
    by_column = sparse.csc_array(linear.matrix)
    by_row = sparse.csr_array(linear.matrix)
    shared = np.flatnonzero(code == SHARED)
    for number, name in enumerate(names):
        own = np.flatnonzero(code == number)
        rows = np.unique(by_column[:, own].indices).astype(np.int64)
        joined = np.intersect1d(np.unique(by_row[rows].indices), shared)
        columns = np.sort(np.concatenate([own, joined]))
        rest = by_row[rows] @ np.where(np.isin(np.arange(len(x)), columns), 0.0, x)
        inner = LinearModel(
            cost=linear.cost[columns],
            matrix=sparse.csr_array(by_row[rows][:, columns]),
            row_lower=linear.row_lower[rows] - rest,
            row_upper=linear.row_upper[rows] - rest,
            col_lower=linear.col_lower[columns],
            col_upper=linear.col_upper[columns],
            integer=linear.integer[columns],
        )
        mine = np.isin(columns, own)
        yield ItemModel(name, columns, rows, mine, inner, x[columns], float(linear.cost[columns] @ x[columns]))


def lines_of(part: ItemModel, model: SourcingModel) -> Ints:
    """Positions of the lines that an item's model buys by."""
    buy = model.block["buy"]
    inside = part.columns[(part.columns >= buy.start) & (part.columns < buy.stop)]
    return np.unique((inside - buy.start) // model.problem.periods)


def allowed(plan: Plan) -> LinearModel:
    """The plan's model with the relaxations that the plan names."""
    upper = plan.model.linear.col_upper.copy()
    columns = {(soft.rule, soft.need, soft.label): soft.column for soft in plan.model.softs}
    for given in plan.outcome.relaxed:
        upper[columns[given.rule, given.need, given.label]] = given.amount + 1e-6
    return replace(plan.model.linear, col_upper=upper)


def column_items(model: SourcingModel, names: list[str]) -> Ints:
    """Position in `names` of the item that each column belongs to, -1 for what items share."""
    problem, block = model.problem, model.block
    position = {name: i for i, name in enumerate(names)}
    of_need = np.array([position[item] for item in problem.needs["item"]], dtype=np.int64)
    of_line = of_need[problem.need]
    of_supply = np.full(len(problem.supplies), SHARED, dtype=np.int64)
    of_supply[problem.supply] = of_line
    code = np.full(len(model.linear.cost), SHARED, dtype=np.int64)
    gated = np.array(sorted(model.seats), dtype=np.int64)
    today = np.flatnonzero(problem.lines["today"].to_numpy(float) > 0)
    known = {
        "buy": np.repeat(of_line, problem.periods),
        "reserve": np.repeat(of_line, problem.after),
        "panel": of_supply[gated] if len(gated) else np.zeros(0, dtype=np.int64),
        "source": of_line,
        "build": of_need,
        "drop": of_line[today],
    }
    for name, values in known.items():
        if name in block:
            code[block[name]] = values
    for name in ("tier", "open"):
        if name in block:
            code[block[name]] = of_supply[np.array(model.tiered[name], dtype=np.int64)]
    for soft in model.softs:
        code[soft.column] = of_need[soft.need] if soft.need >= 0 else SHARED
    if len(model.kept):
        start = min(block[name].start for name in ("deliver", "unmet", "hold"))
        of_column = np.append(of_need, SHARED)[need_of_scenario_column(problem, block)]
        code[start : start + len(model.kept)] = np.tile(of_column, len(model.scenarios))[model.kept]
    return code
