"""Cells of one column: from text to typed values, with a problem for every cell that breaks its column's rules.

Everything is vectorised with pyarrow; nothing is guessed. A blank stays unknown: "" for text, NaN for numbers, NaT for
dates, NA for booleans.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from supplychain.errors import Problems
from supplychain.facts.countries import is_country, likely_code
from supplychain.facts.raw import SHOWN
from supplychain.facts.schema import Column

STRING = pd.StringDtype(storage="pyarrow", na_value=np.nan)
ID_PATTERN = r"^[a-z0-9][a-z0-9._-]*$"
MAX_ID = 200
_CODE = r"^[A-Za-z0-9][A-Za-z0-9:.*_/()-]*$"  # what a list calls an entry, or a customs heading
_NAME = r"^[!-~]+( [!-~]+)*$"  # of what is no identifier and yet compared byte for byte: a state, a group, a class
# Nothing that a reader sees: spaces, controls, marks without a letter, fillers of Hangul and Braille.
UNSEEN = r"^[\p{Z}\p{C}\p{M}\x{115F}\x{1160}\x{2800}\x{3164}\x{FFA0}]*$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
_WHEN = re.compile(r"(?:c\. )?(\d{4}(?:-\d{2}(?:-\d{2})?)?)", re.ASCII)

Cure = Callable[[str], str]


@dataclass(frozen=True)
class Place:
    """Where a column stands, so that a fault can name it."""

    file: str
    table: str
    rows: np.ndarray  # spreadsheet row of each cell


def report(
    problems: Problems,
    where: np.ndarray,
    cells: list[str],
    code: str,
    rule: str,
    cure: Cure | str,
    place: Place,
    column: str,
) -> None:
    """Add one problem for each position in `where` (`cells` are their texts), telling at most SHOWN one by one."""
    for position, text in zip(where[:SHOWN], cells[:SHOWN], strict=True):
        problems.add(
            code,
            rule,
            cure if isinstance(cure, str) else cure(text),
            file=place.file,
            table=place.table,
            row=int(place.rows[position]),
            column=column,
            value=text,
        )
    if len(where) > SHOWN:
        problems.add(
            code,
            rule,
            f"and {len(where) - SHOWN:,} more cells of this column",
            file=place.file,
            table=place.table,
            column=column,
        )


def convert(cells: pa.ChunkedArray, column: Column, place: Place, problems: Problems) -> pd.Series:
    """Return the typed values of one column; faulty cells become blank after a problem was added for each."""
    text = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    trimmed = pc.utf8_trim_whitespace(text)
    if column.filled and column.type == "text":
        trimmed = pc.if_else(pc.match_substring_regex(trimmed, UNSEEN), "", trimmed)
    blank = pc.equal(trimmed, "").to_numpy(zero_copy_only=False)
    if column.filled and blank.any():
        report(
            problems,
            np.flatnonzero(blank),
            [""] * int(blank.sum()),
            "blank",
            f"{column.name} is never blank",
            f"fill the cell, e.g. {column.example}" if column.example else "fill the cell",
            place,
            column.name,
        )
    if column.type in ("number", "integer", "year"):
        return pd.Series(_numbers(trimmed, blank, column, place, problems))
    if column.type == "boolean":
        return _booleans(trimmed, blank, column, place, problems)
    if column.type == "date":
        return _dates(trimmed, column, place, problems)
    if column.type in ("ids", "codes"):
        return _lists(trimmed, column, place, problems)
    if column.type == "id":
        # A stray space is a fault of the file here, not noise: ids are compared byte for byte.
        kept = pc.if_else(pc.equal(trimmed, ""), "", text)
        _check_ids(kept, np.arange(len(kept)), column, place, problems)
        return _strings(kept)
    if column.values and not column.references:
        _check_values(trimmed, np.arange(len(trimmed)), column, place, problems)
    elif column.type == "text" and column.key:
        _check_names(trimmed, column, place, problems)
    if column.type == "country":
        _check_countries(trimmed, column, place, problems)
    elif column.type == "when":
        _check_when(trimmed, column, place, problems)
    elif column.type == "url":
        _check_urls(trimmed, column, place, problems)
    return _strings(trimmed)


def blank_column(column: Column, length: int) -> pd.Series:
    """Return a column of `length` unknown values."""
    if column.type in ("number", "integer", "year"):
        return pd.Series(np.full(length, np.nan))
    if column.type == "boolean":
        return pd.Series(pd.array([None] * length, dtype="boolean"))
    if column.type == "date":
        return pd.Series(np.full(length, np.datetime64("NaT", "s"), dtype="datetime64[s]"))
    return _strings(pa.array([""] * length, pa.large_string()))


def _strings(cells: pa.Array) -> pd.Series:
    return pd.Series(pd.array(cells, dtype=STRING))


def _take(cells: pa.Array, where: np.ndarray) -> list[str]:
    return [str(text) for text in cells.take(pa.array(where[:SHOWN])).to_pylist()]


def _numbers(trimmed: pa.Array, blank: np.ndarray, column: Column, place: Place, problems: Problems) -> np.ndarray:
    good = pc.match_substring_regex(trimmed, _NUMBER).to_numpy(zero_copy_only=False)
    bad = np.flatnonzero(~good & ~blank)
    report(
        problems,
        bad,
        _take(trimmed, bad),
        "number",
        f"{column.name} is a plain number",
        number_cure,
        place,
        column.name,
    )
    plain = pc.utf8_ltrim(trimmed, characters="+")
    values = pc.cast(pc.if_else(pa.array(good), plain, None), pa.float64()).to_numpy(zero_copy_only=False)

    def outside(mask: np.ndarray, code: str, rule: str, cure: Cure | str) -> None:
        where = np.flatnonzero(mask)
        report(problems, where, _take(trimmed, where), code, rule, cure, place, column.name)

    lowest, highest = (1800.0, 2200.0) if column.type == "year" else (column.minimum, column.maximum)
    hint = "fractions run from 0 to 1, not in percent" if highest == 1 else "correct the number or its unit"
    outside(values < lowest, "too-small", f"{column.name} is at least {lowest:g}", hint)
    outside(values > highest, "too-large", f"{column.name} is at most {highest:g}", hint)
    if column.type != "number":
        broken = np.isfinite(values) & (values != np.floor(values))
        outside(broken, "integer", f"{column.name} is a whole number", "drop the decimals")
    tiny = np.flatnonzero((np.abs(values) < 1e-100) & (values != 0))
    for position in tiny[:SHOWN]:
        problems.warn(
            "tiny",
            f"{column.name} is so small that it acts as zero",
            "was the exponent mistyped?",
            file=place.file,
            table=place.table,
            row=int(place.rows[position]),
            column=column.name,
            value=trimmed[int(position)].as_py(),
        )
    return np.asarray(values, dtype=np.float64)


def number_cure(text: str) -> str:
    """Return what to do about a cell that is not a plain number, from what it looks like."""
    low = text.strip().lower()
    if low in ("nan", "inf", "-inf", "+inf", "infinity", "-infinity", "na", "n/a", "null", "none", "-", "?", "unknown"):
        return "leave the cell blank when the value is unknown"
    if low.startswith("#"):
        return "a spreadsheet error: repair the formula and export again"
    if low in ("true", "false", "yes", "no"):
        return "a truth value where a number belongs"
    if "%" in low:
        return "write a fraction: 45% is 0.45"
    if any(not character.isascii() and character.isdigit() for character in text):
        return "write the digits 0-9"
    if re.search(r"[$€£¥]|usd|eur|\d\s*(bn|billion|m|million|k)$", low):
        return "write the bare number in the unit of the column, without sign or word"
    if re.fullmatch(r"[+-]?\d+,\d+", low):
        return "write a decimal point and no thousands separator"
    if "," in low or re.search(r"\d[ '_]\d", low):
        return "write no thousands separator"
    if low.startswith("0x"):
        return "write a decimal number"
    return "write a number such as 0.25 or 1.2e6, or leave the cell blank"


def _booleans(trimmed: pa.Array, blank: np.ndarray, column: Column, place: Place, problems: Problems) -> pd.Series:
    true = pc.equal(trimmed, "true").to_numpy(zero_copy_only=False)
    false = pc.equal(trimmed, "false").to_numpy(zero_copy_only=False)
    bad = np.flatnonzero(~(true | false | blank))
    cure = "write true or false in lower case, or leave the cell blank when unknown"
    report(problems, bad, _take(trimmed, bad), "boolean", f"{column.name} is true or false", cure, place, column.name)
    return pd.Series(pd.arrays.BooleanArray(true, ~(true | false)))


def _dates(trimmed: pa.Array, column: Column, place: Place, problems: Problems) -> pd.Series:
    encoded = pc.dictionary_encode(trimmed)
    words = [str(word) for word in encoded.dictionary.to_pylist()]
    parsed = np.array([_day(word) for word in words], dtype="datetime64[s]")
    wrong = np.array([bool(word) and np.isnat(day) for word, day in zip(words, parsed, strict=True)], dtype=bool)
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    where = np.flatnonzero(wrong[codes]) if len(codes) else np.empty(0, dtype=np.int64)
    rule = f"{column.name} is a day of the calendar, written YYYY-MM-DD (or YYYY-MM, or YYYY)"
    report(problems, where, _take(trimmed, where), "date", rule, date_cure, place, column.name)
    return pd.Series(parsed[codes] if len(codes) else np.empty(0, dtype="datetime64[s]"))


def _day(text: str) -> np.datetime64:
    match = _DATE.fullmatch(text)
    if match:
        try:
            day = date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
        except ValueError:
            return np.datetime64("NaT", "s")
        if 1800 <= day.year <= 2200:
            return np.datetime64(day, "s")
    return np.datetime64("NaT", "s")


def date_cure(text: str) -> str:
    """Return what to do about a cell that is not a date, from what it looks like."""
    if re.fullmatch(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}", text):
        return "day and month cannot be told apart here: write YYYY-MM-DD"
    if re.fullmatch(r"\d{5}(\.\d+)?", text):
        return "a spreadsheet's serial number: format the cell as text, YYYY-MM-DD"
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return "there is no such day between 1800 and 2200"
    return "write it like 2024-09-06, or leave it blank when unknown"


def _lists(trimmed: pa.Array, column: Column, place: Place, problems: Problems) -> pd.Series:
    """Check the members of `;` lists and return the lists with the blanks around members removed."""
    parts, owner = split_list(trimmed)
    empty = np.unique(owner[pc.equal(parts, "").to_numpy(zero_copy_only=False)])
    cure = "remove the doubled or final semicolon"
    report(problems, empty, _take(trimmed, empty), "list", "members of a list are not blank", cure, place, column.name)
    if column.type == "ids":
        _check_ids(parts, owner, column, place, problems)
    else:
        _check_codes(parts, owner, column, place, problems)
    if pc.any(pc.match_substring_regex(trimmed, r"\s;|;\s")).as_py():
        trimmed = pc.replace_substring_regex(trimmed, r"\s*;\s*", ";")
    return _strings(trimmed)


def split_list(cells: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Return the trimmed members of `;`-joined cells and, for each member, the position of its cell.

    A blank cell has no members.
    """
    filled = np.flatnonzero(pc.not_equal(cells, "").to_numpy(zero_copy_only=False))
    lists = pc.split_pattern(cells.take(pa.array(filled)), ";")
    members = pc.utf8_trim_whitespace(pc.list_flatten(lists))
    return members, filled[pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)]


