"""Redaction: names to codes in everything that a report says, and a private key by which the owner reads it back.

Redacted are organisations, supplies, plants, the buyer, the sources of the network, the names of the network and of a
policy of the user's own. Notes of the supply data are left out. Items, states, law and every quantity stay. Findings
are redacted once, before anything is drawn or written, so every format inherits it.

A code's number is the rank of a keyed hash of kind and id; the key of the hash is the whole content of the network's
supplies, organisations and plants. So the same data give the same codes, the codes tell nothing of alphabetical order,
and who does not hold the data cannot try names against them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from supplychain.errors import UsageError
from supplychain.report.law import split_sources
from supplychain.report.names import Names
from supplychain.report.run import csv_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from supplychain.case import Case
    from supplychain.report.findings import Findings
    from supplychain.sourcing.policy import Policy

MASK = "[redacted]"  # for a name inside a text of the law: a code there would tell what it stands for
KEY_COLUMNS = ("kind", "code", "id", "name")
_PREFIX = {
    "organisation": "O",
    "supply": "S",
    "plant": "P",
    "buyer": "B",
    "source": "Q",
    "network": "N",
    "policy": "R",
    "scenario": "W",
}
_KEPT = frozenset({"", "other"})  # nobody's names
_WORD = re.compile(r"[^\W_]+")
# Columns that hold items, states or words of ours alone: nothing in them is anybody's name.
_PLAIN = frozenset(
    {"item", "items", "category", "worst_item", "cause", "chain", "destination", "imposing", "w1", "tier"}
)
# Texts of the law: from the regime book, or composed from it.
_LAW = frozenset(
    {"citation", "questions", "question", "conditions", "warnings", "instrument", "measure", "scope", "regime_name",
     "control", "controls", "regime", "regimes", "title", "publisher", "why"}
)  # fmt: skip
_LISTS = {"supplies": ";", "hits": "; "}  # lists in the order of ids, and what parts them
# Tables that stand in the order of ids, and by what: codes must set their order anew, or it would tell the ids'.
_ORDER = {
    "determinations": ("item", "destination", "supply"),
    "choke_evidence": ("kind", "element", "item", "supply"),
    "plants": ("plant", "destination", "measure", "horizon"),
    "exposure": ("item", "plant", "destination", "measure", "horizon"),
    "exposure_split": ("item", "plant", "destination", "measure", "horizon"),
    "survival": ("item", "plant", "destination", "measure"),
    "curve": ("item", "plant", "destination", "measure", "month"),
    "because": ("item", "plant", "destination", "measure", "horizon", "rank"),
    "plan_lines": ("plant", "item", "supply", "period"),
    "plan_needs": ("plant", "item"),
    "plan_relaxed": ("rule",),
    "plan_qualifications": ("supply",),
    "sources": ("source",),
    "need_flows": ("item", "plant", "destination", "origin", "treatment", "imposing"),
    "stocks": ("item", "plant", "destination", "week"),
    "whatif.needs": ("scenario", "item", "plant", "destination", "measure", "horizon"),
    "whatif.plants": ("scenario", "plant", "measure", "horizon"),
    "whatif.times": ("scenario", "item", "plant", "destination", "measure"),
    "whatif.choke_points": ("scenario", "change", "kind", "element"),
}
# Tables that stand in the order of numbers, and by what rows stand whose numbers are equal.
_TIES = {
    "plan_threats": (["mean_resourced_before"], ["threat"]),
    "choke_points": (["area_after", "area_short"], ["kind", "element"]),
    "single_sources": (["area_after", "area_short"], ["kind", "element"]),
}


@dataclass(frozen=True, eq=False)
class Key:
    """What stands for what: ``table`` has a row per code: ``kind, code, id, name``, in the order of the codes."""

    table: pd.DataFrame

    @cached_property
    def codes(self) -> dict[tuple[str, str], str]:
        """Codes by kind and id."""
        rows = self.table[["kind", "id", "code"]].itertuples(index=False, name=None)
        return {(str(kind), str(identifier)): str(code) for kind, identifier, code in rows}

    @cached_property
    def _by_word(self) -> dict[str, list[tuple[str, str]]]:
        """Ids and names with their codes, by their first word, the longest first."""
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for row in self.table.to_dict("records"):
            for text in (str(row["id"]), str(row["name"])):
                word = _WORD.search(text)
                if word is not None and text not in _KEPT:
                    found[word.group()].setdefault(text[word.start() :], str(row["code"]))
        return {word: sorted(texts.items(), key=lambda pair: (-len(pair[0]), pair)) for word, texts in found.items()}

    def clear(self, text: str, mask: str = "") -> str:
        """Return ``text`` with every id and name of the key as its code, or as ``mask``."""
        pieces, done = [], 0
        for word in _WORD.finditer(text):
            start = word.start()
            if start < done:
                continue
            for known, code in self._by_word.get(word.group(), ()):
                end = start + len(known)
                if text.startswith(known, start) and (end == len(text) or not text[end].isalnum()):
                    pieces += [text[done:start], mask or code]
                    done = end
                    break
        return "".join([*pieces, text[done:]])

    def file(self, request: Mapping[str, Any]) -> bytes:
        """Return the key as CSV, with what was asked for, by which ``verify`` can make the report again."""
        asked = {"kind": "request", "code": "", "id": json.dumps(dict(request), ensure_ascii=False), "name": ""}
        whole = pd.concat([self.table, pd.DataFrame([asked])], ignore_index=True)
        return csv_text(whole[list(KEY_COLUMNS)]).encode("utf-8")


def asked(path: Path) -> dict[str, Any]:
    """Return the request that a key file holds; raises UsageError when it holds none."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        found = json.loads(table.loc[table["kind"] == "request", "id"].iloc[0])
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise UsageError(f"--key {path} is no key of a redacted report ({error})") from None
    return dict(found)


