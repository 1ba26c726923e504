"""What the market offers: prices, today's shares and capacities, from the data where they are and by assumption
where not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from supplychain.assumptions import Assumptions
from supplychain.errors import InputError
from supplychain.sourcing.market import read_market

ITEMS = pd.DataFrame(
    {"item": ["x"], "lead_time_months": [2.0], "qualification_months": [9.0], "spare_capacity": [np.nan]}
)
NO_LANES = pd.DataFrame({"to_plant": [], "from_supply": []})


def _market(supplies, lanes=NO_LANES, needs=None):
    needs = pd.DataFrame({"plant": ["a", "b"], "item": "x", "demand": [10.0, 30.0]}) if needs is None else needs
    supplies = pd.DataFrame({"organisation": "o", "item": "x", **supplies})
    need = np.repeat(np.arange(len(needs)), len(supplies))
    supply = np.tile(np.arange(len(supplies)), len(needs))
    return read_market(needs, supplies, need, supply, ITEMS, lanes, Assumptions.load())


def _lanes(**columns):
    return pd.DataFrame({"from_supply": ["s", "t", "s"], "to_plant": ["a", "a", "b"], **columns})


def test_without_prices_an_index_by_size():
    found = _market({"supply": ["s", "t"], "share": [0.8, 0.2]})
    assert found.currency == "index"
    yearly = found.price * np.repeat([10.0, 30.0], 2)
    assert yearly == pytest.approx([1.0, 1.075, 1.0, 1.075])  # up to 10 % for the smallest
    assert found.today == pytest.approx([0.8, 0.2, 0.8, 0.2])
    assert found.capacity == pytest.approx([3 * 0.8 * 40, 3 * 0.2 * 40])
    assert not found.new.any()
    assert any("sourcing.claim" in note for note in found.notes)


def test_small_producers_and_the_nameless():
    supplies = {"supply": ["s", "t", "unattributed:x"], "share": [0.87, 0.03, 0.1], "organisation": ["o", "p", ""]}
    found = _market(supplies)
    assert found.today == pytest.approx([1.0, 0.0, 0.0] * 2)  # below 5 % is not bought from today
    assert found.new.tolist() == [False, True, False]
    assert found.line_capacity[2] == 0  # nobody can sign with the remainder
    assert found.ready_months == pytest.approx([2.0, 11.0, 2.0])
    assert found.qualification_cost[1] == pytest.approx(0.1, rel=0.2)


def test_recorded_prices_are_money():
    supplies = {"supply": ["s", "t"], "share": [0.8, 0.2], "unit_cost": [5.0, 6.0], "currency": ["EUR", "EUR"]}
    found = _market(supplies)
    assert found.currency == "EUR"
    assert found.price == pytest.approx([5.0, 6.0] * 2)
    assert np.isinf(found.capacity).all()  # a market share says nothing of what a producer can make in units


def test_mixed_currencies_are_refused_by_name():
    supplies = {"supply": ["s", "t"], "share": [0.8, 0.2], "unit_cost": [5.0, 6.0], "currency": ["EUR", "USD"]}
    with pytest.raises(InputError, match="currencies are mixed") as caught:
        _market(supplies)
    assert "t: USD" in caught.value.problems[0].value


def test_priced_lanes_and_recorded_qualification_costs():
    supplies = {"supply": ["s", "t"], "capacity": [50.0, 50.0], "qualification_cost": [7.0, 0.0], "currency": "USD"}
    found = _market(supplies, _lanes(unit_cost=[1.0, 2.0, 3.0]))
    assert found.currency == "USD"
    assert found.price[:3] == pytest.approx([1.0, 2.0, 3.0])
    assert np.isnan(found.price[3])  # no lane from t to b: its freight is unknown, and unknown is not free
    assert found.today.sum() == 0
    assert found.new.all()
    assert found.qualification_cost == pytest.approx([7.0, 0.0])


def test_freight_comes_on_top_of_the_price():
    supplies = {"supply": ["s", "t"], "share": [0.5, 0.5], "unit_cost": [5.0, 6.0], "currency": "USD"}
    found = _market(supplies, _lanes(unit_cost=[1.0, 2.0, 3.0]))
    assert found.price[:3] == pytest.approx([6.0, 8.0, 8.0])


def test_observed_lanes_are_today():
    supplies = {"supply": ["s", "t"], "share": [0.5, 0.5]}
    found = _market(supplies, _lanes(volume=[8.0, 2.0, 30.0], capacity=[9.0, np.nan, np.nan]))
    assert found.today == pytest.approx([0.8, 0.2, 1.0, 0.0])
    assert found.line_capacity[0] == 9.0
    assert any("observed lanes" in note for note in found.notes)
