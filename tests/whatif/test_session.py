"""A what-if session as a state machine: after any edits, and edits taken back, the scenario gives what the same
data give when they are written down by hand and loaded afresh."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from supplychain.case import Case
from supplychain.network import SupplyNetwork
from supplychain.whatif.apply import apply
from supplychain.whatif.outlook import LOSSES, outlook
from supplychain.whatif.scenario import Scenario, scenario_from
from tests.whatif import small

ITEMS = ("chip", "wafer", "gallium")
STATES = {"chip": ("TWN", "KOR"), "wafer": ("JPN", "DEU"), "gallium": ("CHN", "JPN")}
DAY = pd.Timestamp(small.ON)


class Session(RuleBasedStateMachine):
    """``actions`` is the scenario; ``fresh`` rebuilds the data from the list of edits with plain code of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.actions: list[dict[str, object]] = []
        self.checked = -1

    @initialize()
    def start(self) -> None:
        self.actions = []

    def add(self, action: dict[str, object], one_of: tuple[str, ...] = ()) -> None:
        """Add an action, in place of one that speaks of the same thing."""
        keys = ("do", *one_of)
        self.actions = [a for a in self.actions if tuple(a.get(k) for k in keys) != tuple(action.get(k) for k in keys)]
        self.actions.append(action)

    @rule(item=st.sampled_from(ITEMS), policy=st.sampled_from(["case-by-case", "presumption-of-denial", "embargo"]))
    def impose(self, item: str, policy: str) -> None:
        state = STATES[item][0]
        control = f"{state.lower()}-{item}"
        self.add(
            {"do": "impose", "control": control, "imposing": state, "items": [item], "policy": policy}, ("control",)
        )

    @rule(control=st.sampled_from(small.CONTROLS[:2]))
    def lift(self, control: str) -> None:
        self.add({"do": "lift", "controls": [control]}, ("controls",))

    @rule(plant=st.sampled_from(["p1", "p2"]), days=st.sampled_from([0.0, 5.0, 90.0, 400.0]))
    def stock(self, plant: str, days: float) -> None:
        self.add({"do": "stock", "plants": [plant], "days": days}, ("plants",))

    @rule(item=st.sampled_from(ITEMS), months=st.sampled_from([0.0, 1.0, 30.0]))
    def qualify(self, item: str, months: float) -> None:
        self.add({"do": "qualify", "items": [item], "months": months}, ("items",))

    @rule(item=st.sampled_from(ITEMS), at=st.sampled_from([0, 1]), factor=st.sampled_from([1.25, 2.0, 5.0]))
    def capacity(self, item: str, at: int, factor: float) -> None:
        self.add({"do": "capacity", "items": [item], "sites": [STATES[item][at]], "factor": factor}, ("items", "sites"))

    @rule(plant=st.sampled_from(["p1", "p2"]), factor=st.sampled_from([0.5, 3.0]))
    def demand(self, plant: str, factor: float) -> None:
        self.add({"do": "demand", "plants": [plant], "factor": factor}, ("plants",))

    @rule(at=st.integers(0, 9))
    def undo(self, at: int) -> None:
        if self.actions:
            self.actions.pop(at % len(self.actions))

    @invariant()
    def scenario_equals_fresh_data(self) -> None:
        if not self.actions:
            return
        ours = outlook(apply(scenario_from({"title": "session", "action": copy.deepcopy(self.actions)}), small.case()))
        theirs = outlook(apply(Scenario.empty(), fresh(self.actions)))
        pd.testing.assert_frame_equal(ours.losses.drop(columns=LOSSES), theirs.losses.drop(columns=LOSSES))
        np.testing.assert_allclose(ours.losses[LOSSES], theirs.losses[LOSSES], atol=1e-9)
        np.testing.assert_allclose(ours.plants["margin_short"], theirs.plants["margin_short"], rtol=1e-9)


def state_of(action: dict[str, object]) -> str:
    """The list that the control's code is put on: one per state, which the network's items do not carry."""
    return {"TWN": "TWN", "JPN": "JPN", "CHN": "MAC"}[str(action["imposing"])]


def fresh(actions: list[dict[str, object]]) -> Case:
    """The case whose tables were edited row by row and read again from the beginning."""
    tables = small.tables()
    controls = small.book().tables["controls"].copy()
    for action in actions:
        kind = action["do"]
        if kind == "impose":
            item = action["items"][0]  # type: ignore[index]
            code = f"{state_of(action)}:{item}"
            of = tables["items"]["item"] == item
            tables["items"].loc[of, "control_codes"] += f";{code}"
            row = controls.iloc[0].copy()
            row[:] = [("" if isinstance(value, str) else pd.NaT) for value in row]
            row["control"], row["imposing"], row["item_code"] = action["control"], action["imposing"], code
            row["destination_scope"], row["licence_policy"], row["reach"] = "worldwide", action["policy"], "none"
            row["from"], row["regime"], row["quality"] = DAY, "chn-ga-ge-2023", "assumption"
            row["source"] = "none"
            controls = pd.concat([controls, row.to_frame().T], ignore_index=True)
        elif kind == "lift":
            of = controls["control"].isin(action["controls"]) & controls["from"].notna()
            controls.loc[of, "to"] = DAY
        elif kind == "stock":
            tables["plants"].loc[tables["plants"]["plant"].isin(action["plants"]), "stock_days"] = action["days"]
        elif kind == "qualify":
            of = tables["items"]["item"].isin(action["items"])
            tables["items"].loc[of, "qualification_months"] = action["months"]
        elif kind == "demand":
            tables["plants"].loc[tables["plants"]["plant"].isin(action["plants"]), "demand"] *= action["factor"]
    grown = tables["supplies"]["share"].copy()
    for action in actions:
        if action["do"] == "capacity":
            of = tables["supplies"]["item"].isin(action["items"]) & tables["supplies"]["site"].isin(action["sites"])
            grown[of] *= action["factor"]
    for item in ITEMS:
        of = tables["supplies"]["item"] == item
        world = 1 + grown[of].sum() - tables["supplies"].loc[of, "share"].sum()
        grown[of] = grown[of] / world
    tables["supplies"]["share"] = grown
    whole = small.book()
    dates = ["from", "to", "suspended_from", "suspended_to"]
    controls[dates] = controls[dates].apply(pd.to_datetime)
    controls = controls.astype(whole.tables["controls"].dtypes.to_dict())
    book = whole.with_tables("by hand", controls=controls)
    return Case.make(SupplyNetwork.from_tables(tables, name="fresh"), book, "acme", on=small.ON)


TestSession = Session.TestCase
TestSession.settings = settings(max_examples=5, stateful_step_count=5, deadline=None)
