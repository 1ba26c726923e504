"""What the law says of many flows: each distinct combination is judged once and every flow gets its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.regimes.classes import Likeness
from supplychain.regimes.codes import MAYBE
from supplychain.regimes.evaluate import (
    TOLD,
    Buyers,
    Content,
    Earlier,
    Frame,
    Item,
    Outcome,
    Sellers,
    evaluate,
    read_item,
)
from supplychain.regimes.flows import Flows, compress
from supplychain.regimes.law import CLASSES, DESTINATION, ORIGIN, POLICIES, STATUSES, Law
from supplychain.regimes.renew import Basis, Kept, kept
from supplychain.regimes.words import Wording, placed

Longs = npt.NDArray[np.int64]
COLUMNS = (
    *("status", "policy", "control", "regime", "imposing", "citation", "delay_days", "probability"),
    *("floor", "floor_policy", "ceiling", "ceiling_policy", "questions", "conditions", "warnings"),
)
INDETERMINATE = "indeterminate"


@dataclass(frozen=True, eq=False)
class Determinations:
    """The determinations of a table of flows, in its order.

    `table` has one row for each flow. status: free, excepted, notification, licence, prohibited or indeterminate.
    policy: how the deciding control is licensed. control, regime, imposing, citation: the deciding control. floor and
    ceiling (with their policies): the lowest and highest status that the facts not known allow. delay_days,
    probability: from the assumptions, NaN without them or when indeterminate. questions: what would settle the
    answer. conditions: controls that turn on an end user or end use that the flow does not state. warnings: what the
    answer rests on beside the law.

    `distinct` holds each different determination once, `index` says which one each flow has. `warnings` concern all
    of them.
    """

    count: int
    index: npt.NDArray[np.int32]
    outcomes: tuple[Outcome, ...]
    starts: tuple[int, ...]
    wording: Wording
    licence: Mapping[str, Any]
    warnings: tuple[str, ...]
    places: tuple[str, ...]  # of the law, "" first
    origin: npt.NDArray[np.int16]  # place of each flow, in `places`
    destination: npt.NDArray[np.int16]
    basis: Basis

    def holds(
        self, law: Law, span: int, flows: Flows, inferred: bool, assumptions: Mapping[str, Any] | None
    ) -> Kept | None:
        """Return what still holds under another law; see `regimes.renew`."""
        return kept(
            self.index, self.starts, self.outcomes, self.basis, self.wording.span, law, span, flows, inferred,
            (assumptions or {}).get("content"),
        )  # fmt: skip

    @cached_property
    def _scores(self) -> tuple[Longs, Longs, Longs]:
        zero = np.zeros(1, np.int64)
        return tuple(
            np.concatenate([zero, *(getattr(o, part) for o in self.outcomes)]) for part in ("floor", "low", "high")
        )  # type: ignore[return-value]

    @cached_property
    def _decided(self) -> dict[str, npt.NDArray[Any]]:
        """Levels and deciding rule of each distinct determination."""
        floor, low, high = self._scores
        span = self.wording.span
        classes = np.array(CLASSES)
        status = np.array([STATUSES.index(s) for s in STATUSES])
        settled = classes[low // span] == classes[high // span]
        same = status[low // span] == status[high // span]
        decisive = np.where(settled & same, low, high)
        return {
            "floor": floor // span,
            "ceiling": high // span,
            "level": decisive // span,
            "rank": decisive % span,
            "open": ~settled,
        }

    @cached_property
    def distinct(self) -> pd.DataFrame:
        """Each different determination once: the columns of `table`, with `@origin` and `@destination` where the law
        of a place is not held: one such determination stands for many places.
        """
        return pd.DataFrame({name: self._distinct(name) for name in COLUMNS})

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each flow, in the order of the flows."""
        table = self.distinct.take(self.index).reset_index(drop=True)
        for name in ("imposing", "citation", "questions"):
            table[name] = np.asarray(self.column(name), object)
        return table

    def column(self, name: str) -> pd.Categorical:
        """One text column of `table` in its smallest form, for very many flows."""
        words, codes = np.unique(self._distinct(name), return_inverse=True)
        small = codes.astype(np.min_scalar_type(max(len(words), 1)))
        found = pd.Categorical.from_codes(small[self.index], categories=pd.Index(words, dtype=object))
        open_words = np.array([ORIGIN in word or DESTINATION in word for word in words], bool)
        if not open_words.any():
            return found
        rows = np.flatnonzero(open_words[codes][self.index])
        return self._named(found, rows, bool(np.char.find(words.astype(str), DESTINATION).max() >= 0))

    def _named(self, found: pd.Categorical, rows: npt.NDArray[np.int64], both: bool) -> pd.Categorical:
        """Return a column with the places of the flows `rows` in what it says of them."""
        size = len(self.places)
        code = found.codes[rows].astype(np.int64) * size + self.origin[rows]
        code = code * size + (self.destination[rows] if both else 0)
        used, back = np.unique(code, return_inverse=True)
        said = [
            placed(str(found.categories[c // size**2]), self.places[c // size % size], self.places[c % size])
            for c in used
        ]
        words = pd.Index(sorted({*found.categories, *said}), dtype=object)
        own = words.get_indexer(found.categories).astype(np.min_scalar_type(-len(words)))
        codes = own[found.codes]
        codes[rows] = words.get_indexer(pd.Index(said, dtype=object)).astype(codes.dtype)[back]
        return pd.Categorical.from_codes(codes, categories=words).remove_unused_categories()

    def number(self, name: str) -> npt.NDArray[np.float64]:
        """One number column of `table` (delay_days, probability), without the cost of its texts."""
        return np.asarray(self._distinct(name)[self.index], dtype=np.float64)

    def concerned(self, flows: npt.NDArray[np.bool_]) -> frozenset[str]:
        """Return the controls that apply or may apply to any of the flows marked, whatever end user or use they state
        or not.
        """
        kinds = np.unique(self.index[flows])
        found: set[str] = set()
        for outcome, start in zip(self.outcomes, self.starts, strict=True):
            own = kinds[(kinds >= start) & (kinds < start + len(outcome.low))] - start
            hit: npt.NDArray[np.bool_] = np.asarray((outcome.possible[own] >= MAYBE).any(axis=0))
            found |= {rule.control for rule, touched in zip(outcome.item.rules, hit, strict=True) if touched}
        return frozenset(found)

    @cached_property
    def applied(self) -> pd.DataFrame:
        """Every control that applies or may apply to each flow.

        flow: row position. status, policy: what the control asks for. certain: it applies whatever the unknown facts
        are. conditional: only for an end user or end use that the flow does not state. exception: what lifts it or
        may; status is "excepted" only when it does. foreign: it reaches the flow from abroad.
        """
        parts = [outcome.told for outcome in self.outcomes]
        by = np.concatenate(
            [np.zeros(0, np.int64), *(p["row"] + start for p, start in zip(parts, self.starts, strict=True))]
        )
        columns = {name: np.concatenate([np.zeros(0, kind), *(p[name] for p in parts)]) for name, kind in TOLD.items()}
        every = pd.DataFrame(columns).astype({name: "str" for name, kind in TOLD.items() if kind is object})
        order = np.argsort(by, kind="stable")
        first = np.searchsorted(by[order], np.arange(len(self._scores[0]) + 1))
        length = np.diff(first)[self.index]
        flow = np.repeat(np.arange(self.count), length)
        within = np.arange(len(flow)) - np.repeat(np.cumsum(length) - length, length)
        picked = order[np.repeat(first[self.index], length) + within]
        found = every.take(picked).reset_index(drop=True)
        found.insert(0, "flow", flow)
        unheld = np.flatnonzero((found["imposing"] == ORIGIN).to_numpy(bool))
        if len(unheld):
            imposing = found["imposing"].to_numpy(object).copy()
            imposing[unheld] = np.array(self.places, object)[self.origin[flow[unheld]]]
            found["imposing"] = pd.Series(imposing, dtype="str")
        return found

    def _distinct(self, name: str) -> Any:
        decided, words = self._decided, self.wording
        level, rank, unsettled = decided["level"], decided["rank"], decided["open"]
        if name == "status":
            return np.where(unsettled, INDETERMINATE, np.array(STATUSES, object)[level])
        if name in ("floor", "ceiling"):
            return np.array(STATUSES, object)[decided[name]]
        if name in ("floor_policy", "ceiling_policy"):
            return np.array(POLICIES, object)[decided[name.removesuffix("_policy")]]
        if name == "policy":
            return np.where(unsettled, "", np.array(POLICIES, object)[level])
        if name in ("control", "regime", "imposing", "citation"):
            return np.where(level > 0, words.of_rule(name)[rank], "")
        if name in ("delay_days", "probability"):
            key = [("excepted", "free")[x == 0] if x < 2 else POLICIES[x] for x in range(len(POLICIES))]
            values = np.array([float(self.licence.get(k, {}).get(name, np.nan)) for k in key])
            if self.licence:
                values[0] = 0.0 if name == "delay_days" else 1.0
            return np.where(unsettled, np.nan, values[level])
        texts = [""]  # of a flow that meets no control at all nothing is said
        for outcome in self.outcomes:
            texts += words.texts(name, outcome)
        return np.array(texts, object)


@dataclass(frozen=True, eq=False)
class _Asked:
    """Combinations of one item that are still to be judged."""

    item: Item
    seller: Longs
    buyer: Longs
    epoch: Longs
    earlier: Earlier | None


def _judged(
    parts: Sequence[Outcome | _Asked], span: int, law: Law, sellers: Sellers, buyers: Buyers, content: Content | None,
    inferred: bool,
) -> tuple[Outcome, ...]:  # fmt: skip
    """Return the outcomes, with those that were asked for judged. Items that were never classified meet the same rules,
    hundreds of them: they are judged together."""
    found = list(parts)
    asked = [(place, part) for place, part in enumerate(parts) if isinstance(part, _Asked)]
    together = [one for one in asked if one[1].item.classification.unknown]
    groups = [together] if together else []
    groups += [[one] for one in asked if not one[1].item.classification.unknown]
    for group in groups:
        sizes = [len(part.seller) for _, part in group]
        frame = Frame(
            law, [part.item.category for _, part in group], sellers, buyers, content, inferred,
            np.repeat(np.arange(len(group)), sizes),
            *(np.concatenate([getattr(part, name) for _, part in group]) for name in ("seller", "buyer", "epoch")),
        )  # fmt: skip
        start = 0
        for (place, part), size in zip(group, sizes, strict=True):
            found[place] = evaluate(frame, part.item, slice(start, start + size), span, part.earlier)
            start += size
    return tuple(one for one in found if isinstance(one, Outcome))


def determine(
    law: Law,
    flows: Flows,
    wording: Wording,
    *,
    inferred: bool,
    assumptions: Mapping[str, Any] | None,
    warnings: tuple[str, ...],
    like: Determinations | None = None,
) -> Determinations:
    """Judge every flow: each distinct combination of item, kind of seller, kind of buyer and epoch once.

    ``like`` are determinations of the same flows under another law: what the change cannot concern is taken from them.
    """
    sellers, buyers = Sellers.of(flows.sellers, law.places), Buyers.of(flows.buyers, law.places)
    content = Content.of(assumptions)
    all_epochs = law.epochs(flows.days)
    used, epoch = compress(all_epochs, len(law.breaks) + 1)
    likeness = Likeness(law, sellers, buyers, used)
    index = np.zeros(flows.count, np.int32)
    outcomes: list[Outcome | _Asked] = []
    starts: list[int] = []
    total = 1
    taken = like.holds(law, wording.span, flows, inferred, assumptions) if like is not None else None
    of_item: dict[tuple[str, ...], npt.NDArray[np.intp]] = {}
    at: dict[tuple[str, ...], int] = {}
    small = flows.items.of.astype(np.min_scalar_type(max(len(flows.items.rows), 1)))
    order = np.argsort(small, kind="stable")
    ends = np.searchsorted(small[order], np.arange(len(flows.items.rows)), side="right")
    begin = 0
    for key, end in zip(flows.items.rows, ends, strict=True):
        (text, category, hs6), rows, begin = key, order[begin:end], int(end)
        of_item[key] = rows
        same_as = taken.find(key, rows) if taken is not None else None
        if same_as is not None:
            outcome, taken_as = same_as
            if outcome is not None:
                index[rows] = np.where(taken_as >= 0, taken_as + total, 0)
                at[key] = len(outcomes)
                outcomes.append(outcome)
                starts.append(total)
                total += len(outcome.floor)
            continue
        item = read_item(text, category, law, hs6)
        if not item.rules or not len(rows):
            continue
        seller, buyer = flows.sellers.of[rows], flows.buyers.of[rows]
        day = epoch[rows] if len(epoch) > 1 else np.zeros(len(rows), np.int64)
        same = (sellers.origin[seller] == buyers.destination[buyer]) & (sellers.origin[seller] > 0)
        s, b, e = likeness.seller_classes(item), likeness.buyer_classes(item), likeness.epoch_classes(item)
        combined = (s.of[seller] * b.count + b.of[buyer]) * e.count + e.of[day]
        kinds, position = compress(combined[~same], s.count * b.count * e.count)
        if not len(kinds):
            continue
        index[rows[~same]] = position + total
        at[key] = len(outcomes)
        asked = _Asked(
            item, s.first[kinds // (b.count * e.count)], b.first[kinds // e.count % b.count],
            used[e.first[kinds % e.count]],
            None if taken is None else taken.earlier(key, rows[~same], position, len(kinds)),
        )  # fmt: skip
        outcomes.append(asked)
        starts.append(total)
        total += len(kinds)
    judged = _judged(outcomes, wording.span, law, sellers, buyers, content, inferred)
    return Determinations(
        flows.count, index, judged, tuple(starts), wording, (assumptions or {}).get("licence", {}), warnings,
        tuple(law.places), sellers.origin.astype(np.int16)[flows.sellers.of],
        buyers.destination.astype(np.int16)[flows.buyers.of],
        Basis(law, flows, inferred, (assumptions or {}).get("content"), of_item, at),
    )  # fmt: skip
