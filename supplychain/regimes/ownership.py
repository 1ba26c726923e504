"""Official lists and ownership: who may stand on a list, and whom the ownership rule reaches. Proposes, never decides.

Reads files that the user brings: OpenSanctions / FollowTheMoney entities (JSON lines) and exports of the US
Consolidated Screening List (CSV or JSON). A match of names is a proposal. Control through ownership is stated only
when the known shares of listed owners reach the rule's threshold; a share that is not known makes it possible, never
stated.
"""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pandas as pd

from supplychain.errors import InputError, Problems, UsageError
from supplychain.facts.countries import countries, likely_code

# Legal forms and fillers that tell nothing about who a firm is.
_FORMS = frozenset(
    re.findall(
        r"\w+",
        """ab ag as asa bv co company corp corporation gmbh group holding holdings inc incorporated industries
        international kg kk limited llc llp ltd nv oy oyj plc pjsc ojsc pte pty sa sas sarl se spa srl the of and""",
    )
)
ALIKE = 0.85  # similarity of names from which a match is worth a person's look
MAX_BYTES = 2_000_000_000
DECISIONS = ("same", "other")


@dataclass(frozen=True)
class Entry:
    """One party on a list, or one known to it: identifier, names, countries (ISO3), lists, programme text, source
    address."""

    entry: str
    names: tuple[str, ...]
    countries: tuple[str, ...]
    lists: tuple[str, ...]
    programme: str
    url: str
    listed: bool


@dataclass(frozen=True)
class Holding:
    """One owner's stake in one asset; `share` is a fraction, NaN when the list does not say."""

    owner: str
    asset: str
    share: float


@dataclass(frozen=True)
class ListFile:
    """The parties and holdings of one file."""

    entries: tuple[Entry, ...]
    holdings: tuple[Holding, ...]


def read_list(path: Path) -> ListFile:
    """Read one list file by what is in it. Raises UsageError when it is not there, InputError when it is no such
    list.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path.name} is larger than {MAX_BYTES:,} bytes; export only the entities you need")
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                return _screening_csv(csv.DictReader(file), path.name)
            start = file.read(4096)
            file.seek(0)
            if '"results"' in start:
                return _screening_json(json.load(file), path.name)
            return _follow_the_money(file, path.name)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error, RecursionError) as error:
        raise InputError(
            f"{path.name} is neither a screening list (CSV, JSON) nor entities as JSON lines: {error}"
        ) from None


def propose(
    organisations: pd.DataFrame, entries: Sequence[Entry], decisions: Mapping[tuple[str, str], str] | None = None
) -> pd.DataFrame:
    """Return which organisations may be list entries, the likeliest first.

    Columns: organisation, name, jurisdiction, entry, listed_name, list, score (1 = the same name), same_country
    (blank when either is unknown), decision (proposed | same | other), programme, url. Nothing is asserted: only the
    user's decisions are.
    """
    decided = decisions or {}
    index: dict[str, list[tuple[int, str, frozenset[str]]]] = {}
    for position, entry in enumerate(entries):
        for name in entry.names:
            words = _words(name)
            for word in words:
                index.setdefault(word, []).append((position, name, words))
    rows = []
    for row in organisations.to_dict("records"):
        best = _best(_words(row["name"]), row["name"], index)
        for position, (score, listed_name) in sorted(best.items()):
            entry = entries[position]
            home = row.get("jurisdiction", "")
            agree = "" if not home or not entry.countries else "yes" if home in entry.countries else "no"
            rows.append(
                {
                    "organisation": row["organisation"],
                    "name": row["name"],
                    "jurisdiction": home,
                    "entry": entry.entry,
                    "listed_name": listed_name,
                    "list": ";".join(entry.lists),
                    "score": round(score, 3),
                    "same_country": agree,
                    "decision": decided.get((row["organisation"], entry.entry), "proposed"),
                    "programme": entry.programme,
                    "url": entry.url,
                }
            )
    columns = [
        "organisation",
        "name",
        "jurisdiction",
        "entry",
        "listed_name",
        "list",
        "score",
        "same_country",
        "decision",
    ]
    table = pd.DataFrame(rows, columns=[*columns, "programme", "url"])
    order = table.assign(_other=table["same_country"] == "no").sort_values(
        ["score", "_other", "organisation", "entry"], ascending=[False, True, True, True], kind="stable"
    )
    return order.drop(columns="_other").reset_index(drop=True)


def read_decisions(path: Path) -> dict[tuple[str, str], str]:
    """Read the user's decisions: CSV with organisation, entry, decision (same | other). Every fault is told at once."""
    problems = Problems()
    found: dict[tuple[str, str], str] = {}
    for number, row in enumerate(_decided(path), start=2):
        if row["decision"] not in DECISIONS:
            where: dict[str, Any] = {"file": path.name, "row": number, "column": "decision", "value": row["decision"]}
            problems.add("decision", "a decision is same or other", "leave the row out while undecided", **where)
        found[row["organisation"], row["entry"]] = row["decision"]
    problems.raise_if_any()
    return found


