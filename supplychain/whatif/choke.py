"""Which elements are choke points under a scenario: those whose loss, beside the scenario's own, withholds more than a
threshold of the buyer's need even after re-sourcing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from supplychain.analysis.cascade import cascade
from supplychain.network import Floats
from supplychain.shocks import Shocks, refuse_all, remove_items, remove_organisations
from supplychain.whatif.apply import Applied
from supplychain.whatif.outlook import felt, need_weights, resourced

THRESHOLD: Final = 0.05
KINDS: Final = ("leave of", "all supply of", "organisation")


def choke_points(
    applied: Applied, horizon: float = 12.0, threshold: float = THRESHOLD, kinds: Sequence[str] = KINDS
) -> pd.DataFrame:
    """Return, of every element that is a choke point: kind, element, after and short (loss it adds to the scenario's,
    at the horizon, buyer's mean). Kinds: `leave of` a state (what it controls on the date), `all supply of` a state,
    `organisation`, `item`. Makers known by country only, and nobody's remainder, are no elements."""
    case = applied.at(horizon)
    compiled = case.compiled
    weight = need_weights(case)["weight"].to_numpy(float)
    own = applied.own_lost(horizon)
    own_column = np.flatnonzero(own)
    rows: list[tuple[str, str, float, float]] = []
    nothing = _beside(Shocks.none(compiled, ["scenario"]), own, own_column)
    base_short = felt(case, cascade(compiled, nothing, (horizon,), keep_supplies=False))
    base_after = _mean(weight, np.minimum(resourced(case, nothing, (horizon,), base_short)[0], base_short))
    for kind in kinds:
        shocks = _elements(applied, kind, horizon)
        if not len(shocks):
            continue
        shocks = _beside(shocks, own, own_column)
        short = felt(case, cascade(compiled, shocks, (horizon,), keep_supplies=False))
        mean = _mean(weight, short)
        # Loss after re-sourcing is never larger than in the short run, so most elements need no LP.
        keep = np.flatnonzero(mean - base_after[0] >= threshold)
        if not len(keep):
            continue
        after, _ = resourced(case, shocks.take(keep), (horizon,), short[:, keep])
        added = _mean(weight, np.minimum(after, short[:, keep])) - base_after[0]
        short_added = mean[keep] - _mean(weight, base_short)[0]
        rows += [
            (kind, shocks.names[b], float(x), float(max(y, x)))
            for b, x, y in zip(keep, added, short_added, strict=True)
            if x >= threshold
        ]
    table = pd.DataFrame(rows, columns=["kind", "element", "after", "short"])
    return table.sort_values(["after", "kind", "element"], ascending=[False, True, True], ignore_index=True)


def _mean(weight: Floats, loss: Floats) -> Floats:
    return np.asarray(weight @ loss[:, :, 0])


def _elements(applied: Applied, kind: str, horizon: float) -> Shocks:
    case = applied.at(horizon)
    if kind == "leave of":
        return case.at_leave_by_state()
    if kind == "all supply of":
        return refuse_all(case.compiled)
    if kind == "item":
        return remove_items(case.compiled)
    makers = remove_organisations(case.compiled)
    named = [b for b, name in enumerate(makers.names) if name != "other" and not name.startswith("producers-")]
    return makers.take(named)


def _beside(shocks: Shocks, own: Floats, rows: np.ndarray) -> Shocks:
    """Return the shocks with the scenario's own losses in each of them."""
    if not len(rows):
        return shocks
    from scipy import sparse

    left = 1.0 - shocks.own_lost.toarray()
    left[rows] *= (1.0 - own[rows])[:, None]
    return Shocks(shocks.names, sparse.csc_array(1.0 - left), shocks.flow_lost)
