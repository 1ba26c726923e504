"""The course week by week: closed forms on a line, never more than the cascade, licences that take their time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from supplychain.analysis.needs import short_run
from supplychain.case import Case
from supplychain.network import DAYS_PER_MONTH
from supplychain.whatif.apply import MEASURES, apply
from supplychain.whatif.outlook import need_weights
from supplychain.whatif.scenario import Scenario, scenario_from
from supplychain.whatif.timeline import WEEK, timeline
from tests.whatif import small

QUIET = "2028-01-01"  # a day after which no date of the small book falls


def course(case: Case, *actions: dict[str, object], weeks: int = 156, **head: object) -> pd.DataFrame:
    return timeline(apply(scenario_from({"title": "x", "action": list(actions), **head}), case), weeks).weeks


def of(weeks: pd.DataFrame, measure: str, column: str = "loss") -> np.ndarray:
    return weeks.loc[weeks["measure"] == measure, column].to_numpy(float)


def test_stocks_add_up_along_a_line() -> None:
    # chip (plant holds 20 days) <- wafer (fabs hold 45 days) <- gallium (wafer makers hold 60 days): all gallium stops.
    case = small.case()
    outage = {"do": "outage", "items": ["gallium"]}
    found = timeline(apply(scenario_from({"title": "x", "action": [outage]}), case))
    rows = found.needs[(found.needs["measure"] == "in force")].set_index("item")
    # One week is added per tier: what is made in a week is delivered in the next.
    assert rows.loc["chip", "weeks_to_survive"] == pytest.approx((20 + 45 + 60) / 7, abs=2.5)
    assert rows.loc["wafer", "weeks_to_survive"] == pytest.approx((10 + 60) / 7, abs=1.5)
    assert np.isnan(rows.loc["chip", "week_recovered"])
    assert rows.loc["wafer", "lowest_stock_days"] == 0


def test_an_outage_ends_stock_refills_and_the_need_recovers() -> None:
    outage = {"do": "outage", "organisations": ["shin"], "months": 6, "recover_months": 3}
    found = timeline(apply(scenario_from({"title": "x", "action": [outage]}), small.case()))
    rows = found.needs[found.needs["measure"] == "in force"].set_index("item")
    first, back = rows.loc["wafer", "weeks_to_survive"], rows.loc["wafer", "week_recovered"]
    assert first == pytest.approx(10 / 7 / 0.7, abs=1)  # ten days of stock against a gap of 70 %
    assert 6 / WEEK < back <= 9 / WEEK + 2
    assert {"ends", "is made good"} <= {
        word for text in found.phases["what"] for word in ("ends", "is made good") if word in text
    }
    # The area is what the curve encloses: 70 % for six months less the stock, then a slope of three months.
    assert rows.loc["wafer", "loss_area"] == pytest.approx(0.7 * 6 - 10 / DAYS_PER_MONTH + 0.7 * 3 / 2, rel=0.05)


def test_a_constant_shock_never_costs_more_in_the_course_than_in_the_cascade() -> None:
    case = small.case().with_(on=QUIET, buyer="acme")
    outage = {"do": "outage", "items": ["gallium", "scanner"], "part": 0.7}
    one = apply(scenario_from({"title": "x", "action": [outage]}), case)
    found = timeline(one, 300)
    weeks = np.arange(1, 301)
    bound = short_run(one.case, one.shocks(1.0), tuple((weeks * WEEK).tolist()))
    weight = need_weights(case)["weight"].to_numpy(float)
    for b, measure in enumerate(MEASURES):
        curve = of(found.weeks, measure)
        assert (curve <= weight @ bound[:, b, :] + 1e-9).all()
        assert (np.diff(curve) >= -1e-12).all()
        assert curve[-1] == pytest.approx(float(weight @ bound[:, b, -1]), abs=1e-6)  # in the end they agree


def test_new_licences_take_their_time_and_then_cost_nothing() -> None:
    case = small.case().with_(on=QUIET, buyer="acme")
    base = course(case, weeks=60)
    assert of(base, "in force").max() == 0
    new = {"do": "impose", "control": "jp", "imposing": "JPN", "items": ["wafer"], "policy": "case-by-case"}
    slow = of(course(case, new, weeks=60), "in force")
    quick = of(course(case, new, {"do": "delay", "factor": 0.07}, weeks=60), "in force")
    assert slow.max() > 0.2
    assert slow[20:].max() == 0  # ninety days, then the licence is there
    assert quick.max() == 0  # a week is covered by stock
    assert of(course(case, new, weeks=60), "at leave")[-1] > 0.2


def test_a_later_law_shows_on_its_day_and_not_before() -> None:
    case = small.case().with_(on=QUIET, buyer="acme")
    ban = {
        "do": "impose",
        "control": "jp",
        "imposing": "JPN",
        "items": ["wafer"],
        "policy": "embargo",
        "from": "2028-07-01",
    }
    one = apply(scenario_from({"title": "x", "action": [ban]}), case)
    assert any("begins after the day" in warning for warning in one.warnings)
    found = timeline(one, 60)
    curve = of(found.weeks, "in force")
    assert curve[:25].max() == 0
    assert curve[-1] > 0.2
    assert "2028-07-01" in set(found.phases["day"])
    pd.testing.assert_frame_equal(
        timeline(apply(Scenario.empty(), case), 20).weeks,
        found.weeks.groupby("measure", sort=False).head(20).reset_index(drop=True),
    )


def test_growing_capacity_relieves_the_later_weeks_only() -> None:
    case = small.case().with_(on=QUIET, buyer="acme")
    outage = {"do": "outage", "organisations": ["shin"]}
    grow = {"do": "grow", "item": "wafer", "state": "KOR", "add": 0.5, "until": "2030-01-01"}
    alone, relieved = of(course(case, outage), "in force"), of(course(case, outage, grow), "in force")
    assert relieved[:10] == pytest.approx(alone[:10], abs=1e-6)
    assert (relieved <= alone + 1e-9).all()
    # Half of today's output more: the share that is lost falls from 0.7 to 0.7 / 1.5.
    assert relieved[-1] / alone[-1] == pytest.approx(1 / 1.5, rel=0.01)
