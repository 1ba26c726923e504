"""Item codes: how a flow's classification meets the codes of a control, list by list.

A code is ``LIST:CODE``. Within a list codes form a hierarchy of paragraphs joined by dots: a control on
``US:3B001.f`` covers ``US:3B001.f.1.b``; a flow that says only ``US:3B001`` *may* fall under a control on
``US:3B001.f.1``. Lists never match across, except through the book's correspondences. Codes of one list on one flow
are alternatives (variants of the item); codes of different lists hold together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

# How far a clause of a control is met; the weakest clause speaks for the control.
NO, CONDITIONAL, MAYBE, YES = range(4)

EVERYTHING = "any"  # LIST:any in a control: every item, whatever its classification
WHOLE_LIST = "*"  # LIST:* : every entry of the list; LIST:3* : every entry whose code starts so
FREE_ENTRY = "US:EAR99"  # subject to the EAR, yet on no entry of the list
HEADINGS = "HS"  # customs headings classify trade, not controls; some sanctions are written in them all the same
NOT_LISTS = frozenset({HEADINGS})
NO_HEADING = f"{HEADINGS}:"  # an item whose customs heading nobody has stated: it may stand in any
# Lists of arrangements: no state's own law, but what their participants undertake to put into theirs.
SHARED_LISTS = frozenset({"WA", "AG", "NSG", "MTCR"})


def normal(code: str) -> str:
    """Return ``code`` with the list in upper case and no blanks; a bare ECCN (``3B903``) is read as a US entry.

    >>> normal("us:3B001.f.1"), normal("3b903")
    ('US:3B001.f.1', 'US:3B903')
    """
    text = code.strip()
    if ":" in text:
        head, tail = text.split(":", 1)
        return f"{head.strip().upper()}:{tail.strip()}"
    head, dot, tail = text.partition(".")
    if len(head) == 5 and head[0].isdigit() and head[1].upper() in "ABCDE" and head[2:].isdigit():
        return f"US:{head.upper()}{dot}{tail}"
    return f"US:{text.upper()}" if text.upper() == "EAR99" else text


def list_of(code: str) -> str:
    """Return the list that a code stands on."""
    return code.partition(":")[0]


@lru_cache(maxsize=1 << 18)
def relation(flow: str, control: str) -> int:
    """Return YES if the control's code covers the flow's, MAYBE if the flow's code is the broader one, else NO.

    >>> relation("US:3B001.f.1.b", "US:3B001.f"), relation("US:3B001", "US:3B001.f.1"), relation("CN:3C001", "US:3C001")
    (3, 2, 0)
    >>> relation("US:3A991", "US:3*"), relation("HS:848620", "HS:84"), relation("HS:", "HS:84")
    (3, 3, 2)
    """
    flow_list, _, flow_code = flow.partition(":")
    control_list, _, control_code = control.partition(":")
    if flow_list != control_list:
        return NO
    if control_code.endswith(WHOLE_LIST):
        inside = flow_code.casefold().startswith(control_code[:-1].casefold())
        return YES if inside and flow != FREE_ENTRY else NO
    if flow_list == HEADINGS:
        return YES if flow_code.startswith(control_code) else MAYBE if control_code.startswith(flow_code) else NO
    ours, theirs = flow_code.casefold().split("."), control_code.casefold().split(".")
    shared = min(len(ours), len(theirs))
    if ours[:shared] != theirs[:shared]:
        return NO
    return YES if len(theirs) <= len(ours) else MAYBE


Variant = tuple[
    tuple[str, int], ...
]  # codes that one variant of the item carries on one list, each with its cap (YES or MAYBE)


@dataclass(frozen=True)
class Classification:
    """What the codes of an item say.

    groups: for each list, the variants of the item (exactly one holds). unknown: the item was never classified.
    unlisted: codes that the book does not know at all. stated: the codes as given, without what they correspond to.
    """

    groups: tuple[tuple[Variant, ...], ...]
    unknown: bool
    unlisted: tuple[str, ...]
    stated: tuple[str, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        every = {code for group in self.groups for variant in group for code, _ in variant}
        return tuple(sorted(every - {NO_HEADING}))


@dataclass(frozen=True, eq=False)
class Codes:
    """What the book knows of codes, remembered code by code.

    rules: the codes of each rule, in order. correspondences: code -> (code of another list, YES for "same" | MAYBE for
    "may"). known: every code of the book.
    """

    rules: tuple[tuple[str, ...], ...]
    correspondences: Mapping[str, tuple[tuple[str, int], ...]]
    known: tuple[str, ...]
    _meets: dict[str, npt.NDArray[np.int8]] = field(default_factory=dict)
    _implied: dict[str, dict[str, int]] = field(default_factory=dict)

    @cached_property
    def headed(self) -> bool:
        """Is any rule written in customs headings?"""
        return any(list_of(code) == HEADINGS for rule in self.rules for code in rule)

    def classify(self, text: str, hs6: str = "") -> Classification:
        """Read the ``;`` list of codes of an item, and its possible customs headings.

        ``none`` says that the item was classified and stands on no list; a blank says that nobody looked. Headings
        say nothing of that: they are alternatives of their own, and where none is stated the item may stand in any.
        """
        codes = sorted({normal(part) for part in text.split(";") if part.strip()})
        stated = [code for code in codes if code.lower() != "none" and list_of(code) not in NOT_LISTS]
        groups: list[tuple[Variant, ...]] = []
        if self.headed:
            headings = {code.replace(".", "") for code in codes if list_of(code) == HEADINGS}
            headings |= {f"{HEADINGS}:{part.strip().replace('.', '')}" for part in hs6.split(";") if part.strip()}
            groups.append(tuple(((code, YES),) for code in sorted(headings or {NO_HEADING})))
        if not stated:
            return Classification(tuple(groups), "none" not in {code.lower() for code in codes}, ())
        own = sorted({list_of(code) for code in stated})
        for source in own:
            variants = [code for code in stated if list_of(code) == source]
            groups.append(tuple(((code, YES),) for code in variants))
            implied = [self.implied(code) for code in variants]
            for target in sorted({list_of(code) for row in implied for code in row}):
                if target != source and target in own:
                    continue  # the item's own classification on that list prevails
                groups.append(
                    tuple(tuple((c, cap) for c, cap in sorted(row.items()) if list_of(c) == target) for row in implied)
                )
        unlisted = tuple(code for code in stated if not self.is_known(code))
        return Classification(tuple(groups), False, unlisted, tuple(stated))

    def implied(self, code: str) -> dict[str, int]:
        """Return the codes of other lists (or other codes of its own) that ``code`` stands for, each with its cap."""
        if code not in self._implied:
            found: dict[str, int] = {}
            for left, rights in self.correspondences.items():
                met = relation(code, left)
                if met:
                    for right, cap in rights:
                        found[right] = max(found.get(right, NO), min(met, cap))
            self._implied[code] = found
        return self._implied[code]

    def is_known(self, code: str) -> bool:
        """Does the book hold the code, one that covers it, or one below it?"""
        return any(relation(code, other) for other in self.known)

    def meets(self, code: str) -> npt.NDArray[np.int8]:
        """Return for each rule how far its codes cover ``code``; a blank code meets only what concerns every item."""
        if code not in self._meets:
            self._meets[code] = np.array([_best(code, rule) for rule in self.rules], np.int8)
        return self._meets[code]

    def match(self, variant: Variant) -> npt.NDArray[np.int8]:
        """Return how far one variant of an item falls under each rule's codes."""
        found = self.meets("").copy()
        for code, cap in variant:
            np.maximum(found, np.minimum(self.meets(code), cap), out=found)
        return found


@lru_cache(maxsize=1 << 18)
def _best(code: str, rule: tuple[str, ...]) -> int:
    best = NO
    for other in rule:
        if other.partition(":")[2] == EVERYTHING:
            return YES
        if code:
            best = max(best, relation(code, other))
    return best
