"""Languages: every text that a reader sees is written in English in the code and looked up here, as are its numbers.

How to use it, in the report, the what-if page and the application alike::

    speech = language("zh")               # or ENGLISH; frozen, carried in Findings.language and Document.language
    speech.say("{item} hangs on the leave of {state}.", item=name, state=where)   # whole sentences, named values
    speech.plural(n, "{n} rule gave way", "{n} rules gave way")                   # the plural is the key
    speech.say(words.STATUS["licence"])   # a text kept in a table: mark("licence needed") there
    speech.percent(0.31), .bracket(a, b, c), .day(on), .listed(names), .money(x), .months(12.0), .number(1392.0)
    speech.name("item", "hbm", "High-bandwidth memory (HBM) stack")   # a name in the data, where the English agrees
    speech.state("JPN"), .category("end-product"), .join(sentence, sentence)
    speech.tell(question)                 # a text that another room composed: by the patterns of the file

The sentence in English is the key. The other languages are data: ``texts/CODE.toml`` (sentences, patterns, ways of
writing) and ``datasets/reference/names_CODE.csv`` (names of states, items, regimes). A test collects every key of the
code and refuses one without a translation, a stale one, and one whose placeholders differ. Never glue sentences from
pieces: word order differs. A text that has no translation is shown as it stands.
"""

from __future__ import annotations

import csv
import math
import re
import tomllib
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any

from supplychain.errors import UsageError
from supplychain.facts.countries import countries
from supplychain.locate import datasets
from supplychain.network import UNKNOWN_PLACE
from supplychain.report.words import MONTHS, NBSP, NONE, mark, missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CODES = ("en", "zh")
_BEYOND_ISO = {
    "EUU": mark("European Union"),
    UNKNOWN_PLACE: mark("place unknown"),
    "": mark("classification open"),
}
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_UNITS = (
    (1e9, mark("{currency}\u00a0{amount}\u00a0bn")),
    (1e6, mark("{currency}\u00a0{amount}\u00a0m")),
    (1e3, mark("{currency}\u00a0{amount}\u00a0k")),
)
_MYRIADS = ((1e8, mark("{amount} hundred million {currency}")), (1e4, mark("{amount} ten thousand {currency}")))