def read_tags(path: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """Read which tag of the book, and from which day, each confirmed match carries: the columns tag and from of the
    decisions. Every fault is told at once.
    """
    problems = Problems()
    found = {}
    for number, row in enumerate(_decided(path), start=2):
        tag = (row.get("tag") or "").strip()
        if row["decision"] == "same" and not tag:
            where: dict[str, Any] = {"file": path.name, "row": number, "column": "tag"}
            problems.add(
                "tag", "a confirmed match names the tag of the book that it carries", "such as footnote-5", **where
            )
        found[row["organisation"], row["entry"]] = (tag, (row.get("from") or "").strip())
    problems.raise_if_any()
    return found


def _decided(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file of decisions, row 2 first."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name} is not a CSV in UTF-8: {error}") from None
    if rows and not {"organisation", "entry", "decision"} <= rows[0].keys():
        raise InputError(f"{path.name} wants the columns organisation, entry, decision")
    return rows


def tags(
    matches: pd.DataFrame, given: Mapping[tuple[str, str], tuple[str, str]], owned: pd.DataFrame, threshold: float
) -> pd.DataFrame:
    """Return the confirmed matches as rows of the book's table `organisation_tags`.

    matches: as of `propose`. given: tag and first day of each confirmed match. owned: as of `affiliates`. A firm that
    stands there only as possible is refused: control below the threshold is never stated.
    """
    standing = {row["asset"]: row for row in owned.to_dict("records")}
    problems = Problems()
    rows = []
    for row in matches[matches["decision"] == "same"].to_dict("records"):
        tag, start = given[row["organisation"], row["entry"]]
        held = standing.get(row["entry"])
        if held is not None and held["standing"] != "reached":
            rule = f"ownership counts from {threshold:.0%} on, as far as shares are known"
            told = f"known shares in {row['listed_name']} are {held['share']:.0%}; take the row out"
            problems.add("threshold", rule, told, column="entry", value=row["entry"])
        told = f"confirmed by the user: list entry {row['entry']}, {row['listed_name']} {row['url']}".strip()
        rows.append(
            {
                "organisation": row["organisation"],
                "tag": tag,
                "from": start,
                "to": "",
                "basis": "listed" if held is None else "owned",
                "share": "" if held is None else f"{held['share']:g}",
                "quality": "estimate",
                "source": "none",
                "note": told,
            }
        )
    problems.raise_if_any()
    columns = ["organisation", "tag", "from", "to", "basis", "share", "quality", "source", "note"]
    table = pd.DataFrame(rows, columns=columns)
    return table.drop_duplicates(["organisation", "tag", "from"]).sort_values(columns[:3]).reset_index(drop=True)


def affiliates(listed: Iterable[str], holdings: Sequence[Holding], threshold: float) -> pd.DataFrame:
    """Return whom listed owners hold to at least `threshold`, together and through firms that they so hold.

    Columns: asset, share (known shares of listed and reached owners), standing: "reached" (the known shares suffice) or
    "possible" (they would if an unknown share were large enough), owners. Below the threshold nothing is said.
    """
    if not 0 < threshold <= 1:
        raise UsageError("the threshold of an ownership rule is a fraction above 0 and at most 1, such as 0.5")
    stakes: dict[str, dict[str, float]] = {}
    for holding in sorted(holdings, key=lambda h: (h.asset, h.owner)):
        if holding.owner != holding.asset:
            stakes.setdefault(holding.asset, {})[holding.owner] = holding.share
    own = set(listed)
    reached, possible = _closure(own, stakes, threshold, 0.0), _closure(own, stakes, threshold, 1.0)
    rows = []
    for asset in sorted(possible - own):
        certain = asset in reached
        owners = {o: s for o, s in stakes[asset].items() if o in (reached if certain else possible)}
        known = sum(s for s in owners.values() if s == s)
        rows.append((asset, min(known, 1.0), "reached" if certain else "possible", ";".join(sorted(owners))))
    return pd.DataFrame(rows, columns=["asset", "share", "standing", "owners"])


def reached(owned: pd.DataFrame, entries: Mapping[str, Entry]) -> list[Entry]:
    """Return the firms of `affiliates` as entries to match, each saying by whom it is held and how sure that is."""
    found = []
    for row in owned.to_dict("records"):
        known = entries.get(row["asset"])
        if known is not None:
            told = f"{row['standing']} by ownership: {row['owners']} hold {row['share']:.0%} as far as is known"
            found.append(Entry(known.entry, known.names, known.countries, known.lists, told, known.url, False))
    return found


def _closure(own: set[str], stakes: Mapping[str, Mapping[str, float]], threshold: float, unknown: float) -> set[str]:
    """Owners held to the threshold, an unknown share being taken as `unknown`."""
    held = set(own)
    while True:
        more = {
            asset
            for asset, owners in stakes.items()
            if asset not in held
            and sum(unknown if s != s else s for o, s in owners.items() if o in held) >= threshold - 1e-12
        }
        if not more:
            return held
        held |= more


def _best(
    words: frozenset[str], name: str, index: Mapping[str, list[tuple[int, str, frozenset[str]]]]
) -> dict[int, tuple[float, str]]:
    """Return the entries whose names are alike, with the likeness of the closest name."""
    found: dict[int, tuple[float, str]] = {}
    seen: set[tuple[int, str]] = set()
    for word in sorted(words):
        for position, listed, others in index.get(word, ()):
            if (position, listed) in seen:
                continue
            seen.add((position, listed))
            score = _alike(words, others, name, listed)
            if score >= ALIKE and score > found.get(position, (0.0, ""))[0]:
                found[position] = (score, listed)
    return found


def _alike(words: frozenset[str], others: frozenset[str], name: str, listed: str) -> float:
    if words == others:
        return 1.0
    shared = len(words & others) / len(words | others)
    letters = SequenceMatcher(None, " ".join(sorted(words)), " ".join(sorted(others)), autojunk=False).ratio()
    return min(max(shared, letters), 0.999)


def _words(name: str) -> frozenset[str]:
    plain = unicodedata.normalize("NFKD", name.casefold().replace("ß", "ss").replace("ø", "o").replace("æ", "ae"))
    letters = "".join(c for c in plain if not unicodedata.combining(c)).replace(".", "")
    words = frozenset(re.findall(r"\w+", letters))
    return words - _FORMS or words


def _place(text: str) -> str:
    """Return the ISO3 code of a country code (alpha-2, alpha-3) or exact name, or "" when it is none."""
    word = text.strip()
    if len(word) == 2:
        return next((c.iso3 for c in countries().values() if c.iso2 == word.upper()), "")
    return likely_code(word)


def _places(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({code for text in texts if (code := _place(text))}))


def _screening_csv(rows: csv.DictReader[str], name: str) -> ListFile:
    if not {"name", "source"} <= set(rows.fieldnames or ()):
        raise InputError(f"{name} is no screening list: it wants the columns name and source")
    found = []
    for number, row in enumerate(rows, start=2):
        names = [row["name"], *(row.get("alt_names") or "").split(";")]
        addresses = [part.rsplit(",", 1)[-1] for part in (row.get("addresses") or "").split(";")]
        found.append(
            _screened(row, row.get("_id") or f"{name}:{number}", names, [row.get("country") or "", *addresses])
        )
    return ListFile(tuple(found), ())


def _screening_json(data: Any, name: str) -> ListFile:
    results = data.get("results") if isinstance(data, dict) else None
    if not isinstance(results, list):
        raise InputError(f"{name} is no screening list: it wants a list under 'results'")
    found = []
    for number, row in enumerate(results, start=1):
        if not isinstance(row, dict):
            raise InputError(f"{name}: result {number} is no party with a name and a source")
        addresses = row.get("addresses")
        known = [a for a in addresses if isinstance(a, dict)] if isinstance(addresses, list) else []
        places = [str(row.get("country") or ""), *(str(a.get("country") or "") for a in known)]
        names = [str(row.get("name") or ""), *_texts(row.get("alt_names"))]
        found.append(_screened(row, str(row.get("id") or f"{name}:{number}"), names, places))
    return ListFile(tuple(found), ())


def _screened(row: Mapping[str, Any], entry: str, names: Sequence[str], places: Sequence[str]) -> Entry:
    kept = tuple(dict.fromkeys(n.strip() for n in names if n and n.strip()))
    programme = " ".join(str(row.get(key) or "") for key in ("license_requirement", "license_policy")).strip()
    url = str(row.get("source_list_url") or row.get("source_information_url") or "")
    return Entry(entry, kept, _places(places), (str(row.get("source") or ""),), programme, url, True)


def _follow_the_money(lines: Iterable[str], name: str) -> ListFile:
    entries, holdings = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = json.loads(line)
        if not isinstance(row, dict) or "schema" not in row or not isinstance(row.get("properties"), dict):
            raise InputError(f"{name} line {number} is no FollowTheMoney entity: it wants id, schema and properties")
        facts = row["properties"]
        if row["schema"] == "Ownership":
            share = _fraction(_texts(facts.get("percentage")))
            holdings += [Holding(o, a, share) for o in _texts(facts.get("owner")) for a in _texts(facts.get("asset"))]
            continue
        told = (_texts(facts.get(key)) for key in ("name", "alias", "weakAlias"))
        names = [str(row.get("caption") or ""), *(name for group in told for name in group)]
        kept = tuple(dict.fromkeys(n for n in names if n))
        if not kept:
            continue
        homes = (_texts(facts.get(key)) for key in ("jurisdiction", "country", "mainCountry"))
        places = _places(place for group in homes for place in group)
        topics = _texts(facts.get("topics"))
        listed = any(topic.startswith(("sanction", "export.control", "debarment")) for topic in topics)
        url = next(iter(_texts(facts.get("sourceUrl"))), "")
        lists = tuple(_texts(row.get("datasets")))
        entries.append(Entry(str(row.get("id", "")), kept, places, lists, ";".join(topics), url, listed))
    return ListFile(tuple(entries), tuple(holdings))


def _texts(value: object) -> list[str]:
    """Return the texts of a list of FollowTheMoney values; what is no text says nothing."""
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _fraction(texts: Sequence[str]) -> float:
    """Return the smallest stated percentage as a fraction, NaN when none is a number: never more than is known."""
    values = [float(m[0]) for text in texts if (m := re.search(r"\d+(\.\d+)?", str(text).replace(",", ".")))]
    return min(values) / 100 if values and min(values) <= 100 else float("nan")