def _check_ids(cells: pa.Array, owner: np.ndarray, column: Column, place: Place, problems: Problems) -> None:
    good = pc.or_(pc.match_substring_regex(cells, ID_PATTERN), pc.equal(cells, ""))
    good = pc.and_(good, pc.less_equal(pc.utf8_length(cells), MAX_ID)).to_numpy(zero_copy_only=False)
    bad = np.flatnonzero(~good)
    rule = f"{column.name} holds identifiers: lower-case letters, digits, '.', '_' and '-', at most {MAX_ID} characters"
    report(problems, owner[bad], _take(cells, bad), "id", rule, id_cure, place, column.name)


def _check_names(cells: pa.Array, column: Column, place: Place, problems: Problems) -> None:
    good = pc.or_(pc.match_substring_regex(cells, _NAME), pc.equal(cells, ""))
    bad = np.flatnonzero(~good.to_numpy(zero_copy_only=False))
    rule = f"{column.name} is written in plain characters: it is compared byte for byte"
    report(problems, bad, _take(cells, bad), "name", rule, plain_cure, place, column.name)


def _check_codes(cells: pa.Array, owner: np.ndarray, column: Column, place: Place, problems: Problems) -> None:
    """Codes are compared byte for byte: one with an unseen character, or two joined by a comma, would match nothing."""
    plain = pc.or_(pc.match_substring_regex(cells, _CODE), pc.equal(cells, "")).to_numpy(zero_copy_only=False)
    bad = np.flatnonzero(~plain)
    rule = f"{column.name} holds codes of letters, digits and : . * - _ / ( ), joined by ';'"
    report(problems, owner[bad], _take(cells, bad), "code", rule, plain_cure, place, column.name)
    if column.values and not column.references:
        kept = np.flatnonzero(plain)
        _check_values(cells.take(pa.array(kept)), owner[kept], column, place, problems)


