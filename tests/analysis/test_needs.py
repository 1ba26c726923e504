"""What needs feel of their markets' losses, where there are plants' needs and where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from supplychain.analysis.needs import at_or, need_loss
from supplychain.case import Case
from supplychain.cli import run


def test_positions_are_looked_up_along_the_last_axis() -> None:
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert at_or(values, np.array([1, -1, 0]), 9.0).tolist() == [[2.0, 9.0, 1.0], [4.0, 9.0, 3.0]]
    assert at_or(np.zeros(0), np.array([-1, -1]), [5.0, 6.0]).tolist() == [5.0, 6.0]
    assert at_or(np.array([True]), np.array([0, -1]), False).tolist() == [True, False]


def test_a_need_without_a_plant_feels_its_market_as_it_is() -> None:
    case = Case.bundled(buyer="IND", products=["copper-mine"], on="2026-11-01")
    assert not len(case.compiled.need_role)
    loss = np.array([[[0.25, 0.5]]])
    assert (need_loss(case.compiled, np.array([-1]), loss, (3.0, np.inf)) == loss).all()


@pytest.mark.parametrize("words", ["whatif taiwan-outage", "resilience", "exposure", "chokepoints --top 2"])
def test_commands_answer_for_a_product_that_requires_nothing(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words.split(), "--buyer", "IND", "--product", "copper-mine", "--quiet"]) == 0, capsys.readouterr().err