@dataclass(frozen=True, eq=False)
class Language:
    """One language: ``texts`` by English key, ``patterns`` for texts of other rooms, ``names`` by kind, id and English.

    ``html`` is what ``<html lang>`` says; ``fonts`` stand before the others; ``group`` parts thousands; ``myriads``
    says that large amounts count by ten thousands; ``space`` stands between sentences.
    """

    code: str = "en"
    html: str = "en"
    fonts: tuple[str, ...] = ()
    group: str = "\u202f"
    myriads: bool = False
    space: str = " "
    texts: Mapping[str, str] = field(default_factory=dict)
    patterns: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[tuple[str, str, str], str] = field(default_factory=dict)

    def say(self, sentence: str, /, **values: object) -> str:
        """Return ``sentence`` in this language with its values filled in."""
        text = self.texts.get(key(sentence), sentence) if self.texts else sentence
        return text.format(**values) if values else text

    def plural(self, n: float, one: str, many: str, /, **values: object) -> str:
        """Return the sentence for one or for many; ``{n}`` is the count, kept on the line of its noun."""
        sentence = one if n == 1 and not self.texts else many
        text = self.texts.get(key(sentence), sentence)
        return text.replace("{n} ", f"{{n}}{NBSP}").format(n=self.number(n), **values)

    def join(self, *sentences: str) -> str:
        """Return whole sentences one after another, blank ones left out."""
        return self.space.join(sentence for sentence in sentences if sentence)

    def tell(self, text: str) -> str:
        """Return a text that another room composed: known as a whole, by a pattern, or as it stands."""
        known = self.texts.get(text) or self.patterns.get(text)
        if known is not None or not self.patterns:
            return text if known is None else known
        for pattern, told in self._compiled:
            found = pattern.fullmatch(text)
            values = {name: self._part(name, part) for name, part in found.groupdict().items()} if found else {}
            if found and values.get("question") != found.groupdict().get("question", ""):
                return told.format(**values)
        return text

    def _part(self, name: str, part: str) -> str:
        """Return a part of a composed text by what its placeholder is called; a question must be known itself."""
        if name.startswith("state") and part in countries():
            return self.state(part)
        if name == "either":
            return self.say(" or ").join(part.split(" or "))
        if name.startswith(("item", "country")):
            return self._called.get((name.rstrip("0123456789"), part), part)
        return self.tell(part)

    @cached_property
    def _called(self) -> dict[tuple[str, str], str]:
        """Names of items by id, of countries by their name in English."""
        items = {("item", identifier): name for (kind, identifier, _), name in self.names.items() if kind == "item"}
        places = {("country", english): name for (kind, _, english), name in self.names.items() if kind == "country"}
        return items | places

    @cached_property
    def _compiled(self) -> tuple[tuple[re.Pattern[str], str], ...]:
        """Patterns with parts that vary, the most definite first: those with most words of their own."""
        varying = (text for text in self.patterns if _PLACEHOLDER.search(text))
        order = sorted(varying, key=lambda text: (-len(_PLACEHOLDER.sub("", text)), text))
        return tuple((_pattern(text), self.patterns[text]) for text in order)

    def name(self, kind: str, identifier: str, english: str) -> str:
        """Return the name of something in the data; another language's only where the data call it as we know it."""
        return self.names.get((kind, identifier, english), english) if self.names else english

    def state(self, code: str) -> str:
        """Return the name of a state by its ISO 3166 code, or of what stands in its place."""
        known = countries().get(code)
        if known:
            return self.name("country", code, known.name)
        return self.say(_BEYOND_ISO[code]) if code in _BEYOND_ISO else code

    def category(self, category: str) -> str:
        """Return the name of a category of items: its words apart, "uncategorised" where there is none."""
        if not category:
            return self.say("uncategorised")
        return self.name("category", category, category.replace("-", " "))

    # ---- numbers, days, lists

    def percent(self, share: float, digits: int = 0) -> str:
        """Return a share 0..1 as "31 %"; a share that is not 0 never prints as 0, one that is not 1 never as 100."""
        if missing(share):
            return self.say("unknown")
        return self.say("{points}\u00a0%", points=_points(share, digits))

    def percent_range(self, low: float, high: float, digits: int = 0) -> str:
        """Return "31–48 %", one number where both ends print alike, "unknown" where an end is blank."""
        if missing(low) or missing(high):
            return self.say("unknown")
        first, last = _points(low, digits), _points(high, digits)
        if first == last or (first == "0" and last.startswith("<")):
            return self.say("{points}\u00a0%", points=last)
        return self.say("{first}–{last}\u00a0%", first=first, last=last)

    def bracket(self, low: float, high: float, unknown: float) -> str:
        """Return "31–48 %, unknown 6 %": the known bracket, then what the unknown facts may add to it."""
        text = self.percent_range(low, high)
        if missing(low) or missing(high) or missing(unknown) or unknown < 5e-4:
            return text
        return self.say("{known}, unknown\u00a0{more}", known=text, more=self.percent(unknown))

    def number(self, value: float, digits: int = 0) -> str:
        """Return a number with thousands apart, or "unknown"."""
        if missing(value):
            return self.say("unknown")
        return f"{float(value):,.{digits}f}".replace(",", self.group)

    def money(self, value: float, currency: str = "USD") -> str:
        """Return an amount in the largest fitting unit: "USD 3.4 m"; in every language rounded alike."""
        if missing(value):
            return self.say("unknown")
        value = float(value)
        for size, unit in _UNITS:
            if abs(value) >= size:
                digits = 0 if abs(value) >= 100 * size else 1
                if self.myriads:
                    return self._by_myriads(round(value / size, digits) * size, currency)
                return self.say(unit, currency=currency, amount=f"{value / size:,.{digits}f}")
        return self.say("{currency}\u00a0{amount}", currency=self.currency(currency), amount=f"{value:,.0f}")

    def _by_myriads(self, rounded: float, currency: str) -> str:
        for size, unit in _MYRIADS:
            if abs(rounded) >= size:
                amount = f"{rounded / size:,.6f}".rstrip("0").rstrip(".")
                return self.say(unit, currency=self.currency(currency), amount=amount)
        return self.say("{currency}\u00a0{amount}", currency=self.currency(currency), amount=f"{rounded:,.0f}")

    def currency(self, code: str) -> str:
        """Return the name of a currency."""
        return self.name("currency", code, code)

    def months(self, value: float) -> str:
        """Return "3 months", "1 month", "2.5 months"."""
        if missing(value):
            return self.say("unknown")
        if math.isinf(float(value)):
            return self.say("no end in sight")
        n = f"{float(value):.1f}".removesuffix(".0")
        return self.say("{n}\u00a0month" if n == "1" and not self.texts else "{n}\u00a0months", n=n)

    def day(self, value: Any) -> str:
        """Return a day as "10 Sep 2024" (text YYYY-MM-DD, date or datetime); blank as a dash."""
        if missing(value):
            return NONE
        if not isinstance(value, (date, datetime)):
            text = str(value)[:10]
            try:
                value = date.fromisoformat(text)
            except ValueError:
                return text
        month = self.say(MONTHS[value.month - 1])
        return self.say("{day}\u00a0{month}\u00a0{year}", day=value.day, month=month, year=value.year)

    def listed(self, names: Sequence[str], most: int = 4) -> str:
        """Return "A, B and C", or "A, B and 5 more" when there are more than ``most``."""
        names = list(names)
        if len(names) > most + 1:
            shown = self.say(", ").join(names[:most])
            return self.say("{first} and {rest} more", first=shown, rest=len(names) - most)
        if len(names) < 2:
            return "".join(names)
        return self.say("{first} and {last}", first=self.say(", ").join(names[:-1]), last=names[-1])


