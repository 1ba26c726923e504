"""Second opinions at length: `python -m benchmarks.cross_check [--quick]`. Exit code 1 if any two disagree.

Random LPs and MILPs by HiGHS, CBC and an exact bound; sourcing problems; both losses of a thousand random networks
against slow implementations that share nothing with ours: a plain loop, and the LP written out in PuLP for CBC; cut
sets by two algorithms and by trying every set; the law of fifty thousand flows against a reading of the tables flow by
flow; what-if sessions against data written down by hand and loaded afresh.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from benchmarks import sourcing
from supplychain.analysis.cascade import cascade
from supplychain.analysis.flow import FlowModel
from supplychain.analysis.flow_pulp import flow_problem
from supplychain.analysis.rationing import equal_shares
from supplychain.cbc import agrees, cbc_path, second_opinion
from supplychain.linear import read_pulp, safe_bound
from supplychain.regimes import RegimeBook
from supplychain.solve import solve

# The random instances and the slow implementations are those of the tests.
sys.path[:0] = [".", "tests", "tests/analysis", "tests/regimes"]
from flows import FOLDER, random_flows  # noqa: E402
from networks import random_tables  # noqa: E402
from reference import Reference  # noqa: E402
from test_cascade import plain_loss  # noqa: E402
from test_cutsets import test_three_ways_and_brute_force_agree_on_random_networks as cut_sets_agree  # noqa: E402
from test_determinations import TOLD  # noqa: E402
from test_flow import case  # noqa: E402
from test_solve import random_model  # noqa: E402

from tests.whatif.test_session import Session  # noqa: E402

TOLERANCE = 1e-6


def programmes(linear: int, whole: int) -> list[str]:
    """Return the random programmes on which HiGHS, CBC and, for LPs, an exact rational bound differ."""
    rng = np.random.default_rng(1)
    found = []
    for number in range(linear + whole):
        model = random_model(rng, whole=number >= linear)
        ours = solve(model)
        if cbc_path() is not None and not agrees(ours, other := second_opinion(model)):
            found.append(
                f"programme {number}: HiGHS {ours.status} {ours.objective}, CBC {other.status} {other.objective}"
            )
        if number < linear and ours.has_values:
            bound = safe_bound(model, ours.duals, exact=True)
            if ours.objective - bound > 1e-9 * max(1.0, abs(ours.objective)):
                found.append(f"programme {number}: HiGHS {ours.objective}, exact bound {bound}")
    return found


def networks(count: int) -> list[str]:
    """Return the random networks on which the flow LP, the one written out and solved by CBC, and the bounds differ."""
    found = []
    for seed in range(count):
        compiled, market, resourcing, shocks = case(seed)
        case.cache_clear()
        column, horizon = seed % len(shocks), (3.0, 12.0, 36.0)[seed % 3]
        one = shocks.take([column])
        ours = FlowModel(compiled, market, horizon, resourcing).loss(one)
        problem = read_pulp(flow_problem(FlowModel(compiled, market, horizon, resourcing), one))
        other = second_opinion(problem).objective if cbc_path() is not None else solve(problem).objective
        short = float(cascade(compiled, one, (horizon,)).market_loss[market, 0, 0])
        equal = float(equal_shares(compiled, one, (horizon,), resourcing)[compiled.market_item[market], 0, 0])
        if abs(ours.loss - other) > TOLERANCE:
            found.append(f"network {seed}: flow {ours.loss}, written out {other}")
        if not ours.bound - TOLERANCE <= ours.loss <= min(short, equal) + TOLERANCE:
            found.append(
                f"network {seed}: bound {ours.bound}, loss {ours.loss}, short run {short}, equal shares {equal}"
            )
    return found


def loops(count: int) -> list[str]:
    """Return the random networks on which the cascade and a plain loop differ, under the refusal of one state."""
    from supplychain.network import SupplyNetwork
    from supplychain.shocks import refuse_all

    found = []
    for seed in range(count):
        tables = random_tables(seed, lanes=seed % 2 == 1)
        compiled = SupplyNetwork.from_tables(tables).compile(["DDD"], items=["i0"]).completed()
        state = ("AAA", "BBB")[seed % 2]
        if state not in compiled.places:
            continue
        horizon = (1.0, 3.0, 12.0)[seed % 3]
        ours = cascade(compiled, refuse_all(compiled, [state]), (horizon,)).market_loss[
            compiled.market("i0", "DDD"), 0, 0
        ]
        other = plain_loss(tables, {"state": state}, "i0", "DDD", horizon)
        if abs(ours - other) > TOLERANCE:
            found.append(f"network {seed}: cascade {ours}, plain loop {other}")
    return found


def cut_sets(count: int) -> list[str]:
    """Return what is wrong with the minimal cut sets of random networks of gates, by two algorithms and brute force."""
    check = settings(_long(count))(given(st.data())(cut_sets_agree.hypothesis.inner_test))  # type: ignore[attr-defined]
    return _fault(check)


def sessions(count: int) -> list[str]:
    """Return what is wrong with random what-if sessions, each state against data written down by hand."""
    return _fault(lambda: run_state_machine_as_test(Session, settings=settings(_long(count), stateful_step_count=10)))


def _long(count: int) -> settings:
    return settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def _fault(check: Callable[[], object]) -> list[str]:
    try:
        check()
    except AssertionError as error:
        return [f"{error} {' '.join(getattr(error, '__notes__', ()))}"]
    return []


def law(count: int) -> list[str]:
    """Return the random flows that the engine and a plain reading of the tables determine differently."""
    flows = random_flows(count, 1)
    table = RegimeBook.bundled().determine(flows).table
    reference = Reference(FOLDER, None, False)
    told = pd.DataFrame([reference.determine(row, row["on"].date()) for row in flows.to_dict("records")])
    differ = (table[TOLD].astype(object).to_numpy() != told[TOLD].astype(object).to_numpy()).any(axis=1)
    return [f"flow {flows.iloc[row].to_dict()}" for row in np.flatnonzero(differ)]


def main() -> int:
    """Run all checks and print what disagrees."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cross_check", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth of every number")
    part = 20 if parser.parse_args().quick else 1
    checks: dict[str, Callable[[], list[str]]] = {
        "10,000 LPs, 2,000 MILPs: HiGHS, CBC, exact bound": lambda: programmes(10_000 // part, 2_000 // part),
        "sourcing problems: HiGHS, CBC, independent check": lambda: sourcing.cross_check(10_000 // part, 2_000 // part),
        "1,000 networks: flow LP, written out, CBC": lambda: networks(1_000 // part),
        "1,000 networks: cascade, plain loop": lambda: loops(1_000 // part),
        "2,000 networks of gates: cut sets, two algorithms, brute force": lambda: cut_sets(2_000 // part),
        "50,000 flows: law, tables read flow by flow": lambda: law(50_000 // part),
        "200 what-if sessions: scenario, data written by hand": lambda: sessions(200 // part),
    }
    failed = False
    for name, check in checks.items():
        began = time.perf_counter()
        found = check()
        failed |= bool(found)
        print(f"{name}: {len(found)} disagree ({time.perf_counter() - began:.0f} s)", *found[:20], sep="\n  ")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
