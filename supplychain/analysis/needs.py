"""What a buyer's needs feel of the losses of their markets, and how much each need weighs in the buyer's mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from supplychain.network import CONSUMABLE, DAYS_PER_MONTH, Compiled, Floats

if TYPE_CHECKING:
    from supplychain.case import Case


def need_weights(case: Case) -> Floats:
    """Return the weight of each need in the buyer's mean, summing to 1: yearly margin, or equal where none is known."""
    margin = case.needs["margin_usd"].to_numpy(float)
    usual = np.nanmean(margin) if np.isfinite(margin).any() else 1.0
    weight = np.where(np.isfinite(margin), margin, usual)
    return np.asarray(weight / weight.sum()) if weight.sum() > 0 else np.full(len(weight), 1.0 / len(weight))


def need_loss(
    compiled: Compiled, needs: npt.NDArray[np.integer], market_loss: Floats, horizons: Sequence[float]
) -> Floats:
    """Return what needs feel of their markets' losses (V, B, T): a plant's stock lasts, its equipment wears out."""
    own = needs >= 0
    at = np.where(own, needs, 0)
    span = np.array(horizons)[None, :]
    consumable = (compiled.need_role[at] == CONSUMABLE)[:, None]
    cover = np.where(own[:, None] & consumable, compiled.need_stock_days[at][:, None] / DAYS_PER_MONTH / span, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        worn = np.minimum(span / compiled.need_life_months[at][:, None], 1.0)
    worn = np.where(own[:, None] & ~consumable, np.where(np.isinf(span), 1.0, worn), 1.0)
    return np.asarray(np.where(market_loss > cover[:, None, :] + 1e-12, market_loss, 0.0) * worn[:, None, :])