def key_place(given: Path | None, target: Path) -> Path:
    """Return where the key of a redacted run goes: outside its folder, so that the folder can be handed on.

    Raises UsageError for a place inside the folder, or one that holds another file.
    """
    path = given or target.with_name(f"{target.name}.redaction-key.csv")
    if path.resolve().is_relative_to(target.resolve()):
        raise UsageError(f"--key {path} lies inside the run {target}: the key must not travel with it")
    if path.is_dir() or (path.exists() and not path.read_bytes().startswith(b"kind,code,id,name\n")):
        raise UsageError(f"--key {path} exists and is no key of a redacted report: name another file")
    return path


def key_of(
    case: Case,
    policy: Policy | None = None,
    *,
    scenarios: Mapping[str, str] | None = None,
    newcomers: Iterable[str] = (),
) -> Key:
    """Return the codes of a case; ``policy`` and ``scenarios`` (title by name) are the user's own.

    ``newcomers`` are makers that scenarios bring in.
    """
    known = _known(case)
    known["organisation"] |= {name: name for name in newcomers if name not in known["organisation"]}
    known["policy"] = {policy.name: policy.title} if policy is not None else {}
    known["scenario"] = dict(scenarios or {})
    secret = _secret(_tables(case))
    rows = [row for kind, names in known.items() for row in _coded(kind, names, secret)]
    return Key(pd.DataFrame(rows, columns=list(KEY_COLUMNS), dtype="str"))


def _known(case: Case) -> dict[str, dict[str, str]]:
    """Return whom a case names, by kind: name by id."""
    network, tables = case.network, _tables(case)
    makers = dict(zip(network.organisations["organisation"], network.organisations["name"], strict=True))
    parents = set(network.organisations["parent"]) if "parent" in network.organisations else set()
    lines = tables["supplies"]
    unnamed = {name: name for name in {*parents, *lines["organisation"]} if name not in makers}
    book = set(case.book.tables["sources"]["source"])
    sources = network.sources
    titles = sources["title" if "title" in sources else "source"]
    supplies = Names.of(case)
    return {
        "organisation": {**makers, **unnamed},
        "supply": {name: supplies.supply(name) for name in lines["supply"]},
        "plant": {name: name for name in network.plants["plant"]},
        "buyer": {} if case.is_country else {case.buyer: case.buyer},
        "source": {s: str(t) for s, t in zip(sources["source"], titles, strict=True) if s not in book},
        "network": {network.name: network.name},
    }


def _tables(case: Case) -> dict[str, pd.DataFrame]:
    """The tables that name somebody, whole: rows that the network does not use are named elsewhere all the same."""
    package = case.network.package
    if package is not None:
        return {name: package.tables[name] for name in ("supplies", "organisations", "plants")}
    return {
        "supplies": case.network.supplies,
        "organisations": case.network.organisations,
        "plants": case.network.plants,
    }


def _secret(tables: Mapping[str, pd.DataFrame]) -> bytes:
    digest = hashlib.sha256(b"redaction")
    for name in sorted(tables):
        rows = sorted(tables[name].to_csv(index=False, header=False, lineterminator="\n").splitlines())
        digest.update("\n".join([name, *sorted(map(str, tables[name].columns)), *rows]).encode())
    return digest.digest()


def _coded(kind: str, names: Mapping[str, str], secret: bytes) -> list[tuple[str, str, str, str]]:
    chosen = [name for name in names if name not in _KEPT]
    ranked = sorted(chosen, key=lambda name: hmac.digest(secret, f"{kind}\n{name}".encode(), "sha256"))
    wide = max(len(str(len(ranked))), 3)
    return [(kind, f"{_PREFIX[kind]}-{at:0{wide}}", name, names[name]) for at, name in enumerate(ranked, 1)]


def redact(findings: Findings, case: Case, policy: Policy | None = None) -> tuple[Findings, Key]:
    """Return the findings with codes for names, and the key; ``policy`` is one of the user's own, if that was asked."""
    key = key_of(case, policy)
    codes = key.codes
    tables = {name: coded_table(name, table, key) for name, table in findings.tables.items()}
    if policy is not None and "figure" in tables["plan_summary"]:
        tables["plan_summary"] = _policy(tables["plan_summary"], codes[("policy", policy.name)])
    tables["assumptions"] = _assumptions(tables["assumptions"])
    tables["sources"] = _sources(tables["sources"], set(codes.values()), key)
    return replace(
        findings,
        buyer=codes.get(("buyer", findings.buyer), findings.buyer),
        network=codes[("network", case.network.name)],
        names=coded_names(findings.names, key),
        tables=tables,
        addresses=_addresses(findings.addresses, key),
        no_plan=key.clear(findings.no_plan),
        solves=tuple({name: _cleared(value, key) for name, value in solve.items()} for solve in findings.solves),
        warnings=coded_warnings(findings.warnings, case, key),
    ), key


