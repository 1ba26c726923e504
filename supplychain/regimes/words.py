"""Determinations in words: citations, the questions that would settle an answer, and what an answer rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.regimes import destinations
from supplychain.regimes.codes import CONDITIONAL, HEADINGS, MAYBE, WHOLE_LIST, YES, list_of, relation
from supplychain.regimes.evaluate import (
    ASSUMED,
    CODE,
    CONTENT,
    DIRECT,
    EXPORTER,
    INFERRED,
    PAIR,
    PLACE,
    UNHELD,
    Item,
    Outcome,
)
from supplychain.regimes.law import (
    DESTINATION,
    EXCEPTED,
    ORIGIN,
    POLICIES,
    STATUSES,
    UNCLASSIFIED,
    UNLISTED,
    Law,
    Rule,
    records,
)

BREAK = " | "  # between questions, conditions and warnings of one flow
_DECISIVE = 1 << 12  # beside the bits of evaluate: the rule is among those that decide


@dataclass(frozen=True, eq=False)
class Wording:
    """The words of one book; `span` is one more than the highest rank of a rule."""

    law: Law
    controls: pd.DataFrame
    regimes: pd.DataFrame

    @cached_property
    def _citations(self) -> list[str]:
        names = dict(zip(self.regimes["regime"].tolist(), self.regimes["name"].tolist(), strict=True))
        rows = {row["control"]: row for row in records(self.controls)}
        silent = f"no rule of the book: it does not hold this law of {ORIGIN}"
        unread = "no rule of the book: the item's classification is open"
        return [
            cite(rows[rule.control], names) if rule.control in rows else silent if rule.gap else unread
            for rule in self.law.rules
        ]

    @cached_property
    def _columns(self) -> dict[str, npt.NDArray[Any]]:
        return {}

    @property
    def span(self) -> int:
        return len(self.law.rules) + 1

    def of_rule(self, name: str) -> npt.NDArray[Any]:
        """Return the control, regime, imposing state or citation of every rule, by rank."""
        if name not in self._columns:
            words = self._citations if name == "citation" else [getattr(rule, name) for rule in self.law.rules]
            column = self._columns[name] = np.full(self.span, "", object)
            column[[rule.rank for rule in self.law.rules]] = words
        return self._columns[name]

    def texts(self, name: str, outcome: Outcome) -> list[str]:
        """Return the questions, conditions or warnings of each combination of an outcome, each as one text."""
        if name == "questions":
            signature = np.where(self._matters(outcome), outcome.why, 0)
            return self._spread(signature, lambda row: self._questions(outcome, row))
        if name == "conditions":
            signature = (outcome.possible == CONDITIONAL).astype(np.int16)
            return self._spread(signature, lambda row: self._conditions(outcome.item, row))
        decisive = (outcome.possible >= MAYBE) & (self._levels(outcome) >= (outcome.low // self.span)[:, None])
        signature = np.where(decisive, (outcome.why & (ASSUMED | INFERRED)) | _DECISIVE, 0)
        signature = np.where(self._spared(outcome), ASSUMED, signature)
        return self._spread(signature, lambda row: self._warnings(outcome, row))

    def _spread(self, signature: npt.NDArray[Any], say: Any) -> list[str]:
        if not signature.shape[1]:
            return [""] * len(signature)
        rows, of = np.unique(signature, axis=0, return_inverse=True)
        said = [BREAK.join(say(row)) for row in rows]
        return [said[position] for position in of.ravel()]

    def _matters(self, outcome: Outcome) -> npt.NDArray[np.bool_]:
        """Is this rule one whose unknown facts could move the result?"""
        levels = self._levels(outcome)
        floor, low = (outcome.floor // self.span)[:, None], (outcome.low // self.span)[:, None]
        unsettled = (outcome.possible >= MAYBE) & (outcome.certain < YES) & (levels > low)
        waivable = (outcome.possible >= MAYBE) & (outcome.lifted == MAYBE) & (levels > floor)
        return np.asarray(unsettled | waivable)

    def _spared(self, outcome: Outcome) -> npt.NDArray[np.bool_]:
        """Would this rule decide, did an assumption on content not keep it from reaching the flow?"""
        matches = np.max([state for group in outcome.item.matches for state in group], axis=0) >= MAYBE
        stricter = self._levels(outcome) > (outcome.low // self.span)[:, None]
        return np.asarray((outcome.possible < CONDITIONAL) & ((outcome.why & ASSUMED) > 0) & matches & stricter)

    @staticmethod
    def _levels(outcome: Outcome) -> npt.NDArray[np.int64]:
        """What each rule asks for, exceptions that certainly hold counted."""
        levels = np.array([rule.level for rule in outcome.item.rules], np.int64)[None, :]
        return np.where(outcome.lifted == YES, EXCEPTED, levels)

    def _questions(self, outcome: Outcome, row: npt.NDArray[Any]) -> list[str]:
        asked: dict[str, list[str]] = {}
        for position, bits in enumerate(row):
            rule = outcome.item.rules[position]
            for question in self._ask(rule, outcome, position, int(bits)):
                asked.setdefault(question, []).append(rule.control)
        return [f"{question} ({', '.join(_few(who))})" for question, who in asked.items()]

    def _ask(self, rule: Rule, outcome: Outcome, position: int, bits: int) -> list[str]:
        found = [rule.gap] if bits & UNHELD else []
        if bits & CODE:
            found.append(_which(rule, outcome.item))
        if bits & CONTENT:
            limits = sorted({f"{t.threshold:.3g}" for t in rule.terms if t.kind != "fdp"})
            found.append(
                f"What share of the value is controlled content from {rule.imposing} (limit {' or '.join(limits)})?"
            )
        if bits & DIRECT:
            found.append(f"Is the item a direct product of technology, software or tools of {rule.imposing}?")
        if bits & EXPORTER:
            found.append("Where are the head offices of the exporter and of its ultimate parent?")
        if bits & PLACE:
            found.append(
                "Where is the item made, where is it finally used, and which groups was that place in on the day?"
            )
        if bits & PAIR:
            names = sorted({w.name for w in rule.waivers if w.effect == MAYBE})
            found.append(f"Does {' or '.join(names)} cover this item and destination?")
        return found

    def _conditions(self, item: Item, row: npt.NDArray[Any]) -> list[str]:
        found = []
        for position in np.flatnonzero(row):
            rule = item.rules[position]
            told = f"{STATUSES[rule.level]} ({POLICIES[rule.level]}) by {rule.imposing}"
            found.append(f"{rule.control}: {told} if {_condition(rule)}")
        return found

    def _warnings(self, outcome: Outcome, row: npt.NDArray[Any]) -> list[str]:
        item = outcome.item
        found: dict[str, None] = {}
        estimates, pairs, weak = [], set(), self._weak(item)
        spared: dict[str, list[str]] = {}
        for position in np.flatnonzero(row):
            rule, bits = item.rules[position], int(row[position])
            if not bits & _DECISIVE:
                spared.setdefault(rule.imposing, []).append(rule.control)
                continue
            if bits & ASSUMED:
                what = f"controlled content of {rule.imposing} is assumed for category {item.category!r}"
                found[f"{what} (assumptions, table content)"] = None
            if bits & INFERRED:
                found[f"an inferred pair lifts {rule.control}: a guess with reasons, not published text"] = None
            if rule.estimated:
                estimates.append(rule.control)
            pairs |= {right for right in weak if any(relation(right, code) == YES for code in rule.codes)}
        for state, controls in spared.items():
            what = f"controlled content of {state} is assumed for category {item.category!r}"
            found[f"{what}: taken not to be reached by {', '.join(_few(controls))} (assumptions, table content)"] = None
        if estimates:
            found[f"rests on an estimate, see the note: {', '.join(_few(estimates))}"] = None
        if pairs:
            found[f"that the item stands on {', '.join(sorted(pairs))} is an estimate"] = None
        return list(found)

    def _weak(self, item: Item) -> set[str]:
        """Return the codes that the item carries through an estimated correspondence."""
        carried = set(item.classification.codes)
        return {
            right
            for left, right in self.law.estimated_pairs
            if right in carried and any(relation(code, left) for code in carried)
        }


def cite(row: Mapping[Any, Any], regimes: dict[str, str]) -> str:
    """Return the citation of a control: instrument, regime, days in force, sources."""
    start = "proposed, undated" if pd.isna(row["from"]) else f"from {row['from']:%Y-%m-%d}"
    if not pd.isna(row["suspended_from"]):
        back = row["suspended_to"]
        until = "" if pd.isna(back) else f", in force again from {back:%Y-%m-%d}"
        start += f", suspended from {row['suspended_from']:%Y-%m-%d}{until}"
    return f"{row['instrument']} [{regimes.get(row['regime'], row['regime'])}; {start}; sources {row['source']}]"


def placed(text: str, origin: str, destination: str) -> str:
    """Return what is said of a gap with the places of one flow in it."""
    return text.replace(ORIGIN, origin or "the unknown origin").replace(
        DESTINATION, destination or "the unknown destination"
    )


def listed(codes: Sequence[str]) -> str:
    """Return the codes of a rule in words, long lists of them cut."""
    whole = f":{WHOLE_LIST}"
    words = [f"any entry of {code.removesuffix(whole)}" if code.endswith(whole) else code for code in codes]
    return ", ".join(words if len(words) <= 6 else (*words[:5], f"and {len(words) - 5} more"))


def _few(names: list[str]) -> list[str]:
    return names if len(names) <= 3 else [*names[:3], f"and {len(names) - 3} more"]


def _condition(rule: Rule) -> str:
    said = []
    for clause in destinations.parse(rule.scope):
        where = "" if clause.include is None else f" in {';'.join(clause.include)}"
        if clause.kind == "entity":
            said.append(f"a party is of {clause.tag}{where}")
        elif clause.kind == "end-use":
            said.append(f"the end use is {clause.tag}{where}")
        elif clause.kind == "head-office":
            said.append(f"the end party has its head office{where}")
    said += [f"a party is of {term.entity}" for term in rule.terms if term.entity]
    return " or ".join(dict.fromkeys(said))


def _heading(rule: Rule) -> str:
    chapters = ", ".join(code.partition(":")[2] for code in rule.codes)
    return f"What is the item's customs heading (HS)? The control is on HS {chapters}"


def _which(rule: Rule, item: Item) -> str:
    if rule.control == UNCLASSIFIED and item.classification.unlisted:
        return f"What is {', '.join(item.classification.unlisted)}? The book holds no such list"
    if rule.control == UNCLASSIFIED:
        return "What is the item's classification? Nobody has stated it"
    if rule.control.startswith(UNLISTED):
        codes = ", ".join(item.classification.unlisted)
        return f"Does {codes}, which the book does not hold, need a licence of {rule.imposing}?"
    if item.classification.unknown and any(list_of(code) != HEADINGS for code in rule.codes):
        return f"Does the item, which was never classified, fall under {listed(rule.codes)}?"
    if all(list_of(code) == HEADINGS for code in rule.codes):
        return _heading(rule)
    for group in item.classification.groups:
        hits = [[c for c, _ in variant if any(relation(c, other) for other in rule.codes)] for variant in group]
        if not any(hits):
            continue
        if not all(hits) and len(group) > 1:
            lists = [list_of(code) for code in item.classification.stated]
            stated = [code for code in item.classification.stated if lists.count(list_of(code)) == len(group)]
            return f"Which of its alternative entries is the item: {', '.join(stated)}?"
        broad = [c for hit in hits for c in hit if not any(relation(c, other) == YES for other in rule.codes)]
        if broad:
            return f"Which paragraph of {', '.join(sorted(set(broad)))} is the item?"
    return f"Does the item stand on {listed(rule.codes)}?"
