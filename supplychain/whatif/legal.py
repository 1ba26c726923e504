"""Actions on law: each is rows of a regime book added or changed; the changed book is checked like any other.

Joining a regime is not a word but two facts, told apart because years may lie between them: the state *lists* (it
adopts the regime's controls as its own law, item by item, by correspondence with the codes of the states that impose
them already), and it is *eligible* (written into the table of item and destination, so that the others' controls
towards it are lifted). Nothing here writes a rule of a state into the program: what a joiner adopts is copied from the
book.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import pandas as pd

from supplychain.errors import Problems
from supplychain.network import SupplyNetwork
from supplychain.regimes import RegimeBook
from supplychain.regimes.codes import SHARED_LISTS, list_of
from supplychain.regimes.flows import UNION
from supplychain.whatif import actions as do

ACTING: Final = ("imposing", "member", "named")  # roles of members that count as partners of a joiner
# Lists of scenarios, of codes that ISO leaves to users: no item carries them, so they never meet a list that items do
# carry (codes of one list would read as alternatives). ZZA:3B904 stands for US:3B904 wherever a joiner has adopted it;
# ZZI:wafer is an item that a scenario names.
_ADOPTED, _NAMED = "ZZA", "ZZI"
_STEPS: Final = 128  # beginnings of lists of actions that are remembered
_BEGINNING: Final = pd.Timestamp("1996-01-01")  # stands for "since before the book" where an end needs a beginning


@dataclass
class LawEdit:
    """The tables of a book while actions change them; ``warnings`` collects what touches nothing."""

    tables: dict[str, pd.DataFrame]
    on: pd.Timestamp
    file: str
    problems: Problems
    warnings: list[str] = field(default_factory=list)
    codes_of_items: dict[str, str] = field(default_factory=dict)  # item -> code that an impose action gave it

    def copy(self, file: str, problems: Problems) -> LawEdit:
        """Return an edit that goes on from here; tables are replaced, never changed, so both may share them."""
        codes, warnings = dict(self.codes_of_items), list(self.warnings)
        return LawEdit(dict(self.tables), self.on, file, problems, warnings, codes)

    def append(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows to a table; columns that a row leaves out are blank."""
        frame, given = self.tables[table], list(rows)
        if not given:
            return
        columns = {}
        for name, kind in frame.dtypes.items():
            blank = _blank(kind)
            columns[name] = pd.array([row.get(str(name), blank) for row in given], dtype=kind)
        self.tables[table] = pd.concat([frame, pd.DataFrame(columns)], ignore_index=True)

    def open_list(self, name: str) -> None:
        """Let the book know a list of scenarios, as it knows those of states."""
        if name not in self.tables["jurisdictions"]["jurisdiction"].tolist():
            row = {"jurisdiction": name, "name": "list of scenarios", "quality": "assumption", "source": "none"}
            self.append("jurisdictions", [row])

    def refuse(self, rule: str, value: str, known: Iterable[str]) -> None:
        close = difflib.get_close_matches(value, list(known), n=1, cutoff=0.4)
        cure = f"did you mean {close[0]}?" if close else "look it up with `supplychain show` or `regimes`"
        self.problems.add("scenario-unknown", rule, cure, file=self.file, column="action", value=value)

    def controls(self, action: do._Controls) -> pd.Index:
        """Return the rows of the controls that an action names."""
        frame = self.tables["controls"]
        unknown = sorted(set(action.controls) - set(frame["control"]))
        for name in unknown:
            self.refuse("there is no such control in the regime book", name, frame["control"])
        for name in sorted(set(action.regimes) - set(self.tables["regimes"]["regime"])):
            self.refuse("there is no such regime in the regime book", name, self.tables["regimes"]["regime"])
        chosen = frame["control"].isin(action.controls) | frame["regime"].isin(action.regimes)
        if action.imposing:
            chosen &= frame["imposing"].isin(action.imposing)
        if not chosen.any() and not unknown:
            self.warnings.append(f"{action.words}: no control answers to this")
        return frame.index[chosen]

    def set(self, rows: pd.Index, column: str, day: Any) -> None:
        frame = self.tables["controls"].copy()
        frame.loc[rows, column] = pd.Timestamp(day) if day is not None else pd.NaT
        self.tables["controls"] = frame


