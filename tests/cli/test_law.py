"""The commands about law, as a user types them."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from supplychain.case import Case
from supplychain.cli import run
from supplychain.locate import datasets

ROOT = Path(__file__).resolve().parents[2]


def record(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert run([*words, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def determine(
    capsys: pytest.CaptureFixture[str], item: str, origin: str, to: str, on: str, *more: str
) -> dict[str, Any]:
    found: dict[str, Any] = record(capsys, "determine", "--item", item, "--from", origin, "--to", to, "--on", on, *more)
    return found


def test_the_rule_of_september_2024(capsys: pytest.CaptureFixture[str]) -> None:
    after = determine(capsys, "3B903", "USA", "IND", "2024-09-10")
    assert (after["status"], after["policy"], after["control"]) == (
        "licence",
        "presumption-of-approval",
        "us-iec-3b903-allied",
    )
    assert "740.24" in after["citation"]
    assert after["delay_days"] > 0
    before = determine(capsys, "3B903", "USA", "IND", "2024-09-01")
    assert (before["status"], before["control"], before["others"]) == ("free", "", [])
    assert determine(capsys, "3B903", "USA", "CHN", "2024-09-10")["policy"] == "presumption-of-denial"
    assert set(after) >= {
        *(
            "status",
            "policy",
            "control",
            "regime",
            "citation",
            "delay_days",
            "probability",
            "others",
            "questions",
            "warnings",
        ),
        *("floor", "ceiling", "conditions", "known_as_of", "item", "from", "to", "on"),
    }


def test_the_only_maker_of_an_item_at_a_place_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    found = determine(capsys, "euv-scanner", "NLD", "CHN", "2025-02-01")
    assert found["control"] == "nld-duv-2023"
    assert any("asml make it in NLD" in text for text in found["warnings"])
    owned = determine(capsys, "euv-scanner", "NLD", "CHN", "2025-02-01", "--head-office", "CHN")
    assert owned["control"] == "us-sme-3b001.f.1", "a Chinese-owned exporter has no shield"


def test_an_euv_scanner_of_the_network(capsys: pytest.CaptureFixture[str]) -> None:
    found = determine(capsys, "euv-scanner", "NLD", "CHN", "2025-02-01", "--organisation", "asml")
    assert (found["control"], found["regime"]) == ("nld-duv-2023", "nld-sme")
    others = {row["control"]: row for row in found["others"]}
    assert others["us-sme-3b001.f.1"]["exception"] == "supp4-742"
    assert not any(name.startswith("us-iec") for name in others)


@pytest.mark.parametrize(
    ("on", "policy"),
    [
        ("2024-12-02", "case-by-case"),
        ("2024-12-03", "presumption-of-denial"),
        ("2025-11-09", "case-by-case"),
        ("2026-11-27", "case-by-case"),  # "to 2026-11-27": the day itself is still inside
        ("2026-11-28", "presumption-of-denial"),
    ],
)
def test_gallium(capsys: pytest.CaptureFixture[str], on: str, policy: str) -> None:
    found = determine(capsys, "gallium-primary", "CHN", "USA", on)
    assert found["policy"] == policy
    assert bool(found["warnings"] and "known as of" in found["warnings"][0]) == (on > "2026-10-08")


def test_facts_settle_what_is_indeterminate(capsys: pytest.CaptureFixture[str]) -> None:
    ask = ("3B903", "KOR", "CHN", "2025-01-01")
    open_ = determine(capsys, *ask, "--no-assume")
    assert open_["status"] == "indeterminate"
    assert "controlled content from USA" in open_["questions"][0]
    assert determine(capsys, *ask, "--content", "USA=0.3")["policy"] == "presumption-of-denial"
    assert determine(capsys, *ask, "--content", "none", "--entity", "none")["status"] == "free"


def test_law_that_the_book_does_not_hold_is_never_free(capsys: pytest.CaptureFixture[str]) -> None:
    """The embargoes that the book holds in part, and the lists that it does not hold, leave a question."""
    ear99 = ("EAR99", "USA", "RUS", "2024-01-10")
    open_ = determine(capsys, *ear99)
    assert (open_["status"], open_["floor"], open_["ceiling_policy"]) == (
        "indeterminate",
        "free",
        "presumption-of-denial",
    )
    assert "customs heading" in open_["questions"][0]
    machine = determine(capsys, *ear99, "--hs", "848620")
    assert (machine["policy"], machine["control"]) == ("presumption-of-denial", "us-746.8-supp4-machines")
    swiss = determine(capsys, "3B903", "CHE", "IND", "2024-09-10", "--content", "none")
    assert (swiss["status"], swiss["imposing"]) == ("indeterminate", "CHE")
    assert swiss["questions"][0].startswith("Has CHE listed this item of Wassenaar minus one?")
    assert determine(capsys, "none", "CHE", "IND", "2024-09-10")["status"] == "free"
    assert (
        run(["determine", "--item", "EAR99", "--hs", "8486", "--from", "USA", "--to", "RUS", "--on", "2024-01-10"]) == 2
    )
    assert "six digits" in capsys.readouterr().err


def test_what_a_user_may_mistype(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["determine", "--item", "3B903", "--from", "USA", "--to", "IND", "--on", "2024-09-10"]
    for change, expected in (
        ({"3B903": "euv-scaner"}, "euv-scanner"),
        ({"IND": "India"}, "IND"),
        ({"2024-09-10": "10.9.2024"}, "YYYY-MM-DD"),
    ):
        assert run([change.get(word, word) for word in words]) == 2
        assert expected in capsys.readouterr().err
    for more, expected in (
        (("--content", "USA=30"), "fraction"),
        (("--content", "US=0.3"), "ISO3=SHARE"),
        (("--content", "QQQ=0.3"), "QQQ"),
        (("--direct-product", "Japan"), "did you mean JPN"),
        (("--end-use", "militray"), "did you mean 'military'"),
        (("--entity", "footnote5"), "did you mean 'footnote-5'"),
        (("--item", "USA:3B903"), "did you mean 'US'"),
        (("--item", "811292"), "write HS:811292"),
    ):
        assert run([*words, *more]) == 2, more
        assert expected in capsys.readouterr().err


def test_a_bare_code_is_never_free_by_assumption(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What minerals hold by assumption says nothing of an etcher: only the category of the item may choose it."""
    found = determine(capsys, "3B001.c.4", "MYS", "CHN", "2025-02-01", "--head-office", "USA")
    assert (found["status"], found["floor"], found["ceiling"]) == ("indeterminate", "free", "licence")
    assert any("direct product" in question for question in found["questions"])


