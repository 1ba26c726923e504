"""A reading is what the commands print for the same scenario, to the last digit, in whatever order drafts were made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from supplychain.analysis.exposure import exposure
from supplychain.analysis.needs import need_weights
from supplychain.analysis.refusals import CONTROLLED, SUPPLY, refusals
from supplychain.app.draft import Draft, History
from supplychain.app.measure import HORIZON, Reading, measure, measured
from supplychain.app.sides import BASE, side_by_side
from supplychain.app.workspace import Setup, Workspace
from supplychain.case import Case
from supplychain.errors import InputError, UsageError
from supplychain.whatif.apply import apply
from supplychain.whatif.choke import choke_points
from supplychain.whatif.compare import compare
from supplychain.whatif.outlook import LOSSES, outlook
from supplychain.whatif.scenario import Scenario

SETUP = Setup()
PRESETS = ("w1-plus-kor", "w1-without-usa", "helium-outage", "china-general-licences", "diversify-sea-russia",
           "cliffs-2026-11-lapse", "g7-club", "russia-seat-ended")  # fmt: skip


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return Workspace.load(SETUP)


def rebuilt(scenario: Scenario) -> dict[str, pd.DataFrame]:
    """What the commands compute, with nothing remembered."""
    applied = apply(scenario, Case.bundled())
    found = outlook(applied)
    return {"headline": found.headline, "needs": found.losses, "plants": found.plants, "choke": choke_points(applied)}


def agrees(reading: Reading, fresh: dict[str, pd.DataFrame]) -> None:
    for name in ("headline", "needs", "plants"):
        pd.testing.assert_frame_equal(getattr(reading, name)[fresh[name].columns], fresh[name], check_exact=True)
    now = reading.choke_points[reading.choke_points["change"] != "stopped"]
    now = now.sort_values(["after", "kind", "element"], ascending=[False, True, True], ignore_index=True)
    columns = ["kind", "element", "after", "short"]
    pd.testing.assert_frame_equal(now[columns], fresh["choke"][columns], check_exact=True, check_dtype=False)


@pytest.mark.parametrize("name", PRESETS)
def test_bundled_scenarios_read_as_the_commands_print_them(workspace: Workspace, name: str) -> None:
    draft = Draft.bundled(name)
    agrees(measure(workspace, SETUP, draft), rebuilt(draft.scenario))


def test_the_tables_are_those_of_whatif(workspace: Workspace) -> None:
    draft = Draft.bundled("w1-without-jpn")
    reading = measure(workspace, SETUP, draft)
    found = compare(Case.bundled(), [draft.scenario])
    theirs = found.headline[found.headline["scenario"] == "w1-without-jpn"].reset_index(drop=True)
    for column in (*LOSSES, "margin_after", "margin_short"):
        assert np.array_equal(reading.headline[column], theirs[column])
    for end in ("after", "short"):
        assert np.array_equal(reading.headline[end] - reading.headline[f"base_{end}"], theirs[f"delta_{end}"])
    changed = reading.choke_points[reading.choke_points["change"] != "stays"]
    assert list(zip(changed["kind"], changed["element"], changed["change"], strict=True)) == list(
        zip(found.choke_points["kind"], found.choke_points["element"], found.choke_points["change"], strict=True)
    )
    assert reading.warnings[: len(found.case.warnings)] == found.case.warnings


def test_the_case_as_it_is_reads_as_exposure_and_refusals_print_it(workspace: Workspace) -> None:
    reading, case = measure(workspace, SETUP, Draft()), workspace.case(SETUP)
    shown = exposure(case, split=False).table
    for ours, theirs in (("after", "after_resourcing"), ("short", "short_run"), ("short_high", "short_run_high")):
        assert np.allclose(reading.needs[ours], shown[theirs], rtol=0, atol=1e-9)
        assert np.array_equal(reading.needs[ours], reading.needs[f"base_{ours}"])
    states = reading.states.set_index("state")
    some = ["JPN", "CHN", "NLD"]
    table, weight = refusals(case, some).table, need_weights(case)
    for state in some:
        for measure_, word in ((SUPPLY, "all"), (CONTROLLED, "leave")):
            rows = table[(table["state"] == state) & (table["measure"] == measure_)]
            assert states.at[state, f"{word}_short"] == pytest.approx(float(weight @ rows["short_run"]), abs=1e-9)
            after = states.at[state, f"{word}_after"]
            assert np.isnan(after) or after == pytest.approx(float(weight @ rows["after_resourcing"]), abs=1e-9)
    assert (reading.choke_points["change"] == "stays").all()


def test_items_and_links_are_the_network_of_the_case(workspace: Workspace) -> None:
    reading, case = measure(workspace, SETUP, Draft()), workspace.case(SETUP)
    shares = reading.items[["free", "excepted", "leave", "unknown"]].sum(axis=1)
    assert np.allclose(shares, 1.0)
    compiled = case.compiled
    assert set(reading.items["item"]) == {compiled.items[item] for item in np.unique(compiled.market_item)}
    assert set(reading.links["item"]) | set(reading.links["requires"]) <= set(reading.items["item"])
    assert set(reading.items.loc[reading.items["product"], "item"]) == set(case.products)


def test_a_second_look_costs_nothing_and_is_the_same(workspace: Workspace) -> None:
    draft = Draft.bundled("w1-plus-kor")
    first = measure(workspace, SETUP, draft)
    again = measure(workspace, SETUP, draft.with_head(title="another title"))
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table, check_exact=True)
    assert measured(workspace, SETUP, draft) is measured(workspace, SETUP, draft.with_head(title="a third"))


def test_drafts_side_by_side(workspace: Workspace) -> None:
    drafts = [Draft(title=BASE), Draft(title="x").toggle("w1-iec", "USA", True), Draft(title="x")]
    found = side_by_side(workspace, SETUP, drafts)
    assert found.labels == (f"{BASE} (2)", "x", "x (2)")
    for label, draft in zip(found.labels, drafts, strict=True):
        reading = measure(workspace, SETUP, draft)
        rows = found.headline[found.headline["draft"] == label].reset_index(drop=True)
        for end in LOSSES:
            assert np.array_equal(rows[end], reading.headline[end])
    assert (found.headline.loc[found.headline["draft"] == BASE, "delta_short"] == 0).all()
    assert set(found.needs["draft"]) <= {BASE, *found.labels}
    with pytest.raises(UsageError, match="one to 4"):
        side_by_side(workspace, SETUP, drafts * 2)


def test_what_does_not_fit_the_data_is_refused_and_leaves_no_trace(workspace: Workspace) -> None:
    before = measure(workspace, SETUP, Draft())
    with pytest.raises(InputError, match="no such regime"):
        measure(workspace, SETUP, Draft().toggle("w1-eic", "KOR", False))
    with pytest.raises(InputError):
        measure(workspace, SETUP, Draft().with_action({"do": "outage", "items": ["unobtainium"]}))
    with pytest.raises(UsageError):
        measure(workspace, SETUP.with_(buyer="nobody"), Draft())
    assert measure(workspace, SETUP, Draft()).headline.equals(before.headline)


def test_the_grid_tells_what_can_be_switched(workspace: Workspace) -> None:
    grid = workspace.switches(SETUP).set_index(["regime", "state"])
    assert bool(grid.at[("w1-iec", "JPN"), "member"])
    assert not bool(grid.at[("w1-iec", "KOR"), "member"])
    assert bool(grid.at[("w1-iec", "KOR"), "can_switch"])
    assert ((grid["why_not"] == "") == grid["can_switch"]).all()
    assert ("nld-sme", "KOR") not in grid.index  # the law of one state is not joined
    draft = Draft().toggle("w1-iec", "KOR", False).toggle("w1-iec", "JPN", True)
    after = workspace.switches(SETUP, draft).set_index(["regime", "state"])
    assert list(after.index[after["member"] != grid["member"]]) == [("w1-iec", "JPN"), ("w1-iec", "KOR")]


def test_the_catalogue_names_what_actions_may_choose(workspace: Workspace) -> None:
    found = workspace.catalogue(SETUP)
    assert ("TWN", "Taiwan") in [(code, name.split(",")[0]) for code, name in found.states]
    assert {"neon", "wf6"} <= {item for item, _ in found.items}
    assert "outage" in found.actions
    assert "resourcing.outbid" in set(found.assumptions["assumption"])
    assert len(found.scenarios) > 50
    assert workspace.buyers[0][0] == "illustrative"
    assert ("neon", "Neon") in [(item, name.split(" ")[0]) for item, name in workspace.products("illustrative")]


class Editing(RuleBasedStateMachine):
    """Any sequence of edits, undone and redone: the last reading is the one that a fresh start gives."""

    shared: Workspace | None = None

    @initialize()
    def begin(self) -> None:
        Editing.shared = Editing.shared or Workspace.load(SETUP)
        self.history = History()

    def edit(self, draft: Draft) -> None:
        self.history = self.history.push(draft)
        self.read()

    def read(self) -> None:
        assert Editing.shared is not None
        self.reading = measure(Editing.shared, SETUP, self.history.current)

    @rule(switch=st.sampled_from([("KOR", False), ("JPN", True), ("USA", True), ("DEU", True), ("SGP", False)]))
    def switch(self, switch: tuple[str, bool]) -> None:
        self.edit(self.history.current.toggle("w1-iec", *switch))

    @rule(
        action=st.sampled_from(
            [
                {"do": "outage", "organisations": ["tsmc"], "months": 6},
                {"do": "outage", "items": ["helium"], "part": 0.25},
                {"do": "suspend", "regimes": ["chn-w-te-bi-mo-in-2025"]},
                {"do": "impose", "control": "c", "imposing": "CHN", "items": ["wf6"], "policy": "embargo"},
                {"do": "lift", "regimes": ["jpn-sme-2023"]},
                {"do": "stock", "items": ["neon"], "days": 200},
            ]
        )
    )
    def add(self, action: dict[str, Any]) -> None:
        current = self.history.current
        self.edit(current if action in current.raw else current.with_action(action))

    @rule(number=st.integers(0, 3))
    def take_out(self, number: int) -> None:
        if number < len(self.history.current.raw):
            self.edit(self.history.current.without(number))

    @rule()
    def undo(self) -> None:
        self.history = self.history.undo()
        self.read()

    @rule()
    def redo(self) -> None:
        self.history = self.history.redo()
        self.read()

    def teardown(self) -> None:
        if hasattr(self, "reading"):
            agrees(self.reading, rebuilt(self.history.current.scenario))


Editing.TestCase.settings = settings(
    max_examples=4, stateful_step_count=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
TestEditing = Editing.TestCase


def test_the_horizon_of_choke_points_is_that_of_whatif() -> None:
    assert HORIZON == 12.0
