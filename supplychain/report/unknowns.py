"""What is unknown, and which fact would narrow the answer most: each item's open flows settled in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from supplychain.analysis.cascade import Gates, cascade
from supplychain.analysis.needs import need_weights
from supplychain.network import REMAINDER, Compiled, Flags, Floats
from supplychain.shocks import Shocks, flows_lost

if TYPE_CHECKING:
    from supplychain.case import Case

_BREAK = " | "  # between the questions of one flow (regimes.words)


def felt(case: Case, shocks: Shocks, months: float) -> Floats:
    """Return (needs, shocks): the short-run loss that each need of the case feels at one horizon."""
    compiled, needs = case.compiled, case.needs
    result = cascade(compiled, shocks, (months,))
    loss = np.array(result.market_loss[needs["market"].to_numpy(), :, 0])
    own = needs["need"].to_numpy()
    plants = np.flatnonzero(own >= 0)
    if len(plants):
        flat = result.market_loss.reshape(compiled.n_markets, -1)
        by_need = Gates(compiled, (months,)).felt(flat).reshape(compiled.n_needs, len(shocks))
        loss[plants] = by_need[own[plants]]
    return loss


def open_flows(case: Case) -> Flags:
    """Return the flows (K,) that may need leave, but not for certain."""
    return np.asarray(case.leave_flows("pessimistic") & ~case.leave_flows("optimistic"))


def table(case: Case, months: float) -> pd.DataFrame:
    """Return one row per item with open flows, the one that would narrow the answer most first.

    Columns: ``item, flows`` (open ones), ``share`` (largest part of one user's supply that is open), ``narrows`` (by
    how much the high end of the loss at leave falls if its open flows were found free), ``adds`` (by how much the low
    end rises if they were found to need leave), both means over the buyer's needs; ``needs`` (those it would move),
    ``question`` (asked most often), ``supplies``.
    """
    compiled = case.compiled
    opened = open_flows(case)
    item = compiled.market_item[compiled.offer_market]
    codes = np.unique(item[opened])
    columns = ["item", "flows", "share", "narrows", "adds", "needs", "question", "supplies"]
    if not len(codes):
        return pd.DataFrame(columns=columns)
    worst, sure = case.leave_flows("pessimistic"), case.leave_flows("optimistic")
    masks = [worst, *(worst & ~(opened & (item == code)) for code in codes)]
    masks += [sure, *(sure | (opened & (item == code)) for code in codes)]
    loss = felt(case, flows_lost(compiled, [str(column) for column in range(len(masks))], masks), months)
    high, low = loss[:, : len(codes) + 1], loss[:, len(codes) + 1 :]
    narrower, further = high[:, [0]] - high[:, 1:], low[:, 1:] - low[:, [0]]
    weight = need_weights(case)
    questions = case.determinations.table["questions"].to_numpy(object)
    rows = []
    for place, code in enumerate(codes):
        flows = np.flatnonzero(opened & (item == code))
        asked = pd.Series([q for flow in flows for q in str(questions[flow]).split(_BREAK) if q])
        by_market = np.bincount(compiled.offer_market[flows], weights=compiled.offer_weight[flows])
        makers = sorted({str(name) for name in compiled.supply_ids[compiled.offer_supply[flows]]})
        rows.append(
            (
                compiled.items[code],
                len(flows),
                float(by_market.max()),
                float(weight @ narrower[:, place]),
                float(weight @ further[:, place]),
                int((np.maximum(narrower, further)[:, place] > 1e-6).sum()),
                _most(asked),
                ";".join(makers),
            )
        )
    found = pd.DataFrame(rows, columns=columns)
    found["_order"] = found[["narrows", "adds"]].max(axis=1)
    found = found.sort_values(["_order", "share", "item"], ascending=[False, False, True], ignore_index=True)
    return found.drop(columns="_order")


def _most(asked: pd.Series) -> str:
    if asked.empty:
        return "Where is it made, and by whom?"
    counts = asked.value_counts()
    return str(sorted(counts[counts == counts.max()].index)[0])


def unattributed(compiled: Compiled) -> pd.DataFrame:
    """Return ``item, unattributed`` (share of world supply, maker not known) and ``place_unknown``, largest first."""
    remainder = compiled.supply_kind == REMAINDER
    unknown = compiled.supply_place == len(compiled.places) - 1
    makes = compiled.supply_item >= 0
    size = len(compiled.items)
    of = compiled.supply_item[makes]
    share = compiled.supply_share[makes]
    split = pd.DataFrame(
        {
            "item": list(compiled.items),
            "unattributed": np.bincount(of, weights=share * remainder[makes], minlength=size),
            "place_unknown": np.bincount(of, weights=share * unknown[makes], minlength=size),
        }
    )
    split = split[split["place_unknown"] > 1e-6]
    return split.sort_values(["place_unknown", "item"], ascending=[False, True], ignore_index=True)


def quality(case: Case) -> pd.DataFrame:
    """Return, per table of facts, how many rows of the case's chain rest on what: ``table, quality, rows, part``."""
    compiled, network = case.compiled, case.network
    supplies = network.supplies.iloc[np.unique(compiled.supply_row[compiled.supply_row >= 0])]
    needs = np.unique(compiled.need_row[compiled.supply_row[compiled.need_supply] >= 0])
    frames = []
    for name, rows in (("supplies", supplies), ("requirements", network.requirements.iloc[needs])):
        counts = rows["quality"].replace("", "unknown").value_counts().rename_axis("quality").reset_index(name="rows")
        frames.append(counts.assign(table=name, part=counts["rows"] / max(len(rows), 1)))
    order = {"reported": 0, "derived": 1, "estimate": 2, "assumption": 3}
    whole = pd.concat(frames, ignore_index=True)
    whole["_order"] = whole["quality"].map(order).fillna(9)
    return whole.sort_values(["table", "_order"], ignore_index=True)[["table", "quality", "rows", "part"]]
