"""The page obeys no word of the data, loads nothing, and shows what the tables hold."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

from supplychain.report import charts, marks, pages, tiers, view

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "{% raw %}",
    "=HYPERLINK('x')",
    "</style><b>",
    "&lt;b&gt;",
    "名前 Ω",
)


class Reader(HTMLParser):
    """Collects tags, text and whatever could load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self.titles = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "href" and tag == "a":
                self.links.append(value or "")
            elif name in ("src", "href", "data", "srcset", "action", "xlink:href", "style") or name.startswith("on"):
                self.loads.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


def cite(text: str) -> list[view.Link]:
    return [view.Link(text, text), view.Link("fr", "https://x.y")]


def network_tables(names: tuple[str, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    items = pd.DataFrame(
        [
            {"item": f"i{i}", "name": name, "tier": i % 4, "category": name, "leave": 0.5, "unknown": 0.25,
             "choke": i == 0, "wording": name}
            for i, name in enumerate(names)
        ]
    )  # fmt: skip
    chains = pd.DataFrame({"chain": [0, 0, 0], "step": [0, 1, 2], "item": ["i0", "i1", "i2"]})
    return items, chains


@pytest.fixture(scope="module")
def html() -> str:
    items, chains = network_tables(HOSTILE)
    columns = [
        view.Column("name", "Name"),
        view.Column("name", "Code", "code"),
        view.Column("loss", "Loss", "loss"),
        view.Column("status", "Status", "status"),
        view.Column("name", "Law", "sources"),
    ]
    loss = {"loss_after": 0.31, "loss_short_run": 0.48, "loss_unknown": 0.06, "loss_high": 0.54}
    rows: list[dict[str, Any]] = [
        {"name": name, "status": "licence", **loss} for name in (*HOSTILE, "javascript:alert(1)")
    ]
    sheet = view.sheet(pd.DataFrame(rows), HOSTILE[0], columns, "t")
    bars = pd.DataFrame(
        [
            {"row": name, "panel": HOSTILE[1], "after": 0.1, "short_run": 0.2, "high": 0.3, "order": 0}
            for name in HOSTILE
        ]
    )
    section = view.Section(
        "one",
        HOSTILE[0],
        HOSTILE,
        (
            sheet,
            view.Figure(HOSTILE[0], tiers.draw(items, chains, HOSTILE[1]), HOSTILE[2], "t", wide=True),
            view.Figure("bars", charts.brackets(bars, HOSTILE[1], "b"), HOSTILE[0], "t"),
        ),
        HOSTILE,
    )
    head = {"title": HOSTILE[0], "facts": [(HOSTILE[1], HOSTILE[0])], "illustrative": HOSTILE[0]}
    sentences = [{"lead": name, "body": name} for name in HOSTILE[:5]]
    return pages.render(head, sentences, [], [section], HOSTILE, cite)


def test_nothing_of_the_data_runs_or_loads(html: str) -> None:
    reader = read(html)
    assert not reader.loads
    assert not {"script", "img", "iframe", "object", "embed", "link", "form", "foreignobject", "image", "use"} & set(
        reader.tags
    )
    assert {link for link in reader.links if not link.startswith("#")} == {"https://x.y"}
    assert reader.tags.count("style") == 1
    text = " ".join(reader.text)
    assert all(name in text for name in HOSTILE)  # shown as written, {{7*7}} included
    assert text.count("{{7*7}}") >= 5


def test_the_policy_names_the_style_and_forbids_the_rest(html: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy.group(1).replace("&#39;", "'")
    assert policy.group(1).startswith("default-src")
    assert "url(h" not in style.group(1)
    assert "@import" not in style.group(1)


def test_the_same_page_twice_is_the_same_text() -> None:
    head = {"title": "t", "facts": [], "illustrative": ""}
    assert pages.render(head, [], [], [], [], cite) == pages.render(head, [], [], [], [], cite)


def test_a_missing_value_is_a_fault_not_an_empty_cell() -> None:
    sheet = view.Sheet("t", (view.Column("absent", "A"),), ({"there": 1},), "t", 1)
    with pytest.raises(Exception, match="absent"):
        pages.render(
            {"title": "t", "facts": [], "illustrative": ""}, [], [], [view.Section("a", "A", (), (sheet,))], [], cite
        )


def test_every_item_of_a_large_network_is_named_once() -> None:
    names = tuple(f"item number {i}" for i in range(220))
    items, chains = network_tables(names)
    picture = tiers.draw(items, chains, "network")
    read_names = [name for name in read(str(picture)).text if name.startswith("item number")]
    written = [name for name in read_names if ":" not in name]
    assert sorted(written) == sorted(names)
    assert picture.count("<circle") == 2  # one choke point, and the key
    assert len(picture) < 200_000


def test_loss_bars_measure_what_the_table_says() -> None:
    bar = str(view.loss_bar(0.25, 0.5, 0.75))
    widths = [float(width) for width in re.findall(r'<rect[^>]* width="([\d.]+)"', bar)]
    assert widths == [120, 30, 30, 30]
    assert view.loss_bar(float("nan"), 0.5, 0.6) == ""


def test_svg_escapes_attributes_and_words() -> None:
    assert marks.text(0, 1, "<&>", class_='"x') == '<text x="0" y="1" class="&#34;x">&lt;&amp;&gt;</text>'
    assert marks.num(-0.0001) == "0"
    assert marks.num(1.50) == "1.5"
