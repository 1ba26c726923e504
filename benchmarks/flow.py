"""The flow LP: one refusal re-solved warm against cold, against PuLP, and the LP on networks of growing size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks import Row, fastest, timed
from supplychain.analysis.cascade import cascade
from supplychain.analysis.flow import NO_LOSS, FlowModel
from supplychain.analysis.flow_pulp import flow_problem
from supplychain.analysis.pooling import Pools
from supplychain.analysis.resourcing import Resourcing
from supplychain.case import Case
from supplychain.network import Compiled, Floats, SupplyNetwork
from supplychain.shocks import Shocks, refuse_all, remove_organisations, remove_supplies
from supplychain.solve import solve

TARGET, HORIZON = "<= 0.1x", 12.0


def rows(quick: bool) -> list[Row]:
    """Return the measurements; `quick` leaves the largest networks out."""
    found = _bundled(quick)
    for items, places in ((200, 10),) if quick else ((200, 10), (1_000, 20), (5_000, 40)):
        found += _sized(items, places, quick)
    return found


def _bundled(quick: bool) -> list[Row]:
    case = Case.bundled(buyer="IND", products=["ai-accelerator"])
    compiled, market = case.compiled, int(case.needs["market"].iloc[0])
    resourcing = Resourcing.from_network(case.network, case.assumptions.settings["resourcing"])
    removals, refusals = remove_organisations(compiled), refuse_all(compiled)
    return [
        *_warm_and_cold("bundled, ai-accelerator", compiled, market, resourcing, removals, quick),
        *([] if quick else [_screened("bundled, ai-accelerator", compiled, market, resourcing, removals)]),
        _refusals("bundled, ai-accelerator", compiled, market, resourcing, refusals),
        _written_out(compiled, market, resourcing, removals),
    ]


def _warm_and_cold(
    label: str, compiled: Compiled, market: int, resourcing: Resourcing, removals: Shocks, quick: bool
) -> list[Row]:
    """Refusals by single makers: each re-solved on the live model against the same LP built and solved anew.

    Pooled and place by place: the LP as we solve it, where places that cannot be told apart are one, and as it stands
    before. Cold solves are a tenth of the sample.
    """
    columns, repeat = _hundred(removals)[:: 10 if quick else 1], 1 if quick else 3
    few = columns[:: max(1, len(columns) // 10)][: 2 if quick else 10]

    def model(pooled: bool) -> FlowModel:
        return FlowModel(compiled, market, HORIZON, resourcing, pools=None if pooled else _apart(compiled))

    found, anew, warm = [], {}, {}
    for pooled in (False, True):
        live = model(pooled)
        live.loss(removals, 0, reason=False)
        warm[pooled] = fastest(partial(_solve, live, removals, columns), repeat) / len(columns)
        anew[pooled] = fastest(lambda: [_solve(model(pooled), removals, [b]) for b in few], repeat) / len(few)  # noqa: B023
        size = next(iter(live._structures.values())).live.model.matrix
        note = f"LP {size.shape[0]:,} x {size.shape[1]:,}, {size.nnz:,} entries"
        case = f"{label}: one of {len(columns)} refusals by a maker, warm, {'pooled' if pooled else 'place by place'}"
        ours, theirs = warm[pooled], anew[pooled]
        target, met = ("", None) if pooled else (TARGET, ours <= 0.1 * theirs)
        found.append(Row("flow", case, ours, "same LP, built and solved cold", theirs, target, met, note))
    ours, theirs = warm[True], anew[False]
    case = f"{label}: one of {len(columns)} refusals by a maker, as we solve it"
    return [*found, Row("flow", case, ours, "LP by place, cold", theirs, TARGET, ours <= 0.1 * theirs)]


def _hundred(shocks: Shocks) -> npt.NDArray[np.intp]:
    return np.linspace(0, len(shocks) - 1, min(100, len(shocks))).astype(np.intp)


def _screened(label: str, compiled: Compiled, market: int, resourcing: Resourcing, removals: Shocks) -> Row:
    """The same refusals as choke points are ranked: the cascade tells which take nothing; the others are solved
    warm."""
    some = removals.take(_hundred(removals).tolist())
    live = FlowModel(compiled, market, HORIZON, resourcing, pools=_apart(compiled))
    live.loss(some, 0, reason=False)

    def ours() -> list[float]:
        short = cascade(compiled, some, (HORIZON,), markets=[market], keep_supplies=False).market_loss[0, :, 0]
        return [live.loss(some, b, reason=False).loss if short[b] > NO_LOSS else 0.0 for b in range(len(some))]

    def cold() -> list[float]:
        models = [FlowModel(compiled, market, HORIZON, resourcing, pools=_apart(compiled)) for _ in range(0, 100, 20)]
        return [model.loss(some, 20 * k, reason=False).loss for k, model in enumerate(models)]

    mine, theirs = fastest(ours, 3), fastest(cold, 2) * 20
    same = float(np.abs(np.array(ours())[::20] - cold()).max()) < 1e-9
    case = f"{label}: {len(some)} refusals by a maker, screened by the cascade, warm, place by place"
    note = "same losses; the cascade included" if same else "LOSSES DIFFER"
    return Row("flow", case, mine, "same LPs, cold", theirs, TARGET, mine <= 0.1 * theirs and same, note)


def _solve(model: FlowModel, removals: Shocks, columns: Iterable[int]) -> list[float]:
    return [model.loss(removals, int(b), reason=False).loss for b in columns]


def _apart(compiled: Compiled, lost: Floats | None = None) -> dict[bytes, Pools]:
    """Pools in which every place stands alone, for one pattern of withheld flows."""
    key = b"" if lost is None or not lost.any() else hashlib.blake2b(lost.tobytes(), digest_size=16).digest()
    every = np.arange(compiled.n_markets), np.arange(compiled.n_supplies)
    return {key: Pools(*every, compiled.n_markets, compiled.n_supplies)}


def _refusals(label: str, compiled: Compiled, market: int, resourcing: Resourcing, refusals: Shocks) -> Row:
    """Refusals by states: each withholds flows of its own, so places are pooled anew; no model stays warm."""
    every = range(len(refusals))
    model = FlowModel(compiled, market, HORIZON, resourcing)
    ours = fastest(partial(_solve, model, refusals, every), 2) / len(refusals)
    few = [b for b in every if b % 10 == 0]

    def cold() -> list[float]:
        found = []
        for b in few:
            lost = np.zeros(compiled.n_offers)
            part = slice(refusals.flow_lost.indptr[b], refusals.flow_lost.indptr[b + 1])
            lost[refusals.flow_lost.indices[part]] = refusals.flow_lost.data[part]
            apart = FlowModel(compiled, market, HORIZON, resourcing, pools=_apart(compiled, lost))
            found += _solve(apart, refusals, [b])
        return found

    theirs = fastest(cold, 2) / len(few)
    same = max(abs(a - b) for a, b in zip(_solve(model, refusals, few), cold(), strict=True)) < 1e-7
    case = f"{label}: one of {len(refusals)} refusals by a state, as we solve it"
    note = "same losses" if same else "LOSSES DIFFER"
    return Row("flow", case, ours, "LP by place, cold", theirs, TARGET, ours <= 0.1 * theirs and same, note)


def _written_out(compiled: Compiled, market: int, resourcing: Resourcing, removals: Shocks) -> Row:
    """The same LP pooled, as arrays, against written out place by place in PuLP."""
    model = FlowModel(compiled, market, HORIZON, resourcing)
    plain = timed(lambda: solve(flow_problem(model, removals, 0)), repeat=1)
    pooled = timed(lambda: FlowModel(compiled, market, HORIZON, resourcing).loss(removals, 0))
    same = abs(solve(flow_problem(model, removals, 0)).objective - model.loss(removals, 0).loss) < 1e-7
    return Row("flow", "one removal, cold: pooled arrays", pooled, "written out in PuLP", plain, "same value", same)


def _sized(items: int, places: int, quick: bool) -> list[Row]:
    network = generated(items, places)
    compiled = network.compile([_place(0)], items=["i00000"]).completed()
    market = compiled.market("i00000", _place(0))
    label = f"{compiled.n_supplies:,} supplies, {compiled.n_offers:,} offers, {compiled.n_needs:,} needs"
    removals = remove_supplies(compiled)
    return _warm_and_cold(label, compiled, market, Resourcing.none(compiled, spare=0.2), removals, quick)


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
