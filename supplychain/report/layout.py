"""How wide the columns of a printed table are: from the words in them, since paper does not scroll."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from supplychain.report.cells import Cell
    from supplychain.report.view import Column, Kind

_SIZE: dict[Kind, float] = {"small": 6.9, "sources": 6.4, "code": 6.2, "badge": 6.4, "status": 6.4}  # points
_TEXT, _HEAD = 7.4, 6.9
_RIGID: frozenset[Kind] = frozenset(
    {"percent", "percent1", "number", "money", "months", "day", "badge", "status"}
)  # cells that stay on one line
_PADDING = 7.0  # points between two columns
_BADGE = 7.0  # points around the words of a badge
_BAR, _BRACKET = 62.0, 96.0  # the bar of a bracket, over which longer words wrap; its words on one line, where they fit
_STIFF = 110.0  # points that a column of numbers or badges takes at most
_SHORT = 62.0  # points: words that fit in this are never broken
_LONGEST = 250.0  # points: beyond this a longer text asks for no more width
_NARROW, _WIDE = "iljtfrI.,:;'|!()[]/- \u202f\u2009", "mwMW%@"
_BREAKS = re.compile(r"[\s\u200b]+")
_LONG, _PIECE = 18, 6  # letters: a longer word may break after signs, and one without signs after every few letters
_LONG_WORD = re.compile(rf"[^\s\u200b]{{{_LONG},}}")
_BETWEEN = re.compile(r"(?<=[-_./;:,=&?#+])(?=\w)")


def breakable(text: str) -> str:
    """Return ``text`` with places to break inside long words (ids, addresses): after signs, else every few letters."""

    def open_up(found: re.Match[str]) -> str:
        parts = _BETWEEN.sub("\u200b", found.group(0)).split("\u200b")
        step = {part: _PIECE if len(part) > _LONG else _LONG for part in parts}
        pieces = (part[at : at + step[part]] for part in parts for at in range(0, max(len(part), 1), step[part]))
        return "\u200b".join(pieces)

    return _LONG_WORD.sub(open_up, text)


def length(text: str, size: float) -> float:
    """Return about how long a line of text is, in points: East Asian letters are square, others about half as wide."""
    total = 0.0
    for letter in text:
        if unicodedata.east_asian_width(letter) in "WF":
            total += 1.0
        elif letter in _NARROW:
            total += 0.34
        elif letter in _WIDE or letter.isupper():
            total += 0.72 if letter in _WIDE else 0.64
        elif letter != "\u200b":
            total += 0.565
    return total * size


def _word(text: str, size: float) -> float:
    """Length of the longest part that cannot be broken; in East Asian text every letter is one."""
    if any(unicodedata.east_asian_width(letter) in "WF" for letter in text):
        return 2.2 * size
    return max((length(part, size) for part in _BREAKS.split(text)), default=0.0)


def _asked(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> tuple[list[float], list[float]]:
    """Return the least width of every column, in which no word breaks, and the width that it would like, in points."""
    least, wish = [], []
    bracket = _BAR if sum(column.kind == "loss" for column in columns) > 2 else _BRACKET
    for place, column in enumerate(columns):
        size = _SIZE.get(column.kind, _TEXT)
        texts = [row[place].text for row in rows]
        natural = sorted(length(text, size) for text in texts) or [0.0]
        head, longest = min(_word(breakable(column.header), _HEAD * 1.06), _STIFF), natural[-1]
        if column.kind == "loss":
            least.append(max(head, min(longest, bracket)) + _PADDING)
            wish.append(max(head, longest, _BAR) + _PADDING)
            continue
        if column.kind in ("badge", "status") and longest:
            longest += _BADGE
        if column.kind in _RIGID or longest <= _SHORT:
            need = max(min(longest, _STIFF), head, min(length(column.header, _HEAD), 46.0)) + _PADDING
            least.append(need)
            wish.append(need)
        else:
            word = max(_word(breakable(text), size) for text in texts)
            low = max(head, min(word, _STIFF)) + _PADDING
            typical = max(natural[int(0.9 * (len(natural) - 1))], 0.4 * min(longest, _LONGEST))
            least.append(low)
            wish.append(max(low, min(max(typical, length(column.header, _HEAD)), _LONGEST) + _PADDING))
    return least, wish


def wished(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> float:
    """Return how wide the table would like to be, in points."""
    return sum(_asked(columns, rows)[1])


def widths(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], room: float) -> list[float]:
    """Return the width of every column in points, together at most ``room``.

    Columns of numbers, days, badges and short words take what they need; the rest is shared among the texts, by their
    length beyond their longest word. A table of short words stays narrower than the page: rows are read across.
    """
    least, wish = _asked(columns, rows)
    if sum(wish) <= room:
        spare = min(room / sum(wish), 1.25)
        return [width * spare for width in wish]
    if sum(least) >= room:
        return [width * room / sum(least) for width in least]
    part = (room - sum(least)) / (sum(wish) - sum(least))
    return [low + (high - low) * part for low, high in zip(least, wish, strict=True)]
