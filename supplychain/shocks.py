"""Shocks: what is lost of nodes' own output and what is withheld of flows, one column per shock; and their builders.

A removal (supply, organisation, site, item) takes output away everywhere. A refusal by a state withholds flows from
sites in that state to any other place; its domestic flows stay. Supplies whose place is unknown make every refusal a
range: the optimistic bound leaves their flows alone, the pessimistic bound takes them to be the refusing state's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from supplychain.errors import UsageError
from supplychain.network import PLANT, SUPPLY, Compiled, Flags, Floats

Bound = Literal["optimistic", "pessimistic"]


@dataclass(frozen=True, eq=False)
class Shocks:
    """B shocks on a network of S nodes and K offers; both tables are sparse, and what they do not name is untouched."""

    names: tuple[str, ...]
    own_lost: sparse.csc_array  # S x B in [0, 1]: part of the node's own output that is lost
    flow_lost: sparse.csc_array  # K x B in [0, 1]: part of the offer that is withheld

    @classmethod
    def none(cls, compiled: Compiled, names: Sequence[str]) -> Shocks:
        """Return shocks that touch nothing."""
        return cls(tuple(names), _empty(compiled.n_supplies, len(names)), _empty(compiled.n_offers, len(names)))

    @classmethod
    def from_multipliers(
        cls, compiled: Compiled, names: Sequence[str], own: Floats | None = None, tau: Floats | None = None
    ) -> Shocks:
        """Return shocks given as multipliers in [0, 1]: ``own`` S x B, ``tau`` K x B; None is all 1."""
        sizes = {"own": (own, compiled.n_supplies), "tau": (tau, compiled.n_offers)}
        lost = []
        for name, (values, rows) in sizes.items():
            if values is None:
                lost.append(_empty(rows, len(names)))
                continue
            values = np.asarray(values, float)
            if values.shape != (rows, len(names)):
                raise UsageError(f"{name} has shape {values.shape}, the network asks for {(rows, len(names))}")
            if not ((values >= 0) & (values <= 1)).all():
                raise UsageError(f"{name} must lie between 0 and 1")
            lost.append(sparse.csc_array(1.0 - values))
        return cls(tuple(names), lost[0], lost[1])

    def __len__(self) -> int:
        return len(self.names)

    @property
    def own(self) -> Floats:
        """Multipliers of nodes' own output, dense S x B."""
        return np.asarray(1.0 - self.own_lost.toarray())

    @property
    def tau(self) -> Floats:
        """Multipliers (transmission) of the offers, dense K x B."""
        return np.asarray(1.0 - self.flow_lost.toarray())

    def take(self, columns: Sequence[int] | npt.NDArray[np.intp]) -> Shocks:
        """Return some of the shocks, in the order given."""
        chosen = np.asarray(columns, dtype=np.intp)
        names = tuple(self.names[column] for column in chosen)
        return Shocks(names, self.own_lost[:, chosen], self.flow_lost[:, chosen])

    def beside(self, *others: Shocks) -> Shocks:
        """Return these shocks and the others as further columns."""
        every = (self, *others)
        return Shocks(
            tuple(name for shocks in every for name in shocks.names),
            sparse.csc_array(sparse.hstack([shocks.own_lost for shocks in every], format="csc")),
            sparse.csc_array(sparse.hstack([shocks.flow_lost for shocks in every], format="csc")),
        )

    def together(self, name: str) -> Shocks:
        """Return one shock in which all of these happen at once (the larger loss counts where they meet)."""
        return Shocks(
            (name,),
            _largest(self.own_lost),
            _largest(self.flow_lost),
        )


def flows_lost(compiled: Compiled, names: Sequence[str], lost: Sequence[Flags | Floats]) -> Shocks:
    """Return shocks that withhold flows: one vector of shape (K,) per shock, True or the part withheld."""
    vectors = [np.asarray(vector, float) for vector in lost]
    rows = [np.flatnonzero(vector) for vector in vectors]
    ends = np.concatenate([[0], np.cumsum([len(part) for part in rows])]).astype(np.int32)
    index = np.concatenate([np.zeros(0, np.int32), *rows]).astype(np.int32)
    values = np.concatenate([np.zeros(0), *(vector[part] for vector, part in zip(vectors, rows, strict=True))])
    joined = sparse.csc_array((values, index, ends), shape=(compiled.n_offers, len(vectors)))
    return Shocks(tuple(names), _empty(compiled.n_supplies, len(names)), joined)


