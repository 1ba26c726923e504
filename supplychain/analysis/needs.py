"""What a buyer's needs feel of the losses of their markets, and how much each need weighs in the buyer's mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from supplychain.analysis.cascade import GROWTH, STOCK_NOISE, cascade
from supplychain.network import CONSUMABLE, DAYS_PER_MONTH, ESSENTIAL, Compiled, Floats
from supplychain.shocks import Shocks

if TYPE_CHECKING:
    from supplychain.case import Case


def at_or(values: npt.NDArray[Any], at: npt.NDArray[np.integer], other: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return ``values`` (..., N) at the positions ``at`` (V,), and ``other`` where a position is -1: (..., V).

    There may be no values at all, as of the plants' needs in a network in which nothing is required.
    """
    known = at >= 0
    found = np.array(np.broadcast_to(other, (*values.shape[:-1], len(at))), np.result_type(values, np.asarray(other)))
    found[..., known] = values[..., at[known]]
    return found


def need_weights(case: Case) -> Floats:
    """Return the weight of each need in the buyer's mean, summing to 1: yearly margin, or equal where none is known.

    A need without a margin weighs as the mean of the others.
    """
    margin = case.needs["margin_usd"].to_numpy(float)
    usual = np.nanmean(margin) if np.isfinite(margin).any() else 1.0
    weight = np.where(np.isfinite(margin), margin, usual)
    return np.asarray(weight / weight.sum()) if weight.sum() > 0 else np.full(len(weight), 1.0 / len(weight))


def need_loss(
    compiled: Compiled, needs: npt.NDArray[np.integer], market_loss: Floats, horizons: Sequence[float]
) -> Floats:
    """Return what V needs feel of their markets' losses (V, B, T): a plant's stock lasts, its equipment wears out.

    ``needs`` (V,) are positions of plants' needs, -1 for a need that feels its market's loss as it is; horizons (T,)
    are months.
    """
    own = (needs >= 0)[:, None]
    span = np.asarray(horizons, float)[None, :]
    consumable = (at_or(compiled.need_role, needs, CONSUMABLE) == CONSUMABLE)[:, None]
    stock_days = at_or(compiled.need_stock_days, needs, 0.0)[:, None]
    cover = np.where(own & consumable, stock_days / DAYS_PER_MONTH / span, 0.0)
    covered = np.where(cover > 0, cover + STOCK_NOISE, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        worn = np.minimum(span / at_or(compiled.need_life_months, needs, np.inf)[:, None], 1.0)
    worn = np.where(own & ~consumable, np.where(np.isinf(span), 1.0, worn), 1.0)
    return np.asarray(np.where(market_loss > covered[:, None, :], market_loss, 0.0) * worn[:, None, :])


def short_run(case: Case, shocks: Shocks, horizons: Sequence[float], *, growth: bool = False) -> Floats:
    """Return the short-run losses of the case's needs, (V, B, T); with ``growth`` the loss of growth comes last."""
    markets, row = np.unique(case.needs["market"].to_numpy(), return_inverse=True)
    found = cascade(case.compiled, shocks, horizons, growth=growth, markets=markets, keep_supplies=False)
    return need_loss(case.compiled, case.needs["need"].to_numpy(), found.market_loss[row], found.horizons)


def touch(case: Case, shocks: Shocks) -> Floats:
    """Return (V, B): part of each need whose chain passes what a shock hits at all, in any role that is not minor."""
    compiled = case.compiled
    # Every need is essential, and for ever: no stock lasts and everything has worn out.
    reach = replace(
        compiled,
        need_essential=np.full(compiled.n_needs, ESSENTIAL, np.int8),
        need_weight=np.ones(compiled.n_needs),
        need_group=np.full(compiled.n_needs, -1, np.int32),
    )
    markets, row = np.unique(case.needs["market"].to_numpy(), return_inverse=True)
    found = cascade(reach, shocks, (GROWTH,), markets=markets, keep_supplies=False)
    return np.asarray(found.market_loss[row, :, 0])
