"""Choke points: what each supply, organisation, site, item and jurisdiction would cost the buyer if it were lost.

Elements are ranked by loss area after re-sourcing: unit-months of need not served within the last horizon. The ranking
is exact: an element is solved only while what bounds its loss from above (the short run, and a plan that shares every
shortage equally) could still bring it among the first. Losses are ranges: at the low end unknown makers and places are
somebody else, at the high end they are the element (docs/model.md).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from supplychain.analysis.concentration import concentration, through_tiers
from supplychain.analysis.elements import (
    KINDS,
    Members,
    elements,
    lose_firms,
    members,
    name_of,
    refuse_items,
    with_unknown,
)
from supplychain.analysis.evidence import IEC, evidence_rows, fact_columns, law_columns
from supplychain.analysis.flow import NO_LOSS, FlowModel, LossAfter, loss_models
from supplychain.analysis.needs import need_weights, short_run, touch
from supplychain.analysis.paths import item_paths
from supplychain.analysis.rationing import equal_shares
from supplychain.errors import UsageError
from supplychain.network import Floats
from supplychain.shocks import Shocks

if TYPE_CHECKING:
    from supplychain.case import Case

DEFAULT_KINDS: Final = ("jurisdiction", "organisation", "site", "item")
THRESHOLD: Final = 0.05  # part of the need lost after re-sourcing from which an element is called a choke point
SINGLE: Final = 0.7  # share of an item's world supply from which one firm or one state is called its single source
_WHOLE: Final = 1.0 - 1e-6


@dataclass(frozen=True, eq=False)
class ChokePoints:
    """The choke-point table of a case and what stands behind it.

    `table` has one row per element, by `area_after` descending: kind, element, name, home (site or head office), items.
    For each horizon T: short_T_low, short_T_high, after_T_low, after_T_high (fractions of the need, mean over the
    buyer's needs weighed by margin); area_short, area_after (unit-months, low end); growth (loss of growth, short run);
    choke_point (after >= threshold at some horizon, low end); hits (needs that lose the threshold or more, short run,
    last horizon); because (chain from the product to the binding item, at the horizon of the highest loss); touch (part
    of the need whose chain passes the element at all: never a loss). single_point: its removal alone stops growth of
    every need; dominates, in_minimum_cut, betweenness: see `analysis.paths`. Then the columns of `analysis.evidence`.

    `singles` has the same columns for every item of the chain of which one firm or one state has at least `SINGLE` of
    the known world supply; `element` says whose ("item by firm", "item@state"), `share` how much.
    """

    table: pd.DataFrame
    singles: pd.DataFrame
    evidence: pd.DataFrame
    concentration: pd.DataFrame
    through_tiers: pd.DataFrame
    horizons: tuple[float, ...]
    threshold: float
    regime: str
    buyer: str
    products: tuple[str, ...]
    on: str
    examined: int
    solved: int
    warnings: tuple[str, ...]

    @property
    def everything(self) -> pd.DataFrame:
        """Elements and single sources in one table, by `area_after` descending."""
        return _ranked([self.table, self.singles]).drop_duplicates(["kind", "element"], ignore_index=True)

    @property
    def spread(self) -> dict[str, float]:
        """How far the scores tell elements apart: elements, distinct areas (to 1e-6), lowest, median, highest area."""
        area = self.table["area_after"].to_numpy(float)
        if not len(area):
            return {"elements": 0, "distinct": 0}
        ends = {"lowest": float(area.min()), "median": float(np.median(area)), "highest": float(area.max())}
        return {"elements": len(area), "distinct": len(np.unique(area.round(6))), **ends}


def choke_points(
    case: Case,
    kinds: Sequence[str] = DEFAULT_KINDS,
    top: int | None = 20,
    horizons: Sequence[float] = (3, 12, 36),
    threshold: float = THRESHOLD,
    regime: str = IEC,
    single_sources: bool = True,
    step: Callable[[str], None] | None = None,
) -> ChokePoints:
    """Return the first `top` elements of each kind (None: all that cost anything), with evidence and concentration.

    `regime` is the arrangement that the w1 columns speak of. `single_sources=False` leaves that table empty. `step` is
    told what is being computed.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is not a kind of element: {', '.join(KINDS)}")
    if top is not None and top < 1:
        raise UsageError("top is the number of elements to show, at least 1")
    view = _View.of(case, tuple(sorted(float(horizon) for horizon in horizons)), threshold, regime)
    parts = []
    for kind in kinds:
        if step:
            step(f"losing every {kind}")
        parts.append(_study(view, kind, elements(case.compiled, kind), top))
    chain = np.unique(np.concatenate([model.chain.items for model in view.models[0]]))
    shares = concentration(case.network, case.compiled, chain)
    if step and single_sources:
        step("losing single sources")
    singles = _singles(view, shares if single_sources else shares.iloc[:0])
    return ChokePoints(
        table=_ranked([part.table for part in parts]),
        singles=_ranked([part.table for part in singles]),
        evidence=pd.concat([part.evidence for part in (*parts, *singles)], ignore_index=True).drop_duplicates(),
        concentration=shares,
        through_tiers=through_tiers(case.network, case.compiled, *case.products),
        horizons=view.months,
        threshold=threshold,
        regime=regime,
        buyer=case.buyer,
        products=case.products,
        on=case.on.isoformat(),
        examined=sum(part.examined for part in (*parts, *singles)),
        solved=sum(part.solved for part in (*parts, *singles)),
        warnings=case.warnings,
    )


def _ranked(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    table = pd.concat(tables, ignore_index=True)
    by, up = ["area_after", "area_short", "kind", "element"], [False, False, True, True]
    return table.sort_values(by, ascending=up, ignore_index=True) if len(table) else table


@dataclass(frozen=True, eq=False)
class _Bounds:
    """Short-run losses (V, B, T + 1; the last is growth) and upper bounds on losses after re-sourcing (V, B, T)."""

    short: Floats
    after: Floats


@dataclass(frozen=True, eq=False)
class _After:
    loss: Floats  # (V, T)
    area: float
    worst: tuple[int, int] | None  # (horizon, need) where it costs most
    solved: int


@dataclass(frozen=True, eq=False)
class _View:
    """A case with all that every kind of element needs: LPs, weights of needs and of horizons, today's flows."""

    case: Case
    months: tuple[float, ...]
    threshold: float
    regime: str
    models: list[list[FlowModel]]  # by horizon, then need
    weight: Floats  # (V,) of each need in the mean, sums to 1
    area: Floats  # (T,) unit-months per unit of loss at each horizon
    usage: Floats  # (K,) what the buyer's chains buy today through each offer
    paths: pd.DataFrame

    @classmethod
    def of(cls, case: Case, months: tuple[float, ...], threshold: float, regime: str) -> _View:
        models, weight, compiled = loss_models(case, months), need_weights(case), case.compiled
        usage = np.zeros(compiled.n_offers)
        for model, part in zip(models[0], weight, strict=True):
            usage += part * model.chain.output[compiled.offer_supply] * model.chain.demand[compiled.offer_market]
        paths = item_paths(compiled, case.products)
        return cls(case, months, threshold, regime, models, weight, area_weights(months), usage, paths)

    def bounds(self, shocks: Shocks) -> _Bounds:
        needs, compiled = self.case.needs, self.case.compiled
        short = short_run(self.case, shocks, self.months, growth=True)
        shared = equal_shares(compiled, shocks, self.months, self.models[0][0].resourcing)
        shared = shared[compiled.market_item[needs["market"].to_numpy()]]
        # For a plant the bound is 1 where its market's is not 0: its own stock and wear only help.
        return _Bounds(short, np.minimum(short[:, :, :-1], shared))

    def after(self, shocks: Shocks, column: int, most: Floats, least: float = -1.0) -> _After | None:
        """Return losses after re-sourcing under one shock, or None once its area cannot exceed `least`.

        `most` (V, T) bounds every loss from above, so an area is known to be small before all of it is computed.
        """
        loss, best, solved = np.zeros(most.shape), 0.0, 0
        worst: tuple[int, int] | None = None
        removal = shocks.flow_lost.indptr[column] == shocks.flow_lost.indptr[column + 1]
        share = self.weight[:, None] * self.area[None, :]
        bound = float((share * most).sum())
        known: dict[object, LossAfter] = {}
        for position in np.argsort(-(share * most), axis=None, kind="stable"):
            v, t = divmod(int(position), most.shape[1])
            if most[v, t] <= NO_LOSS:
                continue
            if bound <= least:
                return None
            # A removal is felt alike wherever the need is.
            key = (t, self.models[t][v].signature)
            result = known.get(key) if removal else None
            if result is None:
                result = known[key] = self.models[t][v].loss(shocks, column, reason=False)
                solved += 1
            loss[v, t] = min(result.loss, float(most[v, t]))
            bound -= share[v, t] * (float(most[v, t]) - loss[v, t])
            if self.weight[v] * loss[v, t] > best:
                best, worst = self.weight[v] * loss[v, t], (t, v)
        return _After(loss, float((share * loss).sum()), worst, solved)

    def because(self, shocks: Shocks, column: int, found: _After) -> str:
        """Return the chain from the product to the binding item where an element costs most, in one line."""
        if found.worst is None:
            return ""
        t, v = found.worst
        return " <- ".join(self.models[t][v].loss(shocks, column).chain)


@dataclass(frozen=True, eq=False)
class _Study:
    table: pd.DataFrame
    evidence: pd.DataFrame
    examined: int
    solved: int


def _study(view: _View, kind: str, shocks: Shocks, top: int | None, share: Floats | None = None) -> _Study:
    """Return the first `top` elements of a kind by area after re-sourcing, then short run, with their evidence."""
    case, bounds = view.case, view.bounds(shocks)
    most = np.einsum("v,t,vbt->b", view.weight, view.area, bounds.after)
    short = np.einsum("v,t,vbt->b", view.weight, view.area, bounds.short[:, :, :-1])
    after: dict[int, _After] = {}
    best: list[float] = []
    solved = 0
    for b in sorted(range(len(shocks)), key=lambda k: (-most[k], -short[k], shocks.names[k])):
        if bounds.short[:, b].max(initial=0.0) <= NO_LOSS:
            continue
        full = top is not None and len(best) == top
        if full and most[b] < best[0]:
            break
        found = view.after(shocks, b, bounds.after[:, b], best[0] if full and best[0] > 0 else -1.0)
        if found is None:
            continue
        solved += found.solved
        after[b] = found
        if top is not None:
            (heapq.heappushpop if full else heapq.heappush)(best, found.area)
    order = sorted(after, key=lambda k: (-after[k].area, -short[k], shocks.names[k]))[:top]
    chosen = shocks.take(order)
    parts = members(case.compiled, chosen)
    high = with_unknown(case.compiled, chosen, kind)
    above = view.bounds(high)
    upper = [after[b] if kind == "item" else view.after(high, at, above.after[:, at]) for at, b in enumerate(order)]
    rows = [
        _row(view, kind, name, part, after[b], top_, bounds.short[:, b], above.short[:, at])
        for at, (b, name, part, top_) in enumerate(zip(order, chosen.names, parts, upper, strict=True))
        if top_ is not None
    ]
    solved += sum(found.solved for found in upper if found is not None)
    evidence = evidence_rows(case, kind, chosen.names, parts)
    if not rows:
        return _Study(pd.DataFrame({"kind": [], "element": [], "area_after": []}), evidence, len(shocks), solved)
    table = pd.DataFrame(rows)
    table["because"] = [view.because(chosen, at, after[b]) for at, b in enumerate(order)]
    table["touch"] = view.weight @ touch(case, chosen)
    if share is not None:
        table.insert(4, "share", share[order])
    table = table.join(law_columns(case, view.usage, parts, view.regime)).join(fact_columns(case, parts))
    return _Study(table, evidence, len(shocks), solved)


def _row(
    view: _View, kind: str, element: str, part: Members, low: _After, high: _After, short: Floats, above: Floats
) -> dict[str, object]:
    """Return losses, reasons and paths of one element; `short` and `above` are (V, T + 1)."""
    case, weight = view.case, view.weight
    name, home = name_of(case.network, kind, element)
    made = np.unique(case.compiled.supply_item[part.nodes])
    row: dict[str, object] = {"kind": kind, "element": element, "name": name, "home": home}
    row["items"] = "; ".join(case.compiled.items[i] for i in made)
    for t, horizon in enumerate(view.months):
        row[f"short_{horizon:g}_low"] = float(weight @ short[:, t])
        row[f"short_{horizon:g}_high"] = float(weight @ np.maximum(above[:, t], short[:, t]))
        row[f"after_{horizon:g}_low"] = float(weight @ low.loss[:, t])
        row[f"after_{horizon:g}_high"] = float(weight @ np.maximum(high.loss[:, t], low.loss[:, t]))
    row["area_short"] = float(weight @ short[:, :-1] @ view.area)
    row["area_after"] = low.area
    row["growth"] = float(weight @ short[:, -1])
    row["choke_point"] = bool((weight @ low.loss).max() >= view.threshold)
    hit = case.needs[short[:, len(view.months) - 1] >= view.threshold]
    row["hits"] = "; ".join(dict.fromkeys(f"{n.plant or n.destination!s}: {n.item!s}" for n in hit.itertuples()))
    row["single_point"] = bool((short[:, -1] >= _WHOLE).all())
    paths = view.paths.loc[made]
    row["dominates"], row["in_minimum_cut"] = bool(paths["dominates"].any()), bool(paths["in_minimum_cut"].any())
    row["betweenness"] = float(paths["betweenness"].max()) if len(paths) else 0.0
    return row


def _singles(view: _View, shares: pd.DataFrame) -> list[_Study]:
    """Return the study of items that come from one state, and of those that come from one firm."""
    studies = []
    for by, kind in (("site", "source"), ("organisation", "firm")):
        held = shares[(shares["view"] == by) & (shares["largest_share"] >= SINGLE)]
        pairs = list(zip(held["item"], held["largest"], strict=True))
        shocks = (refuse_items if kind == "source" else lose_firms)(view.case.compiled, pairs)
        studies.append(_study(view, kind, shocks, None, held["largest_share"].to_numpy(float)))
    return studies


def area_weights(months: Sequence[float]) -> Floats:
    """Return the unit-months per unit of loss at each horizon: no loss at 0, straight lines between horizons."""
    steps = np.diff(np.array([0.0, *months])) / 2
    return np.asarray(steps + np.append(steps[1:], 0.0))
