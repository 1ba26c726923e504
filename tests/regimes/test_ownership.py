"""Lists and ownership: what is proposed, what is never asserted, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supplychain.errors import InputError, UsageError
from supplychain.regimes.ownership import Entry, Holding, affiliates, propose, reached, read_decisions, read_list

ORGANISATIONS = pd.DataFrame(
    [
        {
            "organisation": "smic",
            "name": "SMIC (Semiconductor Manufacturing International Corporation)",
            "jurisdiction": "CHN",
        },
        {"organisation": "asml", "name": "ASML Holding N.V.", "jurisdiction": "NLD"},
        {"organisation": "yangtze", "name": "Yangtze Memory Technologies Co., Ltd.", "jurisdiction": "CHN"},
        {"organisation": "bosch", "name": "Röhm GmbH", "jurisdiction": "DEU"},
    ]
)


def lines(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def entities(tmp_path: Path) -> Path:
    return lines(
        tmp_path / "entities.ftm.json",
        {
            "id": "NK-1",
            "schema": "Company",
            "caption": "Yangtze Memory Technologies Company Limited",
            "properties": {"name": ["YMTC"], "jurisdiction": ["cn"], "topics": ["export.control"]},
            "datasets": ["us_trade_csl"],
        },
        {
            "id": "NK-2",
            "schema": "Company",
            "caption": "Roehm Nothing",
            "properties": {"country": ["de"]},
            "datasets": [],
        },
        {
            "id": "NK-3",
            "schema": "Company",
            "caption": "Daughter Ltd",
            "properties": {"name": ["Daughter Limited"]},
            "datasets": [],
        },
        {
            "id": "own-1",
            "schema": "Ownership",
            "properties": {"owner": ["NK-1"], "asset": ["NK-3"], "percentage": ["50%"]},
        },
    )


def test_matching_proposes_and_the_user_decides(entities: Path) -> None:
    found = read_list(entities)
    table = propose(ORGANISATIONS, found.entries)
    first = table.iloc[0]
    assert (first["organisation"], first["entry"], first["score"], first["same_country"]) == (
        "yangtze",
        "NK-1",
        1.0,
        "yes",
    )
    assert set(table["decision"]) == {"proposed"}
    assert "asml" not in set(table["organisation"])
    decided = propose(ORGANISATIONS, found.entries, {("yangtze", "NK-1"): "same"})
    assert decided.iloc[0]["decision"] == "same"


def test_screening_lists_in_both_forms(tmp_path: Path) -> None:
    row = {
        "name": "Yangtze Memory Technologies Co., Ltd.",
        "source": "Entity List (EL) - BIS",
        "alt_names": "YMTC; Changjiang Cunchu",
    }
    pd.DataFrame(
        [{**row, "_id": "x1", "addresses": "7 Weilai Road, Wuhan, CN", "license_requirement": "All items"}]
    ).to_csv(tmp_path / "csl.csv", index=False)
    data = {"results": [{**row, "id": "x1", "alt_names": ["YMTC"], "addresses": [{"country": "CN"}]}]}
    (tmp_path / "csl.json").write_text(json.dumps(data))
    for name in ("csl.csv", "csl.json"):
        (entry,) = read_list(tmp_path / name).entries
        assert (entry.entry, entry.countries, entry.listed) == ("x1", ("CHN",), True)
        assert "YMTC" in entry.names
        assert propose(ORGANISATIONS, [entry])["organisation"].tolist() == ["yangtze"]


def test_ownership_at_the_threshold_and_just_below(entities: Path) -> None:
    found = read_list(entities)
    owned = affiliates(["NK-1"], found.holdings, 0.5)
    assert owned.to_numpy().tolist() == [["NK-3", 0.5, "reached", "NK-1"]]
    assert affiliates(["NK-1"], found.holdings, 0.501).empty, "below the threshold nothing is said"
    (daughter,) = reached(owned, {e.entry: e for e in found.entries})
    assert "50%" in daughter.programme
    assert not daughter.listed


def test_shares_of_several_listed_owners_add_up_and_pass_through_firms_so_held() -> None:
    nan = float("nan")
    holdings = [
        Holding("a", "x", 0.3),
        Holding("b", "x", 0.2),
        Holding("x", "y", 0.5),
        Holding("a", "z", 0.49),
        Holding("a", "w", nan),
    ]
    table = affiliates(["a", "b"], holdings, 0.5).set_index("asset")
    assert table["standing"].to_dict() == {"x": "reached", "y": "reached", "w": "possible"}
    assert "z" not in table.index
    assert affiliates(["a"], [Holding("a", "x", 0.3), Holding("c", "x", 0.3)], 0.5).empty, (
        "owners that are not listed do not count"
    )
    assert affiliates(["a"], [Holding("x", "x", 1.0), Holding("x", "y", 1.0), Holding("y", "x", 1.0)], 0.5).empty


SHARES = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz"), st.floats(0, 1)), max_size=12)


@given(SHARES, st.floats(0.01, 1))
def test_more_listed_owners_never_reach_less(rows: list[tuple[str, str, float]], threshold: float) -> None:
    holdings = [Holding(*row) for row in rows]
    few, many = affiliates(["a"], holdings, threshold), affiliates(["a", "b"], holdings, threshold)
    assert set(few["asset"]) <= set(many["asset"]) | {"b"}
    assert (many["share"] >= threshold - 1e-9).all()


def test_files_that_are_no_lists(tmp_path: Path) -> None:
    for name, text in (
        ("a.json", "not json"),
        ("b.csv", "x,y\n1,2\n"),
        ("c.json", '{"a": 1}'),
        ("d.json", '{"results": 3}'),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError):
            read_list(tmp_path / name)
    with pytest.raises(UsageError):
        read_list(tmp_path / "nowhere.csv")
    with pytest.raises(UsageError, match="threshold"):
        affiliates(["a"], [], 50)


def test_decisions_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "decisions.csv"
    path.write_text("organisation,entry,decision\nsmic,x,same\nasml,y,maybe\n")
    with pytest.raises(InputError, match="row 3"):
        read_decisions(path)
    path.write_text("organisation,entry,decision\nsmic,x,same\n")
    assert read_decisions(path) == {("smic", "x"): "same"}


def test_entries_without_words_match_nobody() -> None:
    assert propose(ORGANISATIONS, [Entry("e", ("...",), (), (), "", "", True)]).empty
