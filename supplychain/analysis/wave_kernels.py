"""Kernels of `wave`, compiled by numba. They take the arrays of `wave._Ready` last, in its order."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"

from __future__ import annotations

from supplychain.errors import EnvironmentFault

try:
    from numba import njit
except ImportError as fault:
    raise EnvironmentFault("firm-level cascades want numba: install supplychain[fast]") from fault

import numpy as np

NONE = np.uint32(2**32 - 1)  # ends a list of nodes
_MANY = 0.25  # part of a block that must be concerned before all of it is computed


@njit(cache=True, nogil=True)
def _worst_group(s, market, need_start, need_market, kind, table, group):
    """The worst of node s's groups of alternatives; members add up to their group."""
    worst = 0.0
    for r in range(need_start[s], need_start[s + 1]):
        if table[kind[r], 2] > 0.0:
            together = 0.0
            for p in range(need_start[s], need_start[s + 1]):
                if group[p] == group[r]:
                    loss = market[need_market[p]]
                    together += table[kind[p], 2] * loss if loss > table[kind[p], 3] else 0.0
            worst = max(worst, together)
    return worst


@njit(cache=True, nogil=True)
def _compute(
    todo, count, afresh, drop, own, base, market, node, pushed, rose,
    start, seller, weight, need_start, need_market, kind, table, group, grouped,
):  # fmt: skip
    """Compute the nodes `todo`, `afresh` with their markets from what sellers have pushed; list in `rose` what rose.

    One call serves many nodes, because handing over arrays costs more than computing a node.
    """
    n_rose = 0
    for i in range(count):
        s = todo[i]
        worst, linear = 0.0, 0.0
        for r in range(need_start[s], need_start[s + 1]):
            m = need_market[r]
            if afresh:
                loss = base[m] if len(base) > 0 else 0.0
                for k in range(start[m], start[m + 1]):
                    loss += weight[k] * pushed[seller[k]]
                market[m] = loss
            else:
                loss = market[m]
            q = kind[r]
            loss = loss if loss > table[q, 3] else 0.0
            worst = max(worst, table[q, 0] * loss)
            linear += table[q, 1] * loss
        if grouped[s]:
            worst = max(worst, _worst_group(s, market, need_start, need_market, kind, table, group))
        lost = own[s] + (1.0 - own[s]) * min(max(worst, linear), 1.0)
        node[s] = max(node[s], lost)
        if node[s] - pushed[s] > drop:
            rose[n_rose] = s
            n_rose += 1
    return n_rose


