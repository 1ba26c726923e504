"""Pool what a shock cannot tell apart: markets that receive alike, producers that send and need alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from supplychain.network import Compiled, Floats

Labels = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class Pools:
    """Classes of markets and groups of nodes that are interchangeable under one pattern of withheld flows.

    Two markets are alike when they buy the same item from the same sellers with the same parts withheld; two nodes when
    they make the same item, sell to alike markets with the same parts withheld, and buy from alike markets. Any plan of
    the pools can be split over their members in proportion, so pooling is exact where flows are free or refused.
    """

    market_class: Labels  # (M,)
    node_group: Labels  # (S,)
    n_classes: int
    n_groups: int


def pool(compiled: Compiled, lost: Floats) -> Pools:
    """Return the pools of a network under `lost`, the part withheld of each offer (K,)."""
    hit = np.flatnonzero(lost)
    seller, market = compiled.offer_supply, compiled.offer_market
    # Sums of mixed words stand for multisets: equal multisets give equal sums, others collide once in 2**64 pairs.
    with np.errstate(over="ignore"):
        offered = _mix(seller.astype(np.uint64) + np.uint64(1)) if _has_lanes(compiled) else None
        market_word = _mix(compiled.market_item.astype(np.uint64))
        if offered is not None:
            np.add.at(market_word, market, offered * _bits(compiled.offer_weight))
        np.add.at(market_word, market[hit], _mix(seller[hit].astype(np.uint64) + _bits(lost[hit])))
        market_class, n_classes = _labels(market_word)
        class_word = _mix(market_class.astype(np.uint64) + np.uint64(1))
        node_word = _mix(compiled.supply_item.astype(np.uint64) + np.uint64(7))
        np.add.at(node_word, seller[hit], _mix(class_word[market[hit]] + _bits(lost[hit])))
        if offered is not None:
            np.add.at(node_word, seller, class_word[market])
        needs = compiled.need_row.astype(np.uint64) + _GOLDEN
        np.add.at(node_word, compiled.need_supply, _mix(_mix(needs) + class_word[compiled.need_market]))
    node_group, n_groups = _labels(node_word)
    return Pools(market_class, node_group, n_classes, n_groups)


def _has_lanes(compiled: Compiled) -> bool:
    return bool((compiled.market_buyer >= 0).any())


def _labels(words: Words) -> tuple[Labels, int]:
    """Number distinct words by first occurrence, so that the numbers do not depend on the words."""
    _, first, inverse = np.unique(words, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse], len(first)


def _bits(values: Floats) -> Words:
    return _mix(np.ascontiguousarray(values, dtype=np.float64).view(np.uint64))


def _mix(words: Any) -> Words:
    """Scatter words over 64 bits (the finaliser of splitmix64, Steele, Lea and Flood 2014)."""
    z = np.asarray(words, dtype=np.uint64) + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)), dtype=np.uint64)
