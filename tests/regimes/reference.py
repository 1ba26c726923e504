"""The law of the book applied flow by flow in plain Python: slow, obvious, and without a line of the engine's code.

Only what a lawyer needs: floor and ceiling, status, policy and deciding control of one flow on one day.
"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

LEVELS = ["", "excepted", "notification", "presumption-of-approval", "case-by-case", "presumption-of-denial", "embargo"]
NAMES = ["free", "excepted", "notification", "licence", "licence", "licence", "prohibited"]
KIND = [0, 0, 1, 2, 2, 2, 3]  # statuses of one kind do not make an answer indeterminate


def read(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def day(text: str) -> date | None:
    if not text:
        return None
    year, month, number = ([*text.split("-"), "01", "01"])[:3]
    return date(int(year), int(month), int(number))


def within(when: date, start: date | None, end: date | None) -> bool:
    return (start is None or start <= when) and (end is None or when < end)


def eccn(code: str) -> str:
    return code if ":" in code else "US:" + code


def covers(control: str, flow: str) -> int:
    """3: the control's code covers the flow's; 2: the flow's code is broader; 0: neither."""
    if control.split(":")[0] != flow.split(":")[0]:
        return 0
    if control.endswith("*"):
        return 3 if flow.lower().startswith(control[:-1].lower()) and flow != "US:EAR99" else 0
    if control.startswith("HS:"):
        return 3 if flow.startswith(control) else 2 if control.startswith(flow) else 0
    a, b = control.split(":")[1].lower(), flow.split(":")[1].lower()
    if b == a or b.startswith(a + "."):
        return 3
    return 2 if a.startswith(b + ".") else 0


