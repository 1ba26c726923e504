"""What the results of a sweep say: ranges by scenario, tornado, what drives the result, and whether rankings hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from supplychain.network import Floats
from supplychain.whatif.sweep import Plan

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def ranges(table: pd.DataFrame, outcomes: Sequence[str] | None = None) -> pd.DataFrame:
    """Return, by scenario and outcome: runs, mean, lowest, q05, q25, median, q75, q95, highest."""
    rows = []
    for name, part in table.groupby("scenario", sort=False):
        for outcome in outcomes or outcome_columns(table):
            values = part[outcome].to_numpy(float)
            values = values[np.isfinite(values)]
            if len(values):
                marks = np.quantile(values, QUANTILES)
                rows.append((name, outcome, len(values), values.mean(), values.min(), *marks, values.max()))
    columns = ["scenario", "outcome", "runs", "mean", "lowest", "q05", "q25", "median", "q75", "q95", "highest"]
    return pd.DataFrame(rows, columns=columns)


def tornado(table: pd.DataFrame, plan: Plan, outcome: str) -> pd.DataFrame:
    """Return, by scenario and dimension, what each alone does to an outcome, largest swing first.

    Of a sweep ``one`` at a time: the outcome at the low and the high end, all else as usual. Of any other: the rank
    correlation with the outcome (Spearman 1904), and the mean outcome in the lowest and highest quarter of the
    dimension.
    """
    rows = []
    for name, part in table.groupby("scenario", sort=False):
        part = part.sort_values("draw")
        values = part[outcome].to_numpy(float)
        for at, dim in enumerate(plan.dims):
            setting = part[dim.name].to_numpy(float)
            if not np.isfinite(setting).all() or np.ptp(setting) == 0:
                continue
            if plan.design == "one":
                by_draw = dict(zip(part["draw"], values, strict=True))
                if not {1 + 2 * at, 2 + 2 * at} <= by_draw.keys():
                    continue
                low, high, rank = by_draw[1 + 2 * at], by_draw[2 + 2 * at], np.nan
            else:
                ends = np.quantile(setting, [0.25, 0.75])
                low, high = values[setting <= ends[0]].mean(), values[setting >= ends[1]].mean()
                rank = _spearman(setting, values)
            rows.append((name, dim.name, dim.kind, dim.low, dim.high, low, high, abs(high - low), rank))
    columns = ["scenario", "dimension", "kind", "low", "high", "at_low", "at_high", "swing", "rank_correlation"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values(["scenario", "swing", "dimension"], ascending=[True, False, True], ignore_index=True)


def rank_stability(table: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Return, for each pair of scenarios: how often the first is worse than, equal to, better than the second under the
    same draw, and `flips`: whether the order of the medians would turn in more than one draw of twenty."""
    wide = table.pivot(index="draw", columns="scenario", values=outcome).dropna()
    names = [name for name in dict.fromkeys(table["scenario"]) if name in wide]
    rows = []
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            a, b = wide[one].to_numpy(float), wide[other].to_numpy(float)
            worse, better = float((a > b + 1e-9).mean()), float((a < b - 1e-9).mean())
            rows.append((one, other, worse, 1.0 - worse - better, better, min(worse, better) > 0.05))
    return pd.DataFrame(rows, columns=["scenario", "other", "worse", "equal", "better", "flips"])


def expected(table: pd.DataFrame, plan: Plan, outcome: str) -> pd.DataFrame:
    """Return the expected outcome where the scenarios have probabilities: scenario, probability, mean, and the share of
    the expectation that each brings; empty without probabilities."""
    chance = {s["name"]: s["record"].get("probability") for s in plan.scenarios}
    if any(value is None for value in chance.values()):
        return pd.DataFrame(columns=["scenario", "probability", "mean", "contribution"])
    mean = table.groupby("scenario", sort=False)[outcome].mean()
    rows = [(name, chance[name], mean[name], chance[name] * mean[name]) for name in mean.index]
    return pd.DataFrame(rows, columns=["scenario", "probability", "mean", "contribution"])


def outcome_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns of a sweep's table that hold outcomes."""
    return [name for name in table.columns if str(name).startswith(("in_force_", "at_leave_"))]


def _spearman(one: Floats, other: Floats) -> float:
    if np.ptp(other) < 1e-12:
        return 0.0
    ranks = [pd.Series(values).rank().to_numpy(float) for values in (one, other)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
