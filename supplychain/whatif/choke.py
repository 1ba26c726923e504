"""Which elements are choke points under a scenario: those whose loss, beside the scenario's own, withholds more than a
threshold of the buyer's need even after re-sourcing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy import sparse

from supplychain.analysis.chokepoints import THRESHOLD
from supplychain.analysis.memory import Memory, digest
from supplychain.case import Case
from supplychain.network import Floats, is_firm
from supplychain.shocks import Shocks, refuse_all, remove_items, remove_organisations
from supplychain.whatif.apply import Applied
from supplychain.whatif.outlook import need_weights, resourced, short_run

KINDS: Final = ("leave of", "all supply of", "organisation")
_ENDS: Final = ("after", "short")


@dataclass(frozen=True, eq=False)
class Chokes:
    """What the loss of each element adds to the scenario's own, at one horizon, buyer's mean.

    losses: kind, element, after, short of every element; after is NaN where the short run already says that it adds
    less than the threshold. table: the elements that are choke points. shocks: by kind, with the scenario's own losses
    in each; own: what the element itself takes of nodes' output.
    """

    losses: pd.DataFrame
    shocks: dict[str, Shocks]
    own: dict[str, sparse.csc_array]
    threshold: float

    def of_kind(self, kind: str) -> dict[str, tuple[float, float]]:
        """Return after and short by element, for one kind."""
        rows = self.losses[self.losses["kind"] == kind]
        ends = zip(rows["after"].tolist(), rows["short"].tolist(), strict=True)
        return dict(zip(rows["element"].tolist(), ends, strict=True))

    @property
    def table(self) -> pd.DataFrame:
        rows = self.losses
        rows = rows[rows["after"] >= self.threshold]
        return rows.sort_values(["after", "kind", "element"], ascending=[False, True, True], ignore_index=True)


def choke_points(
    applied: Applied, horizon: float = 12.0, threshold: float = THRESHOLD, kinds: Sequence[str] = KINDS
) -> pd.DataFrame:
    """Return, of every element that is a choke point: kind, element, after and short (loss it adds to the scenario's,
    at the horizon, buyer's mean). Kinds: `leave of` a state (what it controls on the date), `all supply of` a state,
    `organisation`, `item`. Makers known by country only, and nobody's remainder, are no elements."""
    return choke_losses(applied, horizon, threshold, kinds).table


def choke_losses(
    applied: Applied,
    horizon: float = 12.0,
    threshold: float = THRESHOLD,
    kinds: Sequence[str] = KINDS,
    memory: Memory | None = None,
) -> Chokes:
    """Return what every element of some kinds adds to the scenario's losses; see `choke_points`. ``memory`` keeps
    losses for other scenarios; it changes no number."""
    memory = Memory() if memory is None else memory
    case = applied.at(horizon)
    compiled = case.compiled
    weight = need_weights(case)["weight"].to_numpy(float)
    own = applied.own_lost(horizon)
    own_column = np.flatnonzero(own)
    nothing = _beside(Shocks.none(compiled, ["scenario"]), own, own_column)
    base_short = short_run(case, nothing, (horizon,), memory)
    base_after = _mean(weight, np.minimum(resourced(case, nothing, (horizon,), base_short, memory)[0], base_short))
    frames, every, alone = [], {}, {}
    for kind in kinds:
        shocks = _elements(applied, kind, horizon, memory)
        alone[kind], shocks = shocks.own_lost, _beside(shocks, own, own_column)
        every[kind] = shocks
        if not len(shocks):
            continue
        short = short_run(case, shocks, (horizon,), memory)
        mean = _mean(weight, short)
        # Loss after re-sourcing is never larger than in the short run, so most elements need no LP.
        keep = np.flatnonzero(mean - base_after[0] >= threshold)
        added = np.full(len(shocks), np.nan)
        if len(keep):
            after, _ = resourced(case, shocks.take(keep), (horizon,), short[:, keep], memory)
            added[keep] = _mean(weight, np.minimum(after, short[:, keep])) - base_after[0]
        short_added = mean - _mean(weight, base_short)[0]
        frame = pd.DataFrame({"kind": kind, "element": list(shocks.names), "after": added})
        frames.append(frame.assign(short=np.fmax(short_added, added)))
    losses = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["kind", "element", *_ENDS])
    return Chokes(losses, every, alone, threshold)


def _mean(weight: Floats, loss: Floats) -> Floats:
    return np.asarray(weight @ loss[:, :, 0])


def _elements(applied: Applied, kind: str, horizon: float, memory: Memory) -> Shocks:
    case = applied.at(horizon)
    if kind == "leave of":
        return case.at_leave_by_state()
    return memory.get(digest("elements", kind, memory.of(case.compiled)), lambda: _removals(case, kind))


def _removals(case: Case, kind: str) -> Shocks:
    if kind == "all supply of":
        return refuse_all(case.compiled)
    if kind == "item":
        return remove_items(case.compiled)
    makers = remove_organisations(case.compiled)
    return makers.take([b for b, name in enumerate(makers.names) if is_firm(name)])


def _beside(shocks: Shocks, own: Floats, rows: np.ndarray) -> Shocks:
    """Return the shocks with the scenario's own losses in each of them."""
    if not len(rows):
        return shocks
    left = 1.0 - shocks.own_lost.toarray()
    left[rows] *= (1.0 - own[rows])[:, None]
    return Shocks(shocks.names, sparse.csc_array(1.0 - left), shocks.flow_lost)