Steps = dict[tuple[Any, ...], LawEdit]


def edit_law(
    book: RegimeBook,
    network: SupplyNetwork,
    actions: Sequence[do.Action],
    on: date,
    name: str,
    problems: Problems,
    steps: Steps | None = None,
) -> tuple[RegimeBook, dict[str, str], list[str]]:
    """Return the book after the actions, codes that items of the network now carry in addition, and warnings.

    Unknown names are added to ``problems``; the book is then returned as it was. ``steps`` remembers, for callers that
    add action to action on one book and network, what the tables were after earlier ones.
    """
    legal = [action for action in actions if action.do in do.LEGAL]
    if not legal:
        return book, {}, []
    before = len(problems.errors)
    edit = _edited(LawEdit(dict(book.tables), pd.Timestamp(on), f"{name}.toml", problems), network, legal, steps)
    if len(problems.errors) > before:
        return book, {}, edit.warnings
    changed = {table: frame for table, frame in edit.tables.items() if frame is not book.tables[table]}
    changed = {table: frame for table, frame in changed.items() if not frame.equals(book.tables[table])}
    if not changed:
        return book, edit.codes_of_items, [*edit.warnings, "the legal actions leave the regime book as it is"]
    return book.with_tables(f"scenario {name}", **changed), edit.codes_of_items, edit.warnings


def _edited(edit: LawEdit, network: SupplyNetwork, legal: Sequence[do.Action], steps: Steps | None) -> LawEdit:
    """Apply the actions in their order, from the longest beginning that is remembered."""
    steps = {} if steps is None else steps
    words, before = (edit.on, *(action.words for action in legal)), len(edit.problems.errors)
    done = next((n for n in range(len(legal), 0, -1) if words[: n + 1] in steps), 0)
    if done:
        edit = steps[words[: done + 1]].copy(edit.file, edit.problems)
    for number, action in enumerate(legal[done:], start=done + 2):
        _EDITS[type(action)](edit, network, action)
        if len(edit.problems.errors) > before:
            continue
        steps[words[:number]] = edit.copy(edit.file, edit.problems)
        if len(steps) > _STEPS:
            del steps[next(iter(steps))]
    return edit


def _start(edit: LawEdit, action: do.Action) -> pd.Timestamp:
    return edit.on if action.start is None else pd.Timestamp(action.start)


def _regime(edit: LawEdit, regime: str) -> bool:
    known = edit.tables["regimes"]["regime"].tolist()
    if regime in known:
        return True
    edit.refuse("there is no such regime in the regime book", regime, known)
    return False


def _join(edit: LawEdit, network: SupplyNetwork, action: do.Join) -> None:
    if not _regime(edit, action.regime):
        return
    start = _start(edit, action)
    members = edit.tables["memberships"]
    of = members[members["regime"] == action.regime]
    holds = of[~(of["to"] <= start) & ~(of["from"] > start) & of["role"].isin(ACTING)]
    inside = set(holds["jurisdiction"])
    new = [state for state in sorted(action.states) if state not in inside]
    if not new and not (action.lists or action.eligible):
        edit.warnings.append(f"{action.words}: in the regime already on {start.date()}")
    _end_candidacy(edit, action.regime, new, start)
    row = {"regime": action.regime, "from": start, "role": "member", "note": "scenario"}
    row |= {"quality": "assumption", "source": "none"}
    edit.append("memberships", [{**row, "jurisdiction": state} for state in new])
    if action.lists:
        _adopt(edit, action, sorted(inside | set(action.states)), start)
    if action.eligible:
        _write_in(edit, action, start)


def _template(edit: LawEdit, regime: str, start: pd.Timestamp) -> pd.DataFrame:
    """The controls that define a regime's list: those in force under it on the day, of the states that impose."""
    controls = edit.tables["controls"]
    live = (controls["regime"] == regime) & ~(controls["from"] > start) & controls["from"].notna()
    live &= ~(controls["to"] <= start)
    return controls[live & ~controls["control"].str.startswith("scenario.")]


