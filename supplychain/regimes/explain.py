"""One flow, every control considered: why it applies, may apply or does not, clause by clause, with its sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd

from supplychain.network import UNKNOWN_PLACE
from supplychain.regimes import destinations, reach
from supplychain.regimes.book import RegimeBook
from supplychain.regimes.codes import CONDITIONAL, EVERYTHING, MAYBE, NO, YES, normal, relation
from supplychain.regimes.coverage import PREFIX
from supplychain.regimes.evaluate import UNHELD, Buyers, Clauses, Content, Frame, Item, Sellers, clauses, read_item
from supplychain.regimes.flows import Flows, read_flows
from supplychain.regimes.law import TIGHTER, Rule
from supplychain.regimes.words import BREAK, listed, placed

VERDICTS = {NO: "does not apply", CONDITIONAL: "depends on end user or use", MAYBE: "may apply", YES: "applies"}
SAID = {NO: "no", CONDITIONAL: "if stated", MAYBE: "unknown", YES: "yes"}
CLAUSES = ("item", "in_force", "destination", "reach", "exception")
HOME_ONLY = "it does not follow goods made abroad"
ALIKE = (
    "verdict",
    "imposing",
    "policy",
    *CLAUSES[1:],
    "note",
    "citation",
)  # told once where controls differ in item only


@dataclass(frozen=True)
class Explanation:
    """What the law says of one flow and why.

    determination: the row of `Determinations.table`. controls: one row per control whose codes concern the item:
    control, imposing, regime, verdict, policy, about (what it is on), then one sentence for each clause (CLAUSES),
    citation, links and note (doubts of the facts); the strictest verdict first. others: how many controls of the book
    are on other items. warnings: what concerns the whole answer.
    """

    flow: Mapping[str, str]
    on: date
    determination: Mapping[str, Any]
    controls: pd.DataFrame
    others: int
    warnings: tuple[str, ...]


def explain(
    book: RegimeBook,
    flow: Mapping[str, str],
    on: str | date,
    *,
    inferred: bool = False,
    assumptions: Mapping[str, Any] | None = None,
) -> Explanation:
    """Explain one flow (the columns of `RegimeBook.determine`, as texts)."""
    table = pd.DataFrame([dict(flow)])
    found = book.determine(table, on, inferred=inferred, assumptions=assumptions)
    flows = read_flows(table, on, book.law.places)
    law = book.law
    codes, category, hs6 = flows.items.rows[0]
    item = read_item(codes, category, law, hs6)
    one = np.zeros(1, np.int64)
    frame = Frame(
        law,
        [category],
        Sellers.of(flows.sellers, law.places),
        Buyers.of(flows.buyers, law.places),
        Content.of(assumptions),
        inferred,
        one,
        one,
        one,
        law.epochs(flows.days[:1]),
    )
    origin, destination = str(flow.get("origin", "")), str(flow.get("destination", ""))
    rows = []
    if not origin or origin == UNKNOWN_PLACE or origin != destination:
        told = _Teller(book, flows, item, frame, pd.Timestamp(on))
        rows = [told.row(rule, position) for position, rule in enumerate(item.rules)]
        # Law that is not held and could not concern the flow is nothing that was considered.
        rows = [row for row in rows if row["verdict"] != VERDICTS[NO] or not row["control"].startswith(PREFIX)]
    columns = ["control", "imposing", "regime", "verdict", "policy", "about", *CLAUSES, "citation", "links", "note"]
    controls = pd.DataFrame(rows, columns=[*columns, "_order"])
    controls = controls.sort_values(["_order", "control"], kind="stable").drop(columns="_order").reset_index(drop=True)
    return Explanation(
        flow={key: str(value) for key, value in flow.items() if str(value)},
        on=pd.Timestamp(on).date(),
        determination={str(key): value for key, value in found.table.iloc[0].to_dict().items()},
        controls=controls,
        others=len(book.tables["controls"])
        - sum(bool(rule.codes) and not rule.gap for rule in item.rules) * bool(rows),
        warnings=found.warnings,
    )


class _Teller:
    """Puts the clauses of each rule into sentences."""

    def __init__(self, book: RegimeBook, flows: Flows, item: Item, frame: Frame, day: pd.Timestamp) -> None:
        self.book, self.item, self.frame, self.day = book, item, frame, day
        self.origin, self.office, self.parent, self.content, self.direct = flows.sellers.rows[0]
        self.destination, self.use, self.entity, self.party = flows.buyers.rows[0]
        self.stated = {normal(code) for code in flows.items.rows[0][0].split(";")}
        self.rows = {row["control"]: row for row in book.tables["controls"].to_dict("records")}
        self.urls = dict(zip(book.tables["sources"]["source"], book.tables["sources"]["url"], strict=True))
        self.citations = book.wording.of_rule("citation")

    def row(self, rule: Rule, position: int) -> dict[str, Any]:
        found = clauses(self.frame, rule)
        met = [group_states[position] for group in self.item.matches for group_states in group]
        best, worst = int(max(met)), self._sure(position)
        state = min(best, int(found.applies[0]))
        verdict = YES if min(worst, int(found.applies[0])) == YES else min(state, MAYBE)
        lifted = verdict == YES and found.lifted[0] == YES
        control = self.rows.get(rule.control)
        return {
            "control": rule.control,
            "imposing": placed(rule.imposing, self.origin, self.destination),
            "regime": rule.regime,
            "verdict": "excepted" if lifted else VERDICTS[verdict],
            "policy": "" if control is None else control["licence_policy"],
            "about": placed(rule.gap, self.origin, self.destination) if control is None else control["item"],
            "note": "" if control is None else control["note"],
            "item": self._item(rule, best, worst),
            "in_force": self._force(control, found),
            "destination": self._destination(rule, found),
            "reach": self._reach(rule, found),
            "exception": self._exception(rule, found),
            "citation": placed(str(self.citations[rule.rank]), self.origin, self.destination),
            "links": []
            if control is None
            else [u for s in control["source"].split(";") if (u := self.urls.get(s, ""))],
            "_order": (-verdict + 0.5 * lifted, -rule.level, -rule.rank),
        }

    def _sure(self, position: int) -> int:
        """How far the rule's codes cover the item whatever variant it is."""
        return int(max(min(states[position] for states in group) for group in self.item.matches))

    def _item(self, rule: Rule, best: int, worst: int) -> str:
        if not rule.codes:
            return "unknown: the book cannot place the item"
        if any(code.partition(":")[2] == EVERYTHING for code in rule.codes):
            return "yes: it is on every item, listed or not"
        if self.item.classification.unknown and best > NO:
            return f"unknown: the item was never classified; the control is on {listed(rule.codes)}"
        carried = [c for c in self.item.classification.codes if any(relation(c, other) for other in rule.codes)]
        if not carried:
            return f"unknown: nothing stated says whether the item falls under {listed(rule.codes)}"
        # Of a control on many codes, those that meet the item.
        codes = listed([other for other in rule.codes if any(relation(c, other) for c in carried)])
        stated = [code for code in carried if code in self.stated]
        told = ", ".join(code if code in stated else f"{code} (by correspondence)" for code in carried)
        falls = f"it is {told}" if codes == told else f"{told} falls under {codes}"
        if worst == YES:
            return f"yes: {falls}"
        if best == YES:
            return f"unknown: {falls}, but the item may be another of its alternatives"
        if not stated:
            return f"unknown: by correspondence the item may stand on {codes}"
        return f"unknown: {', '.join(stated)} holds more than {codes}, and which part the item is was not stated"

    def _force(self, control: Mapping[Any, Any] | None, found: Clauses) -> str:
        if control is None and self._gap(found):
            return "unknown: the book does not hold this law"
        if control is None:
            return "yes"
        start, end = control["from"], control["to"]
        paused, resumed = control["suspended_from"], control["suspended_to"]
        if pd.isna(start) or control["status"] == "proposed":
            return "no: proposed, so it is not in force on any day"
        if self.day < start:
            return f"no: it starts on {start:%Y-%m-%d}"
        if not pd.isna(end) and self.day >= end:
            return f"no: it ended on {end:%Y-%m-%d}"
        if found.force[0] == NO:
            back = "without a known end" if pd.isna(resumed) else f"until {resumed:%Y-%m-%d}"
            return f"no: suspended from {paused:%Y-%m-%d} {back}"
        revived = not pd.isna(resumed) and self.day >= resumed
        return f"yes: since {start:%Y-%m-%d}" + (f", again since {resumed:%Y-%m-%d}" if revived else "")

    def _destination(self, rule: Rule, found: Clauses) -> str:
        if found.border[0] == NO:
            return f"no: {self.destination} is the state's own territory"
        state = int(min(found.border[0], found.scope[0], found.end_party[0]))
        groups = self._groups(rule)
        place = self.destination or "the unknown destination"
        if rule.gap:
            return f"{SAID[state]}: {place}{groups}"
        aim = destinations.told(rule.scope)
        where = {
            NO: f"{place}{groups} is not among its destinations: {aim}",
            CONDITIONAL: f"{place}{groups}; it turns on {aim}",
            MAYBE: f"whether {place}{groups} is among its destinations ({aim}) is not settled",
            YES: f"{place}{groups} is among its destinations: {aim}",
        }[int(min(found.border[0], found.scope[0]))]
        if rule.end_party and found.scope[0] > NO:
            where += f"; end party's head office {self.party or 'taken to be there'}, "
            where += f"it is aimed at {destinations.told(rule.end_party)}"
        if state == CONDITIONAL:
            facts = [f"{name} {said}" for name, said in (("end use", self.use), ("end user", self.entity)) if said]
            where += f"; the flow states {' and '.join(facts) or 'neither end use nor end user'}"
        return f"{SAID[state]}: {where}"

    def _groups(self, rule: Rule) -> str:
        scope = "" if rule.gap else rule.scope
        named = {name for clause in destinations.parse(scope) for name in clause.names} if scope else set()
        mine = self.book.groups_of(self.destination, self.day.date())
        pairs = zip(mine["group"], mine["doubt"], strict=True)
        hits = [f"{group} (in doubt)" if doubt else str(group) for group, doubt in pairs if group in named]
        return f" (in {', '.join(hits)})" if hits else ""

    @staticmethod
    def _gap(found: Clauses) -> bool:
        return bool(found.why[0] & UNHELD)

    def _reach(self, rule: Rule, found: Clauses) -> str:
        if rule.gap:
            return f"unknown: made in {self.origin or 'an unknown place'}, whose law this is"
        if found.origin[0] == YES:
            return f"yes: made in {self.origin}" if rule.imposing else "yes"
        if found.origin[0] == MAYBE and found.abroad[0] < YES:
            return "unknown: where it is made is not stated"
        facts = f"made in {self.origin}; abroad it follows {reach.told(rule.terms, rule.imposing)}"
        if not rule.terms:
            return f"no: made in {self.origin}; {HOME_ONLY}"
        said = self.content or "not stated"
        if not self.content and self.frame.content is not None:
            share = self.frame.content.share(self.item.category, rule.imposing)
            said = f"{rule.imposing}={share:g} (assumed)" if share == share else "not stated"
        direct = self.direct or "not stated"
        if not self.direct and self.frame.content is not None:
            guess = self.frame.content.product(self.item.category)
            direct = "not stated" if guess is None else f"{';'.join(guess) or 'no state'} (assumed)"
        tight = "; destination in E:1 or E:2" if self.frame.scope(TIGHTER)[0] == YES else ""
        stated = f"controlled content {said}" if any(term.kind != "fdp" for term in rule.terms) else ""
        if any(term.kind == "fdp" for term in rule.terms):
            made = f"direct product of {direct}" if direct != "not stated" else "whose direct product it is, not stated"
            stated += f"{', ' if stated else ''}{made}"
        return f"{SAID[int(found.abroad[0])]}: {facts}. Here: {stated}{tight}"

    def _exception(self, rule: Rule, found: Clauses) -> str:
        told = []
        for waiver in rule.waivers:
            state = int(self.frame.waiver(waiver, found.origin)[0])
            place = int(waiver.destination[self.frame.destination[0], self.frame.epoch[0]])
            if state == YES:
                how = "inferred only, taken on request" if waiver.basis == "inferred" else "read in the law"
                told.append(f"yes: {waiver.name} lifts it ({waiver.exception}, {how})")
            elif state == MAYBE and waiver.basis == "published":
                unread = "whether it covers this item and destination was not read"
                told.append(f"unknown: {waiver.name} may lift it, {unread} ({waiver.exception})")
            elif state == MAYBE:
                told.append(f"unknown: {waiver.name} lifts it if the head offices allow ({waiver.exception})")
            elif place and waiver.basis in ("unread", "negative", "inferred"):
                why = {
                    "unread": "its terms were not read",
                    "negative": "known not to hold",
                    "inferred": "inferred only",
                }
                told.append(f"no: {waiver.name}, {why[waiver.basis]} ({waiver.exception})")
            elif place and waiver.condition[0]:
                kind, tag = waiver.condition
                want = f"the end use {tag}" if kind == "end-use" else f"a party of {tag}"
                told.append(f"no: {waiver.name} wants {want}, which the flow does not state ({waiver.exception})")
        order = ("yes", "unknown", "no")
        return "; ".join(sorted(told, key=lambda said: order.index(said.partition(":")[0]))) or "none"


