"""From a case to a sourcing problem: needs, candidate lines, what the law says of each, and what every refusal
leaves."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from supplychain.analysis.cascade import cascade
from supplychain.case import Case
from supplychain.errors import Problems, UsageError
from supplychain.network import DAYS_PER_MONTH, Compiled, is_firm
from supplychain.regimes.law import LEAVE
from supplychain.shocks import Shocks, refuse_all, refused_by, remove_organisations, states
from supplychain.sourcing.market import Market, read_market
from supplychain.sourcing.policy import Policy
from supplychain.sourcing.problem import Floats, Ints, SourcingProblem, Threat, check_problem

OTHER_LAW = (
    "leave is that of export controls: import bans, sanctions on parties and payments, and tariffs of the buyer's own "
    "state are not in the model"
)


def problem_from_case(case: Case, policy: Policy) -> SourcingProblem:
    """Return the sourcing problem of a case's buyer over the policy's horizon.

    Every supply of an item is a candidate for every need of it; with priced lanes to a plant, those that have
    one. Upstream a refusal counts where it is certain; on the buyer's own lines, what is unknown counts as
    refused.
    """
    case, lanes = _pooled(case)
    compiled, needs = case.compiled, _needs(case)
    market = needs["market"].to_numpy(np.int64)
    start = compiled.offer_start
    length = (start[market + 1] - start[market]).astype(np.int64)
    need = np.repeat(np.arange(len(needs)), length)
    offer = np.repeat(start[market] - np.cumsum(length) + length, length) + np.arange(length.sum())
    node, supply = np.unique(compiled.offer_supply[offer], return_inverse=True)
    supplies = _supplies(case, node)
    found = read_market(needs, supplies, need, supply, case.network.items, lanes, case.assumptions)
    _check(case, policy, needs, found)
    usable = ~np.isnan(found.price)
    lines = _lines(case, policy, needs, found, need, supply, offer)
    threats = _threats(case, policy, offer[usable])
    problem = _assemble(case, policy, needs, supplies, found, lines[usable].reset_index(drop=True), threats)
    check_problem(problem)
    return problem


def _check(case: Case, policy: Policy, needs: pd.DataFrame, market: Market) -> None:
    """Raise InputError for regimes that the book does not know, and for unknown demand where prices are money."""
    faults = Problems()
    known = sorted(case.book.tables["regimes"]["regime"].astype(str))
    for name in sorted(set(policy.caps.regimes) - set(known)):
        near = get_close_matches(name, known, n=1)
        cure = f"did you mean {near[0]}?" if near else "see `supplychain show`"
        faults.add("policy-regime", "the book has no such regime", cure, column="caps.regimes", value=name)
    if market.currency != "index":
        for row in needs[needs["demand_blank"]].itertuples():
            place: dict[str, Any] = {"table": "plants", "column": "demand", "value": f"{row.plant} x {row.item}"}
            faults.add("sourcing-demand", "demand must be known where prices are money", "give a number", **place)
    faults.raise_if_any()


def _pooled(case: Case) -> tuple[Case, pd.DataFrame]:
    """The case whose plants may buy from anyone, and the lanes to plants: they come back as today's shares and
    prices."""
    lanes = case.network.lanes
    to_plant = (lanes["to_plant"] != "").to_numpy(bool) if len(lanes) else np.zeros(0, dtype=bool)
    if not to_plant.any():
        return case, lanes.iloc[:0]
    network = replace(case.network, lanes=lanes[~to_plant].reset_index(drop=True))
    pooled = case.with_(network=network, buyer=case.buyer, products=case.products)
    return pooled, lanes[to_plant].reset_index(drop=True)


def _needs(case: Case) -> pd.DataFrame:
    """The case's needs with demand a year (1 where not known), unit and margin per unit, sorted by plant and item."""
    table = case.needs.copy()
    table["plant"] = np.where(table["plant"] == "", table["destination"], table["plant"])
    plants = case.network.plants
    own = plants[plants["buyer"] == case.buyer]
    recorded = own.set_index(["plant", "item"])
    keys = pd.MultiIndex.from_frame(table[["plant", "item"]])
    for column, blank in (("demand", 1.0), ("margin_usd", np.nan)):
        values = recorded[column].reindex(keys).to_numpy(float) if column in recorded else np.full(len(table), np.nan)
        table[column] = np.where(np.isnan(values), blank, values)
        table[f"{column}_blank"] = np.isnan(values)
    unit = recorded["unit"].reindex(keys).fillna("").to_numpy(object) if "unit" in recorded else ""
    table["unit"] = unit
    table = table[table["demand"] > 0]
    if not len(table):
        raise UsageError(f"the buyer {case.buyer!r} needs nothing: no demand above 0 in the plants table")
    return table.sort_values(["plant", "item"], kind="stable", ignore_index=True)


