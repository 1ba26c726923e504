"""Leverage of states on the bundled case: exact with 20 players, sampled with all, by controls, and votes on
diagrams.
"""

from __future__ import annotations

import time

from benchmarks import Row, timed
from supplychain.analysis.leverage import leverage, shapley, weighted_game
from supplychain.analysis.refusal import state_game
from supplychain.case import Case


def rows(quick: bool) -> list[Row]:
    """Measure; the peer of the exact value is the same number of coalitions, one cascade each, extrapolated."""
    from supplychain.analysis.cascade import cascade
    from supplychain.shocks import refuse_all

    case = Case.bundled(buyer="IND", products=["ai-accelerator"])
    players = 12 if quick else 20
    game = state_game(case, 36.0)
    strongest = leverage(case, permutations=200, max_size=1).table["state"].head(players).tolist()
    few = game.among(sorted(strongest))
    start = time.perf_counter()
    shapley(few, players)
    seconds = time.perf_counter() - start
    one = timed(lambda: cascade(case.compiled, refuse_all(case.compiled, ["CHN"]), [36.0], keep_supplies=False))
    peer = one * 2**players
    note = f"{2**players:,} coalitions"
    met = quick or seconds <= 10
    found = [Row("leverage", f"exact, {players} states", seconds, "cascades (est.)", peer, "<= 10 s", met, note)]
    start = time.perf_counter()
    all_states = leverage(case, max_size=2)
    note = f"{all_states.players} states, {all_states.draws:,} orders"
    found.append(Row("leverage", "sampled, whole table", time.perf_counter() - start, note=note))
    if not quick:
        start = time.perf_counter()
        leverage(case, measure="controlled")
        found.append(Row("leverage", "by controls, whole table", time.perf_counter() - start))
    votes = [29] * 4 + [27] * 2 + [14, 13] + [12] * 5 + [10] * 3 + [7] * 5 + [4] * 5 + [3]
    found.append(Row("leverage", "27 votes on a diagram", timed(lambda: shapley(weighted_game(255, votes), 27))))
    return found
