"""Time to survive: a firm solved by hand, bisection, and an independent solver on random firms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from supplychain.analysis.resilience import Firm, Resilience, risk_exposure
from supplychain.case import Case
from tests.whatif import small


def line(*stocks: float) -> Firm:
    """Maker 0 sells one unit a month and needs maker 1, which needs maker 2 ...: stock of each part at its user."""
    n = len(stocks)
    k = np.arange(n - 1)
    return Firm(
        capacity=np.full(n, 2.0), stock=np.array([stocks[0], *np.zeros(n - 1)]), demand=np.eye(1, n)[0],
        value=np.full(n, 10.0), link_user=k, link_part=k, link_source=k + 1, link_draw=np.ones(n - 1),
        link_gain=np.ones(n - 1), part_stock=np.array(stocks[1:]),
    )  # fmt: skip


def test_on_a_line_stocks_add_up() -> None:
    model = Resilience(line(3.0, 2.0, 4.0))
    for stopped, survive in ((2, 9.0), (1, 5.0), (0, 3.0)):
        left = np.ones(3)
        left[stopped] = 0.0
        assert model.time_to_survive(left) == pytest.approx(survive)
        value, lost = model.impact(left, 12.0)
        assert value == pytest.approx(10 * (12 - survive))
        assert lost == pytest.approx([12 - survive])
    assert model.time_to_survive(np.ones(3)) == math.inf


def by_hand() -> Firm:
    """A car maker (0) sells 100 cars a month at 8 each and a van line (1) 50 at 5. Both need engines from plant 2 or
    3 (a car one, a van two engines) and cars need seats from 4. Plants: 2 makes 150 engines a month, 3 makes 100, 4
    makes 120 seats. Stock: 60 engines finished at plant 2, 40 seats at the car maker, 30 cars finished."""
    return Firm(
        capacity=np.array([150.0, 80.0, 150.0, 100.0, 120.0]),
        stock=np.array([30.0, 0.0, 60.0, 0.0, 0.0]),
        demand=np.array([100.0, 50.0, 0, 0, 0]),
        value=np.array([8.0, 5.0, 0, 0, 0]),
        link_user=np.array([0, 0, 1, 1, 0]),
        link_part=np.array([0, 0, 1, 1, 2]),
        link_source=np.array([2, 3, 2, 3, 4]),
        link_draw=np.array([1.0, 1.0, 2.0, 2.0, 1.0]),
        link_gain=np.ones(5),
        part_stock=np.array([0.0, 0.0, 40.0]),
    )


def test_a_firm_with_two_products_and_a_second_source_solved_by_hand() -> None:
    model = Resilience(by_hand())
    left = np.ones(5)
    # Engines: 200 a month are needed (100 + 2 x 50), 250 can be made. Without plant 2, 100 a month and the 60 in stock;
    # the 30 finished cars stand for 30 engines: 60 + 30 = (200 - 100) t, so 0.9 months.
    left[2] = 0.0
    assert model.time_to_survive(left) == pytest.approx(0.9)
    # In 3 months 300 + 60 engines and 30 cars meet 600 wanted: 210 engines short. A car is worth 8 an engine, a van
    # 2.5:
    # all 150 vans go (300 engines), which is more than is short: 105 vans are lost, 105 x 5 = 525.
    value, lost = model.impact(left, 3.0)
    assert value == pytest.approx(525)
    assert lost == pytest.approx([0, 105])
    # Without plant 3: 150 a month against 200 and 90 in hand: 1.8 months.
    left = np.array([1.0, 1, 1, 0, 1])
    assert model.time_to_survive(left) == pytest.approx(1.8)
    # Without seats: 40 seats and 30 cars at 100 a month: 0.7 months; after 2 months 130 cars at 8 are lost.
    left = np.array([1.0, 1, 1, 1, 0])
    assert model.time_to_survive(left) == pytest.approx(0.7)
    assert model.impact(left, 2.0)[0] == pytest.approx(130 * 8)


def oracle(firm: Firm, left: np.ndarray, months: float) -> float:
    """The same programme written down again for another interface of another kind, densely."""
    n, m = len(firm.capacity), len(firm.link_user)
    wanted = np.flatnonzero(firm.demand > 0)
    rows, right = [], []
    for part in range(len(firm.part_stock)):
        row = np.zeros(n + m + 2 * len(wanted))
        links = np.flatnonzero(firm.link_part == part)
        row[firm.link_user[links[0]]] = 1.0
        row[n + links] = -firm.link_gain[links]
        rows.append(row)
        right.append(firm.part_stock[part])
    for maker in range(n):
        row = np.zeros(n + m + 2 * len(wanted))
        row[n + np.flatnonzero(firm.link_source == maker)] = firm.link_draw[firm.link_source == maker]
        row[n + m + np.flatnonzero(wanted == maker)] = 1.0
        row[maker] = -1.0
        rows.append(row)
        right.append(firm.stock[maker])
    for k, maker in enumerate(wanted):
        row = np.zeros(n + m + 2 * len(wanted))
        row[n + m + k] = row[n + m + len(wanted) + k] = -1.0
        rows.append(row)
        right.append(-firm.demand[maker] * months)
    cost = np.concatenate([np.zeros(n + m + len(wanted)), firm.value[wanted]])
    bounds = [(0, c * x * months) for c, x in zip(firm.capacity, left, strict=True)] + [(0, None)] * (
        m + 2 * len(wanted)
    )
    found = linprog(cost, np.array(rows), np.array(right), bounds=bounds, method="highs-ipm")
    assert found.status == 0
    return float(found.fun)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_random_firms_agree_with_another_programme_and_with_bisection(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 8))
    pairs = [(j, i) for j in range(n) for i in range(j + 1, n) if rng.random() < 0.6] or [(0, 1)]
    user, source = (np.array(x) for x in zip(*pairs, strict=True))
    # Some parts of a user are one need with several sources.
    part_of = {}
    part = np.array(
        [part_of.setdefault((j, int(rng.integers(0, 2)) if rng.random() < 0.5 else i), len(part_of)) for j, i in pairs]
    )
    demand = np.where(rng.random(n) < 0.4, rng.uniform(0.5, 2, n), 0.0)
    demand[0] = 1.0
    firm = Firm(rng.uniform(1, 4, n), rng.uniform(0, 2, n), demand, rng.uniform(1, 9, n), user, part, source,
                rng.uniform(0.2, 1, len(user)), rng.uniform(0.5, 1.5, len(user)),
                rng.uniform(0, 3, len(part_of)))  # fmt: skip
    left = np.where(rng.random(n) < 0.4, 0.0, 1.0)
    model = Resilience(firm)
    for months in (0.5, 3.0, 10.0):
        assert model.impact(left, months)[0] == pytest.approx(oracle(firm, left, months), abs=1e-5, rel=1e-6)
    survive = model.time_to_survive(left)
    low, high = 0.0, 120.0
    if model.impact(left, high)[0] <= 1e-6:
        assert survive == math.inf
        return
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if model.impact(left, middle)[0] <= 1e-7 else (low, middle)
    assert survive == pytest.approx(low, abs=1e-4)


def test_the_small_case_by_hand() -> None:
    table = risk_exposure(small.case()).table.set_index("element")
    # Wafers without Shin: 0.3 x 1.1 of the need a month against 1: the plant's ten days of stock last 10 / 0.67 days.
    row = table.loc["shin"]
    assert row["worst_need"] == "p2:wafer"
    assert row["months_to_survive"] == pytest.approx(10 / 30.4375 / (1 - 0.3 * 1.1), rel=1e-6)
    assert row["months_to_recover"] == 9
    assert row["exposed"]
    assert "litho" not in table.index  # scanners are equipment: they outlast the disruption
    assert table["index"].max() == 1
    assert (table["index"].diff().dropna() <= 0).all()


def test_the_bundled_case_names_who_is_exposed() -> None:
    found = risk_exposure(Case.bundled(buyer="IND", products=["ai-accelerator"]))
    table = found.table.set_index("element")
    assert {"TWN", "tsmc", "JPN"} <= set(table.index[:6])
    assert found.unit == "months"
    assert table["index"].between(0, 1).all()
    assert (table["months_to_survive"] >= 0).all()
    assert (table["exposed"] == (table["months_to_survive"] < table["months_to_recover"])).all()
    assert len(set(table["index"].round(6))) > 8
