"""Immediate dominators by the semi-NCA algorithm, in plain loops over arrays: what `dominators` compiles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Longs = npt.NDArray[np.int64]


def semi_nca(start: Longs, head: Longs, back_start: Longs, back: Longs, root: int) -> Longs:
    """Return the immediate dominator of each node (itself for the root, -1 where not reached).

    `head[start[v]:start[v + 1]]` are the followers of v, `back` its predecessors likewise. Nodes are numbered in
    depth-first order; the semi-dominator of each is found by walking up with path compression, then the dominator is
    the nearest ancestor whose number is not above it.
    """
    n = len(start) - 1
    number = np.full(n, -1, dtype=np.int64)
    vertex = np.empty(n, dtype=np.int64)
    parent = np.full(n, -1, dtype=np.int64)
    at = start[:-1].copy()
    stack = np.empty(n, dtype=np.int64)
    stack[0] = root
    number[root] = 0
    vertex[0] = root
    size, count = 1, 1
    while size:
        v = stack[size - 1]
        if at[v] == start[v + 1]:
            size -= 1
            continue
        w = head[at[v]]
        at[v] += 1
        if number[w] < 0:
            number[w] = count
            vertex[count] = w
            parent[count] = number[v]
            count += 1
            stack[size] = w
            size += 1
    semi = np.arange(count)
    label = np.arange(count)
    ancestor = np.full(count, -1, dtype=np.int64)
    dominator = parent[:count].copy()
    path = np.empty(count, dtype=np.int64)
    for w in range(count - 1, 0, -1):
        node = vertex[w]
        for e in range(back_start[node], back_start[node + 1]):
            v = number[back[e]]
            if v < 0:
                continue
            # The label with the smallest semi-dominator on the way from v up to the root of its tree, compressing the
            # way.
            length = 0
            u = v
            while ancestor[u] >= 0 and ancestor[ancestor[u]] >= 0:
                path[length] = u
                length += 1
                u = ancestor[u]
            for k in range(length - 1, -1, -1):
                x = path[k]
                above = ancestor[x]
                if semi[label[above]] < semi[label[x]]:
                    label[x] = label[above]
                ancestor[x] = ancestor[above]
            best = label[v]
            semi[w] = min(semi[w], semi[best])
        ancestor[w] = parent[w]
    for w in range(1, count):
        d = dominator[w]
        while d > semi[w]:
            d = dominator[d]
        dominator[w] = d
    found = np.full(n, -1, dtype=np.int64)
    for w in range(1, count):
        found[vertex[w]] = vertex[dominator[w]]
    found[root] = root
    return found