def _end_candidacy(edit: LawEdit, regime: str, states: Sequence[str], start: pd.Timestamp) -> None:
    """A candidate becomes a member: the row that called it a candidate ends where the membership begins."""
    frame = edit.tables["memberships"].copy()
    old = (frame["regime"] == regime) & frame["jurisdiction"].isin(states) & ~(frame["to"] <= start)
    if not old.any():
        return
    frame.loc[old & frame["from"].isna(), "from"] = _BEGINNING
    frame.loc[old & (frame["from"] < start), "to"] = start
    edit.tables["memberships"] = frame[~(old & (frame["from"] >= start))].reset_index(drop=True)


def _adopt(edit: LawEdit, action: do.Join, partners: Sequence[str], start: pd.Timestamp) -> None:
    """The states adopt the regime's list: each one control per policy and scope, on codes that correspond."""
    template = _template(edit, action.regime, start)
    edit.open_list(_ADOPTED)
    if template.empty:
        edit.warnings.append(f"{action.words}: no control of the regime is in force on {start.date()} to be adopted")
        return
    rows: list[dict[str, Any]] = []
    pairs: set[tuple[str, str]] = set()
    names = ("destination_scope", "end_party", "licence_policy", "item_code", "imposing")
    groups: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for *terms, text, imposing in zip(*(template[name].tolist() for name in names), strict=True):
        groups.setdefault(tuple(terms), []).append((text, imposing))
    for number, ((scope, party, policy), part) in enumerate(sorted(groups.items()), start=1):
        codes = sorted({c for text, _ in part for c in text.split(";") if not c.endswith((":*", ":any"))})
        own = [f"{_ADOPTED}:{code.partition(':')[2]}" for code in codes]
        pairs |= set(zip(codes, own, strict=True))
        rows += [
            {"control": f"scenario.{action.regime}.{state.lower()}-{number}", "regime": action.regime,
             "imposing": state, "instrument": f"adopts {action.regime} (scenario)", "item_code": ";".join(own),
             "destination_scope": scope, "end_party": party, "licence_policy": policy, "reach": "none", "from": start,
             "quality": "assumption", "source": "none", "note": "scenario"}
            for state in sorted(action.states)
            if codes and any(imposing != state for _, imposing in part)
        ]  # fmt: skip
    edit.append("controls", rows)
    known = edit.tables["correspondences"]
    held = set(zip(known["code"].tolist(), known["corresponds"].tolist(), strict=True))
    edit.append(
        "correspondences",
        [{"code": code, "corresponds": own, "match": "same", "quality": "derived", "source": "none"}
         for code, own in sorted(pairs - held)],
    )  # fmt: skip
    if rows:
        edit.append(
            "exceptions",
            [{"exception": _named("from", action), "name": "scenario", "basis": "text",
              "control": ";".join(str(row["control"]) for row in rows), "destination": _scope(partners),
              "from": start, "quality": "assumption", "source": "none"}],
        )  # fmt: skip


def _write_in(edit: LawEdit, action: do.Join, start: pd.Timestamp) -> None:
    """The regime's table of pairs now holds the states, for all entries that the table may hold at all."""
    exceptions = edit.tables["exceptions"]
    pattern = exceptions[(exceptions["regime"] == action.regime) & (exceptions["basis"] == "published")]
    barred = sorted({code for text in pattern["except_code"] for code in text.split(";") if code})
    edit.append(
        "exceptions",
        [{"exception": _named("to", action), "name": "scenario", "regime": action.regime, "basis": "text",
          "except_code": ";".join(barred), "destination": _scope(action.states), "from": start,
          "quality": "assumption", "source": "none"}],
    )  # fmt: skip


def _scope(states: Iterable[str]) -> str:
    """The destination scope of some states; the European Union is a group of places."""
    return ";".join(sorted("EU" if state == UNION else state for state in states))


def _named(word: str, action: do.Join) -> str:
    states = sorted(action.states)
    return f"scenario.{action.regime}.{word}-{states[0].lower()}-{len(states)}"