ENGLISH = Language()


@cache
def language(code: str) -> Language:
    """Return the language of a code (en, zh); raises UsageError for one that we do not speak."""
    if code == ENGLISH.code:
        return ENGLISH
    if code not in CODES:
        raise UsageError(f"--language {code} is not spoken here: choose one of {', '.join(CODES)}")
    body = tomllib.loads(resources.files("supplychain.report").joinpath("texts", f"{code}.toml").read_text("utf-8"))
    writing = body["writing"]
    return Language(
        code,
        writing["html"],
        tuple(writing["fonts"]),
        writing["group"],
        writing["myriads"],
        writing["space"],
        body["texts"],
        body["patterns"],
        _names(code),
    )


def _names(code: str) -> dict[tuple[str, str, str], str]:
    with (datasets() / "reference" / f"names_{code}.csv").open(encoding="utf-8", newline="") as stream:
        return {(row["kind"], row["id"], row["english"]): row["name"] for row in csv.DictReader(stream)}


def key(sentence: str) -> str:
    """Return a sentence as the catalogue keeps it: spaces that hold a line together are plain there."""
    return sentence.replace(NBSP, " ")


def _pattern(text: str) -> re.Pattern[str]:
    parts = _PLACEHOLDER.split(text)  # words, name, words, name, ... words
    any_, flat = ".+?", "[^()]+?"  # the controls that ask stand in the last brackets of a question
    pieces = [
        re.escape(part) if at % 2 == 0 else f"(?P<{part}>{flat if part == 'controls' else any_})"
        for at, part in enumerate(parts)
    ]
    return re.compile("".join(pieces), re.DOTALL)


def _points(share: float, digits: int = 0) -> str:
    value = 100 * float(share)
    step = 10.0**-digits
    if 1e-7 < value < step / 2:
        return f"<{step:.{digits}f}"
    if 100 - step / 2 <= value < 100 - 1e-7:
        return f">{100 - step:.{digits}f}"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text
