"""The grammar of reach: how far a control follows goods that are made outside the state that imposes it.

    reach := term [";" term]...            term := what ["@" DATE] [" if entity:" TAG]
    what  := none | reexport-origin | fdp | de-minimis-NUMBER | content-floor-NUMBER

`none`: only goods made there. `reexport-origin`: those, wherever they go on from. `fdp`: goods made abroad with its
technology or tools (foreign direct product). `de-minimis-25`: goods with more than 25 percent of its controlled
content (10 percent where the destination is in E:1 or E:2; 15 CFR 734.4). `content-floor-0.1`: goods with 0.1 percent
or more. Head office gives no reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

BARE = frozenset({"none", "reexport-origin", "fdp"})
SHARES = ("de-minimis-", "content-floor-")
ALWAYS = np.datetime64("0001-01-01", "D")


@dataclass(frozen=True)
class Term:
    """One way of reaching goods abroad; `threshold` is a fraction; `since` the first day it works."""

    kind: str  # fdp | de-minimis | content-floor
    threshold: float
    since: np.datetime64
    entity: str


def parse(text: str) -> tuple[Term, ...]:
    """Return the terms that reach abroad (`none` and `reexport-origin` add none); a ValueError says what is wrong."""
    terms = []
    parts = text.split(";")
    if len(parts) > 1 and "none" in parts:
        raise ValueError("'none' stands alone: it says that nothing made abroad is reached")
    for part in parts:
        head, _, condition = part.strip().partition(" if ")
        what, _, day = head.partition("@")
        entity = condition.removeprefix("entity:")
        if condition and (entity in ("", condition) or " " in entity):
            raise ValueError(f"a condition on reach is 'if entity:TAG', not 'if {condition}'")
        try:
            since = np.datetime64(date.fromisoformat(day), "D") if "@" in head else ALWAYS
        except ValueError:
            raise ValueError(f"{day!r} is not a day YYYY-MM-DD") from None
        if what in BARE:
            if what == "fdp":
                terms.append(Term("fdp", 0.0, since, entity))
            continue
        for start in SHARES:
            if what.startswith(start):
                terms.append(Term(start[:-1], _percent(what[len(start) :]), since, entity))
                break
        else:
            raise ValueError(
                f"{what!r} is not a reach; write none, reexport-origin, fdp, de-minimis-25 or content-floor-0.1"
            )
    return tuple(terms)


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise ValueError(f"{text!r} is not a percentage from 0 to 100")
    return value / 100


def told(terms: tuple[Term, ...], imposing: str) -> str:
    """Return in words how a control follows goods made abroad; "" when it does not."""
    said = []
    for term in terms:
        if term.kind == "fdp":
            what = f"direct products of technology, software or tools of {imposing}"
        elif term.kind == "content-floor":
            what = f"goods with {term.threshold:.1%} or more of content from {imposing}"
        elif term.threshold == 0:
            what = f"goods with any controlled content from {imposing}"
        else:
            what = f"goods with more than {term.threshold:.0%} of controlled content from {imposing}"
        start = "" if term.since == ALWAYS else f" (from {term.since})"
        said.append(what + start + (f" for parties of {term.entity}" if term.entity else ""))
    return "; ".join(said)
