"""Exposure: what part of each need a set of controls can withhold: a bracket, its unknown part, splits and reasons.

Three words that are never mixed (docs/model.md): *in force*, the loss from flows that are refused already (presumption
of denial, embargo, prohibition); *at leave*, the loss if all leave that flows need were refused too; *touch*, the part
of the need whose chain passes such a flow at all, which saturates and is not a loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from supplychain.analysis.because import Tracer
from supplychain.analysis.cascade import GROWTH, CascadeResult, cascade
from supplychain.analysis.flow import FlowResult, after_resourcing
from supplychain.analysis.needs import need_loss, touch
from supplychain.network import ROLES, Compiled, Flags, Floats
from supplychain.shocks import Shocks, flows_lost

if TYPE_CHECKING:
    from supplychain.case import Case

MEASURES: Final = ("in force", "at leave")
HORIZONS: Final = (3.0, 12.0, 36.0)
CURVE_MONTHS: Final = 36
NOTICED: Final = 0.01  # a need survives while it loses no more than this
_AT_ONCE: Final = 1e-3  # months: stands for the moment after the refusal
_NOISE: Final = 1e-6  # tolerance of the LP
_NEED = ["plant", "destination", "item"]
_KEY = [*_NEED, "measure", "horizon"]


@dataclass(frozen=True, eq=False)
class Exposure:
    """Exposure of every need of a case. Losses are fractions of the need, horizons are months.

    table: plant, destination, item, measure, horizon, after_resourcing and short_run (the bracket, on what is known for
      certain), after_resourcing_high and short_run_high (if every unknown fact were adverse), unknown (the width that
      unknown facts add to the short run), growth (loss of growth and new nodes), growth_high, touch, touch_high,
      because (the binding chain in one line).
    split: plant, destination, item, measure, horizon, by (imposing, regime, policy, role, tier, item), value, alone
      (short-run loss if only this part were refused), added (what it adds when all the rest is refused).
    because: plant, destination, item, measure, horizon, rank (1 binds; 2 binds once the cause of 1 is mended), chain,
      cause (its last item), kind, origins, part, loss, left.
    summary: plant, destination, item, measure, months_to_survive (whole months with at most 1 % lost; NaN: all 36),
      loss_area (unit-months lost in 36 months, short run), loss_area_high, months_to_recover (to replace the cause and
      refill the chain).
    curve: plant, destination, item, measure, month, short_run, short_run_high.
    """

    buyer: str
    on: str
    horizons: tuple[float, ...]
    table: pd.DataFrame
    split: pd.DataFrame
    because: pd.DataFrame
    summary: pd.DataFrame
    curve: pd.DataFrame
    status: str
    iterations: int
    residual: float
    warnings: tuple[str, ...]


def exposure(case: Case, horizons: Sequence[float] = HORIZONS, *, split: bool = True) -> Exposure:
    """Return the exposure of every need of the case. ``split=False`` leaves the split out, which takes many shocks.

    Raises NoAnswer when a cascade or an LP proves nothing, and AssertionError (our bug) if a re-sourced loss ever
    exceeded the short-run loss.
    """
    months = tuple(sorted(float(horizon) for horizon in horizons))
    compiled, needs = case.compiled, case.needs
    sure = case.in_force("optimistic").beside(case.at_leave("optimistic"))
    doubtful = case.in_force("pessimistic").beside(case.at_leave("pessimistic"))
    grid = tuple(sorted({_AT_ONCE, *map(float, range(1, CURVE_MONTHS + 1)), *months}))
    low = _Felt(compiled, needs, cascade(compiled, sure, grid, growth=True))
    high = _Felt(compiled, needs, cascade(compiled, doubtful, grid, growth=True))
    touched, touched_high = (touch(case, shocks) for shocks in (sure, doubtful))
    solved, solved_high = (_after(case, shocks, felt, months) for shocks, felt in ((sure, low), (doubtful, high)))
    after, after_high = _bracket(solved, low), _bracket(solved_high, high)

    keys = _keys(needs, months)
    at = [grid.index(month) for month in months]
    short, short_high = low.loss[:, :, at], high.loss[:, :, at]
    width = len(months)
    table = keys.assign(
        after_resourcing=after.ravel(),
        short_run=short.ravel(),
        after_resourcing_high=np.maximum(after, after_high).ravel(),
        short_run_high=np.maximum(short, short_high).ravel(),
        unknown=np.maximum(short_high - short, 0.0).ravel(),
        growth=np.repeat(low.loss[:, :, -1:], width, axis=2).ravel(),
        growth_high=np.repeat(high.loss[:, :, -1:], width, axis=2).ravel(),
        touch=np.repeat(touched[:, :, None], width, axis=2).ravel(),
        touch_high=np.repeat(touched_high[:, :, None], width, axis=2).ravel(),
    )
    chains = _because(compiled, needs, sure, low, months)
    first = chains.loc[chains["rank"] == 1, [*_KEY, "chain"]].rename(columns={"chain": "because"})
    table = table.merge(first, on=_KEY, how="left").fillna({"because": ""})
    return Exposure(
        buyer=case.buyer,
        on=case.on.isoformat(),
        horizons=months,
        table=table,
        split=_split(case, sure, low, months) if split else _split_frame([]),
        because=chains,
        summary=_summary(case, low, high, chains),
        curve=_curve(needs, low, high),
        status=";".join(sorted({*np.unique(solved.status).tolist(), *np.unique(solved_high.status).tolist()})),
        iterations=max(low.result.iterations, high.result.iterations),
        residual=max(low.result.residual, high.result.residual),
        warnings=case.warnings,
    )


class _Felt:
    """What each need (N) feels of each shock (B) at each horizon of a cascade: a plant by role and own stock."""

    def __init__(self, compiled: Compiled, needs: pd.DataFrame, result: CascadeResult) -> None:
        self.result = result
        of_market = result.market_loss[needs["market"].to_numpy()]
        self.loss = need_loss(compiled, needs["need"].to_numpy(), of_market, result.horizons)


def _keys(needs: pd.DataFrame, months: Sequence[float]) -> pd.DataFrame:
    """Return one row per need, measure and horizon, in this order."""
    rows = np.repeat(np.arange(len(needs)), len(MEASURES) * len(months))
    keys = needs[_NEED].iloc[rows].reset_index(drop=True)
    keys["measure"] = np.tile(np.repeat(np.array(MEASURES, object), len(months)), len(needs))
    keys["horizon"] = np.tile(np.array(months), len(needs) * len(MEASURES))
    return keys


def _after(case: Case, shocks: Shocks, short: _Felt, months: Sequence[float]) -> FlowResult:
    """Return losses after re-sourcing, (N, B, T). Needs that neither network nor shock tell apart share their LPs."""
    compiled, needs = case.compiled, case.needs
    resourcing = case.resourcing
    at = [short.result.horizons.index(month) for month in months]
    lost = shocks.flow_lost.toarray()
    share = case.demand_shares if resourcing.outbid_rivals > 0 else np.ones(len(needs))
    first: dict[tuple[object, ...], int] = {}
    of = np.zeros(len(needs), np.intp)
    for row, (market, need) in enumerate(zip(needs["market"], needs["need"], strict=True)):
        offers = slice(int(compiled.offer_start[market]), int(compiled.offer_start[market + 1]))
        own = tuple(
            part[need] if need >= 0 else -1
            for part in (compiled.need_role, compiled.need_stock_days, compiled.need_life_months)
        )
        key = (compiled.market_item[market], *own, lost[offers].tobytes(), share[row])
        of[row] = first.setdefault(key, row)
    chosen, position = np.unique(of, return_inverse=True)
    found = after_resourcing(
        compiled,
        shocks,
        needs["market"].to_numpy()[chosen],
        resourcing,
        months,
        short.loss[chosen][:, :, at],
        needs["need"].to_numpy()[chosen],
        share[chosen].tolist(),
    )
    return replace(found, loss=found.loss[position], bound=found.bound[position], status=found.status[position])


def _bracket(after: FlowResult, short: _Felt) -> Floats:
    """Return the losses after re-sourcing, which theory keeps at or below the short-run losses (docs/model.md)."""
    highest = short.loss[:, :, [short.result.horizons.index(month) for month in after.horizons]]
    worst = float(np.max(after.loss - highest, initial=0.0))
    assert worst <= _NOISE, f"loss after re-sourcing exceeds the short-run loss by {worst:.2e}"
    return np.asarray(np.minimum(after.loss, highest))


def _because(
    compiled: Compiled, needs: pd.DataFrame, shocks: Shocks, felt: _Felt, months: Sequence[float]
) -> pd.DataFrame:
    result = felt.result
    at = [result.horizons.index(month) for month in months]
    tracer = Tracer(compiled, shocks, tuple(months), result.market_loss[:, :, at], result.supply_loss[:, :, at])
    rows = []
    markets = needs["market"].to_numpy()
    for row, need in enumerate(needs.itertuples()):
        for b, measure in enumerate(MEASURES):
            for month, position in zip(months, at, strict=True):
                if felt.loss[row, b, position] <= NOTICED / 10:
                    continue
                for rank, chain in enumerate(tracer.chains(int(markets[row]), b, month), start=1):
                    origins = ";".join(f"{place}={part:.3g}" for place, part in chain.origins)
                    rows.append(
                        (need.plant, need.destination, need.item, measure, month, rank, chain.text, chain.items[-1],
                         chain.kind, origins, chain.part, float(felt.loss[row, b, position]), chain.left)
                    )  # fmt: skip
    columns = ["rank", "chain", "cause", "kind", "origins", "part", "loss", "left"]
    return pd.DataFrame(rows, columns=[*_NEED, "measure", "horizon", *columns])


def refused_parts(case: Case, refused: Flags) -> Iterator[tuple[str, str, Flags]]:
    """Yield (by, value, offers) of every part of the refused flows."""
    compiled = case.compiled
    item = compiled.market_item[compiled.offer_market]
    for state in case.imposing_states:
        yield "imposing", state, refused & case.leave_flows("optimistic", imposing=[state])
    for regime in case.regimes:
        yield "regime", regime, refused & case.leave_flows("optimistic", regime=regime)
    policy = np.asarray(case.determinations.column("floor_policy"), object)
    for value in sorted(set(policy[refused])):
        yield "policy", str(value) or "prohibited", refused & (policy == value)
    role = usual_roles(compiled)[item]
    for code, name in enumerate(ROLES):
        yield "role", name, refused & (role == code)
    tier = case.network.items["tier"].to_numpy(float)[item]
    for number in sorted(set(tier[refused & np.isfinite(tier)])):
        yield "tier", f"{number:g}", refused & (tier == number)
    for code in np.unique(item[refused]):
        yield "item", compiled.items[code], refused & (item == code)


def usual_roles(compiled: Compiled) -> np.ndarray:
    """Return, per item, the role in which most needs of the network use it (consumable for one that nothing needs)."""
    counts = np.zeros((len(compiled.items), len(ROLES)))
    np.add.at(counts, (compiled.market_item[compiled.need_market], compiled.need_role), 1)
    return np.asarray(counts.argmax(axis=1))


def _split(case: Case, shocks: Shocks, felt: _Felt, months: Sequence[float]) -> pd.DataFrame:
    """Return, per need and horizon, what each part of the refused flows takes alone, and what it adds to the rest."""
    compiled, needs = case.compiled, case.needs
    at = [felt.result.horizons.index(month) for month in months]
    frames = []
    for b, measure in enumerate(MEASURES):
        refused = np.asarray(shocks.flow_lost[:, [b]].toarray()[:, 0] > 0)
        parts = [part for part in refused_parts(case, refused) if part[2].any()]
        if not parts:
            continue
        names = [f"{by}:{value}" for by, value, _ in parts]
        alone = flows_lost(compiled, names, [mask for _, _, mask in parts])
        rest = flows_lost(compiled, names, [refused & ~mask for _, _, mask in parts])
        losses = [_Felt(compiled, needs, cascade(compiled, s, months)).loss for s in (alone, rest)]
        added = np.maximum(felt.loss[:, b, at][:, None, :] - losses[1], 0.0)
        size = losses[0].size
        rows = np.repeat(np.arange(len(needs)), size // max(len(needs), 1))
        frame = needs[_NEED].iloc[rows].reset_index(drop=True)
        frame["measure"] = measure
        frame["horizon"] = np.tile(np.array(months), size // len(months))
        which = np.tile(np.repeat(np.arange(len(parts)), len(months)), len(needs))
        frame["by"] = np.array([by for by, _, _ in parts], object)[which]
        frame["value"] = np.array([value for _, value, _ in parts], object)[which]
        frame["alone"], frame["added"] = losses[0].ravel(), added.ravel()
        frames.append(frame[(frame["alone"] > _NOISE) | (frame["added"] > _NOISE)])
    return _split_frame(frames)


def _split_frame(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    columns = [*_NEED, "measure", "horizon", "by", "value", "alone", "added"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)


def _summary(case: Case, low: _Felt, high: _Felt, chains: pd.DataFrame) -> pd.DataFrame:
    needs = case.needs
    grid = np.array(low.result.horizons[:-1])
    inside = grid <= CURVE_MONTHS
    span = grid[inside]
    rows = []
    first = chains[chains["rank"] == 1].groupby([*_NEED, "measure"])["chain"].last()
    for row, need in enumerate(needs.itertuples()):
        for b, measure in enumerate(MEASURES):
            curve, worst = low.loss[row, b, :-1][inside], high.loss[row, b, :-1][inside]
            lost = np.flatnonzero(curve > NOTICED)
            survive = float(np.floor(span[max(lost[0] - 1, 0)])) if len(lost) else np.nan
            survive = 0.0 if len(lost) and lost[0] == 0 else survive
            chain = first.get((need.plant, need.destination, need.item, measure), "")
            rows.append(
                (need.plant, need.destination, need.item, measure, survive, _area(span, curve),
                 max(_area(span, curve), _area(span, worst)), _recovery(case, chain) if len(lost) else 0.0)
            )  # fmt: skip
    names = ["months_to_survive", "loss_area", "loss_area_high", "months_to_recover"]
    return pd.DataFrame(rows, columns=[*_NEED, "measure", *names])


def _area(span: Floats, curve: Floats) -> float:
    """Return the area under a loss curve from the refusal to month 36: unit-months lost."""
    return float(np.sum((curve[1:] + curve[:-1]) / 2 * np.diff(span)) + curve[0] * span[0])


def _recovery(case: Case, chain: str) -> float:
    """Return months to replace the cause (qualify or build, whichever is recorded as shorter) and to refill the chain
    from there (the lead times of its items); NaN where a fact is missing."""
    if not chain:
        return float("nan")  # lost only after the last horizon asked for: no chain was traced
    items = case.network.items.set_index("item")
    path = chain.split(" <- ")
    columns = ["qualification_months", "new_capacity_months", "lead_time_months"]
    facts = items.loc[path, columns].to_numpy(float)
    return float(np.fmin(facts[-1, 0], facts[-1, 1]) + facts[:, 2].sum())


def _curve(needs: pd.DataFrame, low: _Felt, high: _Felt) -> pd.DataFrame:
    grid = np.array(low.result.horizons[:-1])
    keep = np.flatnonzero((grid >= 1) & (grid <= CURVE_MONTHS) & (grid == np.floor(grid)))
    keys = _keys(needs, [float(month) for month in grid[keep]]).rename(columns={"horizon": "month"})
    short, worst = low.loss[:, :, keep], high.loss[:, :, keep]
    return keys.assign(short_run=short.ravel(), short_run_high=np.maximum(short, worst).ravel())


__all__ = ["GROWTH", "HORIZONS", "MEASURES", "Exposure", "exposure", "usual_roles"]
