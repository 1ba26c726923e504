"""What an applied scenario costs the buyer: both measures at every horizon, as ranges, by need, plant, product and
part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from supplychain.analysis.exposure import MEASURES, refused_parts
from supplychain.analysis.flow import after_resourcing
from supplychain.analysis.memory import Memory, digest
from supplychain.analysis.needs import need_weights as weights_of
from supplychain.analysis.needs import short_run as short_run_of
from supplychain.case import Case
from supplychain.network import Floats
from supplychain.shocks import Bound, Shocks, flows_lost
from supplychain.whatif.apply import Applied

HORIZONS: Final = (3.0, 12.0, 36.0)
NOISE: Final = 1e-9
NEED: Final = ["plant", "destination", "item"]
LOSSES: Final = ["after", "short", "after_high", "short_high"]


@dataclass(frozen=True, eq=False)
class Outlook:
    """Losses of one scenario, fractions of the need; horizons in months.

    losses: plant, destination, item, measure, horizon, and the bracket [after, short] on what is known, with its ends
      if every unknown fact were adverse (after_high, short_high).
    plants: plant, measure, horizon, and for each of the four ends the loss of its worst need, with margin_* (USD a year
      at risk: the largest over its needs, which all serve the same output; NaN where no margin is known).
    headline: measure, horizon, the four ends in the mean of the needs (by margin, or equal), margin_* summed over
    plants.
    """

    applied: Applied
    horizons: tuple[float, ...]
    losses: pd.DataFrame
    plants: pd.DataFrame
    headline: pd.DataFrame
    statuses: tuple[str, ...]

    def head(self, measure: str, horizon: float, end: str = "after") -> float:
        """Return one figure of the headline."""
        rows = self.headline
        row = rows[(rows["measure"] == measure) & (rows["horizon"] == horizon)]
        return float(row[end].iloc[0])


def outlook(
    applied: Applied,
    horizons: Sequence[float] = HORIZONS,
    bounds: Sequence[Bound] = ("optimistic", "pessimistic"),
    memory: Memory | None = None,
) -> Outlook:
    """Return the losses under the scenario. With one bound, the ends ``*_high`` repeat it. ``memory`` keeps losses for
    other scenarios; it changes no number."""
    months = tuple(sorted(float(horizon) for horizon in horizons))
    statuses: set[str] = set()
    parts: dict[str, list[Floats]] = {end: [] for end in LOSSES}
    for span in [months] if applied.constant else [(month,) for month in months]:
        case = applied.at(span[-1])
        found: dict[str, Floats] = {}
        for bound, names in zip(bounds, (("after", "short"), ("after_high", "short_high")), strict=False):
            shocks = applied.shocks(span[-1], bound)
            short = short_run(case, shocks, span, memory)
            after, told = resourced(case, shocks, span, short, memory)
            statuses |= told
            found[names[0]], found[names[1]] = np.minimum(after, short), short
        for low, high in (("after", "after_high"), ("short", "short_high")):
            found[high] = np.maximum(found.get(high, found[low]), found[low])
        for end in LOSSES:
            parts[end].append(found[end])
    lost = {end: np.concatenate(parts[end], axis=2) for end in LOSSES}
    needs, weights = applied.case.needs[NEED], need_weights(applied.case)
    plants, at_risk = _plants(needs, weights["margin"].to_numpy(float), lost)
    weight = weights["weight"].to_numpy(float)
    mean = {end: np.einsum("n,nbt->bt", weight, lost[end])[None] for end in LOSSES}
    at_all = {f"margin_{end}": _total(at_risk[f"margin_{end}"])[None] for end in LOSSES}
    return Outlook(
        applied,
        months,
        _frame(needs, lost, months),
        _frame(plants, at_risk, months),
        _frame(pd.DataFrame(index=[0]), {**mean, **at_all}, months),
        tuple(sorted(statuses)),
    )


def _frame(keys: pd.DataFrame, values: dict[str, Floats], months: Sequence[float]) -> pd.DataFrame:
    """Return one row per key, measure and horizon, in this order, of arrays (keys, B, T)."""
    rows = np.repeat(np.arange(len(keys)), len(MEASURES) * len(months))
    frame = keys.iloc[rows].reset_index(drop=True)
    frame["measure"] = np.tile(np.repeat(np.array(MEASURES, object), len(months)), len(keys))
    frame["horizon"] = np.tile(np.array(months), len(keys) * len(MEASURES))
    return frame.assign(**{name: array.ravel() for name, array in values.items()})


def _plants(needs: pd.DataFrame, margin: Floats, lost: dict[str, Floats]) -> tuple[pd.DataFrame, dict[str, Floats]]:
    """Return the plants (a country's destinations where there are none) and, by end, the loss of each one's worst
    need and the largest margin at risk of its needs."""
    place = np.where(needs["plant"] == "", needs["destination"], needs["plant"]).astype(str)
    names, of = np.unique(place, return_inverse=True)
    order = np.argsort(of, kind="stable")
    starts = np.searchsorted(of[order], np.arange(len(names)))
    found = {end: np.maximum.reduceat(array[order], starts, axis=0) for end, array in lost.items()}
    for end, array in lost.items():
        found[f"margin_{end}"] = np.fmax.reduceat((array * margin[:, None, None])[order], starts, axis=0)
    return pd.DataFrame({"plant": names.astype(object)}), found


def _total(array: Floats) -> Floats:
    """Sum over plants (P, B, T) of what is known; NaN where nothing is."""
    return np.where(np.isnan(array).all(axis=0), np.nan, np.nansum(array, axis=0))


def need_weights(case: Case) -> pd.DataFrame:
    """Return, by plant, destination and item: weight (of the need in the buyer's mean, summing to 1) and margin (USD a
    year; NaN unknown)."""
    return case.needs[NEED].assign(weight=weights_of(case), margin=case.needs["margin_usd"].to_numpy(float))


def short_run(case: Case, shocks: Shocks, months: Sequence[float], memory: Memory | None = None) -> Floats:
    """Return what the needs feel in the short run, (N, B, T). ``memory`` keeps each shock's losses by content."""
    if memory is None:
        return short_run_of(case, shocks, months)
    needs = case.needs
    place = digest(
        "short", memory.of(case.compiled), needs["market"].to_numpy(), needs["need"].to_numpy(), tuple(months)
    )
    keys = [digest(place, *_column(shocks.own_lost, b), *_column(shocks.flow_lost, b)) for b in range(len(shocks))]
    known = {key: memory.find(key) for key in dict.fromkeys(keys)}
    fresh = [keys.index(key) for key, loss in known.items() if loss is None]
    if fresh:
        # A shock's losses do not depend on what else is computed with it.
        found = short_run_of(case, shocks.take(fresh), months)
        for at, column in enumerate(fresh):
            known[keys[column]] = found[:, at]
            memory.keep(keys[column], found[:, at].copy())
    return np.stack([known[key] for key in keys], axis=1) if keys else np.zeros((len(needs), 0, len(months)))


def _column(table: sparse.csc_array, column: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and values of one column, without stored zeros."""
    span = slice(table.indptr[column], table.indptr[column + 1])
    rows, values = table.indices[span], table.data[span]
    kept = values != 0
    order = np.argsort(rows[kept], kind="stable")
    return rows[kept][order].astype(np.int64), values[kept][order]


def resourced(
    case: Case, shocks: Shocks, months: Sequence[float], short: Floats, memory: Memory | None = None
) -> tuple[Floats, set[str]]:
    """Return losses after re-sourcing, (N, B, T), and the solver's words. ``memory`` keeps what was solved."""
    compiled, needs = case.compiled, case.needs
    resourcing = case.resourcing
    share = case.demand_shares if resourcing.outbid_rivals > 0 else np.ones(len(needs))
    markets, plants = needs["market"].to_numpy(), needs["need"].to_numpy()

    def solved(some: Shocks, losses: Floats) -> tuple[Floats, npt.NDArray[np.object_]]:
        found = after_resourcing(
            compiled, some, markets, resourcing, months, losses, plants, share.tolist(), reason=False, memory=memory
        )
        return found.loss, found.status

    if memory is None:
        loss, status = solved(shocks, short)
        return loss, set(np.unique(status[loss > NOISE]).tolist())
    place = digest("after", memory.of(compiled), memory.of(resourcing), markets, plants, share, tuple(months))
    keys = [
        digest(place, *_column(shocks.own_lost, b), *_column(shocks.flow_lost, b), short[:, b])
        for b in range(len(shocks))
    ]
    known = {key: memory.find(key) for key in dict.fromkeys(keys)}
    fresh = [keys.index(key) for key, found in known.items() if found is None]
    if fresh:
        loss, status = solved(shocks.take(fresh), np.ascontiguousarray(short[:, fresh]))
        for at, column in enumerate(fresh):
            words = set(np.unique(status[:, at][loss[:, at] > NOISE]).tolist())
            known[keys[column]] = loss[:, at].copy(), words
            memory.keep(keys[column], known[keys[column]])
    return np.stack([known[key][0] for key in keys], axis=1), set().union(*(known[key][1] for key in keys))


def split(applied: Applied, horizon: float = 12.0) -> pd.DataFrame:
    """Return what each part of the refused flows takes alone in the short run (buyer's mean): measure, by (imposing,
    regime, role, tier, item, outage), value, loss."""
    case = applied.at(horizon)
    compiled = case.compiled
    own = applied.own_lost(horizon)
    weight = need_weights(case)["weight"].to_numpy(float)
    rows: list[tuple[str, str, str, float]] = []
    for measure, refused in zip(MEASURES, (case.denied_flows(), case.leave_flows()), strict=True):
        # The policy is left out: it says how leave is given, not who asks for it or of what.
        parts = [part for part in refused_parts(case, refused) if part[0] != "policy" and part[2].any()]
        if parts:
            names = [f"{by}:{value}" for by, value, _ in parts]
            loss = short_run(case, flows_lost(compiled, names, [mask for _, _, mask in parts]), (horizon,))
            mean = weight @ loss[:, :, 0]
            rows += [(measure, by, value, float(x)) for (by, value, _), x in zip(parts, mean, strict=True)]
        if own.any():
            only = Shocks(("outage",), sparse.csc_array(own[:, None]), sparse.csc_array((compiled.n_offers, 1)))
            rows.append(
                (
                    measure,
                    "outage",
                    "outages of the scenario",
                    float(weight @ short_run(case, only, (horizon,))[:, 0, 0]),
                )
            )
    table = pd.DataFrame(rows, columns=["measure", "by", "value", "loss"])
    return table[table["loss"] > NOISE].reset_index(drop=True)


def waiting(applied: Applied) -> dict[str, float]:
    """Return what leave costs in time, over the direct flows to the buyer's needs, weighed by need and share:
    `needs_leave` (part that needs leave or may) and `licence_days` (mean days of waiting, over all flows)."""
    case = applied.case
    compiled = case.compiled
    weight = np.zeros(compiled.n_markets)
    np.add.at(weight, case.needs["market"].to_numpy(), need_weights(case)["weight"].to_numpy(float))
    flow = weight[compiled.offer_market] * compiled.offer_weight
    status = np.asarray(case.determinations.column("status"), dtype=object)
    leave = np.isin(status, ["licence", "prohibited", "indeterminate"])
    return {"needs_leave": float(flow @ leave), "licence_days": float(flow @ applied.licence_days())}