@njit(cache=True, nogil=True)
def sweep_kernel(
    own, base, market, node,
    start, seller, weight, out_start, out_market, out_weight, use_start, user,
    need_start, need_market, kind, table, group, grouped, rank, block, after_start, after,
):  # fmt: skip
    """Compute every market that is used and every node once, block by block."""
    every, rose = np.arange(len(node)).astype(np.uint32), np.empty(len(node), np.uint32)
    _compute(
        every, len(node), True, 0.0, own, base, market, node, node, rose,
        start, seller, weight, need_start, need_market, kind, table, group, grouped,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _push(rose, count, market, node, pushed, marked, following, head, waiting,
          out_start, out_market, out_weight, use_start, user, rank):  # fmt: skip
    """Push what nodes lost along their offers, and mark the nodes behind the markets that change."""
    for i in range(count):
        s = rose[i]
        change = node[s] - pushed[s]
        pushed[s] = node[s]
        for k in range(out_start[s], out_start[s + 1]):
            m = out_market[k]
            market[m] += out_weight[k] * change
            for u in range(use_start[m], use_start[m + 1]):
                owner = user[u]
                if not marked[owner]:
                    c = rank[owner]
                    marked[owner] = True
                    following[owner] = head[c]
                    head[c] = owner
                    waiting[c] += 1


@njit(cache=True, nogil=True)
def _run(
    own, base, market, node, pushed, marked, following, head, waiting, full, todo, rose, hit, n_hit, drop, limit,
    start, seller, weight, out_start, out_market, out_weight, use_start, user,
    need_start, need_market, kind, table, group, grouped, rank, block, after_start, after,
):  # fmt: skip
    """Settle all marked nodes and full blocks. Returns (passes or -1, nodes hit or -1 once a block was computed whole).

    head[b] starts the list of marked nodes of block b, linked by `following`, and waiting[b] counts them. full[b]: its
    markets are to be computed afresh as well. Nodes that may lose for the first time are listed in `hit` (some twice).
    """
    for step in range(1, limit + 1):
        idle = True
        for b in range(len(block) - 1):
            size = block[b + 1] - block[b]
            if not full[b] and waiting[b] == 0:
                continue
            idle = False
            count = 0
            if full[b] or waiting[b] > _MANY * size:
                n_hit = -1
                for s in range(block[b], block[b + 1]):
                    marked[s] = False
                    todo[count] = s
                    count += 1
            else:
                s = head[b]
                while s != NONE:
                    marked[s] = False
                    todo[count] = s
                    count += 1
                    if n_hit >= 0 and node[s] == 0.0:
                        if n_hit == len(hit):
                            n_hit = -1
                        else:
                            hit[n_hit] = s
                            n_hit += 1
                    s = following[s]
            afresh = full[b]
            full[b] = False
            head[b] = NONE
            waiting[b] = 0
            n_rose = _compute(
                todo, count, afresh, drop, own, base, market, node, pushed, rose,
                start, seller, weight, need_start, need_market, kind, table, group, grouped,
            )  # fmt: skip
            if n_hit < 0 and n_rose > _MANY * size:
                # The buyers' blocks read what was pushed: they see the change without a push along every offer.
                for i in range(n_rose):
                    pushed[rose[i]] = node[rose[i]]
                for a in range(after_start[b], after_start[b + 1]):
                    full[after[a]] = True
            else:
                _push(rose, n_rose, market, node, pushed, marked, following, head, waiting,
                      out_start, out_market, out_weight, use_start, user, rank)  # fmt: skip
        if idle:
            return step - 1, n_hit
    return -1, n_hit


@njit(cache=True, nogil=True)
def settle_kernel(
    own, base, begin, drop, limit,
    start, seller, weight, out_start, out_market, out_weight, use_start, user,
    need_start, need_market, kind, table, group, grouped, rank, block, after_start, after,
):  # fmt: skip
    """One shock on from `begin`: own[s] lost, base[m] withheld. Returns (market losses, node losses, passes or -1)."""
    n, n_blocks = len(own), len(block) - 1
    market, node, pushed = base.copy(), begin.copy(), begin.copy()
    passes, _ = _run(
        own, base, market, node, pushed, np.zeros(n, np.bool_), np.empty(n, np.uint32),
        np.full(n_blocks, NONE, np.uint32), np.zeros(n_blocks, np.int64), np.ones(n_blocks, np.bool_),
        np.empty(n, np.uint32), np.empty(n, np.uint32), np.empty(0, np.uint32), -1, drop, limit,
        start, seller, weight, out_start, out_market, out_weight, use_start, user,
        need_start, need_market, kind, table, group, grouped, rank, block, after_start, after,
    )  # fmt: skip
    for m in range(len(market)):
        market[m] = base[m]
        for k in range(start[m], start[m + 1]):
            market[m] += weight[k] * node[seller[k]]
    return market, node, passes


@njit(cache=True, nogil=True)
def removals_kernel(
    chosen, rows, value, wanted, total, at, passes, touched, drop, limit,
    start, seller, weight, out_start, out_market, out_weight, use_start, user,
    need_start, need_market, kind, table, group, grouped, rank, block, after_start, after,
):  # fmt: skip
    """Remove one node after the other, and wipe out only what was touched in between."""
    n, n_markets, n_blocks = len(value), len(start) - 1, len(block) - 1
    own, node, pushed, market, base = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n_markets), np.zeros(0)
    marked, full = np.zeros(n, np.bool_), np.zeros(n_blocks, np.bool_)
    following, todo, rose, hit = (
        np.empty(n, np.uint32),
        np.empty(n, np.uint32),
        np.empty(n, np.uint32),
        np.empty(n, np.uint32),
    )
    head, waiting = np.full(n_blocks, NONE, np.uint32), np.zeros(n_blocks, np.int64)
    for row in rows:
        s = chosen[row]
        own[s] = 1.0
        marked[s] = True
        following[s], head[rank[s]], waiting[rank[s]] = NONE, s, 1
        passes[row], n_hit = _run(
            own, base, market, node, pushed, marked, following, head, waiting, full, todo, rose, hit, 0, drop, limit,
            start, seller, weight, out_start, out_market, out_weight, use_start, user,
            need_start, need_market, kind, table, group, grouped, rank, block, after_start, after,
        )  # fmt: skip
        for v in range(len(wanted)):
            loss = 0.0
            for k in range(start[wanted[v]], start[wanted[v] + 1]):
                loss += weight[k] * node[seller[k]]
            at[row, v] = loss
        own[s] = 0.0
        if n_hit >= 0:
            for i in range(n_hit):
                h = hit[i]
                if node[h] > 0.0:
                    total[row] += value[h] * node[h]
                    touched[row] += 1
                    node[h] = 0.0
                if pushed[h] > 0.0:
                    pushed[h] = 0.0
                    for k in range(out_start[h], out_start[h + 1]):
                        market[out_market[k]] = 0.0
        else:
            for h in range(n):
                if node[h] > 0.0:
                    total[row] += value[h] * node[h]
                    touched[row] += 1
            node[:] = 0.0
            pushed[:] = 0.0
            market[:] = 0.0
        if passes[row] < 0:  # what is left of an unsettled shock must not reach the next one
            marked[:] = False
            full[:] = False
            head[:] = NONE
            waiting[:] = 0
