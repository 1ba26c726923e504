"""The whole report on the bundled data: its parts, its numbers, its files, and what verifies them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from pptx import Presentation

from supplychain.case import Case
from supplychain.cli import run as command
from supplychain.errors import InputError
from supplychain.report import gather
from supplychain.report.catalogue import TABLES
from supplychain.report.formats import FORMATS
from supplychain.report.language import ENGLISH
from supplychain.report.make import Request, make
from supplychain.report.verify import verify

pytestmark = pytest.mark.xdist_group("report")  # one worker makes the report that these tests read

SECTIONS = (
    "plants",
    "items",
    "chokes",
    "network",
    "states",
    "control",
    "sourcing",
    "ahead",
    "unknown",
    "law",
    "method",
)


@dataclass(frozen=True)
class Made:
    folder: Path
    html: str
    manifest: dict[str, object]

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "tables" / f"{name}.parquet")


def quiet(_: str) -> None:
    """Progress goes nowhere."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("report") / "run"
    page = make(Request(formats=FORMATS), folder, quiet)
    return Made(folder, page.read_text(encoding="utf-8"), json.loads((folder / "manifest.json").read_text()))


class Page(HTMLParser):
    """Text by section, and whatever a browser would fetch."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if tag == "a" and name == "href":
                self.links.append(value or "")
            elif name in ("src", "srcset", "href", "data", "xlink:href", "style") or name.startswith("on"):
                self.fetched.append(f"{tag} {name}")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_every_section_is_there_and_in_the_contents(made: Made) -> None:
    for anchor in SECTIONS:
        assert f'<section id="{anchor}"' in made.html
        assert f'<a href="#{anchor}">' in made.html
    assert made.html.count("<li><b>") == 5  # the five sentences
    assert len(made.html.encode()) < 6_000_000


def test_it_fetches_nothing_and_links_only_to_sources(made: Made) -> None:
    page = Page(made.html)
    assert not page.fetched
    outward = {link for link in page.links if not link.startswith("#")}
    known = set(made.table("sources")["url"])
    assert outward
    assert outward <= known
    assert "<script" not in made.html


def test_it_says_what_is_illustrative_and_lawful_and_dated(made: Made) -> None:
    text = Page(made.html).text
    assert text.count("Illustrative buyer.") == 2  # on the first page, and at the end
    assert "serves lawful planning" in text
    assert "Law as of 1 Nov 2026" in text.replace("\u00a0", " ")
    assert "known as of 2026-10-08" in text
    assert made.manifest["illustrative"] is True


def test_every_picture_has_words_a_date_an_unknown_share_and_a_table(made: Made) -> None:
    figures = re.findall(r"<figure.*?</figure>", made.html, re.DOTALL)
    assert len(figures) == 12
    for figure in figures:
        assert re.search(r'role="img" aria-label="[^"]{10,}"', figure)
        caption = re.sub(r"<[^>]+>", "", figure[figure.index("<figcaption") :]).replace("\u00a0", " ")
        assert re.search(r"(2026|not determined)", caption)
        table = re.search(r"tables/(\w+)\.csv", caption)
        assert table is not None
        assert (made.folder / "tables" / f"{table.group(1)}.csv").is_file()


def test_numbers_on_the_page_are_those_of_the_tables(made: Made) -> None:
    text = Page(made.html).text
    plants = made.table("plants")
    for row in plants[plants["measure"] == "at_leave"].to_dict("records"):
        assert " ".join(ENGLISH.bracket(row["after"], row["short_run"], row["unknown"]).split()) in text
    chokes = made.table("choke_points")
    for row in chokes.to_dict("records"):
        unknown = max(row["short_12_high"] - row["short_12_low"], 0)
        assert " ".join(ENGLISH.bracket(row["after_12_low"], row["short_12_low"], unknown).split()) in text
        assert str(row["name"]) in text
    states = made.table("states").dropna(subset="all_after")
    jurisdictions = chokes[chokes["kind"] == "jurisdiction"].set_index("element")
    for row in states.to_dict("records"):  # the map and the choke points can not contradict each other
        assert row["all_after"] == jurisdictions.loc[row["state"], "after_12_low"]


def test_the_map_holds_every_state_and_says_what_leverage_says(made: Made) -> None:
    states = made.table("states").dropna(subset="all_short_run").set_index("state")
    alone = made.table("leverage").set_index("state")["alone"]
    assert set(alone.index[alone > 1e-9]) <= set(states.index)
    known = states.reindex(alone.index)["all_short_run"].fillna(0.0)
    assert (known - alone).abs().max() < 1e-12
    drawn = made.html[made.html.index('class="picture map"') :]
    assert "<title>Mexico: " in drawn  # no choke point: only its short run is computed
    assert states.loc["MEX", "all_after"] != states.loc["MEX", "all_after"]
    assert f"10 of {len(made.table('states'))} rows shown" in Page(made.html).text


def test_the_first_page_says_what_to_do_and_the_section_how_much(made: Made) -> None:
    needs, text = made.table("plan_needs"), Page(made.html).text
    grown = needs[needs["stock_days"] - needs["stock_days_today"] >= 0.5]
    assert 20 < len(grown) < len(needs)
    assert re.search(
        rf"To do: move \d+ % of the volumes; qualify \d+ second sources; build stock for {len(grown)} needs", text
    )
    (table,) = re.findall(r"<caption>Stock to build.*?</table>", made.html, re.DOTALL)
    first = grown.assign(more=grown["stock_days"] - grown["stock_days_today"]).nlargest(20, "more")
    assert table.count("<tr>") == 21
    assert table.count("180\u00a0days") == int((first["stock_days"].round() == 180).sum())
    relaxed = re.findall(r"<caption>Rules that gave way.*?</table>", made.html, re.DOTALL)[0]
    assert "must give way" not in relaxed
    assert "Japan refuses all its supply" in relaxed


def test_the_law_ahead_is_said_for_this_case(made: Made) -> None:
    cliffs = made.table("cliffs")
    first = cliffs[cliffs["flows"] > 0].iloc[0]
    assert cliffs["flows"].iloc[0] == 0  # the very next change touches nothing here
    said = f"{first['days_ahead']} days ahead, the law may change for this case."
    text = Page(made.html).text
    assert said in text
    assert f"applies, or may, to {first['flows']} flows" in text[text.index(said) : text.index("The fact to find next")]


def test_the_annex_tells_what_applies_from_what_may(made: Made) -> None:
    law = made.table("law")
    rows = re.findall(r"<caption>Controls that apply or decide.*?</table>", made.html, re.DOTALL)[0]
    for row in law[(law["imposing"] != "") & ((law["flows"] > 0) | (law["flows_decided"] > 0))].to_dict("records"):
        cells = [f'<td class="r">{row[name]}</td>' for name in ("flows", "flows_open", "flows_decided")]
        assert f"<code>{row['control']}</code>" in rows
        assert "".join(cells) in rows
        assert row["flows_decided"] <= row["flows"] + row["flows_open"]


def test_every_format_says_the_five_sentences_and_the_same_numbers(made: Made) -> None:
    said = [" ".join(re.sub(r"<[^>]+>", "", text).split()) for text in re.findall(r"<li><b>.*?</li>", made.html)]
    said = [unescape(text) for text in said]
    assert len(said) == 5
    deck = Presentation(str(made.folder / "report.pptx"))
    slides = " ".join(shape.text_frame.text for page in deck.slides for shape in page.shapes if shape.has_text_frame)
    book = openpyxl.load_workbook(made.folder / "report.xlsx", read_only=True)
    first = [" ".join(str(cell) for cell in row[:2] if cell) for row in book["Contents"].iter_rows(values_only=True)]
    markdown = re.sub(r"\\([^\w\s])", r"\1", (made.folder / "report.md").read_text(encoding="utf-8")).replace("**", "")
    for text in said:
        assert text in " ".join(slides.split())
        assert text in " ".join(" ".join(first).split())
        assert text in " ".join(markdown.split())
    plants = made.table("plants")
    rows = list(book["plants"].iter_rows(values_only=True))
    assert [str(head).split("\n")[0] for head in rows[0]] == list(plants.columns)
    for row, expected in zip(rows[1:], plants.itertuples(index=False), strict=True):
        for mine, its in zip(expected, row, strict=True):
            if isinstance(mine, float):
                assert its is None if mine != mine else its == pytest.approx(mine, rel=1e-15)  # 15 digits are kept
            else:
                assert its == (None if mine == "" else mine)


def test_the_pdf_is_short_and_can_be_kept_and_read_aloud(made: Made) -> None:
    pdf = (made.folder / "report.pdf").read_bytes()
    (pages,) = re.findall(rb"/Type/Pages/Count (\d+)", pdf)
    assert 8 <= int(pages) <= 20
    assert b"pdfaid:part" in pdf  # PDF/A, as its metadata say
    assert b"pdfuaid:part" in pdf
    assert len(pdf) < 3_000_000


def test_ends_of_every_bracket_are_in_order(made: Made) -> None:
    exposure = made.table("exposure")
    assert (exposure["after_resourcing"] <= exposure["short_run"] + 1e-9).all()
    assert (exposure["short_run"] <= exposure["short_run_high"] + 1e-9).all()
    overall = made.table("overall")
    assert ((overall[["after", "short_run", "high"]] >= 0) & (overall[["after", "short_run", "high"]] <= 1)).all(
        axis=None
    )


def test_cliffs_ahead_hold_every_variant_of_the_branches(made: Made) -> None:
    cliffs = made.table("cliffs")
    days = set(zip(cliffs["date"].astype(str).str[:10], cliffs["variant"], strict=True))
    assert {("2026-11-10", "lapse"), ("2026-11-28", "lapse"), ("2027-01-11", "short"), ("2027-11-10", "long")} <= days


def test_the_manifest_names_inputs_solves_versions_and_hashes(made: Made) -> None:
    body = made.manifest
    assert {entry["role"] for entry in body["inputs"]} == {"network", "regimes", "assumptions"}  # type: ignore[attr-defined]
    assert all(len(digest) == 64 for entry in body["inputs"] for digest in entry["files"].values())  # type: ignore[attr-defined]
    assert all(solve["status"] for solve in body["solves"])  # type: ignore[attr-defined]
    assert {"highspy", "pulp", "pandas"} <= set(body["environment"]["libraries"])  # type: ignore[index]
    assert "report.html" in body["outputs"]  # type: ignore[operator]
    for key in ("seed", "threads", "tolerances", "known_as_of", "on", "warnings", "started", "finished"):
        assert key in body
    assert str(Path.home()) not in json.dumps(body["outputs"])


def test_the_page_holds_no_time_and_no_path(made: Made) -> None:
    assert str(made.folder) not in made.html
    assert (
        str(made.manifest["started"])[:10] not in made.html or made.manifest["on"] == str(made.manifest["started"])[:10]
    )


def test_computing_it_again_gives_the_same_bytes_and_a_changed_byte_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    make(Request(products=("wf6",), seed=3, formats=FORMATS), folder, quiet)
    verdict = verify(folder, quiet)
    assert verdict.good, verdict.table[verdict.table["outcome"] != "same"]
    assert (verdict.table["kind"] == "recomputed").sum() > 30
    page = folder / "report.html"
    page.write_bytes(page.read_bytes().replace(b"lawful", b"lawfu1", 1))
    found = verify(folder, quiet, recompute=False)
    assert not found.good
    assert found.table.loc[found.table["outcome"] != "same", ["name", "outcome"]].to_numpy().tolist() == [
        ["report.html", "changed"]
    ]


def test_a_country_of_which_no_volume_is_known_gets_its_report_without_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    germany = Case.bundled(buyer="DEU", products=["euv-scanner"])
    assert gather._plan(germany, ("balanced",)) == (
        None,
        ["policy Balanced: demand must be known where prices are money"],
    )

    def refuse(*_: object) -> None:
        raise InputError("a blank cell")

    monkeypatch.setattr(gather, "problem_from_case", refuse)
    with pytest.raises(InputError):  # a firm can fill the cell
        gather._plan(Case.bundled(), ("balanced",))


def test_the_command_refuses_before_it_computes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep = tmp_path / "keep"
    keep.mkdir()
    (keep / "mine.txt").write_text("mine")
    assert command(["report", "--output", str(keep), "--quiet"]) == 2
    assert "not a run" in capsys.readouterr().err
    assert [path.name for path in keep.iterdir()] == ["mine.txt"]
    assert command(["report", "--buyer", "nobody", "--output", str(tmp_path / "new"), "--quiet"]) == 2
    assert not (tmp_path / "new").exists()
    assert command(["verify", str(keep)]) == 3


def test_every_table_is_described_and_every_description_has_a_table(made: Made) -> None:
    written = {path.stem for path in (made.folder / "tables").glob("*.csv")}
    assert written == set(TABLES)
    assert written == {path.stem for path in (made.folder / "tables").glob("*.parquet")}


def test_the_kept_example_is_whole() -> None:
    example = Path(__file__).parents[2] / "reports" / "example"
    if not example.is_dir():
        pytest.skip("no example is kept here: an installed copy carries none")
    verdict = verify(example, quiet, recompute=False)
    assert verdict.good, verdict.table[verdict.table["outcome"] != "same"]


def test_means_are_those_of_the_needs_by_their_yearly_margin(made: Made) -> None:
    exposure = made.table("exposure")
    plants = Case.bundled().network.plants
    margin = dict(
        zip(zip(plants["plant"], plants["item"], strict=True), plants["margin_usd"] * plants["demand"], strict=True)
    )
    exposure["margin"] = [margin[key] for key in zip(exposure["plant"], exposure["item"], strict=True)]
    for row in made.table("overall").to_dict("records"):
        part = exposure[
            (exposure["measure"] == row["measure"].replace("_", " ")) & (exposure["horizon"] == row["horizon"])
        ]
        for name, column in (("after", "after_resourcing"), ("short_run", "short_run"), ("high", "short_run_high")):
            expected = (part[column] * part["margin"]).sum() / part["margin"].sum()
            assert row[name] == pytest.approx(expected, abs=1e-12)


def test_settling_an_unknown_never_widens_the_answer(made: Made) -> None:
    unknowns = made.table("unknowns")
    assert len(unknowns) > 5
    assert (unknowns[["narrows", "adds"]] >= -1e-9).all(axis=None)
    overall = made.table("overall")
    width = overall[(overall["measure"] == "at_leave") & (overall["horizon"] == 12)]["unknown"].iloc[0]
    assert (unknowns[["narrows", "adds"]] <= width + 1e-9).all(axis=None)
    quality = made.table("data_quality")
    assert quality.groupby("table")["part"].sum().tolist() == pytest.approx([1, 1])