def _supplies(case: Case, node: Ints) -> pd.DataFrame:
    """The supplies table of the nodes, remainders included as supplies of unknown maker and place."""
    compiled, network = case.compiled, case.network
    row = compiled.supply_row[node]
    table = network.supplies.reindex(row).reset_index(drop=True)
    table["supply"] = compiled.supply_ids[node]
    table["item"] = np.array(compiled.items, dtype=object)[compiled.supply_item[node]]
    for column in ("organisation", "site", "quality"):
        table[column] = table[column].fillna("").astype(str) if column in table else ""
    table["share"] = compiled.supply_share[node]
    heads = network.organisations.set_index("organisation")["jurisdiction"]
    table["jurisdiction"] = heads.reindex(pd.Index(table["organisation"])).fillna("").to_numpy(object)
    return table


def _lines(
    case: Case, policy: Policy, needs: pd.DataFrame, market: Market, need: Ints, supply: Ints, offer: Ints
) -> pd.DataFrame:
    """What the law says of each line, and its price and limits."""
    found = case.determinations
    texts = ("status", "policy", "control", "regime", "citation")
    table = pd.DataFrame({name: np.asarray(found.column(name), dtype=object)[offer] for name in texts})
    leave = ~table["status"].isin(["free", "excepted", "notification"]).to_numpy()
    common = case.assumptions.settings["licence"]["case-by-case"]
    delay, chance = found.number("delay_days")[offer], found.number("probability")[offer]
    # A line whose status is open is planned as if a licence were needed and weighed case by case.
    delay = np.where(np.isnan(delay), float(common["delay_days"]), delay)
    chance = np.where(np.isnan(chance), float(common["probability"]), chance)
    if policy.licences.delay_days is not None:
        delay = np.where(leave, policy.licences.delay_days, delay)
    if policy.licences.probability is not None:
        chance = np.where(leave, policy.licences.probability, chance)
    applied = found.applied
    kept = applied[applied["status"].isin(LEAVE) & ~applied["conditional"] & (applied["regime"] != "")]
    regimes = kept.groupby("flow")["regime"].agg(lambda column: ";".join(sorted(set(column))))
    months = policy.horizon.months / policy.horizon.periods
    premium = case.assumptions.number("sourcing.new_premium") if market.currency == "index" else 0.0
    return pd.DataFrame(
        {
            "need": need,
            "supply": supply,
            "unit_cost": market.price * (1 + premium * market.new[supply]),
            "today": market.today,
            "capacity": market.line_capacity / 12 * months,
            "delay_months": delay / DAYS_PER_MONTH,
            **{name: table[name].astype(str) for name in texts},
            "regimes": regimes.reindex(offer).fillna("").to_numpy(object),
            "probability": chance,
        }
    )


def _threats(case: Case, policy: Policy, offer: Ints) -> tuple[Threat, ...]:
    """What each refusal leaves of each line: the flow itself, times what its maker can still make (the cascade)."""
    compiled = case.compiled
    months = policy.horizon.months / policy.horizon.periods
    after = policy.horizon.periods - round(policy.horizon.strikes_month / months)
    horizons = tuple(months * (a + 1) for a in range(after))
    own = compiled.offer_supply[offer]
    makers = sorted({compiled.organisations[o] for o in np.unique(compiled.supply_org[own]) if o >= 0})
    makers = [name for name in makers if is_firm(name)]
    everyone, imposing, regimes = states(compiled), case.imposing_states, case.regimes
    lost = {
        "all": [refused_by(compiled, state, "pessimistic") for state in everyone],
        "at-leave": [case.leave_flows("pessimistic", imposing=[state]) for state in imposing],
        "regime": [case.leave_flows("pessimistic", regime=regime) for regime in regimes],
    }
    groups: list[tuple[str, list[str], Shocks, Any]] = [
        ("state", [f"{s}:all" for s in everyone], refuse_all(compiled, everyone), lost["all"]),
        (
            "state",
            [f"{s}:at-leave" for s in imposing],
            case.at_leave_by_state(imposing, "optimistic"),
            lost["at-leave"],
        ),
        ("regime", [f"regime:{r}" for r in regimes], case.at_leave_by_regime(regimes), lost["regime"]),
        ("supplier", [f"supplier:{m}" for m in makers], remove_organisations(compiled, makers), None),
    ]
    threats = []
    for kind, names, shocks, direct in groups:
        if not names:
            continue
        output = _output(compiled, shocks, horizons)
        for b, name in enumerate(names):
            flow = np.ones(len(offer)) if direct is None else 1.0 - np.asarray(direct[b], dtype=float)[offer]
            threats.append(Threat(name, kind, flow[:, None] * output[own, b, :]))
    return tuple(sorted(threats, key=lambda threat: threat.name))


