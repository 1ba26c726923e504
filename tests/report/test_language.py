"""Every sentence of the report has its translation, says the same numbers, and reads as one language."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import nodes

import supplychain
from supplychain.assumptions import Assumptions
from supplychain.case import Case
from supplychain.errors import UsageError
from supplychain.locate import datasets, models
from supplychain.report import formats
from supplychain.report.findings import Findings
from supplychain.report.language import CODES, ENGLISH, Language, key, language
from supplychain.report.make import document
from supplychain.report.markdown import make_markdown

pytestmark = pytest.mark.xdist_group("report-firm")  # one worker gathers the findings that tests of the report share

ROOM = Path(supplychain.__file__).parent
OTHERS = [code for code in CODES if code != "en"]
PLACEHOLDER = re.compile(r"\{(\w+)\}")
_POSITION = {"say": 0, "mark": 0, "plural": 2}


def _texts(node: ast.expr) -> list[str]:
    """The texts that an argument may be: a constant, or either branch of a choice."""
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


@cache
def sentences() -> dict[str, str]:
    """Every English key in the code and the template, and a place where it stands."""
    found: dict[str, str] = {}
    for path in sorted((ROOM / "report").glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            named = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            position = _POSITION.get(named, -1)
            if 0 <= position < len(call.args):
                for text in _texts(call.args[position]):
                    found.setdefault(key(text), f"{path.name}:{call.lineno}")
    for path in sorted((ROOM / "report" / "templates").glob("*.j2")):
        for call in jinja2.Environment().parse(path.read_text(encoding="utf-8")).find_all(nodes.Call):
            if getattr(call.node, "name", "") == "say" and isinstance(call.args[0], nodes.Const):
                found.setdefault(key(call.args[0].value), path.name)
    return found


@pytest.mark.parametrize("code", OTHERS)
def test_every_sentence_is_translated_with_its_placeholders_and_none_is_stale(code: str) -> None:
    texts = language(code).texts
    assert {text: place for text, place in sentences().items() if text not in texts} == {}
    assert set(texts) - set(sentences()) == set()
    for english, other in {**texts, **language(code).patterns}.items():
        assert Counter(PLACEHOLDER.findall(english)) == Counter(PLACEHOLDER.findall(other)), english
        assert other.strip() or not english.strip(), english


def test_a_file_of_texts_says_nothing_twice() -> None:
    for code in OTHERS:
        body = tomllib.loads((ROOM / "report" / "texts" / f"{code}.toml").read_text(encoding="utf-8"))
        assert not set(body["texts"]) & set(body["patterns"])


@pytest.mark.parametrize("code", OTHERS)
def test_every_name_of_the_bundled_data_is_translated_and_told_apart(code: str) -> None:
    speech = language(code)
    case = Case.bundled()
    items = case.network.items
    wanted = {
        "item": dict(zip(items["item"], items["name"], strict=True)),
        "category": {name: name.replace("-", " ") for name in items["category"] if name},
        "regime": dict(zip(case.book.tables["regimes"]["regime"], case.book.tables["regimes"]["name"], strict=True)),
        "assumption": {name: name for name in case.assumptions.table["assumption"]},
    }
    countries = pd.read_csv(datasets() / "reference" / "countries.csv", keep_default_na=False)
    wanted["country"] = dict(zip(countries["iso3"], countries["name"], strict=True))
    for kind, names in wanted.items():
        known = {(kind, *name) for name in names.items()}
        assert known - set(speech.names) == set()
        assert {triple for triple in speech.names if triple[0] == kind} - known == set()  # none is stale
        told = Counter(speech.names[triple] for triple in known)
        assert [name for name, times in told.items() if times > 1] == []


@pytest.mark.parametrize("code", OTHERS)
def test_texts_of_other_rooms_are_known(code: str) -> None:
    speech = language(code)
    said = [text for column in ("why", "unit") for text in Assumptions.load(None).table[column]]
    for path in sorted((models() / "policies").glob("*.toml")):
        policy = tomllib.loads(path.read_text(encoding="utf-8"))
        said += [policy["title"], policy["description"]]
    for path in sorted((models() / "scenarios").glob("*.toml")):
        scenario = tomllib.loads(path.read_text(encoding="utf-8"))
        said += [scenario["title"], scenario["question"], *scenario.get("assumes", ())]
    assert [text for text in dict.fromkeys(said) if speech.tell(text) == text] == []


@pytest.mark.parametrize("code", OTHERS)
def test_every_question_of_a_determination_is_known(code: str) -> None:
    """The functions of the regimes room that ask: each of their sentences, with any value in its gaps."""
    module = ast.parse((ROOM / "regimes" / "words.py").read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
    asking = [node for function in functions if function.name in ("_ask", "_which") for node in ast.walk(function)]
    composed = [node.values for node in asking if isinstance(node, ast.JoinedStr)]
    said = ["".join(str(p.value) if isinstance(p, ast.Constant) else "USA" for p in parts) for parts in composed]
    coverage = pd.read_csv(datasets() / "regimes" / "coverage.csv", keep_default_na=False)["question"]
    said += [text.replace("@origin", "CHN").replace("@destination", "RUS") for text in coverage if text]
    inside = {id(part) for parts in composed for part in parts}
    said += [
        text for node in asking if isinstance(node, ast.Constant) and id(node) not in inside for text in _texts(node)
    ]
    said = [text for text in said if text.endswith("?") or "? " in text]
    assert len(said) > 6
    assert [text for text in said if language(code).tell(text) == text] == []


def page(findings: Findings) -> str:
    return formats.page(document(findings))


class Page(HTMLParser):
    """Text by section, pictures left out (their axes write dates otherwise), and all of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: dict[str, list[str]] = {"": []}
        self.section, self.hidden, self.cells = "", 0, 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "section":
            self.section = str(dict(attrs)["id"])
            self.text[self.section] = []
        self.hidden += tag in ("svg", "style", "code")
        self.text[self.section] += [value or "" for name, value in attrs if name in ("title", "aria-label")]

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("svg", "style", "code")

    def handle_data(self, data: str) -> None:
        if not self.hidden and data.strip():
            self.text[self.section].append(data.strip())


