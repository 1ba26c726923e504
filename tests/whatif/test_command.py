"""The commands, the comparison and its page: what a user sees, stable JSON, clear refusals, nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from supplychain.cli import run
from supplychain.report.formats import FORMATS
from supplychain.report.manifest import compare_outputs, read
from supplychain.report.whatif_page import page, write_page
from supplychain.whatif.compare import Comparison, compare
from supplychain.whatif.scenario import Scenario, scenario_from
from tests.whatif import small

INDIA = ["--buyer", "IND", "--product", "ai-accelerator", "--quiet"]


@pytest.fixture(scope="module")
def found() -> Comparison:
    outage = {"do": "outage", "organisations": ["shin"], "months": 9, "recover_months": 3}
    ban = {"do": "impose", "control": "jp", "imposing": "JPN", "items": ["wafer"], "policy": "embargo"}
    hostile = "<script>alert(1)</script>"
    return compare(
        small.case(),
        [
            scenario_from({"title": hostile, "action": [outage], "probability": 0.2}, "outage"),
            scenario_from({"title": "ban", "action": [ban], "probability": 0.3, "assumes": [hostile]}, "ban"),
        ],
    )


def test_an_empty_scenario_changes_no_table() -> None:
    same = compare(small.case(), [Scenario.empty("nothing")])
    for name in ("needs", "plants", "choke_points"):
        assert same.tables[name].empty
    assert (same.headline[["delta_after", "delta_short", "delta_margin_short"]] == 0).all(axis=None)
    assert (same.split["delta"] == 0).all()
    assert same.sides[0].regret == same.baseline.regret


def test_deltas_are_differences_and_plants_lose_with_their_worst_need(found: Comparison) -> None:
    head = found.headline.set_index(["scenario", "measure", "horizon"])
    for scenario in ("outage", "ban"):
        for (measure, horizon), _ in head.loc["baseline"].iterrows():
            now, before = head.loc[(scenario, measure, horizon)], head.loc[("baseline", measure, horizon)]
            assert now["delta_short"] == now["short"] - before["short"]
            assert before["after"] <= before["short"] <= before["short_high"] + 1e-12
    plants = found.plants[(found.plants["scenario"] == "ban") & (found.plants["measure"] == "in force")]
    row = plants[(plants["plant"] == "p2") & (plants["horizon"] == 36)].iloc[0]
    assert row["short"] == pytest.approx(0.7)
    assert row["margin_short"] == pytest.approx(0.7 * 400 * 80)


def test_what_became_a_choke_point_and_when_needs_are_lost(found: Comparison) -> None:
    choke = found.choke_points
    assert set(choke["change"]) <= {"became", "stopped"}
    # With Shin's wafers gone for most of a year, the other wafer maker becomes a choke point.
    assert {"silt", "DEU"} <= set(choke.loc[(choke["scenario"] == "outage") & (choke["change"] == "became"), "element"])
    times = found.times[(found.times["scenario"] == "outage") & (found.times["measure"] == "in force")].set_index(
        "item"
    )
    assert times.loc["wafer", "weeks_to_survive"] < times.loc["chip", "weeks_to_survive"]
    assert times.loc["wafer", "week_recovered"] > 9 * 4


def test_regret_is_never_negative_and_the_expected_cost_weighs_by_probability(found: Comparison) -> None:
    costs = found.costs.set_index("scenario")
    assert costs.loc["baseline", "regret"] == 0
    assert (costs["regret"].dropna() >= -1e-6).all()
    table = found.regrets
    assert (table["regret"] >= 0).all()
    assert table.groupby("scenario")["regret"].min().max() == 0
    chance = {"baseline": 0.5, "outage": 0.2, "ban": 0.3}
    for _, rows in table.groupby("plan"):
        weighed = float((rows["cost"] * rows["scenario"].map(chance)).sum())
        assert rows["expected"].to_numpy() == pytest.approx(np.full(len(rows), weighed))
        assert rows["largest"].iloc[0] == rows["regret"].max()


def test_the_page_escapes_what_it_shows_and_leaves_a_whole_run(found: Comparison, tmp_path: Path) -> None:
    html = page(found)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert page(found) == html
    written = write_page(found, tmp_path / "run")
    assert written.read_text() == html
    body = read(tmp_path / "run")
    compared = compare_outputs(tmp_path / "run", body)
    assert compared
    assert all(finding.good for finding in compared)
    assert {f"tables/{name}.csv" for name in found.tables} <= set(body["outputs"])
    weeks = pd.read_parquet(tmp_path / "run" / "tables" / "weeks.parquet")
    assert set(weeks["scenario"]) == {"baseline", "outage", "ban"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    from supplychain.errors import UsageError

    with pytest.raises(UsageError):
        write_page(found, tmp_path / "mine")


def test_a_comparison_in_every_format(found: Comparison, tmp_path: Path) -> None:
    first = write_page(found, tmp_path / "run", wanted=FORMATS)
    assert first.name == "whatif.html"
    body = read(tmp_path / "run")
    assert {f"whatif.{name}" for name in FORMATS} <= set(body["outputs"])
    sheets = openpyxl.load_workbook(tmp_path / "run" / "whatif.xlsx", read_only=True).sheetnames
    assert set(found.tables) <= set(sheets)


def test_whatif_in_json_has_every_table_and_the_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["whatif", "taiwan-outage", "--set", "months=2", "--format", "json", *INDIA]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"buyer", "on", "known_as_of", "scenarios", "warnings", "assumptions", "rows", "needs", "plants", "split",
            "choke_points", "times", "weeks", "phases", "costs", "regrets"} <= told.keys()  # fmt: skip
    assert told["scenarios"][1]["parameters"] == {"months": 2.0, "part": 1.0, "recover_months": 12.0}
    assert told["rows"][0]["scenario"] == "baseline"
    assert any("assumes" in warning for warning in told["warnings"])


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["whatif"], 2, "name a scenario"),
        (["whatif", "taiwan-outrage"], 2, "did you mean 'taiwan-outage'"),
        (["whatif", "taiwan-outage", "--set", "moths=2", *INDIA], 2, "has a parameter 'moths'"),
        (["whatif", "taiwan-outage", "--set", "months", *INDIA], 2, "NAME=VALUE"),
        (["whatif", "taiwan-outage", "--set", "part=3", *INDIA], 3, "less than or equal to 1"),
        (["sweep", "taiwan-outage", "--design", "grid", "--points", "60", "--output", "OUT"], 2, "--max-scenarios"),
        (["sweep", "taiwan-outage", "--vary", "nothing", "--output", "OUT"], 2, "neither a parameter"),
        (["backtest", "neon-2023"], 2, "did you mean"),
    ],
)
def test_mistakes_get_one_message_and_their_exit_code(
    arguments: list[str], code: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sweep"
    assert run([str(out) if part == "OUT" else part for part in arguments]) == code
    assert told in capsys.readouterr().err
    assert not out.exists()


def test_the_list_describes_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["whatif", "--list", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"scenario", "title", "question", "parameters", "on"} == set(rows[0])
    assert next(row for row in rows if row["scenario"] == "quartz-outage")["parameters"] == "months, recover_months"


def test_a_sweep_from_the_command_line_is_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["sweep", "quartz-outage", "--design", "one", "--workers", "1", "--output", str(tmp_path / "s")]
    arguments += ["--part", "tornado", "--format", "json", "--buyer", "IND", "--product", "quantum-computer", "--quiet"]
    assert run(arguments) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["runs"] == first["finished"] == 5
    assert {row["dimension"] for row in first["rows"]} == {"months", "recover_months"}
    before = (tmp_path / "s" / "sweep.parquet").read_bytes()
    assert run(arguments) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert (tmp_path / "s" / "sweep.parquet").read_bytes() == before
    assert not (tmp_path / "s" / ".lock").exists()


def test_resilience_prints_who_is_exposed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["resilience", "--format", "json", *INDIA]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["unit"] == "months"
    assert told["rows"][0]["index"] == 1.0


def test_two_runs_of_a_comparison_are_alike_to_the_byte() -> None:
    outage = scenario_from({"title": "x", "action": [{"do": "outage", "sites": ["JPN"], "part": 0.5}]})
    one, two = (compare(small.case().with_(buyer="acme"), [outage]) for _ in range(2))
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, two.tables[name], check_exact=True)


def test_a_country_without_known_demand_has_losses_and_no_cost(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["whatif", "w1-plus-kor", "--buyer", "DEU", "--product", "euv-scanner", "--quiet", "--format", "json"]
    assert run(asked) == 0
    told = json.loads(capsys.readouterr().out)
    assert {row["note"] for row in told["costs"]} == {"demand must be known where prices are money"}
    assert max(row["short"] for row in told["rows"]) > 0.4