def _away(rows: Sequence[Mapping[Any, Any]]) -> list[str]:
    """Return what does not apply: in full where the day or a fact of the flow decides, by name where the control is
    aimed elsewhere or is another state's on what is made there."""
    lines: list[str] = []
    aimed: dict[str, list[str]] = {}
    made: dict[str, list[str]] = {}
    for row in rows:
        if row["reach"].startswith("no: ") and row["reach"].endswith(HOME_ONLY):
            made.setdefault(row["imposing"], []).append(row["control"])
        elif row["destination"].startswith("no: "):
            aimed.setdefault(row["imposing"], []).append(row["control"])
        else:
            reasons = [row[name].removeprefix("no: ") for name in CLAUSES[:-1] if row[name].startswith("no: ")]
            lines.append(f"  - {row['control']} ({row['imposing']}): {'; '.join(reasons)}")
            lines.append(f"      {row['citation']}")
    for why, states in (("aimed at other destinations", aimed), ("on what is made in the state itself", made)):
        told = "; ".join(f"{state}: {', '.join(sorted(names))}" for state, names in sorted(states.items()))
        whole = wrap(f"  - {why}: {told}", 116, subsequent_indent="      ", break_on_hyphens=False)
        lines += whole if states else []
    return ["", "Considered, and not applying (--format json tells each clause by clause):", *lines] if lines else []


