"""Sweeps: draws that depend on nothing but the seed, results that depend on nothing but the draws."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from supplychain.assumptions import Assumptions
from supplychain.case import Case
from supplychain.errors import EnvironmentFault, InputError, UsageError
from supplychain.network import SupplyNetwork
from supplychain.whatif import sensitivity, sweep, swings, workers
from supplychain.whatif.apply import Applied
from supplychain.whatif.design import Dimension, dimensions, draws
from supplychain.whatif.outlook import outlook, short_run
from supplychain.whatif.scenario import load_scenario, scenario_from
from supplychain.whatif.store import TABLE, opened
from supplychain.whatif.sweep import CaseSpec, Plan, World, make_plan, plan_from, plan_text, run_text
from supplychain.whatif.uncertain import redrawn, renumbered
from tests.whatif.jobs import hangs, slow_or_deadly

DIMS = (Dimension("a", "parameter", 0.0, 1.0, 0.5), Dimension("b", "assumption", 10.0, 20.0, 12.0))
SPEC = CaseSpec(buyer="IND", products=("quantum-computer",), on="2026-11-01")


def plan(samples: int = 4, design: str = "mc", **more: object) -> Plan:
    names = ("helium-outage", "taiwan-outage")
    return make_plan(SPEC, [load_scenario(n) for n in names], design, samples, data=True, seed=7, **more)  # type: ignore[arg-type]


def test_draws_depend_on_seed_and_number_only() -> None:
    short, long = draws("mc", DIMS, 5, 3, 1, True), draws("mc", DIMS, 50, 3, 1, True)
    assert long[:5] == short
    assert len({draw.data_seed for draw in long}) == 50
    assert draws("mc", DIMS, 5, 3, 2, True) != short
    values = np.array([draw.values for draw in long])
    assert (values >= [0, 10]).all()
    assert (values <= [1, 20]).all()


def test_a_latin_hypercube_has_one_value_in_each_part() -> None:
    values = np.array([draw.values for draw in draws("lhs", DIMS, 40, 3, 3, False)])
    unit = (values - [0, 10]) / [1, 10]
    for column in unit.T:
        assert sorted((column * 40).astype(int)) == list(range(40))


def test_a_grid_has_every_combination_and_one_at_a_time_has_two_ends_of_each() -> None:
    grid = [draw.values for draw in draws("grid", DIMS, 0, 3, 0, False)]
    assert len(grid) == len(set(grid)) == 9
    assert (0.5, 15.0) in grid
    one = [draw.values for draw in draws("one", DIMS, 0, 0, 0, False)]
    assert one == [(0.5, 12.0), (0.0, 12.0), (1.0, 12.0), (0.5, 10.0), (0.5, 20.0)]


def test_dimensions_are_parameters_and_named_assumptions() -> None:
    scenario = load_scenario("taiwan-outage")
    found = dimensions([scenario], Assumptions.load(), ["resourcing.outbid=0.2..0.4", "resourcing.spare:default"])
    assert [d.name for d in found] == [
        "months",
        "part",
        "recover_months",
        "resourcing.outbid",
        "resourcing.spare:default",
    ]
    assert (found[3].low, found[3].high) == (0.2, 0.4)
    every = dimensions([scenario], Assumptions.load(), ["all"])
    assert {"short_run.stock_days", "resourcing.outbid"} <= {d.name for d in every}
    assert all(np.isfinite([d.low, d.high, d.usual]).all() for d in every)
    for wrong in ("resourcing.outbidd", "resourcing.own_industry", "resourcing.outbid=3", "resourcing.outbid=2..1"):
        with pytest.raises(UsageError):
            dimensions([scenario], Assumptions.load(), [wrong])


def test_figures_are_redrawn_within_their_rules_and_the_arrays_follow() -> None:
    case = Case.bundled(buyer="IND", products=["ai-accelerator"])
    network = case.network
    drawn = redrawn(network, 5)
    assert redrawn(network, 5).supplies.equals(drawn.supplies)
    before, after = (n.supplies.groupby("item")["share"].sum() for n in (network, drawn))
    np.testing.assert_allclose(before, after, atol=1e-12)
    assert not np.allclose(network.supplies["share"], drawn.supplies["share"])
    for table, column in (("supplies", "share"), ("requirements", "use_share"), ("requirements", "lifetime_years"),
                          ("items", "stock_days")):  # fmt: skip
        old, new = getattr(network, table)[column], getattr(drawn, table)[column]
        assert (old.isna() == new.isna()).all()
        assert ((old == 0) == (new == 0)).all()
    total = drawn.requirements.groupby("requires")["use_share"].sum()
    assert total.max() <= max(1.0, network.requirements.groupby("requires")["use_share"].sum().max()) + 1e-9
    for who, products, buyer in (
        (["IND"], ["ai-accelerator"], None),
        (Case.bundled().destinations, None, "illustrative"),
    ):
        fast = renumbered(network.compile(who, products, buyer), drawn)
        slow = drawn.compile(who, products, buyer)
        for name in vars(slow):
            ours, theirs = getattr(fast, name), getattr(slow, name)
            if isinstance(theirs, np.ndarray) and theirs.dtype == np.float64:
                np.testing.assert_allclose(ours, theirs, atol=1e-12, err_msg=name)
            elif isinstance(theirs, np.ndarray):
                assert np.array_equal(ours, theirs), name


def test_a_plan_travels_as_text_and_runs_alike_in_any_process_and_order() -> None:
    made = plan(3)
    again = plan_from(json.loads(plan_text(made)))
    assert again == made
    assert plan_text(again) == plan_text(made)
    forward = [run_text(plan_text(made), number) for number in range(made.runs)]
    world = World(again)
    backward = {n: json.dumps(world.run(n), sort_keys=True) for n in reversed(range(made.runs))}
    assert forward == [backward[n] for n in range(made.runs)]
    # The first draws of a longer sweep are the draws of a shorter one.
    longer = plan(5)
    assert [json.loads(run_text(plan_text(longer), n)) for n in range(2)] == [json.loads(text) for text in forward[:2]]


def bytes_of(folder: Path, made: Plan, go: object) -> bytes:
    with opened(folder, made) as store:
        go(store)  # type: ignore[operator]
        assert not store.failed
        assert not store.missing
        return store.finish().read_bytes()


def test_killed_and_resumed_the_sweep_gives_the_same_bytes(tmp_path: Path) -> None:
    made = plan(4)
    whole = bytes_of(tmp_path / "whole", made, workers.run_here)
    with opened(tmp_path / "torn", made) as store:
        for number in (0, 3, 5):
            store.add(number, run_text(plan_text(made), number))
    (tmp_path / "torn" / "runs" / "0000003.json").write_text('{"run": 3, "scen')  # cut short by a crash
    (tmp_path / "torn" / "runs" / ".0000006.json.99.part").write_text("{")
    with opened(tmp_path / "torn", made) as store:
        assert set(store.done) == {0, 5}
    assert bytes_of(tmp_path / "torn", made, workers.run_here) == whole
    table = pd.read_parquet(tmp_path / "torn" / TABLE)
    assert table["run"].tolist() == list(range(8))
    assert table["scenario"].tolist() == ["helium-outage", "taiwan-outage"] * 4
    # Another plan does not mix with these checkpoints, nor a second process with the first.
    with pytest.raises(UsageError, match="another sweep"), opened(tmp_path / "torn", plan(5)):
        pass
    (tmp_path / "torn" / ".lock").write_text(str(os.getppid()))
    with pytest.raises(EnvironmentFault, match=str(os.getppid())), opened(tmp_path / "torn", made):
        pass
    (tmp_path / "torn" / ".lock").write_text("999999999")  # of a process that has died
    with opened(tmp_path / "torn", made):
        pass
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="no sweep"), opened(tmp_path / "other", made):
        pass


def test_dead_workers_are_replaced_and_a_poisoned_run_is_listed(tmp_path: Path) -> None:
    made = plan(3)
    with opened(tmp_path / "dead", made) as store:
        workers.run_local(store, 2, job=slow_or_deadly)
        assert set(store.failed) == {1}
        assert "died 3 times" in store.failed[1]
        assert store.missing == [1]
    assert json.loads((tmp_path / "dead" / "failed.json").read_text()) == {"1": store.failed[1]}
    with opened(tmp_path / "hung", made) as store:
        workers.run_local(store, 2, timeout=1.5, job=hangs)
        assert store.failed == {0: "took longer than 1.5 seconds"}
        assert store.missing == [0]


def test_local_processes_give_the_same_bytes_though_one_is_killed(tmp_path: Path) -> None:
    made = plan(4)
    whole = bytes_of(tmp_path / "here", made, workers.run_here)
    stop = threading.Event()

    def assassin() -> None:
        from multiprocessing import active_children

        while not stop.is_set():
            children = [child for child in active_children() if child.name.startswith("SpawnProcess")]
            if children:
                time.sleep(1.0)
                os.kill(children[0].pid or 0, signal.SIGKILL)
                return
            time.sleep(0.05)

    hunter = threading.Thread(target=assassin)
    hunter.start()
    try:
        assert bytes_of(tmp_path / "pool", made, lambda store: workers.run_local(store, 2)) == whole
    finally:
        stop.set()
        hunter.join()


@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_gives_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    made = plan(2)
    whole = bytes_of(tmp_path / "here", made, workers.run_here)
    assert bytes_of(tmp_path / "dask", made, lambda store: workers.run_cluster(store, "local", 2)) == whole


def test_clusters_beyond_this_machine_must_speak_tls(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with opened(tmp_path / "s", plan(1)) as store, pytest.raises(UsageError, match="tls://"):
        workers.run_cluster(store, "tcp://10.0.0.1:8786", 1)


def test_a_sweep_too_large_is_refused_with_an_estimate() -> None:
    with pytest.raises(UsageError, match=r"531,441 runs, about .* hours.*--max-scenarios 531441"):
        make_plan(SPEC, [load_scenario("taiwan-outage")], "grid", points=9,
                  vary=("short_run.stock_days", "resourcing.outbid", "resourcing.expansion"))  # fmt: skip


def test_probabilities_are_all_or_none_and_sum_to_at_most_one() -> None:
    def scenario(name: str, chance: float | None) -> object:
        record: dict[str, object] = {"title": name, "action": [{"do": "stock", "days": 10}]}
        return scenario_from(record if chance is None else {**record, "probability": chance}, name)

    from supplychain.whatif.sweep import check_probabilities

    check_probabilities([scenario("a", 0.5), scenario("b", 0.25)])  # type: ignore[list-item]
    with pytest.raises(InputError, match=r"b\.toml, column probability: .* this one has none"):
        check_probabilities([scenario("a", 0.5), scenario("b", None)])  # type: ignore[list-item]
    with pytest.raises(InputError, match=r"sum to 1\.25"):
        check_probabilities([scenario("a", 0.5), scenario("b", 0.75)])  # type: ignore[list-item]


def test_tornado_and_rankings_read_what_a_made_up_table_holds() -> None:
    made = plan(40)
    rng = np.random.default_rng(0)
    rows = []
    for n in range(made.runs):
        which, at = made.of(n)
        values = dict(zip([d.name for d in made.dims], made.drawn[at].values, strict=True))
        effect = values["part"] if which else 0.9
        rows.append({"run": n, "scenario": made.scenarios[which]["name"], "draw": at, **values,
                     "at_leave_12_short": effect + 1e-4 * rng.random()})  # fmt: skip
    table = pd.DataFrame(rows)
    table.loc[table["scenario"] == "helium-outage", "part"] = np.nan
    tornado = sensitivity.tornado(table, made, "at_leave_12_short")
    first = tornado[tornado["scenario"] == "taiwan-outage"].iloc[0]
    assert first["dimension"] == "part"
    assert first["rank_correlation"] > 0.99
    assert first["at_high"] > first["at_low"]
    assert "part" not in set(tornado.loc[tornado["scenario"] == "helium-outage", "dimension"])
    ranking = sensitivity.rank_stability(table, "at_leave_12_short").iloc[0]
    worse = float((np.array([d.values[[x.name for x in made.dims].index("part")] for d in made.drawn]) < 0.9).mean())
    assert ranking["worse"] == pytest.approx(worse, abs=0.03)
    assert ranking["flips"]
    spread = sensitivity.ranges(table, ["at_leave_12_short"]).set_index("scenario")
    assert (
        spread.loc["taiwan-outage", "lowest"]
        < spread.loc["taiwan-outage", "median"]
        < spread.loc["taiwan-outage", "highest"]
    )


def test_networks_with_lanes_are_compiled_anew() -> None:
    tables = {
        "supplies": pd.DataFrame({"supply": ["a", "b"], "item": ["x", "y"], "site": "DEU", "share": 1.0}),
        "requirements": pd.DataFrame({"item": ["y"], "requires": ["x"]}),
        "lanes": pd.DataFrame({"from_supply": ["a"], "to_supply": ["b"], "share": [1.0]}),
    }
    network = SupplyNetwork.from_tables(tables)
    with pytest.raises(UsageError, match="lanes"):
        renumbered(network.compile(["DEU"], ["y"]), network)


def tagged_spec(folder: Path) -> CaseSpec:
    (folder / "organisation_tags.csv").write_text(
        "organisation,tag,from,basis,share,quality,source\nsmic,us-entity-list,2020-12-18,listed,,estimate,none\n"
    )
    return CaseSpec(buyer="CHN", products=("automotive-mcu",), overlays=(str(folder),))


def test_figures_drawn_anew_keep_the_markets_of_tagged_parties(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law on listed parties holds in draws of data as in the figures as they are."""
    seen: list[Case] = []

    def spied(applied: Applied, *arguments: Any) -> Any:
        seen.append(applied.case)
        return outlook(applied, *arguments)

    monkeypatch.setattr(sweep, "outlook", spied)
    world = World(make_plan(tagged_spec(tmp_path), [load_scenario("helium-outage")], samples=2, data=True))
    for number in range(world.plan.runs):
        world.run(number)
    drawn = [case for case, draw in zip(seen, world.plan.drawn, strict=True) if draw.data_seed]
    assert drawn
    for case in drawn:
        afresh = case.network.compile(case.destinations, case.products, None, sorted(case.tagged))
        assert case.tagged == {"smic"}
        assert (afresh.market_buyer >= 0).any()
        assert np.array_equal(case.compiled.market_buyer, afresh.market_buyer)
        np.testing.assert_allclose(case.compiled.offer_weight, afresh.offer_weight, atol=1e-12)


def test_swings_keep_the_markets_of_tagged_parties(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Case] = []

    def spied(case: Case, *arguments: Any) -> Any:
        seen.append(case)
        return short_run(case, *arguments)

    monkeypatch.setattr(swings, "short_run", spied)
    case = tagged_spec(tmp_path).load()
    swings.swings(case)
    assert len(seen) > 10
    for other in seen:
        assert np.array_equal(other.compiled.market_buyer, case.compiled.market_buyer)
