"""The ESRI cascade for firm-level networks: work only where something moved, compiled with numba (the extra `fast`).

While few firms move, a shock is alone: losses are pushed along links into running sums. Once many move, it joins a
batch of shocks whose firms pull their sums afresh, all shocks of the batch at once, each until its own stop. Both give
the sums of the plain computation up to rounding. Changes below `drop` wait until they have grown, and then the batch
also keeps losses in half the memory. Since a firm's loss is at most a maximum of weighted sums of others' losses, with
weights that add up to at most `leak`, an update that ignores `drop` of each loss makes losses that were off by x be off
by at most leak * (x + drop), and one that rounds its results to single precision by at most leak * x + 2**-24. Where
that leaves open whether the updates are at their end, the shock is computed anew with nothing ignored.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from supplychain.analysis.esri import Operator

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]

BATCH_SHARE = 0.02  # a shock joins the batch when it would push along more than this share of the links
LANES = 16  # shocks of a batch: two cache lines of losses per firm
LANE_BYTES = 400_000_000  # memory of one thread's batch
ROUNDED = 2.0**-24  # how far a loss in [0, 1] is off in single precision
UNSURE = -1.0  # stands for the bound of a shock whose end is not certain


def run(
    down: Operator,
    up: Operator,
    out: Floats,
    sector: Longs | None,
    members: list[Longs],
    limit: float,
    drop: float,
    threads: int | None = None,
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return esri, down, up, updates and bound of each shock (all of its `members` fail); results do not depend on
    threads.

    `sector` is given when losses are divided by what the sector still sells (replaceability).
    """
    n = len(out)
    degree = np.bincount(down.source, minlength=n) + np.bincount(up.source, minlength=n)
    rank = np.argsort(-degree, kind="stable")  # busy firms side by side: their losses stay in the cache
    place = np.empty(n, dtype=np.int64)
    place[rank] = np.arange(n)
    total = out.sum()
    share = out[rank] / total if total else np.zeros(n)
    start = np.concatenate([[0], np.cumsum([len(m) for m in members])])
    failed = (place[np.concatenate(members)] if members else np.zeros(0)).astype(np.uint32)
    sectors = np.zeros(n, dtype=np.int64) if sector is None else sector[rank]
    arrays = (_arranged(down, rank, place), _arranged(up, rank, place))
    most_links = BATCH_SHARE * (len(down.weight) + len(up.weight))
    scale = (out[rank], sectors, sector is not None, np.bincount(sectors, out[rank]))
    found = np.zeros((5, len(members)))
    workers = threads or max(1, min(os.cpu_count() or 1, len(members)))
    kept = np.dtype(np.float32 if drop >= ROUNDED else np.float64)
    lanes = max(1, min(LANES, -(-len(members) // workers), LANE_BYTES // (4 * kept.itemsize * n)))

    def work(worker: int) -> None:
        lost = np.zeros((2, 2, n, lanes), dtype=kept)  # of an update and the next; down and up
        felt = np.empty((n if sector is not None else 0, lanes), dtype=kept)
        fixed: tuple[Any, ...] = (share, scale, start, failed, limit, drop, down.leak, up.leak, lost, felt, found)
        _shocks(worker, workers, most_links, *arrays, *fixed)

    if workers == 1:
        work(0)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, range(workers)))
    if len(unsure := np.flatnonzero(found[4] == UNSURE)):
        exact = run(down, up, out, sector, [members[k] for k in unsure], limit, 0.0, threads)
        found[:, unsure] = np.array(exact)
    return found[0], found[1], found[2], found[3], found[4]


def _arranged(operator: Operator, rank: Longs, place: Longs) -> tuple[Any, ...]:
    """Return the operator over renumbered firms: what each firm pulls (by slot) and what each pushes (by source)."""
    firms, slots = len(rank), len(operator.slot_firm)
    order = np.argsort(place[operator.slot_firm], kind="stable")
    owner = place[operator.slot_firm][order]
    length = np.diff(operator.slot_start)[order]
    slot_start = np.concatenate([[0], np.cumsum(length)])
    take = np.repeat(operator.slot_start[:-1][order] - slot_start[:-1], length) + np.arange(slot_start[-1])
    source, weight = place[operator.source[take]], operator.weight[take]
    entry_slot = np.repeat(np.arange(slots), length)
    by_source = np.argsort(source, kind="stable")
    push_start = np.searchsorted(source[by_source], np.arange(firms + 1))
    # Places have no sign: numba asks of every signed one whether it counts from the end, which takes as long again.
    return (
        np.searchsorted(owner, np.arange(firms + 1)).astype(np.uint32),
        slot_start.astype(np.uint32),
        source.astype(np.uint32),
        weight,
        owner.astype(np.uint32),
        push_start.astype(np.uint32),
        entry_slot[by_source].astype(np.uint32),
        weight[by_source],
    )


@numba.njit(nogil=True, cache=True)
def _update(
    operator: Any, state: Any, hits: int, news: int, shock: int, clock: int, scale: Any, drop: float
) -> tuple[float, int, int]:
    """Do one update of one direction.

    Return how far the farthest level moved, how many firms are hit by now and how many are news: firms whose level
    moved.
    """
    owner, push_start, push_slot, push_weight = operator[4:]
    level, known, sums, worst, hit, member, stamp, touched, front, grown = state
    out, sector, replaceable, base, lost_sales = scale
    if replaceable:  # what a loss means to buyers changes with every loss in its sector: all that are hit are news
        for a in range(hits):
            lost_sales[sector[hit[a]]] = 0.0
        for a in range(hits):
            lost_sales[sector[hit[a]]] += out[hit[a]] * (1.0 - level[hit[a]])
            front[a] = hit[a]
        news = hits
    fronts, count = 0, 0
    for a in range(news):
        i = front[a]
        lost = 1.0 - level[i]
        if replaceable:
            left = base[sector[i]] - lost_sales[sector[i]]
            if left > out[i]:
                lost *= out[i] / left
        more = lost - known[i]
        if more > drop:
            known[i] = lost
            front[fronts] = i
            grown[fronts] = more
            fronts += 1
    for a in range(fronts):
        i, more = front[a], grown[a]
        for e in range(push_start[i], push_start[i + 1]):
            s = push_slot[e]
            j = owner[s]
            value = sums[s] + push_weight[e] * more
            sums[s] = value
            if value > worst[j]:
                worst[j] = value
                if stamp[j] != clock:
                    stamp[j] = clock
                    touched[count] = j
                    count += 1
            elif member[j] != shock:
                member[j] = shock
                hit[hits] = j
                hits += 1
    moved, news = 0.0, 0
    for a in range(count):
        j = touched[a]
        if member[j] != shock:
            member[j] = shock
            hit[hits] = j
            hits += 1
        new = max(0.0, 1.0 - worst[j])
        if new < level[j]:
            moved = max(moved, level[j] - new)
            level[j] = new
            front[news] = j
            news += 1
    return moved, hits, news


@numba.njit(nogil=True, cache=True)
def _state(firms: int, slots: int) -> Any:
    """Return level, known, sums, worst, hit, member, stamp, touched, front, grown of firms that all work."""
    return (
        np.ones(firms),
        np.zeros(firms),
        np.zeros(slots),
        np.zeros(firms),
        np.empty(firms, dtype=np.uint32),
        np.full(firms, -1, dtype=np.int64),
        np.full(firms, -1, dtype=np.int64),
        np.empty(firms, dtype=np.uint32),
        np.empty(firms, dtype=np.uint32),
        np.empty(firms),
    )


@numba.njit(nogil=True, cache=True)
def _fail(state: Any, failed: Any, shock: int) -> int:
    """Let the firms fail outright; return how many are hit."""
    level, hit, member, front = state[0], state[4], state[5], state[8]
    for a in range(len(failed)):
        level[failed[a]] = 0.0
        hit[a] = failed[a]
        front[a] = failed[a]
        member[failed[a]] = shock
    return len(failed)


@numba.njit(nogil=True, cache=True)
def _clear(operator: Any, state: Any, hits: int) -> None:
    """Make every firm that was hit work again."""
    firm_start = operator[0]
    level, known, sums, worst, hit, member = state[:6]
    for a in range(hits):
        j = hit[a]
        level[j], known[j], worst[j] = 1.0, 0.0, 0.0
        member[j] = -1
        for s in range(firm_start[j], firm_start[j + 1]):
            sums[s] = 0.0


@numba.njit(nogil=True, cache=True)
def _links(operator: Any, state: Any, news: int) -> int:
    """Return how many links the news would be pushed along."""
    push_start, front = operator[5], state[8]
    links = 0
    for a in range(news):
        links += push_start[front[a] + 1] - push_start[front[a]]
    return links


@numba.njit(nogil=True, cache=True)
def _pull(operator: Any, lost: Any, new: Any, felt: Any, sums: Any, largest: Any, moved: Any, scale: Any) -> None:
    """Do one update of one direction for a batch: from what firms have lost (firms x shocks) what they lose `new`.

    `moved` grows to the farthest move of each shock; `felt` is where replaceability keeps what a loss means to buyers.
    """
    firm_start, slot_start, source, weight = operator[:4]
    out, sector, replaceable, base, _ = scale
    firms, lanes = lost.shape
    told = lost
    if replaceable:
        left = np.zeros((len(base), lanes))
        for j in range(firms):
            for b in range(lanes):
                left[sector[j], b] += out[j] * (1.0 - lost[j, b])
        for j in range(firms):
            for b in range(lanes):
                rest = left[sector[j], b]
                felt[j, b] = lost[j, b] * out[j] / rest if rest > out[j] else lost[j, b]
        told = felt
    for j in range(firms):
        largest[:] = 0.0
        for s in range(firm_start[j], firm_start[j + 1]):
            sums[:] = 0.0
            for e in range(slot_start[s], slot_start[s + 1]):
                share, i = weight[e], source[e]
                for b in range(lanes):
                    sums[b] += share * told[i, b]
            for b in range(lanes):
                largest[b] = max(largest[b], sums[b])
        for b in range(lanes):
            before = lost[j, b]
            after = max(before, min(largest[b], 1.0))
            moved[b] = max(moved[b], after - before)
            new[j, b] = after


@numba.njit(nogil=True, cache=True)
def _alone(
    down: Any,
    up: Any,
    d: Any,
    u: Any,
    shock: int,
    failed: Any,
    with_loss: Any,
    plain: Any,
    limit: float,
    drop: float,
    down_leak: float,
    up_leak: float,
    clock: Any,
    most_links: float,
) -> tuple[bool, int, float, float, bool, int, int]:
    """Run one shock while few firms move.

    Return whether it ended, its updates, how far each direction may be off, whether its end is unsure, and firms hit.
    """
    hits_d, hits_u = _fail(d, failed, shock), _fail(u, failed, shock)
    news_d, news_u, updates = hits_d, hits_u, 0
    off_d, off_u, unsure, ended = 0.0, 0.0, False, False
    while not ended and _links(down, d, news_d) + _links(up, u, news_u) <= most_links:
        clock[0] += 1
        moved_d, hits_d, news_d = _update(down, d, hits_d, news_d, shock, clock[0], with_loss, drop)
        moved_u, hits_u, news_u = _update(up, u, hits_u, news_u, shock, clock[0], plain, drop)
        moved = max(moved_d, moved_u)
        updates += 1
        off_d, off_u = down_leak * (off_d + drop), up_leak * (off_u + drop)
        unsure = unsure or (drop > 0.0 and abs(moved - limit) <= 2.0 * max(off_d, off_u))
        ended = moved <= limit * (1.0 + 1e-9)
    return ended, updates, off_d, off_u, unsure, hits_d, hits_u


@numba.njit(nogil=True, cache=True)
def _shocks(
    worker: int,
    workers: int,
    most_links: float,
    down: Any,
    up: Any,
    share: Any,
    scale: Any,
    start: Any,
    failed: Any,
    limit: float,
    drop: float,
    down_leak: float,
    up_leak: float,
    lost: Any,
    felt: Any,
    found: Any,
) -> None:
    """Run every `workers`-th shock, beginning with number `worker`, into the columns of `found`."""
    firms, lanes = lost.shape[2:]
    out, sector, replaceable, base = scale
    with_loss = (out, sector, replaceable, base, np.zeros(len(base)))
    plain = (out, sector, False, base, with_loss[4])
    d, u = _state(firms, len(down[4])), _state(firms, len(up[4]))
    now = 0
    sums, largest, moved = np.empty(lanes), np.empty(lanes), np.empty(lanes)
    lane_shock, done = np.full(lanes, -1), np.empty(lanes, dtype=np.int64)
    off, ignored = np.zeros((lanes, 2)), ROUNDED if drop >= ROUNDED else 0.0
    clock = np.zeros(1, dtype=np.int64)
    shock, busy = worker, 0
    shocks = len(start) - 1
    while shock < shocks or busy:
        while shock < shocks and busy < lanes:
            named = failed[start[shock] : start[shock + 1]]
            ended, updates, off_d, off_u, unsure, hits_d, hits_u = _alone(
                down, up, d, u, shock, named, with_loss, plain, limit, drop, down_leak, up_leak, clock, most_links
            )
            found[3, shock], found[4, shock] = updates, UNSURE if unsure else max(off_d, off_u)
            if unsure:
                pass
            elif ended:
                for a in range(hits_d):
                    j = d[4][a]
                    found[1, shock] += share[j] * (1.0 - d[0][j])
                    found[0, shock] += share[j] * (1.0 - min(d[0][j], u[0][j]))
                for a in range(hits_u):
                    j = u[4][a]
                    found[2, shock] += share[j] * (1.0 - u[0][j])
                    if d[5][j] != shock:
                        found[0, shock] += share[j] * (1.0 - u[0][j])
            else:
                lane = 0
                while lane_shock[lane] >= 0:
                    lane += 1
                lane_shock[lane] = shock
                off[lane, 0], off[lane, 1] = off_d + ignored, off_u + ignored
                for a in range(hits_d):
                    lost[now, 0, d[4][a], lane] = 1.0 - d[0][d[4][a]]
                for a in range(hits_u):
                    lost[now, 1, u[4][a], lane] = 1.0 - u[0][u[4][a]]
                busy += 1
            _clear(down, d, hits_d)
            _clear(up, u, hits_u)
            shock += workers
        if not busy:
            continue
        moved[:] = 0.0
        _pull(down, lost[now, 0], lost[1 - now, 0], felt, sums, largest, moved, with_loss)
        _pull(up, lost[now, 1], lost[1 - now, 1], felt, sums, largest, moved, plain)
        now = 1 - now
        ready = 0
        for lane in range(lanes):
            if lane_shock[lane] >= 0:
                found[3, lane_shock[lane]] += 1
                off[lane, 0] = down_leak * off[lane, 0] + ignored
                off[lane, 1] = up_leak * off[lane, 1] + ignored
                widest = max(off[lane, 0], off[lane, 1])
                unsure = drop > 0.0 and abs(moved[lane] - limit) <= 2.0 * widest
                found[4, lane_shock[lane]] = UNSURE if unsure else widest
                if unsure or moved[lane] <= limit * (1.0 + 1e-9):
                    done[ready] = lane
                    ready += 1
        if ready:
            _collect(share, lost[now, 0], lost[now, 1], done[:ready], lane_shock, found)
            lane_shock[done[:ready]] = -1
            busy -= ready


@numba.njit(nogil=True, cache=True)
def _collect(share: Any, lost_d: Any, lost_u: Any, done: Any, lane_shock: Any, found: Any) -> None:
    """Add up what the shocks of the lanes that are done have cost, and make all firms of these lanes work again."""
    for j in range(len(share)):
        for lane in done:
            down, up = lost_d[j, lane], lost_u[j, lane]
            if down > 0.0 or up > 0.0:
                k = lane_shock[lane]
                found[0, k] += share[j] * max(down, up)
                found[1, k] += share[j] * down
                found[2, k] += share[j] * up
                lost_d[j, lane], lost_u[j, lane] = 0.0, 0.0