def nodes_lost(compiled: Compiled, names: Sequence[str], column: npt.NDArray[np.integer], part: float = 1.0) -> Shocks:
    """Return shocks that take ``part`` of nodes' output: node s is hit in shock ``column[s]`` (-1: in none)."""
    rows = np.flatnonzero(column >= 0)
    shape = (compiled.n_supplies, len(names))
    own = sparse.csc_array((np.full(len(rows), part), (rows, column[rows])), shape=shape)
    return Shocks(tuple(names), own, _empty(compiled.n_offers, len(names)))


def remove_supplies(compiled: Compiled, supplies: Sequence[str] | None = None) -> Shocks:
    """Return the removal of each recorded supply in turn, named by its id."""
    positions = (
        np.flatnonzero(compiled.supply_kind == SUPPLY)
        if supplies is None
        else np.array([compiled.node(supply) for supply in supplies], dtype=np.intp)
    )
    names = [str(name) for name in compiled.supply_ids[positions]]
    column = np.full(compiled.n_supplies, -1)
    column[positions] = np.arange(len(positions))
    return nodes_lost(compiled, names, column)


def remove_organisations(compiled: Compiled, organisations: Sequence[str] | None = None) -> Shocks:
    """Return the removal of all supplies of each organisation in turn, named by its id."""
    present = {compiled.organisations[o] for o in np.unique(compiled.supply_org[compiled.supply_org >= 0])}
    return _by_label(
        compiled,
        compiled.supply_org,
        compiled.organisations,
        sorted(present) if organisations is None else organisations,
    )


def remove_items(compiled: Compiled, items: Sequence[str] | None = None) -> Shocks:
    """Return the removal of all supply of each item in turn, its unattributed remainder included."""
    present = {compiled.items[i] for i in np.unique(compiled.supply_item[compiled.supply_item >= 0])}
    wanted = sorted(present) if items is None else items
    return _by_label(compiled, compiled.supply_item, compiled.items, wanted)


def remove_sites(compiled: Compiled, places: Sequence[str] | None = None) -> Shocks:
    """Return the loss of all production at sites in each country in turn (a disaster: domestic use is lost as well)."""
    place = np.where(compiled.supply_kind == PLANT, -1, compiled.supply_place)
    return _by_label(compiled, place, compiled.places, states(compiled) if places is None else places)


def outage(compiled: Compiled, lost: Mapping[str, float], name: str = "outage") -> Shocks:
    """Return one shock in which each named supply loses the part of its output that is given."""
    own = np.zeros((compiled.n_supplies, 1))
    for supply, part in sorted(lost.items()):
        if not 0 <= part <= 1:
            raise UsageError(f"the part of {supply!r} that is lost must lie between 0 and 1, not {part}")
        own[compiled.node(supply), 0] = part
    return Shocks((name,), sparse.csc_array(own), _empty(compiled.n_offers, 1))


def refuse_all(compiled: Compiled, refusing: Sequence[str] | None = None, bound: Bound = "optimistic") -> Shocks:
    """Return the refusal of all its supply by each state in turn."""
    refusing = states(compiled) if refusing is None else refusing
    return flows_lost(compiled, refusing, [refused_by(compiled, state, bound) for state in refusing])


def refused_by(compiled: Compiled, state: str, bound: Bound) -> Flags:
    """Return which offers (K,) a state withholds: from sites in it to any other place.

    Optimistic, only between known places; pessimistic, also from it to unknown places and from unknown places (which
    may lie in it) to wherever it is not.
    """
    origin = compiled.supply_place[compiled.offer_supply]
    target = compiled.market_place[compiled.offer_market]
    place = compiled.places.index(state) if state in compiled.places else -1
    unknown = len(compiled.places) - 1
    if bound == "optimistic":
        return np.asarray((origin == place) & (target != place) & (target != unknown))
    return np.asarray(((origin == place) | (origin == unknown)) & (target != place))


def states(compiled: Compiled) -> tuple[str, ...]:
    """Return the known places in which some node stands that offers something."""
    used = np.unique(compiled.supply_place[compiled.supply_kind == SUPPLY])
    return tuple(compiled.places[place] for place in used if place < len(compiled.places) - 1)


def _by_label(
    compiled: Compiled, label: npt.NDArray[np.integer], known: Sequence[str], wanted: Sequence[str]
) -> Shocks:
    position = {name: code for code, name in enumerate(known)}
    codes = np.full(len(known) + 1, -1)  # the last entry answers the label -1
    for column, name in enumerate(wanted):
        if name not in position:
            raise UsageError(f"{name!r} is not part of this network")
        codes[position[name]] = column
    return nodes_lost(compiled, list(wanted), codes[label])


def _empty(rows: int, columns: int) -> sparse.csc_array:
    return sparse.csc_array((rows, columns), dtype=np.float64)


def _largest(lost: sparse.csc_array) -> sparse.csc_array:
    return sparse.csc_array(np.asarray(lost.max(axis=1).toarray()).reshape(-1, 1))
