"""Economic Systemic Risk Index: the share of all sales that fails when a firm (or a group) fails, down- and upstream.

Diem, Borsos, Reisch, Kertesz, Thurner, "Quantifying firm-level economic systemic risk from nation-wide supply
networks", Scientific Reports 12:7719 (2022), as computed by the authors' GLcascade: synchronous updates from h = psi
until no level moves by more than the threshold. The threshold is part of the index's definition, not a tolerance: it
stands in every row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from supplychain.analysis.moneyflow import ESSENTIAL, Essentiality, Floats, Longs, MoneyFlows, money_flows
from supplychain.errors import UsageError, shown

AS_PUBLISHED = 1e-2
BATCH_BYTES = 256_000_000  # working memory of one batch of shocks
Engine = Literal["auto", "scipy", "numba"]


@dataclass(frozen=True, eq=False)
class Operator:
    """One direction of the cascade: losses of firms become losses of others.

    Firm j's loss is the largest over its slots s of sum(weight[e] * loss[source[e]]) over the entries e of the slot;
    slots are sorted by firm, entries by slot. `slot_firm[s]` owns slot s; `leak` is the largest sum of weights in a
    slot.
    """

    source: Longs
    slot_start: Longs
    weight: Floats
    slot_firm: Longs
    firm_start: Longs

    @property
    def leak(self) -> float:
        if not len(self.weight):
            return 0.0
        return float(np.add.reduceat(self.weight, self.slot_start[:-1]).max())


@dataclass(frozen=True, eq=False)
class EsriResult:
    """`table`: one row a firm or group: firm, esri, down, up, iterations, own_share, threshold, bound.

    esri in [0, 1]: share of all sales lost; down and up: each direction alone; own_share: the firms' own sales;
    iterations: updates until no level moved by more than threshold; bound: how far esri may be off because small
    changes were dropped.
    """

    table: pd.DataFrame
    threshold: float
    engine: str
    warnings: tuple[str, ...]


def esri(
    links: pd.DataFrame,
    sectors: pd.DataFrame,
    *,
    essentiality: Essentiality = "linear",
    replaceability: Literal["none", "sector"] = "none",
    threshold: float | Literal["published"] = "published",
    revenue_sink: float = 1.0,
    cost_sink: float = 1.0,
    firms: Sequence[str] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    drop: float = 0.0,
    engine: Engine = "auto",
) -> EsriResult:
    """Return the Economic Systemic Risk Index of every firm, of the named `firms`, or of `groups` of firms failing
    together.

    `links`: supplier, buyer, flow; `sectors`: firm, sector (optional revenue, cost). `replaceability`: "sector"
    divides a loss by what its sector still makes (sigma = market share). `revenue_sink` 1.3 says that revenues are 1.3
    times the sales in the links, the rest being final demand that feels no upstream loss; `cost_sink` likewise for
    purchases. `drop` leaves changes below it unpropagated and states the error bound. `engine` "numba" needs the extra
    `fast`. Raises InputError for faulty lists, UsageError for options that contradict one another.
    """
    limit = AS_PUBLISHED if threshold == "published" else float(threshold)
    if not (limit > 0 and math.isfinite(limit)):
        raise UsageError("the threshold must be a positive number or 'published' (0.01)")
    if replaceability not in ("none", "sector"):
        raise UsageError("replaceability must be none or sector")
    if min(revenue_sink, cost_sink) < 1:
        raise UsageError("a sink must be at least 1: revenues are no less than the sales in the links")
    if drop < 0 or (drop > 0 and replaceability == "sector"):
        raise UsageError("drop must not be negative, and has no bound under replaceability sector")
    network = money_flows(links, sectors, essentiality)
    down, up = downstream(network, cost_sink), upstream(network, revenue_sink)
    names, members = _shocked(network, firms, groups)
    chosen = _engine(engine, network, len(names), drop)
    mass = network.out if replaceability == "sector" else None
    if chosen == "numba":
        from supplychain.analysis.frontier import run

        found = run(down, up, network.out, network.sector if mass is not None else None, members, limit, drop)
    else:
        found = _batched(down, up, network, members, limit, replaceability == "sector")
    total = network.out.sum()
    own = np.array([network.out[list(m)].sum() for m in members]) / total if total else np.zeros(len(members))
    table = pd.DataFrame(
        {
            "firm" if groups is None else "group": names,
            "esri": found[0],
            "down": found[1],
            "up": found[2],
            "iterations": found[3].astype(np.int64),
            "own_share": own,
            "threshold": limit,
            "bound": found[4],
        }
    )
    warnings = (*network.warnings, *_closed(network, revenue_sink, cost_sink, limit))
    return EsriResult(table, limit, chosen, warnings)


def downstream(network: MoneyFlows, sink: float) -> Operator:
    """Return how buyers lose when suppliers do: one slot for all linear inputs, one per essential supplying sector."""
    kept = np.flatnonzero(network.kind > 0)
    essential = network.kind[kept] == ESSENTIAL
    supplier, buyer, flow = network.supplier[kept], network.buyer[kept], network.flow[kept]
    slot = np.where(essential, network.sector[supplier] + 1, 0)
    key = buyer * (len(network.sectors) + 1) + slot
    order = np.lexsort((supplier, key))
    supplier, buyer, flow, key = supplier[order], buyer[order], flow[order], key[order]
    into = network.into
    slots, entry_slot = np.unique(key, return_inverse=True)
    of_sector = _sector_purchases(network)
    linear = slots % (len(network.sectors) + 1) == 0
    owner = slots // (len(network.sectors) + 1)
    cost = np.where(np.isnan(network.cost), sink * into, network.cost)
    base = np.where(linear, into[owner], of_sector.reindex(slots).to_numpy())
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(cost > 0, into / cost, 0.0)
    weight = flow / base[entry_slot] * scale[buyer]
    return _operator(supplier, entry_slot, weight, owner, len(network.firms))


def _sector_purchases(network: MoneyFlows) -> pd.Series[float]:
    """Return what each buyer pays each sector, by the key buyer * (sectors + 1) + sector + 1 (all links, any class)."""
    key = network.buyer * (len(network.sectors) + 1) + network.sector[network.supplier] + 1
    return pd.Series(network.flow).groupby(key).sum()


def upstream(network: MoneyFlows, sink: float) -> Operator:
    """Return how suppliers lose when buyers do: each in proportion to the share of its revenue."""
    revenue = np.where(np.isnan(network.revenue), sink * network.out, network.revenue)
    order = np.lexsort((network.buyer, network.supplier))
    supplier, buyer, flow = network.supplier[order], network.buyer[order], network.flow[order]
    owner, entry_slot = np.unique(supplier, return_inverse=True)
    return _operator(buyer, entry_slot, flow / revenue[supplier], owner, len(network.firms))


def _operator(source: Longs, entry_slot: Longs, weight: Floats, owner: Longs, firms: int) -> Operator:
    start = np.searchsorted(entry_slot, np.arange(len(owner) + 1))
    return Operator(source, start, weight, owner, np.searchsorted(owner, np.arange(firms + 1)))


def _shocked(
    network: MoneyFlows, firms: Sequence[str] | None, groups: Mapping[str, Sequence[str]] | None
) -> tuple[list[str], list[Longs]]:
    index = {name: i for i, name in enumerate(network.firms)}
    if groups is not None:
        wanted = {str(name): [str(firm) for firm in members] for name, members in sorted(groups.items())}
    else:
        wanted = {str(name): [str(name)] for name in (network.firms if firms is None else firms)}
    for name, members in wanted.items():
        unknown = [firm for firm in members if firm not in index]
        if unknown or not members:
            raise UsageError(
                f"{shown(name)}: unknown firms {', '.join(shown(f) for f in unknown[:5]) or '(none named)'}"
            )
    return list(wanted), [np.array(sorted({index[firm] for firm in members})) for members in wanted.values()]


def _engine(engine: Engine, network: MoneyFlows, shocks: int, drop: float) -> str:
    if engine == "scipy" and drop > 0:
        raise UsageError("dropping small changes needs the frontier kernel: engine numba (the extra `fast`)")
    small = shocks * len(network.flow) < 5_000_000 and drop == 0
    if engine == "scipy" or (engine == "auto" and small):
        return "scipy"
    try:
        import numba  # noqa: F401
    except ImportError:
        if engine == "numba" or drop > 0:
            raise UsageError("the frontier kernel needs numba: pip install 'supplychain[fast]'") from None
        return "scipy"
    return "numba"


def _batched(
    down: Operator, up: Operator, network: MoneyFlows, members: list[Longs], limit: float, replaceable: bool
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Run the shocks as columns of matrices: two sparse products and a segmented maximum per update."""
    n, shocks = len(network.firms), len(members)
    per_batch = max(1, min(shocks, BATCH_BYTES // (8 * max(1, 6 * n + 2 * len(down.slot_firm)))))
    out = network.out
    share = out / out.sum() if out.sum() else out
    pushed = [_matrix(operator, n) for operator in (down, up)]
    found = np.zeros((5, shocks))
    for first in range(0, shocks, per_batch):
        columns = np.arange(first, min(first + per_batch, shocks))
        ceiling = np.ones((n, len(columns)))
        for place, column in enumerate(columns):
            ceiling[members[column], place] = 0.0
        hd, hu = ceiling.copy(), ceiling.copy()
        updates = 0
        while len(columns):
            lost = 1.0 - hd
            if replaceable:
                lost *= _sigma(network, out, hd)
            new_d = np.clip(1.0 - _felt(pushed[0], down, lost, n), 0.0, ceiling)
            new_u = np.clip(1.0 - _felt(pushed[1], up, 1.0 - hu, n), 0.0, ceiling)
            moved = np.maximum((hd - new_d).max(axis=0), (hu - new_u).max(axis=0))
            hd, hu = new_d, new_u
            updates += 1
            still = moved > limit * (1 + 1e-9)
            done = np.flatnonzero(~still)
            at = columns[done]
            found[0, at] = share @ (1.0 - np.minimum(hd[:, done], hu[:, done]))
            found[1, at] = share @ (1.0 - hd[:, done])
            found[2, at] = share @ (1.0 - hu[:, done])
            found[3, at] = updates
            columns, hd, hu, ceiling = columns[still], hd[:, still], hu[:, still], ceiling[:, still]
    return found[0], found[1], found[2], found[3], found[4]


def _matrix(operator: Operator, firms: int) -> sparse.csr_array:
    return sparse.csr_array(
        (operator.weight, operator.source, operator.slot_start), shape=(len(operator.slot_firm), firms)
    )


def _felt(matrix: sparse.csr_array, operator: Operator, lost: Floats, firms: int) -> Floats:
    """Return each firm's loss: the largest over its slots (firms x shocks)."""
    slots = matrix @ lost
    if np.array_equal(operator.slot_firm, np.arange(firms)):  # each firm has one
        return np.asarray(slots)
    felt = np.zeros((firms, lost.shape[1]))
    owners = np.flatnonzero(np.diff(operator.firm_start))
    if len(owners):
        felt[owners] = np.maximum.reduceat(slots, operator.firm_start[owners], axis=0)
    return felt


def _sigma(network: MoneyFlows, out: Floats, level: Floats) -> Floats:
    """Return how hard each firm's output is to replace: its share of what its sector still sells, at most 1."""
    member = sparse.csr_array((out, (network.sector, np.arange(len(out)))), shape=(len(network.sectors), len(out)))
    left = np.asarray(member @ level)[network.sector]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(left > 0, np.minimum(1.0, out[:, None] / left), 1.0)


def _closed(network: MoneyFlows, revenue_sink: float, cost_sink: float, limit: float) -> list[str]:
    """Warn of groups whose losses never fade: firms that sell (or buy) only among themselves and leak nothing."""
    n = len(network.firms)
    warnings = []
    for direction, given, total, sink, cure in (
        ("upstream", network.revenue, network.out, revenue_sink, "revenues or --revenue-sink 1.3"),
        ("downstream", network.cost, network.into, cost_sink, "costs or --cost-sink 1.2"),
    ):
        kept = network.kind > 0 if direction == "downstream" else np.ones(len(network.flow), dtype=bool)
        feeds, fed = (network.buyer, network.supplier) if direction == "upstream" else (network.supplier, network.buyer)
        feeds, fed = feeds[kept], fed[kept]
        graph = sparse.csr_array((np.ones(len(fed)), (fed, feeds)), shape=(n, n))
        count, label = connected_components(graph, connection="strong")
        open_ = np.zeros(count, dtype=bool)
        open_[label[fed[label[fed] != label[feeds]]]] = True
        leaks = np.where(np.isnan(given), sink > 1, given > total * (1 + 1e-12))
        open_[label[leaks]] = True
        looped = np.zeros(count, dtype=bool)
        looped[label[fed[label[fed] == label[feeds]]]] = True
        closed = np.flatnonzero(looped & ~open_)
        if len(closed):
            firms = int(np.isin(label, closed).sum())
            warnings.append(
                f"{direction}: {firms:,} firms in {len(closed):,} closed groups trade only among themselves and leak "
                f"nothing, so losses there never fade and the index depends on the threshold ({limit:g}): give {cure}"
            )
    return warnings