_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def numbers(text: str) -> Counter[str]:
    """The numbers in a text, however its language writes thousands and days."""
    text = text.replace("\u00a0", " ")
    text = re.sub(r"(?<=\d)[,\u202f](?=\d{3})", "", text)
    english = rf"(\d+) ({'|'.join(_MONTHS)}) (\d{{4}})"
    text = re.sub(english, lambda m: f"{m[3]}-{_MONTHS.index(m[2]) + 1:02}-{int(m[1]):02}", text)
    text = re.sub(r"(\d{4})年(\d+)月(\d+)日", lambda m: f"{m[1]}-{int(m[2]):02}-{int(m[3]):02}", text)
    return Counter(re.findall(r"\d+(?:[.-]\d+)*", text))


@pytest.mark.parametrize("code", OTHERS)
def test_every_number_is_the_same_in_every_language(findings: Findings, code: str) -> None:
    speech = language(code)
    # Names of data may hold numbers of their own ("the rule of October 2022"), so they stay English here.
    plain = Language(code, speech.html, speech.fonts, speech.group, speech.myriads, speech.space, speech.texts,
                     speech.patterns)  # fmt: skip
    here, there = Page(page(findings)).text, Page(page(findings.spoken(plain))).text
    assert list(here) == list(there)
    for section in here:
        assert numbers(" | ".join(here[section])) == numbers(" | ".join(there[section])), section


@pytest.mark.parametrize("code", OTHERS)
def test_a_page_has_no_english_sentence_outside_the_data(findings: Findings, code: str) -> None:
    html = page(findings.spoken(language(code)))
    assert f'<html lang="{language(code).html}">' in html
    assert language(code).fonts[0] in html[html.index("<style>") : html.index("</style>")]
    text = Page(html).text
    del text["law"], text["sources"]  # instruments, measures and titles keep the language of their source
    makers = set(findings.names.organisations.values())
    named = makers | set(Case.bundled().book.tables["exceptions"]["name"])
    said = [line for lines in text.values() for line in lines if not any(name in line for name in named)]
    english = re.compile(r"\b[A-Za-z]{2,}(?: [a-z]{2,}){2,}")
    assert [line for line in said if english.search(line)] == []
    assert sum(bool(re.search(r"[\u4e00-\u9fff]", line)) for line in said) > 300
    assert html == page(findings.spoken(language(code)))


def test_chinese_markdown_and_words_for_pictures_are_punctuated_in_chinese(findings: Findings) -> None:
    made = document(findings.spoken(language("zh")))
    files = make_markdown(made)
    text = files["report.md"].decode()
    assert re.findall(r"^- [^*\n]*: ", text, re.MULTILINE) == []
    assert re.findall(r"[\u4e00-\u9fff][.:] ", re.sub(r"\|.*\|", "", text)) == []
    assert "。 数据表" not in text
    assert "- 法律适用日期：**" in text
    assert "- Law as of: **" in make_markdown(document(findings))["report.md"].decode()


def test_a_name_that_the_user_changed_stays_as_it_is() -> None:
    chinese = language("zh")
    assert chinese.name("item", "neon", "Neon") == "氖气"
    assert chinese.name("item", "neon", "Neon of our own plant") == "Neon of our own plant"
    assert chinese.state("JPN") == "日本"
    assert chinese.state("XXX") == "XXX"


def test_numbers_days_and_lists_in_chinese() -> None:
    chinese = language("zh")
    assert chinese.bracket(0.31, 0.48, 0.06) == "31%～48%，未知部分6%"
    assert chinese.percent_range(0.001, 0.5) == "<1%～50%"
    assert chinese.day("2024-09-10") == "2024年9月10日"
    assert chinese.listed(["甲", "乙", "丙"]) == "甲、乙和丙"
    assert chinese.listed(list("甲乙丙丁戊己庚"), most=3) == "甲、乙、丙及另外4项"
    assert chinese.months(1.0) == "1个月"
    assert chinese.number(1392) == "1,392"
    assert chinese.plural(1, "{n} item", "{n} items") == "1种物项"
    assert chinese.tell("Is the item a direct product of technology, software or tools of USA? (us-a, us-b)") == (
        "该物项是否为美国技术、软件或设备的直接产品？（us-a, us-b）"
    )
    assert chinese.tell("something nobody ever wrote (of any kind)") == "something nobody ever wrote (of any kind)"


@given(st.floats(1, 9.9e12))
def test_money_is_rounded_alike_in_both_languages(amount: float) -> None:
    """340 times ten thousand is 3.4 million: the same number, whatever it is counted by."""
    sizes = {"bn": 1e9, "m": 1e6, "k": 1e3, "亿": 1e8, "万": 1e4}
    english = re.fullmatch(r"USD ([\d.,]+)(?: (bn|m|k))?", ENGLISH.money(amount).replace("\u00a0", " "))
    chinese = re.fullmatch(r"([\d.,]+)(亿|万)?美元", language("zh").money(amount))
    assert english is not None
    assert chinese is not None
    ours, theirs = (float(m[1].replace(",", "")) * sizes.get(m[2] or "", 1.0) for m in (english, chinese))
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_a_language_that_is_not_spoken_is_a_slip_of_usage() -> None:
    with pytest.raises(UsageError, match="en, zh"):
        language("fr")