def _output(compiled: Compiled, shocks: Shocks, horizons: tuple[float, ...]) -> Floats:
    """Output of every node (S x B x T) in the short run, months after the shock."""
    return cascade(compiled, shocks, horizons, markets=[]).output


def _assemble(
    case: Case,
    policy: Policy,
    needs: pd.DataFrame,
    supplies: pd.DataFrame,
    market: Market,
    lines: pd.DataFrame,
    threats: tuple[Threat, ...],
) -> SourcingProblem:
    """Put the tables in canonical order (needs by plant and item, supplies by id, lines by need and supply)."""
    months = policy.horizon.months / policy.horizon.periods
    order = np.argsort(supplies["supply"].to_numpy(object).astype(str), kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    minimum = supplies["minimum_order"].to_numpy(float) if "minimum_order" in supplies else np.zeros(len(supplies))
    cost = supplies["unit_cost"].to_numpy(float) if "unit_cost" in supplies else np.full(len(supplies), np.nan)
    table = (
        pd.DataFrame(
            {
                "supply": supplies["supply"].astype(str),
                "organisation": supplies["organisation"],
                "site": supplies["site"],
                "jurisdiction": supplies["jurisdiction"],
                "capacity": market.capacity / 12 * months,
                "spare": market.spare,
                "qualification_cost": market.qualification_cost,
                "minimum_order": np.nan_to_num(minimum),
                "new": market.new,
                "ready_months": market.ready_months,
                "quality": supplies["quality"],
                "unit_cost": cost,
            }
        )
        .iloc[order]
        .reset_index(drop=True)
    )
    lines = lines.assign(supply=place[lines["supply"].to_numpy(np.int64)])
    sort = np.lexsort((lines["supply"], lines["need"]))
    demand = needs["demand"].to_numpy(float)
    blank = int(needs["demand_blank"].sum())
    unknown = [f"the demand of {blank} need(s) is not recorded and counts as 1 a year"] if blank else []
    return SourcingProblem(
        buyer=case.buyer,
        currency=market.currency,
        needs=pd.DataFrame(
            {
                "plant": needs["plant"].astype(str),
                "item": needs["item"].astype(str),
                "site": needs["destination"].astype(str),
                "unit": needs["unit"].astype(str),
                "demand": demand / 12 * months,
                "margin": _margin(needs, market, policy),
                "stock_today": needs["stock_days"].fillna(0.0).to_numpy(float) / (months * DAYS_PER_MONTH),
                "price": np.nan,
            }
        ),
        supplies=table,
        lines=lines.iloc[sort].reset_index(drop=True),
        periods=policy.horizon.periods,
        period_months=months,
        strike=round(policy.horizon.strikes_month / months),
        threats=tuple(Threat(t.name, t.kind, t.factor[sort]) for t in threats),
        notes=(*case.warnings, OTHER_LAW, *market.notes, *unknown),
    )


def _margin(needs: pd.DataFrame, market: Market, policy: Policy) -> Floats:
    """Money lost per unit unmet. With an index price: what the unit earns, scaled so that the average need of a year
    loses `cost.unknown_margin` times its price."""
    given = needs["margin_usd"].to_numpy(float)
    if market.currency == "USD":
        return given
    if market.currency != "index":
        return np.full(len(needs), np.nan)
    demand = needs["demand"].to_numpy(float)
    yearly = given * demand
    mean = np.nanmean(yearly) if np.isfinite(yearly).any() else np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(policy.cost.unknown_margin * yearly / mean / demand)