def _leave(edit: LawEdit, network: SupplyNetwork, action: do.Leave) -> None:
    if not _regime(edit, action.regime):
        return
    end = _start(edit, action)
    members = edit.tables["memberships"].copy()
    of = (members["regime"] == action.regime) & members["jurisdiction"].isin(action.states) & ~(members["to"] <= end)
    for state in sorted(set(action.states) - set(members.loc[of, "jurisdiction"])):
        edit.warnings.append(f"{state} is not in {action.regime} on {end.date()}")
    undated = of & members["from"].isna()
    members.loc[undated, "from"] = _BEGINNING
    same = of & (members["from"] >= end)
    members.loc[of, "to"] = end
    edit.tables["memberships"] = members[~same].reset_index(drop=True)
    _strike_out(edit, action, end)
    controls = edit.tables["controls"]
    for name in sorted(set(action.lifts) - set(controls["control"]) - set(edit.tables["regimes"]["regime"])):
        edit.refuse("there is no such control or regime in the regime book", name, controls["control"])
    own = controls["imposing"].isin(action.states)
    ended = own & (controls["control"].isin(action.lifts) | controls["regime"].isin(action.lifts))
    ended |= own & controls["regime"].eq(action.regime)
    _end(edit, controls.index[ended], end)


def _strike_out(edit: LawEdit, action: do.Leave, end: pd.Timestamp) -> None:
    """Eligibility ends: exceptions of the regime that name the states as destination name only the others from then
    on."""
    exceptions = edit.tables["exceptions"].copy()
    named = exceptions["destination"].str.split(";").apply(set)
    of = exceptions["regime"].eq(action.regime) & ~(exceptions["to"] <= end)
    of &= named.apply(lambda names: bool(names & set(action.states)))
    of &= named.apply(lambda names: all(len(name) == 3 and name.isupper() for name in names))
    exceptions.loc[of & exceptions["from"].isna(), "from"] = _BEGINNING
    others = exceptions[of].assign(destination=[";".join(sorted(n - set(action.states))) for n in named[of]])
    others = others[others["destination"] != ""]
    others = others.assign(**{"from": others["from"].where(others["from"] > end, end)})
    others = others.assign(exception=others["exception"] + ".rest")
    exceptions.loc[of, "to"] = end
    kept = exceptions[~(of & (exceptions["from"] >= end))]
    edit.tables["exceptions"] = pd.concat([kept, others], ignore_index=True)


def _end(edit: LawEdit, rows: pd.Index, end: pd.Timestamp) -> int:
    """End controls on a day, those that begin later on their first day; return how many it changed."""
    frame = edit.tables["controls"]
    part = frame.loc[rows]
    open_ = part["from"].notna() & ~(part["to"] <= end)
    day = part.loc[open_, "from"].where(part.loc[open_, "from"] > end, end)
    changed = frame.copy()
    changed.loc[day.index, "to"] = day
    edit.tables["controls"] = changed
    return int(open_.sum())


def _impose(edit: LawEdit, network: SupplyNetwork, action: do.Impose) -> None:
    controls = edit.tables["controls"]
    if action.control in set(controls["control"]):
        edit.problems.add(
            "scenario-contradiction",
            "the regime book has a control of this name",
            "choose another name",
            file=edit.file,
            column="action.control",
            value=action.control,
        )
        return
    regime = action.regime or f"scenario.{action.control}"
    if action.regime and not _regime(edit, action.regime):
        return
    if not action.regime:
        edit.append("regimes", [{"regime": regime, "name": f"Scenario: {action.control}", "kind": "proposed",
                                 "quality": "assumption", "source": "none"}])  # fmt: skip
    codes = list(action.codes)
    known = network.items.set_index("item")["control_codes"]
    for item in action.items:
        if item not in known.index:
            edit.refuse("there is no such item in the network", item, known.index)
            continue
        if not known[item]:
            rule = "an item that was never classified cannot be given one code: it would read as classified"
            edit.problems.add("scenario-unclassified", rule, "classify it in the items table, or name codes",
                              file=edit.file, column="action.items", value=item)  # fmt: skip
            continue
        edit.open_list(_NAMED)
        code = f"{_NAMED}:{item}"
        given = edit.codes_of_items.get(item, "").split(";")
        edit.codes_of_items[item] = ";".join(sorted({*filter(None, given), code}))
        codes.append(code)
    owners = {list_of(c): imp for imp, text in zip(controls["imposing"], controls["item_code"], strict=True)
              for c in text.split(";")}  # fmt: skip
    for code in action.codes:
        if list_of(code) not in SHARED_LISTS and owners.get(list_of(code), action.imposing) != action.imposing:
            rule = f"the list {list_of(code)} is the law of {owners[list_of(code)]}"
            edit.problems.add("scenario-list", rule, f"name items, or codes of a list of {action.imposing}",
                              file=edit.file, column="action.codes", value=code)  # fmt: skip
    edit.append(
        "controls",
        [{"control": action.control, "regime": regime, "imposing": action.imposing, "instrument": "scenario",
          "item_code": ";".join(codes), "destination_scope": action.destination, "licence_policy": action.policy,
          "reach": action.reach, "from": _start(edit, action), "to": pd.Timestamp(action.end) if action.end else pd.NaT,
          "quality": "assumption", "source": "none", "note": action.note}] if codes else [],
    )  # fmt: skip


