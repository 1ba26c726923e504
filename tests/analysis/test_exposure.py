"""Exposure and its reasons: a hand-computed chain, the brackets on the bundled case, the command."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from supplychain.analysis.because import Chain, Tracer
from supplychain.analysis.cascade import cascade
from supplychain.analysis.exposure import MEASURES, Exposure, exposure
from supplychain.case import Case
from supplychain.cli import run
from supplychain.network import SupplyNetwork
from supplychain.regimes import RegimeBook
from supplychain.shocks import Shocks, outage, refuse_all

DAYS = ("2022-06-01", "2024-09-10", "2026-11-01")
BUYERS = ("CHN", "IND", "MYS", "DEU", "USA")


def chains(compiled: object, shocks: Shocks, market: int, horizon: float, count: int = 3) -> list[Chain]:
    result = cascade(compiled, shocks, (horizon,))  # type: ignore[arg-type]
    tracer = Tracer(compiled, shocks, (horizon,), result.market_loss, result.supply_loss)  # type: ignore[arg-type]
    return tracer.chains(market, 0, horizon, count)


def test_chains_by_hand() -> None:
    # chip <- wafer <- gas (0.7 refused by UKR) and chip <- scanner (all refused by NLD, life 60 months).
    supplies = pd.DataFrame(
        [
            ("chip", "chip", "TWN", 1.0),
            ("wafer", "wafer", "JPN", 1.0),
            ("gas-u", "gas", "UKR", 0.7),
            ("gas-j", "gas", "JPN", 0.3),
            ("scan", "scanner", "NLD", 1.0),
        ],
        columns=["supply", "item", "site", "share"],
    )
    requirements = pd.DataFrame(
        [
            ("chip", "wafer", "consumable", np.nan),
            ("wafer", "gas", "consumable", np.nan),
            ("chip", "scanner", "capital", 5.0),
        ],
        columns=["item", "requires", "role", "lifetime_years"],
    )
    network = SupplyNetwork.from_tables({"supplies": supplies, "requirements": requirements})
    compiled = network.compile(["IND"], ["chip"]).completed()
    both = refuse_all(compiled, ["NLD", "UKR"]).together("both")
    first, second = chains(compiled, both, compiled.market("chip", "IND"), 12)
    assert first.text == "chip <- wafer <- gas"
    assert (first.kind, first.origins) == ("refused", (("UKR", 0.7),))
    assert [step.loss for step in first.steps] == pytest.approx([0.7, 0.7, 0.7])
    assert [step.role for step in first.steps] == ["", "consumable", "consumable"]
    # With gas mended the scanners bind: 12 of 60 months' wear. With both mended nothing is left.
    assert first.left == pytest.approx(0.2)
    assert second.text == "chip <- scanner"
    assert second.left == 0
    (lost,) = chains(compiled, outage(compiled, {"gas-j": 1.0}), compiled.market("chip", "IND"), 12)
    assert (lost.kind, lost.part) == ("lost", pytest.approx(0.3))
    assert chains(compiled, refuse_all(compiled, ["JPN"]).take([]).beside(Shocks.none(compiled, ["calm"])), 0, 12) == []


@pytest.fixture(scope="module")
def india() -> Exposure:
    return Case.bundled(buyer="IND", products=["ai-accelerator"], on="2026-11-01").exposure()


@pytest.mark.parametrize("on", DAYS)
def test_every_bracket_holds_and_bounds_are_nested(on: str) -> None:
    for buyer in BUYERS:
        found = exposure(Case.bundled(buyer=buyer, products=["ai-accelerator"], on=on), split=False)
        table = found.table
        assert len(table) == len(MEASURES) * 3
        for suffix in ("", "_high"):
            assert (table[f"after_resourcing{suffix}"] <= table[f"short_run{suffix}"] + 1e-9).all()
            # Touch saturates and is never below a loss; growth is never below the loss of output.
            assert (table[f"short_run{suffix}"] <= table[f"growth{suffix}"] + 1e-9).all()
            assert (table[f"growth{suffix}"] <= table[f"touch{suffix}"] + 1e-9).all()
        assert (table["short_run"] <= table["short_run_high"]).all()
        assert table["unknown"].to_numpy() == pytest.approx((table["short_run_high"] - table["short_run"]).to_numpy())
        wide = table.pivot(index="horizon", columns="measure", values="short_run")
        assert (wide["in force"] <= wide["at leave"] + 1e-9).all()
        assert wide["at leave"].is_monotonic_increasing
        harmed = table["short_run"] > 0.01
        assert (table.loc[harmed, "because"] != "").all()
        assert table["because"].where(harmed, "ai-accelerator").str.startswith("ai-accelerator").all()


def test_denial_to_china_is_in_force_after_2022_and_not_for_others() -> None:
    """Accelerators to China are presumed denied from 2022-10-07 (87 FR 62186); to Germany they never were."""
    for buyer, on, denied in (("CHN", "2022-06-01", False), ("CHN", "2024-09-10", True), ("DEU", "2024-09-10", False)):
        case = Case.bundled(buyer=buyer, products=["ai-accelerator"], on=on)
        table = exposure(case, (12,), split=False).table
        loss = table.loc[table["measure"] == "in force", "short_run"].iloc[0]
        assert (loss > 0.5) == denied, (buyer, on, loss)


def test_parts_never_take_more_than_the_whole(india: Exposure) -> None:
    keys = ["plant", "destination", "item", "measure", "horizon"]
    joined = india.split.merge(india.table[[*keys, "short_run"]], on=keys)
    assert set(joined["by"]) == {"imposing", "regime", "policy", "role", "tier", "item"}
    assert (joined["alone"] <= joined["short_run"] + 1e-9).all()
    assert (joined["added"] <= joined["short_run"] + 1e-9).all()
    # The parts by item (or by tier) make up the whole: at least one of them matters wherever the whole does.
    for _, part in joined.groupby([*keys, "by"]):
        assert part[["alone", "added"]].to_numpy().max() > 0


def test_summary_follows_from_the_curve(india: Exposure) -> None:
    for row in india.summary.itertuples():
        curve = india.curve[india.curve["measure"] == row.measure].set_index("month")["short_run"]
        assert curve.is_monotonic_increasing
        survived = curve[curve <= 0.01]
        assert row.months_to_survive == (survived.index.max() if len(survived) else 0)
        assert row.loss_area == pytest.approx(curve.sum() - curve.iloc[-1] / 2, abs=0.6)
        assert row.loss_area <= row.loss_area_high <= 36
    assert india.iterations > 1
    assert india.residual < 1e-9


def test_plants_feel_their_stock_and_the_role_of_what_they_need() -> None:
    case = Case.bundled(on="2026-11-01")
    table = exposure(case, (3, 12), split=False).table
    assert len(table) == len(case.needs) * len(MEASURES) * 2
    assert set(table["plant"]) == set(case.needs["plant"])
    compiled, needs = case.compiled, case.needs
    result = cascade(compiled, case.at_leave(), (3, 12))
    rows = table[(table["measure"] == "at leave") & (table["horizon"] == 12)]
    market = result.market_loss[needs["market"].to_numpy(), 0, 1]
    assert (rows["short_run"].to_numpy() <= market + 1e-9).all()
    capital = compiled.need_role[needs["need"].to_numpy()] == 1
    life = compiled.need_life_months[needs["need"].to_numpy()]
    expected = market * np.minimum(12 / life, 1)
    assert rows["short_run"].to_numpy()[capital] == pytest.approx(expected[capital])


def test_nothing_is_exposed_where_no_law_applies() -> None:
    supplies = pd.DataFrame({"supply": ["b"], "item": ["bread"], "site": ["DEU"], "share": [1.0]})
    items = pd.DataFrame({"item": ["bread"], "control_codes": ["none"], "tier": [0.0]})
    network = SupplyNetwork.from_tables({"supplies": supplies, "items": items})
    found = exposure(Case.make(network, RegimeBook.bundled(), "IND", on="2024-09-10"))
    assert (found.table[["short_run_high", "growth_high", "touch_high"]] == 0).all(axis=None)
    assert found.because.empty
    assert found.split.empty
    assert found.summary["months_to_survive"].isna().all()


def test_command_gives_stable_json(capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["exposure", "--buyer", "IND", "--product", "hbm", "--on", "2024-09-10", "--horizons", "12", "--quiet"]
    assert run([*ask, "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert {"buyer", "on", "rows", "split", "because", "summary", "curve", "assumptions", "warnings"} <= record.keys()
    assert [row["measure"] for row in record["rows"]] == list(MEASURES)
    assert record["horizons"] == [12.0]
    assert run([*ask, "--format", "csv", "--part", "summary"]) == 0
    assert capsys.readouterr().out.startswith("plant,destination,item,measure,months_to_survive")
    assert run([*ask[:-1], "--product", "hbmm"]) == 2
    assert "did you mean 'hbm'" in capsys.readouterr().err