def test_free_by_assumption_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    found = determine(capsys, "photomask-service", "KOR", "CHN", "2025-06-01")
    assert found["status"] == "free"
    assert any("assumed for category 'mask-service'" in text for text in found["warnings"])
    stated = determine(
        capsys, "photomask-service", "KOR", "CHN", "2025-06-01", "--content", "none", "--direct-product", "none"
    )
    assert not any("assumed" in text for text in stated["warnings"])


def test_explain_reads_for_people_and_machines(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["explain", "--item", "3B903", "--from", "USA", "--to", "GBR", "--on", "2024-09-10"]
    assert run(words) == 0
    text = capsys.readouterr().out
    assert "LICENCE, presumption-of-approval" in text
    assert "Does IEC cover this item and destination?" in text
    assert "https://" in text
    found = record(capsys, *words)
    assert found["determination"]["control"] == "us-iec-3b903-allied"
    assert {"item", "in_force", "destination", "reach", "exception", "citation", "links"} <= set(found["rows"][0])


def test_regimes_and_one_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(record(capsys, "regimes")["rows"]) == 53
    held = record(capsys, "regimes", "--coverage", "--on", "2024-01-10")["rows"]
    assert {row["extent"] for row in held} == {"held", "partial", "none"}
    assert "any-russia-before" not in {row["coverage"] for row in held}
    one = record(capsys, "regimes", "w1-iec", "--on", "2024-09-16")
    assert "FIN" not in {row["jurisdiction"] for row in one["members"]}
    assert run(["regimes", "w1-iec"]) == 0
    assert ":A:" not in capsys.readouterr().out.replace("except:A:1", "")
    assert run(["regimes", "wassenar"]) == 2
    assert "wassenaar" in capsys.readouterr().err


def test_what_a_state_is_in(capsys: pytest.CaptureFixture[str]) -> None:
    found = record(capsys, "regimes", "--state", "ARE", "--on", "2026-07-10")
    assert {"A:5", "B"} <= {row["name"] for row in found["rows"]}
    before = record(capsys, "regimes", "--state", "ARE", "--on", "2026-07-09")
    assert {"D:3", "D:4"} <= {row["name"] for row in before["rows"]}
    china = {row["name"]: row["controls"] for row in record(capsys, "regimes", "--state", "CHN")["rows"]}
    assert china["chn-ga-ge-2023"] == 14
    assert run(["regimes", "--state", "China"]) == 2


def test_diff_names_flows_and_instruments(capsys: pytest.CaptureFixture[str]) -> None:
    found = record(capsys, "diff", "--from", "2024-09-01", "--to", "2024-09-10")
    assert {row["regime"] for row in found["rows"]} <= {"w1-iec", "nld-sme", "jpn-emerging-2024"}
    assert any("w1-iec, A:1;A:5;A:6" in text for text in found["warnings"])


# 18 new entries, three paragraphs of 3B001, three entries that were revised
RULE_OF_SEPTEMBER_2024 = """
    2B910 2D910 2E910 2E903 3A901 3A904 3B903 3B904 3C907 3C908 3C909 3D901 3D907 3E901 3E905 4A906 4D906 4E906
    3B001.c.1.a 3B001.c.1.c 3B001.q
    3D001 3D002 3E001
"""
LISTED = RULE_OF_SEPTEMBER_2024.split()


def test_diff_of_the_week_of_the_rule_names_exactly_the_flows_of_its_entries(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is shown for the bundled case, against codes and country groups alone: no determination is asked."""
    assert len(LISTED) == 24
    rows = record(capsys, "diff", "--from", "2024-09-01", "--to", "2024-09-10")["rows"]
    shown = {(row["item"], row["origin"] or "", row["destination"]): row for row in rows}
    assert {row["regime"] for row in rows} == {"w1-iec"}, "nothing else in this case moved in that week"
    groups = pd.read_csv(datasets() / "regimes" / "groups.csv", dtype=str, keep_default_na=False)
    of = groups[groups["from"] <= "2024-09-10"].groupby("jurisdiction")["group"].agg(set).to_dict()

    def scope(state: str) -> str:
        if of[state] & {"D:1", "D:5"}:
            return "D:1;D:5"
        if of[state] & {"A:1", "A:5", "A:6"}:
            return "A:1;A:5;A:6"
        return "worldwide-except:A:1;A:5;A:6;D:1;D:5"

    def listed(codes: str) -> bool:
        pairs = ((f"{code}.", f"US:{entry}.") for code in codes.split(";") for entry in LISTED)
        return any(one.startswith(other) or other.startswith(one) for one, other in pairs)

    flows = Case.bundled(on="2024-09-10").flows()
    entries = flows[flows["item_codes"].map(listed)]
    # Towards a place that nobody recorded the range was as wide before: it may be in D:5, or the United States itself.
    american = entries[(entries["origin"] == "USA") & ~entries["destination"].isin(["USA", ""])]
    expected = american.groupby(["item", "destination"]).size().to_dict()
    # Dry etch towards D:5 was refused as strictly before, by the tool rule of 2023 on 3B001.c.
    assert expected.pop(("dry-etch-tool", "CHN")) == 2
    told = {(item, place): row for (item, origin, place), row in shown.items() if origin == "USA"}
    assert expected
    assert {key: row["flows"] for key, row in told.items()} == expected
    assert all(row["scope"] == scope(place) for (_, place), row in told.items())
    assert {row["by"] for row in rows} == {"starts 2024-09-06"}
    # Where nobody recorded who makes an item it may be American: only the range towards D:5 grew stricter.
    assert {key: row["flows"] for key, row in shown.items() if key[1] != "USA"} == {("photomask-service", "", "CHN"): 2}
    sums = pd.DataFrame(rows).groupby("scope")["flows"].sum().to_dict()
    assert sums == {"A:1;A:5;A:6": 24, "D:1;D:5": 6, "worldwide-except:A:1;A:5;A:6;D:1;D:5": 6}


def test_the_dutch_list_of_the_day_after_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["diff", "--everything", "--from", "2024-09-05"]
    day_of_the_rule = record(capsys, *ask, "--to", "2024-09-06")["rows"]
    assert {row["regime"] for row in day_of_the_rule} == {"w1-iec"}
    dutch = [row for row in record(capsys, *ask, "--to", "2024-09-07")["rows"] if row["regime"] == "nld-sme"]
    assert {(row["item"], row["origin"], row["control"]) for row in dutch} == {("arfi-scanner", "NLD", "nld-duv-2024")}
    assert {row["by"] for row in dutch} == {"starts 2024-09-07"}
    assert not any(row["destination"] in ("DEU", "FRA", "NLD") for row in dutch), "free inside the Union"


def test_overlay_and_match(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "controls.csv").write_text("control,licence_policy\njpn-23,presumption-of-denial\n")
    assert record(capsys, "overlay", str(tmp_path))["rows"][0]["is"] == "presumption-of-denial"
    changed = determine(capsys, "US:3B001.n", "JPN", "CHN", "2026-01-01", "--overlay", str(tmp_path))
    assert changed["policy"] == "presumption-of-denial"
    assert any("overlay" in text for text in changed["warnings"])
    csl = tmp_path / "csl.csv"
    csl.write_text('_id,name,source,alt_names,addresses\n1,Lasertec Corp.,Entity List,,"Yokohama, JP"\n')
    assert record(capsys, "match", str(csl))["rows"][0]["decision"] == "proposed"


def test_confirmed_matches_become_tags_and_possible_ownership_does_not(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lists, decided, out = tmp_path / "csl.csv", tmp_path / "decided.csv", tmp_path / "parties"
    lists.write_text('_id,name,source,alt_names,addresses\n1,Lasertec Corp.,Entity List,,"Yokohama, JP"\n')
    decided.write_text("organisation,entry,decision,tag,from\nlasertec,1,same,us-entity-list,2024-01-01\n")
    ask = ["match", str(lists), "--confirmed", str(decided), "--write", str(out)]
    assert run(ask) == 0
    capsys.readouterr()
    written = (out / "organisation_tags.csv").read_text().splitlines()
    assert written[1].startswith("lasertec,us-entity-list,2024-01-01,,listed,,estimate,none,")
    assert record(capsys, "overlay", str(out))["rows"][0]["table"] == "organisation_tags"
    decided.write_text("organisation,entry,decision\nlasertec,1,same\n")
    assert run(ask) == 3
    assert "names the tag" in capsys.readouterr().err
    # A firm that may be held to the threshold, its share not being known, is proposed and never stated.
    owner = {"id": "L", "schema": "Company", "properties": {"name": ["Listed"], "topics": ["sanction"]}}
    asset = {"id": "A", "schema": "Company", "properties": {"name": ["Lasertec Corp."], "jurisdiction": ["jp"]}}
    stake = {"id": "O", "schema": "Ownership", "properties": {"owner": ["L"], "asset": ["A"]}}
    entities = tmp_path / "entities.json"
    entities.write_text("".join(json.dumps(row) + "\n" for row in (owner, asset, stake)))
    decided.write_text("organisation,entry,decision,tag\nlasertec,A,same,us-listed-50pct\n")
    assert run(["match", str(entities), "--confirmed", str(decided), "--write", str(out)]) == 3
    assert "ownership counts from 50%" in capsys.readouterr().err


def test_determine_answers_at_once() -> None:
    """The first answer of a new process, by processor time: the machine may be busy."""
    words = ["determine", "--item", "3B903", "--from", "USA", "--to", "IND", "--on", "2024-09-10", "--format", "json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "supplychain", *words], check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 2.5