def plain_cure(text: str) -> str:
    """Return what to do about a name or code that holds characters which are not seen, or separates otherwise."""
    if re.search(r"[,|\s]", text) and text.isascii():
        return "join several by ';', without spaces"
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if c.isascii() and c.isprintable()).strip()
    return f"write {plain!r}" if plain else "write it in letters and digits"


def id_cure(text: str) -> str:
    """Return the plain form that an identifier probably means."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in ("Cf", "Cc", "Mn"))
    plain = re.sub(r"[^a-z0-9._-]+", "-", plain.strip().lower()).strip("-._")[:MAX_ID]
    return f"write {plain!r}" if plain else "write a short lower-case name"


def _check_values(cells: pa.Array, owner: np.ndarray, column: Column, place: Place, problems: Problems) -> None:
    prefixes = [value for value in column.values if value.endswith(":")]  # each allows any code of that list
    words = [value for value in column.values if value not in prefixes]
    known = pc.is_in(cells, value_set=pa.array([*words, ""], cells.type))
    for prefix in prefixes:
        known = pc.or_(known, pc.match_substring_regex(cells, rf"^{re.escape(prefix)}\S"))
    bad = np.flatnonzero(~known.to_numpy(zero_copy_only=False))
    rule = f"{column.name} is one of {', '.join(column.values)}"
    report(
        problems,
        owner[bad],
        _take(cells, bad),
        "value",
        rule,
        lambda text: nearest(text, column.values) or "write one of these, exactly so",
        place,
        column.name,
    )


def nearest(text: str, known: tuple[str, ...] | list[str]) -> str:
    """Return "did you mean ...?" with the known words closest to `text`, or "" when none is close."""
    from difflib import get_close_matches

    if len(known) > 20_000:  # keep the search short in huge tables: look among those that begin alike
        known = [word for word in known if word[:2] == text[:2]][:20_000]
    for other in (text.lower(), text.upper(), text.strip()):
        if other in known:
            return f"did you mean {other!r}?"
    close = get_close_matches(text[:MAX_ID], known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(repr(word) for word in close)}?" if close else ""


def _check_countries(cells: pa.Array, column: Column, place: Place, problems: Problems) -> None:
    words = [str(word) for word in pc.unique(cells).to_pylist()]
    unknown = [word for word in words if word and not is_country(word)]
    if not unknown:
        return
    bad = np.flatnonzero(pc.is_in(cells, value_set=pa.array(unknown, cells.type)).to_numpy(zero_copy_only=False))

    def cure(text: str) -> str:
        code = likely_code(text)
        return f"write {code}" if code else "leave the cell blank when the country is unknown"

    rule = f"{column.name} is a country code of ISO 3166-1 alpha-3"
    report(problems, bad, _take(cells, bad), "country", rule, cure, place, column.name)


def _check_when(cells: pa.Array, column: Column, place: Place, problems: Problems) -> None:
    def wrong(word: str) -> bool:
        match = _WHEN.fullmatch(word)
        return bool(word) and (match is None or bool(np.isnat(_day(match[1]))))

    _check_words(cells, wrong, column, place, problems, "date", 'a date, or "c. 2025" for about 2025', date_cure)


def _check_urls(cells: pa.Array, column: Column, place: Place, problems: Problems) -> None:
    """Warn of what is no web address: it is text that changes no result, and is never made a link."""
    odd = [word for word in pc.unique(cells).to_pylist() if word and not re.match(r"https?://\S+$", str(word))]
    where = np.flatnonzero(pc.is_in(cells, value_set=pa.array(odd, cells.type)).to_numpy(zero_copy_only=False))
    for position in where[:SHOWN]:
        problems.warn(
            "url",
            f"{column.name} is a web address (http or https)",
            "shown as text, not as a link; write the whole address",
            file=place.file,
            table=place.table,
            row=int(place.rows[position]),
            column=column.name,
            value=cells[int(position)].as_py(),
        )


def _check_words(
    cells: pa.Array,
    wrong: Callable[[str], bool],
    column: Column,
    place: Place,
    problems: Problems,
    code: str,
    what: str,
    cure: Cure | str,
) -> None:
    unfit = [word for word in pc.unique(cells).to_pylist() if wrong(str(word))]
    if unfit:
        bad = np.flatnonzero(pc.is_in(cells, value_set=pa.array(unfit, cells.type)).to_numpy(zero_copy_only=False))
        report(problems, bad, _take(cells, bad), code, f"{column.name} is {what}", cure, place, column.name)