def _except(edit: LawEdit, network: SupplyNetwork, action: do.Except) -> None:
    if action.regime and not _regime(edit, action.regime):
        return
    for name in sorted(set(action.controls) - set(edit.tables["controls"]["control"])):
        edit.refuse("there is no such control in the regime book", name, edit.tables["controls"]["control"])
    edit.append(
        "exceptions",
        [{"exception": f"scenario.{action.name}", "name": action.name, "regime": action.regime, "basis": "text",
          "control": ";".join(action.controls), "item_code": ";".join(action.codes), "destination": action.destination,
          "exporter": action.exporter, "from": _start(edit, action),
          "to": pd.Timestamp(action.end) if action.end else pd.NaT, "quality": "assumption", "source": "none"}],
    )  # fmt: skip


def _lift(edit: LawEdit, network: SupplyNetwork, action: do.Lift) -> None:
    rows = edit.controls(action)
    if len(rows) and not _end(edit, rows, _start(edit, action)):
        edit.warnings.append(f"{action.words}: the controls have ended before, so nothing is lifted")


def _suspend(edit: LawEdit, network: SupplyNetwork, action: do.Suspend) -> None:
    rows, start = edit.controls(action), _start(edit, action)
    frame = edit.tables["controls"].loc[rows]
    paused = (frame["suspended_from"] <= start) & ~(frame["suspended_to"] <= start)
    # A suspension that runs already goes on from its own first day; only its end changes.
    edit.set(rows[~paused.to_numpy(bool)], "suspended_from", start)
    edit.set(rows, "suspended_to", action.end)


def _reinstate(edit: LawEdit, network: SupplyNetwork, action: do.Reinstate) -> None:
    rows, start = edit.controls(action), _start(edit, action)
    frame = edit.tables["controls"].loc[rows]
    paused = frame["suspended_from"].notna() & ~(frame["suspended_to"] <= start)
    if len(rows) and not paused.any():
        edit.warnings.append(f"{action.words}: none of the controls is suspended then")
    chosen = rows[paused.to_numpy(bool)]
    never = edit.tables["controls"].loc[chosen, "suspended_from"] >= start
    edit.set(chosen, "suspended_to", start)
    gone = chosen[never.to_numpy(bool)]
    edit.set(gone, "suspended_from", None)
    edit.set(gone, "suspended_to", None)


def _branch(edit: LawEdit, network: SupplyNetwork, action: do.Branch) -> None:
    table = edit.tables["branches"]
    row = table[(table["branch"] == action.branch) & (table["variant"] == action.variant)]
    if row.empty:
        edit.refuse("there is no such branch in the regime book", action.branch, sorted(set(table["branch"])))
        return
    rows = edit.tables["controls"].index[edit.tables["controls"]["control"].isin(row["control"].iloc[0].split(";"))]
    edit.set(rows, "suspended_to", row["date"].iloc[0])


def _blank(kind: Any) -> Any:
    if pd.api.types.is_datetime64_any_dtype(kind):
        return pd.NaT
    return pd.NA if kind == "boolean" else ""


_EDITS: Final[dict[type[do.Action], Callable[[LawEdit, SupplyNetwork, Any], None]]] = {
    do.Join: _join,
    do.Impose: _impose,
    do.Except: _except,
    do.Leave: _leave,
    do.Lift: _lift,
    do.Suspend: _suspend,
    do.Reinstate: _reinstate,
    do.Branch: _branch,
}
