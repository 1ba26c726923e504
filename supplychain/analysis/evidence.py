"""What stands behind a choke point: the law that decides its flows, and the facts with their quality and sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.analysis.elements import Members
from supplychain.network import DAYS_PER_MONTH, SUPPLY, Floats
from supplychain.regimes import Determinations
from supplychain.regimes.law import LEAVE, REFUSED

if TYPE_CHECKING:
    from supplychain.case import Case

IEC: Final = "w1-iec"  # the regime "Wassenaar minus one" in the bundled book
DECIDES, MAY, NOT = "decides", "may decide", "no"
_QUALITIES = ("reported", "derived", "estimate", "assumption")
_EDGE = 1e-12


def law_columns(case: Case, usage: Floats, members: Sequence[Members], regime: str) -> pd.DataFrame:
    """Return, per element, what the law says of its flows in the chain and of flows of its items to the buyer.

    `usage` (K,) weighs the flows: what the chain buys by them today. denied, at_leave, undetermined: parts of the flows
    that are refused already, need leave (refused ones included), cannot be settled by the facts. control, regime,
    imposing, status, policy, citation: the control that decides the largest part of what is not free. w1: does `regime`
    decide the determination of some flow (in force on the date, applicable to that flow); w1_part: of how much.
    """
    found = case.determinations
    chain = [_decided(found, found.index[m.offers], usage[m.offers], regime) for m in members]
    buyer, position = _to_buyer(case, members)
    width = len(case.destinations)
    share = case.compiled.supply_share
    rows = []
    for inside, member in zip(chain, members, strict=True):
        known = member.nodes[case.compiled.supply_kind[member.nodes] == SUPPLY]
        at = (position[known][:, None] * width + np.arange(width)).ravel()
        outside = _decided(buyer, buyer.index[at], np.repeat(share[known], width), regime)
        names = ("status", "control", "regime", "w1", "w1_part")
        rows.append(inside | {f"{name}_to_buyer": outside[name] for name in names})
    return pd.DataFrame(rows)


def _decided(
    found: Determinations, distinct: npt.NDArray[np.integer], weight: Floats, regime: str
) -> dict[str, object]:
    """Return the law columns of some flows, given as rows of `found.distinct`, and their weights."""
    table = found.distinct
    mass = np.bincount(distinct, weight, minlength=len(table)).astype(float)
    mass /= mass.sum() or 1.0
    status, policy = table["status"].to_numpy(object), table["policy"].to_numpy(object)
    leave = np.isin(status, LEAVE)
    denied = leave & ((status == "prohibited") | np.isin(policy, REFUSED))
    open_, bound = _settled(status)
    word, by_regime = deciding(status, table["regime"].to_numpy(object), mass, regime)
    told = {
        "denied": float(mass[denied].sum()),
        "at_leave": float(mass[leave].sum()),
        "undetermined": float(mass[open_].sum()),
        "w1": word,
        "w1_part": by_regime,
    }
    # Settled determinations go before open ones, then the control of the largest part.
    names = ("status", "policy", "control", "regime", "imposing", "citation")
    here = np.flatnonzero((mass > _EDGE) & (table["control"].to_numpy(object) != ""))
    if not len(here):
        return told | dict.fromkeys(names, "") | {"status": "free"}
    controls, of = np.unique(table["control"].to_numpy(object)[here].astype(str), return_inverse=True)
    settled = np.bincount(of, bound[here], minlength=len(controls)) > 0
    first = np.lexsort((np.arange(len(controls)), -np.bincount(of, mass[here]), ~settled))[0]
    rows = here[of == first]
    row = table.iloc[rows[np.lexsort((rows, -mass[rows], ~bound[rows]))[0]]]
    return told | {name: str(row[name]) for name in names}


def deciding(
    status: npt.NDArray[np.object_], regimes: npt.NDArray[np.object_], weight: Floats, regime: str
) -> tuple[str, float]:
    """Return whether a regime decides some of some determinations (decides, may decide, no), and the part of their
    weight that it decides."""
    part = weight / (weight.sum() or 1.0)
    open_, bound = _settled(status)
    of_regime = regimes == regime
    by_regime, maybe = float(part[of_regime & bound].sum()), float(part[of_regime & open_].sum())
    return DECIDES if by_regime > _EDGE else MAY if maybe > _EDGE else NOT, by_regime


def _settled(status: npt.NDArray[np.object_]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    return np.asarray(status == "indeterminate"), ~np.isin(status, ("free", "indeterminate"))


def _to_buyer(case: Case, members: Sequence[Members]) -> tuple[Determinations, npt.NDArray[np.intp]]:
    """Return what the law says of each node's item sent to each place of the buyer, and each node's first row."""
    compiled = case.compiled
    nodes = np.unique(np.concatenate([m.nodes for m in members])) if members else np.zeros(0, np.intp)
    nodes = nodes[compiled.supply_kind[nodes] == SUPPLY]
    offer = np.full(compiled.n_supplies, -1)
    offer[compiled.offer_supply[::-1]] = np.arange(compiled.n_offers)[::-1]
    frame = case.flows().iloc[np.repeat(offer[nodes], len(case.destinations))].reset_index(drop=True)
    frame["destination"] = np.tile(np.array(case.destinations, object), len(nodes))
    position = np.full(compiled.n_supplies, -1)
    position[nodes] = np.arange(len(nodes))
    return case.book.determine(frame, on=case.on, assumptions=case.assumptions.settings), position


def fact_columns(case: Case, members: Sequence[Members]) -> pd.DataFrame:
    """Return, per element, times to recover and what its facts rest on.

    recover_months: longest recorded time to recover of its supplies (NaN: none recorded). requalify_months,
    new_capacity_months: longest of its items. quality: parts of its supplies by quality, weighed by share. sources:
    ids.
    """
    compiled, network, items = case.compiled, case.network, case.network.items
    recover = network.supplies.get("time_to_recover_days", pd.Series(np.nan, network.supplies.index)).to_numpy(float)
    rows = []
    for member in members:
        nodes = member.nodes[compiled.supply_kind[member.nodes] == SUPPLY]
        row = compiled.supply_row[nodes]
        made = np.unique(compiled.supply_item[nodes])
        weight = (
            pd.Series(compiled.supply_share[nodes]).groupby(network.supplies["quality"].to_numpy(object)[row]).sum()
        )
        total = float(weight.sum()) or 1.0
        quality = "; ".join(f"{q} {weight[q] / total:.2f}" for q in _QUALITIES if weight.get(q, 0.0) > 0)
        sources = sorted({s for text in network.supplies["source"].to_numpy(object)[row] for s in text.split(";") if s})
        rows.append(
            {
                "recover_months": _longest(recover[row]) / DAYS_PER_MONTH,
                "requalify_months": _longest(items["qualification_months"].to_numpy(float)[made]),
                "new_capacity_months": _longest(items["new_capacity_months"].to_numpy(float)[made]),
                "quality": quality,
                "sources": "; ".join(sources),
            }
        )
    return pd.DataFrame(rows)


def evidence_rows(case: Case, kind: str, elements: Sequence[str], members: Sequence[Members]) -> pd.DataFrame:
    """Return one row per recorded supply of each element: kind, element, supply, organisation, item, site, share, year,
    quality, source, note."""
    compiled, supplies = case.compiled, case.network.supplies
    frames = []
    for element, member in zip(elements, members, strict=True):
        row = compiled.supply_row[member.nodes[compiled.supply_kind[member.nodes] == SUPPLY]]
        columns = ["supply", "organisation", "item", "site", "share", "year", "quality", "source", "note"]
        frame = supplies.iloc[row][[c for c in columns if c in supplies]].assign(kind=kind, element=element)
        frames.append(frame[["kind", "element", *[c for c in columns if c in supplies]]])
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["kind", "element"])


def _longest(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else float("nan")
