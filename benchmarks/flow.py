"""The flow LP: one refusal re-solved warm against cold, against PuLP, and the LP on networks of growing size."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
import pandas as pd

from benchmarks import Row, timed
from supplychain.analysis.flow import FlowModel
from supplychain.analysis.flow_pulp import flow_problem
from supplychain.analysis.pooling import Pools
from supplychain.analysis.resourcing import Resourcing
from supplychain.case import Case
from supplychain.network import Compiled, SupplyNetwork
from supplychain.shocks import Shocks, refuse_all, remove_organisations, remove_supplies
from supplychain.solve import solve

TARGET = "warm <= 0.1 x cold"


def rows(quick: bool) -> list[Row]:
    """Return the measurements; `quick` leaves the largest networks out."""
    found = _bundled()
    for items, places in ((200, 10), (1_000, 20)) if quick else ((200, 10), (1_000, 20), (5_000, 40)):
        found += _sized(items, places)
    return found


def _bundled() -> list[Row]:
    case = Case.bundled(buyer="IND", products=["ai-accelerator"])
    compiled, market = case.compiled, int(case.needs["market"].iloc[0])
    resourcing = Resourcing.from_network(case.network, case.assumptions.settings["resourcing"])
    removals, refusals = remove_organisations(compiled), refuse_all(compiled)
    return [
        *_warm_and_cold("bundled, ai-accelerator", compiled, market, resourcing, removals),
        _pattern("bundled, ai-accelerator", compiled, market, resourcing, refusals),
        _written_out(compiled, market, resourcing, removals),
    ]


def _warm_and_cold(
    label: str, compiled: Compiled, market: int, resourcing: Resourcing, removals: Shocks, count: int = 50
) -> list[Row]:
    """Every removal re-solved on the live model against its LP built and solved anew, place by place and pooled."""
    columns = np.linspace(0, len(removals) - 1, min(count, len(removals))).astype(int)
    few = columns[:: max(1, len(columns) // 5)]

    def model(pooled: bool) -> FlowModel:
        apart = {b"": Pools(np.arange(compiled.n_markets), np.arange(compiled.n_supplies), *_counts(compiled))}
        return FlowModel(compiled, market, 12.0, resourcing, pools=None if pooled else apart)

    found, anew, warm = [], {}, {}
    for pooled in (False, True):
        live = model(pooled)
        live.loss(removals, 0)
        warm[pooled] = timed(partial(_solve, live, removals, columns)) / len(columns)
        anew[pooled] = timed(lambda: [_solve(model(pooled), removals, [b]) for b in few]) / len(few)  # noqa: B023
        size = next(iter(live._structures.values())).live.model.matrix
        note = f"{len(columns)} removals; LP {size.shape[0]:,} x {size.shape[1]:,}, {size.nnz:,} entries"
        case = f"one removal, warm, {'pooled' if pooled else 'place by place'}: {label}"
        ours, theirs = warm[pooled], anew[pooled]
        found.append(Row("flow", case, ours, "built and solved anew", theirs, note=note))
    ours, theirs = warm[True], anew[False]
    case, peer = f"one removal as we solve it: {label}", "place by place, anew"
    return [*found, Row("flow", case, ours, peer, theirs, TARGET, ours <= 0.1 * theirs)]


def _solve(model: FlowModel, removals: Shocks, columns: Iterable[int]) -> list[float]:
    return [model.loss(removals, int(b), reason=False).loss for b in columns]


def _counts(compiled: Compiled) -> tuple[int, int]:
    return compiled.n_markets, compiled.n_supplies


def _pattern(label: str, compiled: Compiled, market: int, resourcing: Resourcing, refusals: Shocks) -> Row:
    """Refusals by states: a pattern of withheld flows each, so pooled, built and solved each time."""
    model = FlowModel(compiled, market, 12.0, resourcing)
    seconds = timed(lambda: [model.loss(refusals, b, reason=False) for b in range(len(refusals))]) / len(refusals)
    return Row(
        "flow", f"one refusal by a state: {label}", seconds, note=f"{len(refusals)} states, each its own pooled LP"
    )


def _written_out(compiled: Compiled, market: int, resourcing: Resourcing, removals: Shocks) -> Row:
    """The same LP pooled, as arrays, against written out place by place in PuLP."""
    model = FlowModel(compiled, market, 12.0, resourcing)
    plain = timed(lambda: solve(flow_problem(model, removals, 0)), repeat=1)
    pooled = timed(lambda: FlowModel(compiled, market, 12.0, resourcing).loss(removals, 0))
    same = abs(solve(flow_problem(model, removals, 0)).objective - model.loss(removals, 0).loss) < 1e-7
    return Row("flow", "one removal, cold: pooled arrays", pooled, "written out in PuLP", plain, "same value", same)


def _sized(items: int, places: int) -> list[Row]:
    network = generated(items, places)
    compiled = network.compile([_place(0)], items=["i00000"]).completed()
    market = compiled.market("i00000", _place(0))
    label = f"{compiled.n_supplies:,} supplies, {compiled.n_offers:,} offers, {compiled.n_needs:,} needs"
    removals = remove_supplies(compiled)
    return _warm_and_cold(label, compiled, market, Resourcing.none(compiled, spare=0.2), removals, 50)


def generated(items: int, places: int, seed: int = 1) -> SupplyNetwork:
    """Return a tiered random network: every item needs about four of the next items and has up to five makers."""
    rng = np.random.default_rng(seed)
    names = np.array([f"i{k:05d}" for k in range(items)], object)
    makers = rng.integers(2, 6, items)
    of = np.repeat(np.arange(items), makers)
    share = rng.random(len(of))
    share /= np.bincount(of, share)[of]
    supplies = pd.DataFrame({"supply": [f"s{k:06d}" for k in range(len(of))], "item": names[of], "share": share * 0.98})
    supplies["site"] = [_place(p) for p in rng.integers(0, places, len(of))]
    supplies["organisation"] = [f"o{k:05d}" for k in rng.integers(0, items, len(of))]
    user = np.repeat(np.arange(items - 1), 4)
    step = 1 + (rng.random(len(user)) ** 2 * min(40, items - 1)).astype(int)
    used = np.minimum(user + step, items - 1)
    pairs = np.unique(np.stack([user, used], axis=1), axis=0)
    role = rng.choice(["consumable", "consumable", "capital"], len(pairs))
    requirements = pd.DataFrame({"item": names[pairs[:, 0]], "requires": names[pairs[:, 1]], "role": role})
    requirements["essentiality"] = rng.choice(["essential", "important"], len(pairs))
    requirements["lifetime_years"] = np.where(role == "capital", 8.0, np.nan)
    tiers = pd.DataFrame({"item": names, "tier": np.minimum(np.arange(items), 4).astype(float), "stock_days": 20.0})
    return SupplyNetwork.from_tables({"items": tiers, "supplies": supplies, "requirements": requirements})


def _place(number: int) -> str:
    """Return a code of three letters that no country has."""
    return f"Q{chr(65 + number // 26)}{chr(65 + number % 26)}"
