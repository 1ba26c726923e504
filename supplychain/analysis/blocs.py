"""Two sides of a refusal: what blocs can withhold from one another, and who would sell in the refuser's place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from supplychain.analysis.refusal import ItemGame, OfferGame, Target
from supplychain.errors import UsageError

if TYPE_CHECKING:
    from supplychain.case import Case


def two_sided(
    case: Case, blocs: Mapping[str, Sequence[str]], horizon: float = 36.0, *, controls: bool = True
) -> pd.DataFrame:
    """Return what each bloc can withhold from each other, product by product of the case.

    Columns: holder, target, product, all_supply (the holder refuses all it makes), controlled and controlled_high (it
    refuses only what needs the leave of its members on the case's date, counter-controls included; high counts the
    controls that may apply), in_force (what is refused already, by anyone). Losses of the target's members are weighed
    by their part of world demand. Raises UsageError when blocs share members or are empty.
    """
    members = {name: tuple(sorted(set(states))) for name, states in blocs.items()}
    seen = [state for states in members.values() for state in states]
    if len(set(seen)) < len(seen) or not all(members.values()) or len(members) < 2:
        raise UsageError("name at least two blocs, each with states of its own")
    rows = []
    for goal, states in members.items():
        views = {state: case.with_(buyer=state, products=case.products) for state in states}
        for product in case.products:
            weight = _demand(case, product, states)
            for holder, refusing in members.items():
                if holder == goal:
                    continue
                found = np.array([_held(views[s], product, refusing, horizon, controls) for s in states])
                rows.append((holder, goal, product, *(weight @ found)))
    columns = ["holder", "target", "product", "all_supply", "controlled", "controlled_high", "in_force"]
    table = pd.DataFrame(rows, columns=columns)
    if not controls:
        table = table.drop(columns=columns[4:])
    return table.sort_values(["product", "holder", "target"], kind="stable").reset_index(drop=True)


def _held(
    view: Case, product: str, refusing: Sequence[str], horizon: float, controls: bool
) -> tuple[float, float, float, float]:
    k = view.compiled
    place = view.destinations[0]
    aim = Target(np.array([k.market(product, place)]), np.array([-1]), np.ones(1))
    present = [state for state in refusing if state in k.places]
    everyone = np.ones((1, len(present)), dtype=bool)
    whole = float(ItemGame(k, present, aim, horizon)(everyone)[0]) if present else 0.0
    if not controls:
        return whole, np.nan, np.nan, np.nan
    masks = [view.leave_flows(bound, imposing=list(refusing)) for bound in ("optimistic", "pessimistic")]
    masks.append(view.denied_flows())
    game = OfferGame(k, ("held", "may be held", "in force"), np.array(masks).T, aim, horizon)
    held, may_be, already = game(np.eye(3, dtype=bool)).tolist()
    return whole, held, may_be, already


def _demand(case: Case, product: str, states: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the parts of the bloc's demand for the product; all the same where none is recorded."""
    table = case.network.demand
    share = table[table["item"] == product].drop_duplicates("destination").set_index("destination")["share"]
    weight = share.reindex(list(states)).fillna(0.0).to_numpy(float)
    if weight.sum() <= 0:
        weight = np.ones(len(states))
    return np.asarray(weight / weight.sum())


def back_fill(case: Case, coalition: Sequence[str]) -> pd.DataFrame:
    """Return who would sell the case's products in place of a coalition that refuses, if buyers turned to those left.

    What the coalition sold to each destination goes to the remaining supplies in proportion to their shares. Columns:
    product, destination, state, organisation, share (before), gains (share of the destination's need), spare (what its
    spare capacity could add, of world supply), usd (gain a year, NaN where the market's value or demand is not known).
    A row with an empty state holds what nobody is left to fill.
    """
    k, network = case.compiled, case.network
    items = network.items.set_index("item")
    demand = network.demand.drop_duplicates(["item", "destination"]).set_index(["item", "destination"])["share"]
    rows = []
    for product in case.products:
        value = float(items["market_usd"].get(product, np.nan)) if "market_usd" in items else np.nan
        item_spare = float(items["spare_capacity"].get(product, np.nan)) if "spare_capacity" in items else np.nan
        for destination in case.destinations:
            market = k.market(product, destination)
            offers = np.arange(k.offer_start[market], k.offer_start[market + 1])
            seller, weight = k.offer_supply[offers], k.offer_weight[offers]
            places = np.array(k.places, object)[k.supply_place[seller]]
            refused = np.isin(places, list(coalition)) & (places != destination)
            lost, left = float(weight[refused].sum()), float(weight[~refused].sum())
            worth = value * float(demand.get((product, destination), np.nan))
            if lost <= 0:
                continue
            if left <= 0:
                rows.append((product, destination, "", "", np.nan, lost, np.nan, lost * worth))
            for node, share, place in zip(seller[~refused], weight[~refused], places[~refused], strict=True):
                gain = lost * share / left
                own = network.supplies["spare_capacity"].iloc[k.supply_row[node]] if k.supply_row[node] >= 0 else np.nan
                spare = share * (float(own) if np.isfinite(own) else item_spare)
                maker = k.organisations[k.supply_org[node]] if k.supply_org[node] >= 0 else ""
                rows.append((product, destination, str(place), maker, float(share), float(gain), spare, gain * worth))
    columns = ["product", "destination", "state", "organisation", "share", "gains", "spare", "usd"]
    table = pd.DataFrame(rows, columns=columns)
    ranked = table.sort_values(
        ["product", "destination", "gains", "state", "organisation"],
        ascending=[True, True, False, True, True],
        kind="stable",
    )
    return ranked.reset_index(drop=True)
