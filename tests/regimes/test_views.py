"""Dated views: who is in what, what changed between two days and by which instrument, what lies ahead."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from supplychain.errors import UsageError
from supplychain.facts.package import read_package
from supplychain.locate import datasets
from supplychain.network import SupplyNetwork
from supplychain.regimes import RegimeBook, views
from supplychain.regimes.codes import relation


@pytest.fixture(scope="module")
def flows(book: RegimeBook) -> pd.DataFrame:
    network = SupplyNetwork.from_package(read_package(datasets() / "semiconductors", "network"))
    return views.every_flow(network, book)


def test_the_week_of_the_rule_names_exactly_the_flows_of_its_entries(book: RegimeBook, flows: pd.DataFrame) -> None:
    """2024-09-01 to 2024-09-10: under w1-iec, what the US ships of the listed entries, by destination group."""
    found = views.difference(book, flows, "2024-09-01", "2024-09-10")
    controls = book.tables["controls"]
    entries = set(
        controls.loc[controls["control"].str.startswith("us-iec-") & (controls["from"] == "2024-09-06"), "item_code"]
    )
    assert len(entries) == 25, "the 24 listed entries, 3A901 in two paragraphs"

    def listed(codes: str) -> bool:
        return any(relation(code, entry) for code in codes.split(";") for entry in entries)

    touched = flows["item_codes"].map(listed) & (flows["destination"] != "USA")
    rule = found.table["regime"] == "w1-iec"
    changed = np.zeros(len(flows), bool)
    changed[found.flows.loc[found.flows["row"].isin(np.flatnonzero(rule)), "flow"]] = True
    assert not (changed & ~touched).any(), "nothing else changed by the rule"
    american = touched & (flows["origin"] == "USA")
    before = book.determine(flows[american], "2024-09-01").table
    silent = american.to_numpy() & ~changed
    # An American flow that did not change was as strictly controlled before, by an older rule.
    stood = before[~changed[american.to_numpy()]]
    assert silent.sum() == len(stood)
    assert stood["ceiling"].isin(["licence", "prohibited"]).all()
    scopes = set(found.table.loc[rule, "scope"])
    assert scopes == {"A:1;A:5;A:6", "D:1;D:5", "worldwide-except:A:1;A:5;A:6;D:1;D:5"}
    assert set(found.table.loc[rule, "by"]) == {"starts 2024-09-06"}
    assert set(found.table["regime"]) == {"w1-iec", "jpn-emerging-2024", "nld-sme"}
    assert found.table["flows"].sum() == len(found.flows)


def test_the_rule_reaches_each_destination_by_its_group(book: RegimeBook, flows: pd.DataFrame) -> None:
    """Which destinations each policy of the rule touches, counted from the groups alone, without the engine."""
    table = views.difference(book, flows, "2024-09-01", "2024-09-10").table
    american = table[(table["regime"] == "w1-iec") & (table["origin"] == "USA")]
    members: dict[str, set[str]] = {}
    for row in pd.read_csv(datasets() / "regimes" / "groups.csv", dtype=str, keep_default_na=False).to_dict("records"):
        if row["from"] <= "2024-09-10" and not (row["to"] and row["to"] <= "2024-09-10") and row["doubt"] == "false":
            members.setdefault(row["group"], set()).add(row["jurisdiction"])
    allied = members["A:1"] | members["A:5"] | members["A:6"]
    concern = members["D:1"] | members["D:5"]
    every = set(flows["destination"]) - {"USA"}
    # Embargoed destinations were refused before; states in doubt of a group are told as a range.
    stood = {"RUS", "BLR", "CUB", "IRN", "PRK", "SYR"}
    expected = {
        "A:1;A:5;A:6": allied,
        "D:1;D:5": concern,
        "worldwide-except:A:1;A:5;A:6;D:1;D:5": every - allied - concern,
    }
    doubtful = {"CYP", "KHM"}
    for scope, states in expected.items():
        touched = set(american.loc[american["scope"] == scope, "destination"])
        assert touched - doubtful == (states & every) - stood - doubtful, scope
    policies = american[~american["destination"].isin(doubtful) & american["is"].str.startswith("licence")]
    told = policies.groupby("scope")["is"].agg(set).to_dict()
    assert told["A:1;A:5;A:6"] == {"licence (presumption-of-approval)"}
    assert told["D:1;D:5"] == {"licence (presumption-of-denial)"}


def test_days_in_the_wrong_order_are_refused(book: RegimeBook, flows: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match="before"):
        views.difference(book, flows.head(3), "2024-09-10", "2024-09-01")


def test_a_group_that_changes_is_named_as_the_cause(book: RegimeBook) -> None:
    flow = pd.DataFrame([{"item_codes": "US:3B903", "origin": "USA", "destination": "ARE"}])
    found = views.difference(book, flow, "2026-07-09", "2026-07-10").table.iloc[0]
    assert (found["was"], found["is"]) == ("licence (case-by-case)", "licence (presumption-of-approval)")
    assert found["by"] == "a group or exception changed"


def test_horizon_lists_each_cliff_with_its_variants(book: RegimeBook) -> None:
    flow = pd.DataFrame([{"item_codes": "CN:3C001.ga-metal", "origin": "CHN", "destination": "USA"}])
    table = views.horizon(book, flow, date(2026, 10, 8), 500)
    lapse = table[(table["branch"] == "chn-ga-ge-sb-denial") & (table["variant"] == "lapse")].iloc[0]
    assert lapse["date"] == pd.Timestamp("2026-11-28")
    assert lapse["flows_stricter"] == 1
    assert set(table["variant"]) == {"lapse", "short", "long"}
    assert len(table) == 9
    assert views.horizon(book, flow, date(2026, 10, 8), 20).empty


def test_regimes_on_a_day(book: RegimeBook) -> None:
    table = views.regimes(book, "2026-10-08").set_index("regime")
    assert len(table) == 53
    assert table.loc["wassenaar", "members"] == 42
    assert table.loc["w1-iec", "members"] == 11, "the US and ten named states; candidates are not members"
    assert table.loc["chn-oct-2025", ["in_force", "suspended"]].tolist() == [0, 7]
    with pytest.raises(UsageError, match="w1-iec"):
        views.regime(book, "w1", "2026-10-08")