def text(told: Explanation) -> str:
    """Return the explanation for people: the answer, then every control, the strictest first, clause by clause."""
    found = told.determination
    place = f"{told.flow.get('origin', 'unknown')} to {told.flow.get('destination', 'unknown')}"
    codes = told.flow.get("item_codes", "an item never classified")
    name = f"{told.flow['item']} ({codes})" if told.flow.get("item", codes) != codes else codes
    headings = f", customs heading {told.flow['hs6']}" if told.flow.get("hs6") else ""
    lines = [f"{name}{headings}, {place}, on {told.on}", ""]
    policy = f", {found['policy']}" if found["policy"] else ""
    lines.append(f"{found['status'].upper()}{policy}")
    if found["control"]:
        decided = "at its strictest by" if found["status"] == "indeterminate" else "decided by"
        lines.append(f"{decided} {found['control']} ({found['imposing']}): {found['citation']}")
    if found["floor"] != found["ceiling"] or found["floor_policy"] != found["ceiling_policy"]:
        pairs = ((found[name], found[f"{name}_policy"]) for name in ("floor", "ceiling"))
        low, high = (f"{status} ({policy})" if policy else status for status, policy in pairs)
        lines.append(f"what is not known leaves it between {low} and {high}")
    titles = {"questions": "To settle it:", "conditions": "Beside this, if so stated:", "warnings": "Mind:"}
    for name, title in titles.items():
        said = [part for part in str(found[name]).split(BREAK) if part]
        said += list(told.warnings) if name == "warnings" else []
        lines += ["", title, *(f"  - {part}" for part in said)] if said else []
    rows: list[Mapping[Any, Any]] = list(told.controls.to_dict("records"))
    alike: dict[tuple[str, ...], list[Mapping[Any, Any]]] = {}
    for row in (row for row in rows if row["verdict"] != VERDICTS[NO]):
        alike.setdefault(tuple(str(row[name]) for name in ALIKE), []).append(row)
    for row, *others in alike.values():
        policy = f", {row['policy']}" if row["policy"] else ""
        lines += ["", f"{row['control']}: {row['verdict'].upper()} ({row['imposing'] or 'any state'}{policy})"]
        lines += [f"    {row['about']}"] if row["about"] else []
        lines += [f"    {name.replace('_', ' '):<12} {row[name]}" for name in CLAUSES if row[name] != "none"]
        lines += [f"    {'note':<12} {row['note']}"] if row["note"] else []
        lines.append(f"    {'citation':<12} {row['citation']}")
        lines += [f"    {'':<12} {link}" for link in dict.fromkeys(row["links"])]
        lines += [f"    {'likewise':<12} {other['control']}: {other['about']}" for other in others]
    lines += _away([row for row in rows if row["verdict"] == VERDICTS[NO]])
    if not rows:
        lines += ["", "No control of the book is on this item, or the flow stays inside one state."]
    lines += ["", f"{told.others} other controls of the book are on other items."]
    return "\n".join(lines) + "\n"