class Reference:
    def __init__(self, folder: Path, content: dict | None = None, inferred: bool = False) -> None:
        self.content, self.inferred = content, inferred
        self.controls = read(folder, "controls")
        self.exceptions = read(folder, "exceptions")
        self.entries = read(folder, "entries")
        self.coverage = sorted(read(folder, "coverage"), key=lambda row: row["coverage"])
        self.pairs = read(folder, "correspondences")
        self.groups: dict[str, list[dict[str, str]]] = {}
        for row in read(folder, "groups"):
            self.groups.setdefault(row["group"], []).append(row)
        self.lists = {
            c.split(":")[0]: row["imposing"]
            for row in self.controls
            for c in row["item_code"].split(";")
            if c.split(":")[0] not in ("HS", "WA", "AG", "NSG", "MTCR")
        }
        # Precedence among equally strict controls: the earliest first, then by name.
        order = sorted(self.controls, key=lambda row: (day(row["from"]) or date(2200, 1, 1), row["control"]))
        self.order = {row["control"]: position for position, row in enumerate(order)}
        self.in_group_memo: dict = {}
        self.variants_memo: dict = {}

    # -- places -----------------------------------------------------------------------------------------------------
    def in_name(self, place: str, name: str, when: date) -> int:
        key = (place, name, when)
        if key not in self.in_group_memo:
            self.in_group_memo[key] = self._in_name(place, name, when)
        return self.in_group_memo[key]

    def _in_name(self, place: str, name: str, when: date) -> int:
        if name not in self.groups:
            return 2 if place == "" else 3 if place == name else 0
        best = 0
        for row in self.groups[name]:
            if within(when, day(row["from"]), day(row["to"])):
                if place == "":
                    best = max(best, 2)
                elif row["jurisdiction"] == place:
                    best = max(best, 2 if row["doubt"] == "true" else 3)
        return best

    def in_places(self, place: str, text: str, when: date) -> int:
        if text == "":
            return 3
        for old, new in (("worldwide-except:", "worldwide except "), ("non-EU", "worldwide except EU")):
            text = text.replace(old, new)
        head, _, tail = text.partition(" except ")
        included = head.split(";")
        state = 3 if head == "worldwide" else max(self.in_name(place, name, when) for name in included)
        if tail and place not in included:
            out = max(self.in_name(place, name, when) for name in tail.split(";"))
            state = min(state, {3: 0, 2: 2, 0: 3}[out])
        return state

    def in_scope(self, flow: dict, text: str, when: date) -> int:
        best = 0
        for part in text.split(" or "):
            if part.startswith("head-office:"):
                office = flow["end_party_head_office"]
                state = 1 if office == "" else max(self.in_name(office, n, when) for n in part[12:].split(";"))
            elif part.startswith(("entity:", "end-use:")):
                kind, _, rest = part.partition(":")
                tag, _, where = rest.partition(" in ")
                state = min(self.tag(flow, kind, tag), self.in_places(flow["destination"], where, when))
            else:
                state = self.in_places(flow["destination"], part, when)
            best = max(best, state)
        return best

    def tag(self, flow: dict, kind: str, tag: str) -> int:
        text = flow["entity"] if kind == "entity" else flow["end_use"]
        return 1 if text == "" else 3 if tag in text.split(";") else 0

    # -- items ------------------------------------------------------------------------------------------------------
    def variants(self, text: str) -> tuple[list[list[list[tuple[str, int]]]], bool, set[str]]:
        """For each list the alternatives, each a list of (code, cap); is it unclassified; lists of unknown codes."""
        if text in self.variants_memo:
            return self.variants_memo[text]
        text, _, hs6 = text.partition("|")
        headings = sorted(
            {c for c in text.split(";") if c.startswith("HS:")} | {f"HS:{h}" for h in hs6.split(";") if h}
        )
        codes = [eccn(c) for c in text.split(";") if c and not c.startswith("HS:")]
        stated = sorted({c for c in codes if c.split(":")[-1].lower() != "none"})
        traded = [[[(h, 3)] for h in headings or ["HS:"]]]
        result: tuple = (traded, not codes, set())
        if stated:
            lists = []
            own = {c.split(":")[0] for c in stated}
            for name in sorted(own):
                mine = [c for c in stated if c.startswith(name + ":")]
                lists.append([[(c, 3)] for c in mine])
                targets = sorted({p["corresponds"].split(":")[0] for p in self.pairs})
                for target in targets:
                    if target != name and target in own:
                        continue
                    rows = []
                    for code in mine:
                        found: dict[str, int] = {}
                        for pair in self.pairs:
                            if pair["corresponds"].split(":")[0] == target:
                                cap = min(covers(pair["code"], code), 3 if pair["match"] == "same" else 2)
                                if cap:
                                    found[pair["corresponds"]] = max(cap, found.get(pair["corresponds"], 0))
                        rows.append(sorted(found.items()))
                    if any(rows):
                        lists.append(rows)
            known = [c for row in self.controls for c in row["item_code"].split(";") if not c.endswith(("*", ":any"))]
            known += [row["code"] for row in self.entries if row["standing"] != "not-modelled"]
            strange = {c.split(":")[0] for c in stated if not any(covers(k, c) for k in known)}
            result = (traded + lists, False, strange)
        self.variants_memo[text] = result
        return result

    def meets(self, alternative: list[tuple[str, int]], row: dict[str, str], unknown: bool) -> int:
        best = 0
        for code in row["item_code"].split(";"):
            if code.endswith(":any"):
                return 3
            for mine, cap in alternative:
                best = max(best, min(cap, covers(code, mine)))
        listed = any(not code.startswith("HS:") for code in row["item_code"].split(";"))
        return max(best, 2) if unknown and listed else best

    # -- one control, one flow --------------------------------------------------------------------------
    def applies(self, row: dict[str, str], flow: dict, when: date) -> tuple[int, int]:
        """How far the control applies (codes aside), and how far an exception lifts it."""
        start = day(row["from"])
        if start is None or not within(when, start, day(row["to"])):
            return 0, 0
        paused = day(row["suspended_from"])
        if paused is not None and within(when, paused, day(row["suspended_to"])):
            return 0, 0
        home = "EU" if row["imposing"] == "EUU" else row["imposing"]
        inside = self.in_name(flow["destination"], home, when)
        state = 0 if inside == 3 else 2 if inside == 2 else 3
        if flow["origin"] == "" or flow["destination"] == "":
            state = min(state, 2)
        state = min(state, self.in_scope(flow, row["destination_scope"], when))
        if row["end_party"]:
            state = min(
                state, self.in_places(flow["end_party_head_office"] or flow["destination"], row["end_party"], when)
            )
        made_there = self.in_name(flow["origin"], home, when)
        reached = made_there
        if state and made_there < 3:
            reached = max(reached, self.reach(row, flow, when))
        state = min(state, reached)
        lifted = 0
        if state:
            for exception in self.exceptions:
                lifted = max(lifted, self.lifts(exception, row, flow, when, made_there))
        return state, lifted

    def reach(self, row: dict[str, str], flow: dict, when: date) -> int:
        best = 0
        for term in row["reach"].split(";"):
            what, _, condition = term.partition(" if entity:")
            what, _, since = what.partition("@")
            if since and when < date.fromisoformat(since):
                continue
            if what in ("none", "reexport-origin"):
                continue
            state = self.product(row, flow) if what == "fdp" else self.share(what, row, flow, when)
            if condition:
                state = min(state, self.tag(flow, "entity", condition))
            best = max(best, state)
        return best

    def product(self, row: dict[str, str], flow: dict) -> int:
        made = flow["direct_product"] or self.guess(flow, "direct_product")
        return 2 if made == "" else 3 if row["imposing"] in made.split(";") else 0

    def guess(self, flow: dict, what: str) -> str:
        if self.content is None or not flow["item_category"]:
            return ""
        table = {**self.content["default"], **self.content.get("category", {}).get(flow["item_category"], {})}
        return str(table.get(what, ""))

    def share(self, what: str, row: dict[str, str], flow: dict, when: date) -> int:
        if flow["content"]:
            parts = [p.split("=") for p in flow["content"].split(";") if p != "none"]
            share = sum(float(value) for state, value in parts if state == row["imposing"])
        else:
            text = self.guess(flow, row["imposing"])
            if not text:
                return 2
            share = float(text)
        limit = float(what.rsplit("-", 1)[1]) / 100
        if what.startswith("content-floor"):
            return 3 if share >= limit else 0
        if share > limit:
            return 3
        if limit > 0.10 and share > 0.10:
            return self.in_places(flow["destination"], "E:1;E:2", when)
        return 0

    def lifts(self, exception: dict[str, str], row: dict[str, str], flow: dict, when: date, made_there: int) -> int:
        named = exception["control"].split(";") if exception["control"] else []
        if row["control"] not in named and (named or exception["regime"] != row["regime"]):
            return 0
        codes = row["item_code"].split(";")
        only = [c for c in exception["item_code"].split(";") if c]
        never = [c for c in exception["except_code"].split(";") if c]
        if only and not all(any(covers(o, c) == 3 for o in only) for c in codes):
            return 0
        if any(covers(n, c) == 3 for n in never for c in codes):
            return 0
        strength = {"text": 3, "published": 2, "inferred": 3 if self.inferred else 0}.get(exception["basis"], 0)
        if not strength or not within(when, day(exception["from"]), day(exception["to"])):
            return 0
        if exception["foreign_made"] == "true" and made_there == 3:
            return 0
        if exception["condition"]:
            kind, _, tag = exception["condition"].partition(":")
            if self.tag(flow, kind, tag) != 3:
                return 0
        states = [strength, self.in_places(flow["destination"], exception["destination"], when)]
        states.append(self.in_places(flow["origin"], exception["exporter"], when))
        states.append(self.in_places(flow["head_office"], exception["exporter_head_office"], when))
        if flow["parent"]:
            states.append(self.in_places(flow["parent"], exception["exporter_head_office"], when))
        return min(states)

    # -- law that the book does not hold ------------------------------------------------------------------
    def gaps(self, flow: dict, lists: list, when: date) -> list[tuple[int, str, int]]:
        """What rows of coverage that are not held may ask for, and what may where no row speaks at all."""
        found = []
        spoken: dict[str, bool] = {}
        codes = {row["class"]: row["item_code"] for row in self.coverage}
        meets = {
            kind: max(self.meets(variant, {"item_code": code}, False) for group in [[[]], *lists] for variant in group)
            for kind, code in codes.items()
        }
        for row in self.coverage:
            if not within(when, day(row["from"]), day(row["to"])):
                continue
            states = self.in_places(flow["origin"], row["states"], when)
            where = self.in_places(flow["destination"], row["destination_scope"], when)
            spoken[row["class"]] = spoken.get(row["class"], False) or bool(states and where)
            if row["extent"] != "held" and states and where and meets[row["class"]] >= 2:
                found.append((LEVELS.index(row["at_most"]), f"not-held:{row['coverage']}"))
        found += [
            (LEVELS.index("embargo"), f"not-held:{kind}-silent")
            for kind in codes
            if not spoken.get(kind) and meets[kind] >= 2
        ]
        return [
            (level, name, -(2 * 10**6) - place) for place, (level, name) in enumerate(sorted(found, key=lambda f: f[1]))
        ]

    # -- the flow -----------------------------------------------------------------------------------------
    def determine(self, flow: dict, when: date) -> dict[str, str]:
        if flow["origin"] and flow["origin"] == flow["destination"]:
            return self.told((0, 0, ""), (0, 0, ""), (0, 0, ""))
        lists, unknown, strange = self.variants(f"{flow['item_codes']}|{flow.get('hs6', '')}")
        found = []
        for row in self.controls:
            meets = [[self.meets(alternative, row, unknown) for alternative in group] for group in [[[]], *lists]]
            if any(any(group) for group in meets):
                state, lifted = self.applies(row, flow, when)
                if state:
                    level = LEVELS.index(row["licence_policy"])
                    rank = -self.order[row["control"]]
                    found.append((row["control"], meets, state, lifted, level, rank))
        low = floor = high = (0, 0, "")
        for position, group in enumerate([[[]], *lists]):
            lows, floors = [], []
            for column in range(len(group)):
                best_low = best_floor = (0, 0, "")
                for name, meets, state, lifted, level, rank in found:
                    met = min(state, meets[position][column])
                    strict = (1 if lifted == 3 else level, rank, name)
                    kind = (1 if lifted >= 2 else level, rank, name)
                    if met == 3:
                        best_low, best_floor = max(best_low, strict, key=key), max(best_floor, kind, key=key)
                    if met >= 2:
                        high = max(high, strict, key=key)
                lows.append(best_low)
                floors.append(best_floor)
            low = max(low, min(lows, key=key), key=key)
            floor = max(floor, min(floors, key=key), key=key)
        for level, name, rank in self.gaps(flow, lists, when):
            high = max(high, (level, rank, name), key=key)
        if unknown:
            high = max(high, (4, -(10**6), "not-classified"), key=key)
        for name in sorted(strange):
            if name not in self.lists:
                high = max(high, (4, -(10**6), "not-classified"), key=key)
            home = "EU" if self.lists.get(name) == "EUU" else self.lists.get(name, "")
            if home and self.in_name(flow["origin"], home, when) and self.in_name(flow["destination"], home, when) < 3:
                high = max(
                    high, (4, -(10**6) + 1 - sorted(self.lists).index(name), f"code-not-in-book:{name}"), key=key
                )
        return self.told(floor, low, high)

    def told(self, floor: tuple, low: tuple, high: tuple) -> dict[str, str]:
        settled = KIND[low[0]] == KIND[high[0]]
        decides = low if settled and NAMES[low[0]] == NAMES[high[0]] else high
        return {
            "status": NAMES[decides[0]] if settled else "indeterminate",
            "policy": (LEVELS[decides[0]] if decides[0] > 1 else "") if settled else "",
            "control": decides[2],
            "floor": NAMES[floor[0]],
            "floor_policy": LEVELS[floor[0]] if floor[0] > 1 else "",
            "ceiling": NAMES[high[0]],
            "ceiling_policy": LEVELS[high[0]] if high[0] > 1 else "",
        }


def key(outcome: tuple) -> tuple:
    """An outcome that is nothing has no rank; else the stricter, then the earlier control."""
    return (outcome[0], outcome[1] if outcome[0] else -(10**9))
