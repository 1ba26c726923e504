"""What a set of contracts loses under each threat, in closed form: without re-sourcing, and with all that it
provides for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from supplychain.sourcing.problem import Floats, SourcingProblem, Threat


@dataclass(frozen=True, eq=False)
class Contracts:
    """What a buyer has agreed: parts of each need bought (L x P) and reserved (L x A), and stock built (N, in periods).

    `flexibility` is the part by which a delivery may exceed the volume bought.
    """

    buy: Floats
    reserve: Floats
    build: Floats
    flexibility: float = 0.0


def today(problem: SourcingProblem) -> Contracts:
    """Buying as today in every period: today's shares, no reserve, no further stock.

    What cannot be bought today (flows refused on the date) is not bought; what a need lacks then is unmet already.
    """
    share = np.where(problem.closed, 0.0, problem.lines["today"].to_numpy(float))
    return Contracts(
        buy=np.repeat(share[:, None], problem.periods, axis=1),
        reserve=np.zeros((len(problem.lines), problem.after)),
        build=np.zeros(len(problem.needs)),
    )


def short_run(problem: SourcingProblem, contracts: Contracts, threat: Threat) -> Floats:
    """Part of each need that is withheld (N, mean over the periods after the strike), nothing re-sourced, no stock
    used."""
    bought = contracts.buy[:, problem.strike :]
    left = _by_need(problem, bought * threat.factor)
    return np.asarray(np.clip(1.0 - left, 0.0, 1.0).mean(axis=1))


def after_resourcing(problem: SourcingProblem, contracts: Contracts, threat: Threat) -> Floats:
    """Part of each need unmet after the strike (N) when flexibility, reserves and stock are used as well as they can
    be.

    Least unmet over the periods = the largest shortfall of what has come in by some period: max_t' (t' - sum of
    promises - stock), because stock carries over and promises never exceed capacity.
    """
    promised = contracts.buy[:, problem.strike :] * (1.0 + contracts.flexibility) + contracts.reserve
    received = np.cumsum(_by_need(problem, promised * threat.factor), axis=1)
    stock = problem.needs["stock_today"].to_numpy(float) + contracts.build
    short = np.arange(1, problem.after + 1)[None, :] - received - stock[:, None]
    return np.asarray(np.clip(short.max(axis=1), 0.0, None) / problem.after)


def worst_gap(problem: SourcingProblem, contracts: Contracts, threat: Threat) -> Floats:
    """Smallest gap (N) such that in every period at most this part of the need stays unmet: the N-1 criterion."""
    promised = contracts.buy[:, problem.strike :] * (1.0 + contracts.flexibility) + contracts.reserve
    received = np.cumsum(_by_need(problem, promised * threat.factor), axis=1)
    stock = problem.needs["stock_today"].to_numpy(float) + contracts.build
    months = np.arange(1, problem.after + 1)[None, :]
    return np.asarray(np.clip((1.0 - (received + stock[:, None]) / months).max(axis=1), 0.0, 1.0))


def loss_table(problem: SourcingProblem, before: Contracts, after: Contracts) -> pd.DataFrame:
    """One row per threat and need that it touches: both losses, before and after (parts of the need)."""
    frames = []
    for threat in problem.threats:
        columns = {
            "short_run_before": short_run(problem, before, threat),
            "short_run_after": short_run(problem, after, threat),
            "resourced_before": np.minimum(
                after_resourcing(problem, before, threat), short_run(problem, before, threat)
            ),
            "resourced_after": np.minimum(after_resourcing(problem, after, threat), short_run(problem, after, threat)),
            "gap_after": worst_gap(problem, after, threat),
        }
        table = pd.DataFrame({"threat": threat.name, "kind": threat.kind, **columns})
        frames.append(pd.concat([problem.needs[["plant", "item"]], table], axis=1))
    empty = ["plant", "item", "threat", "kind", "short_run_before", "short_run_after", "resourced_before"]
    if not frames:
        return pd.DataFrame(columns=[*empty, "resourced_after", "gap_after"])
    return pd.concat(frames, ignore_index=True)


def _by_need(problem: SourcingProblem, values: Floats) -> Floats:
    """Sums of line values (L x T) by need (N x T)."""
    total = np.zeros((len(problem.needs), values.shape[1]))
    np.add.at(total, problem.need, values)
    return total