def coded_warnings(warnings: Sequence[str], case: Case, key: Key) -> tuple[str, ...]:
    """Return warnings with codes; those about rows of the data are left out and counted."""
    data = {str(problem) for problem in case.network.package.warnings} if case.network.package else set()
    kept = tuple(key.clear(text) for text in warnings if text not in data)
    left = (f"{len(data)} warnings of the data are left out of this redacted report",) if data else ()
    return (*kept, *left)


def _cleared(value: Any, key: Key) -> Any:
    return key.clear(value) if isinstance(value, str) else value


def coded_table(name: str, table: pd.DataFrame, key: Key) -> pd.DataFrame:
    """Return one table with codes, in an order that does not tell the ids'; notes of the supply data are left out."""
    cleared = table.copy()
    for column in cleared.columns:
        if column in _PLAIN or not _is_text(cleared[column]):
            continue
        if column == "note" and name not in ("law", "cliffs", "whatif.costs"):
            cleared[column] = ""
            continue
        mask = MASK if name in ("law", "cliffs") or column in _LAW else ""
        if column in ("source", "sources"):
            cells = {cell: _citations(cell, key) for cell in set(cleared[column].dropna().astype(str))}
        else:
            cells = {cell: key.clear(cell, mask) for cell in set(cleared[column].dropna().astype(str))}
        cleared[column] = cleared[column].map(lambda cell, cells=cells: cells.get(cell, cell))
        if column in _LISTS:
            between = _LISTS[column]
            cleared[column] = [between.join(sorted(str(cell).split(between))) for cell in cleared[column]]
    if name in _TIES and len(cleared):
        numbers, then = _TIES[name]
        run = (cleared[numbers] != cleared[numbers].shift()).any(axis=1).cumsum()
        tied = cleared.assign(_run=run).sort_values(["_run", *then], kind="stable", ignore_index=True)
        return tied.drop(columns="_run")
    order = [column for column in _ORDER.get(name, ()) if column in cleared]
    return cleared.sort_values(order, kind="stable", ignore_index=True) if order else cleared


def _is_text(column: pd.Series) -> bool:
    return bool(pd.api.types.is_string_dtype(column) or column.dtype == object)


def _citations(cell: str, key: Key) -> str:
    """Return a cell of source ids with codes, in the order of what they have become."""
    named = split_sources(cell)
    if not named:
        return cell
    return ";".join(sorted(key.codes.get(("source", source), key.clear(source, MASK)) for source in named))


def _policy(summary: pd.DataFrame, code: str) -> pd.DataFrame:
    told = {"policy": code, "policy_title": code, "policy_description": MASK}
    values = [told.get(figure, value) for figure, value in zip(summary["figure"], summary["value"], strict=True)]
    return summary.assign(value=values)


def _assumptions(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out the reasons and sources that are not those of the bundled assumptions: they are the user's words."""
    from supplychain.assumptions import Assumptions

    bundled = Assumptions.load(None).table
    known = set(zip(bundled["assumption"], bundled["why"], bundled["source"], strict=True))
    rows = zip(table["assumption"], table["why"], table["source"], strict=True)
    own = np.array([row not in known for row in rows], bool)
    return table.assign(why=table["why"].where(~own, MASK), source=table["source"].where(~own, MASK))


def _sources(table: pd.DataFrame, codes: Iterable[str], key: Key) -> pd.DataFrame:
    """Leave out what would tell a source of the network, and addresses that hold a name."""
    own = table["source"].isin(set(codes))
    cleared = table.copy()
    for column in ("title", "publisher", "date", "url", "licence"):
        cleared[column] = cleared[column].where(~own, "")
    cleared["url"] = [url if url == key.clear(url, MASK) else "" for url in cleared["url"].fillna("").astype(str)]
    return cleared


def _addresses(addresses: Mapping[str, str], key: Key) -> dict[str, str]:
    kept = {source: url for source, url in addresses.items() if ("source", source) not in key.codes}
    return {key.clear(source, MASK): url for source, url in kept.items() if url == key.clear(url, MASK)}


def coded_names(names: Names, key: Key) -> Names:
    """Return names in which makers are their codes, and regimes hold no name of an organisation."""
    makers = {code: code for (kind, _), code in key.codes.items() if kind == "organisation"}
    supplies = {
        key.codes.get(("supply", supply), supply): (key.codes.get(("organisation", maker), maker), item, site)
        for supply, (maker, item, site) in names.supplies.items()
    }
    regimes = {key.clear(regime, MASK): key.clear(name, MASK) for regime, name in names.regimes.items()}
    return replace(names, organisations=makers, supplies=supplies, regimes=regimes)
