"""Tables behind the pictures of power, cost, time and doubt: flows by who controls them, leverage, frontier, months,
stocks, swings. One table each, drawn by ``sections_studies`` and written like every other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from supplychain.analysis.exposure import usual_roles
from supplychain.analysis.history import history
from supplychain.analysis.leverage import Measure, leverage
from supplychain.analysis.needs import need_weights
from supplychain.analysis.refusal import pooled
from supplychain.errors import NoAnswer
from supplychain.network import ROLES
from supplychain.shocks import refuse_all
from supplychain.sourcing.frontier import frontier
from supplychain.sourcing.losses import after_resourcing, short_run
from supplychain.whatif.timeline import run_down

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supplychain.case import Case
    from supplychain.sourcing.losses import Contracts
    from supplychain.sourcing.plan import Plan
    from supplychain.sourcing.problem import Threat

PERMUTATIONS = 400  # random orders of joining where states are too many to be counted out
POINTS = 5  # of the frontier, both ends included
BACK, AHEAD = 24, 12  # months
WEEKS = 52
RAN_OUT = 0.05  # days: a stock below counts as used up
_NEED = ["plant", "destination", "item"]


def need_flows(case: Case) -> pd.DataFrame:
    """Return how every need is met, by who controls the flow: parts of all needs, which sum to 1.

    Columns: ``plant, destination, item, category, tier, role, origin`` (site of production, ISO3; blank: not known),
    ``treatment``: ``leave`` (needs leave, whatever the unknown facts are), ``open`` (may need it), ``place unknown``
    (where it is made is not known, so neither is the law) or ``free``; ``imposing`` (whose control decides, blank where
    none does), ``share``. A flow that several states control counts for the one whose control is the strictest.
    """
    compiled, needs, weight = case.compiled, case.needs, need_weights(case)
    market, own = needs["market"].to_numpy(np.intp), needs["need"].to_numpy(np.intp)
    start = compiled.offer_start[market]
    count = compiled.offer_start[market + 1] - start
    row = np.repeat(np.arange(len(needs)), count)
    offer = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + start[row]
    place = compiled.supply_place[compiled.offer_supply[offer]]
    nowhere = place == len(compiled.places) - 1
    sure, may = case.leave_flows("optimistic")[offer], case.leave_flows("pessimistic")[offer]
    treatment = np.select([sure, nowhere, may], ["leave", "place unknown", "open"], "free")
    imposing = np.asarray(case.determinations.column("imposing"), dtype=object).astype(str)[offer]
    origin = np.array(compiled.places, dtype=object).astype(str)[place]
    used = usual_roles(compiled)[compiled.market_item[market]]
    role = used.copy()  # a product that requires nothing may leave a network without a single need of a maker
    role[own >= 0] = compiled.need_role[own[own >= 0]]
    table = pd.DataFrame({name: needs[name].to_numpy(object)[row] for name in _NEED}).assign(
        role=np.array(ROLES, dtype=object)[role][row],
        origin=np.where(nowhere, "", origin),
        treatment=treatment,
        imposing=np.where(np.isin(treatment, ["leave", "open"]), imposing, ""),
        share=weight[row] * compiled.offer_weight[offer],
    )
    facts = case.network.items[["item", "category", "tier"]]
    keys = [*_NEED, "category", "tier", "role", "origin", "treatment", "imposing"]
    table = table.merge(facts, on="item", how="left")
    table["tier"] = table["tier"].fillna(99).astype("int64")
    summed = table.groupby(keys, sort=True)["share"].sum().reset_index()
    return summed[summed["share"] > 0].reset_index(drop=True)


def leverages(case: Case, months: float) -> pd.DataFrame:
    """Return what each state adds to a refusal, over all orders in which states may join: the Shapley value.

    Columns: ``state, alone, last, shapley, low, high`` (95 % interval; equal where every coalition was counted),
    ``with_unknown, exact, players, orders, refuses`` (all that it makes; only what it controls where lanes say who buys
    from whom). States in which the buyer has its places do not play.
    """
    measure: Measure = "all" if pooled(case.compiled) else "controlled"
    found = leverage(case, months, measure=measure, permutations=PERMUTATIONS, max_size=0)
    kept = ["state", "alone", "last", "shapley", "low", "high", "with_unknown"]
    refuses = "all its supply" if measure == "all" else "what it controls"
    return found.table[kept].assign(exact=found.exact, players=found.players, orders=found.draws, refuses=refuses)


def frontier_points(plan: Plan | None) -> pd.DataFrame:
    """Return what less exposure costs: ``kind, cost, exposure, worst, worst_loss``, cheapest first.

    ``kind``: ``end`` or ``supported`` (points of the frontier: the least cost at their mean exposure over all
    refusals), ``today`` (buying as today), ``plan`` (the plan of this report). ``worst`` is the refusal with the
    largest loss, ``worst_loss`` the mean over the needs of what stays unmet after re-sourcing. Empty without a plan.
    """
    columns = ["kind", "cost", "exposure", "worst", "worst_loss"]
    if plan is None:
        return _empty({name: "str" if name in ("kind", "worst") else "float64" for name in columns})
    try:
        found = frontier(plan.problem, plan.policy, POINTS)
    except NoAnswer:
        return frontier_points(None)
    threats = [threat for threat in plan.problem.threats if threat.name in set(found.threats)]
    own = [
        {"kind": "today", "cost": plan.costs["today"], **_exposed(plan, plan.before, threats)},
        {"kind": "plan", "cost": plan.costs["total"], **_exposed(plan, plan.contracts, threats)},
    ]
    table = pd.concat([found.table[columns], pd.DataFrame(own)[columns]], ignore_index=True)
    return table.sort_values(["cost", "kind"], ignore_index=True)


def _empty(columns: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(columns=list(columns)).astype(dict(columns))


def _exposed(plan: Plan, contracts: Contracts, threats: list[Threat]) -> dict[str, object]:
    loss = {}
    for threat in threats:
        after = after_resourcing(plan.problem, contracts, threat)
        loss[threat.name] = float(np.minimum(after, short_run(plan.problem, contracts, threat)).mean())
    worst = max(sorted(loss), key=lambda name: loss[name])
    return {"exposure": float(np.mean(list(loss.values()))), "worst": worst, "worst_loss": loss[worst]}


def by_month(case: Case) -> pd.DataFrame:
    """Return the exposure under the law of the first day of each month, two years back and one ahead.

    Columns: ``month, in_force, in_force_high, at_leave, at_leave_high`` (short-run loss after 12 months; high: unknown
    facts adverse), ``instruments`` (controls that changed since the month before), ``regimes`` (theirs, with how many
    controls), ``known`` (is the law of that month known?).
    """
    month = np.datetime64(case.on, "M")
    found = history(case, str(month - BACK), str(month + AHEAD)).table
    named = {
        f"loss_{measure}_{end}": f"{measure}{suffix}"
        for measure in ("in_force", "at_leave")
        for end, suffix in (("low", ""), ("high", "_high"))
    }
    table = found.rename(columns=named)[["month", *named.values(), "instruments", "regimes", "known"]]
    for measure in ("in_force", "at_leave"):
        table[f"{measure}_high"] = np.maximum(table[measure], table[f"{measure}_high"])
    return table


def stocks(case: Case, state: str) -> pd.DataFrame:
    """Return how the stocks of the buyer's needs run down, week by week, while one state refuses all its supply.

    Columns: ``state, plant, destination, item, week, stock_days`` (what is left at the end of the week, in days of full
    use), ``loss`` (part of the need lost in the week), ``ends`` (week in which the stock is used up; NaN: it lasts).
    Only needs that hold stock of their own and draw on it.
    """
    columns = {"state": "str", **dict.fromkeys(_NEED, "str"), "week": "int64"}
    columns |= dict.fromkeys(["stock_days", "loss", "ends"], "float64")
    empty = _empty(columns)
    if not state or (case.needs["need"] < 0).all():  # no state withholds anything, or a country, which holds no stock
        return empty
    refused = np.asarray(refuse_all(case.compiled, [state]).flow_lost.toarray()[:, 0])
    found = run_down(case, refused, WEEKS)
    needs = case.needs
    full = needs["stock_days"].to_numpy(float)
    drawn = np.isfinite(found.stock_days[:, -1]) & (found.stock_days.min(axis=1) < full - RAN_OUT)
    gone = found.stock_days <= RAN_OUT
    ends = np.where(gone.any(axis=1), gone.argmax(axis=1) + 1.0, np.nan)
    frames = [
        pd.DataFrame(
            {
                "state": state,
                **{name: str(needs[name].iloc[at]) for name in _NEED},
                "week": np.arange(WEEKS + 1),
                "stock_days": np.append(full[at], found.stock_days[at]),
                "loss": np.append(0.0, found.loss[at]),
                "ends": ends[at],
            }
        )
        for at in np.flatnonzero(drawn)
    ]
    return pd.concat(frames, ignore_index=True) if frames else empty
