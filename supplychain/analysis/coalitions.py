"""Power in coalition games: Shapley, Banzhaf, Owen and Banzhaf-Owen values, exact where possible, else with intervals.

A game is a function `value` from a boolean matrix (coalitions x players) to one number a coalition. It is called with
many rows at a time, so a batched loss model is evaluated in batches. Exact up to `EXACT_PLAYERS` players by visiting
every coalition; a `SimpleGame` (won or lost, given by gates) is exact at any number of players, through the
multilinear extension of its decision diagram; anything else beyond is sampled.

Sources: Shapley 1953; Banzhaf 1965; Owen, Management Science 18 (1972) and "Values of games with a priori unions"
(1977); Castro, Gomez, Tejada, Computers & OR 36 (2009) for permutation sampling; Hoeffding, JASA 58 (1963).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from supplychain.analysis.diagrams import Function, function
from supplychain.analysis.gates import Gate, compile_gates, evaluate, threshold
from supplychain.errors import UsageError

Floats = npt.NDArray[np.float64]
Coalitions = npt.NDArray[np.bool_]
Value = Callable[[Coalitions], Any]

EXACT_PLAYERS = 20
BATCH = 1 << 15  # coalitions handed to the game at once
PERMUTATIONS = 2000  # permutations (or coalitions) drawn when a value is sampled; half of them are mirror images


class Values(np.ndarray[Any, np.dtype[np.float64]]):
    """One number a player, as an array that knows how sure it is.

    `exact` tells whether every coalition was counted. Otherwise `low` and `high` hold the confidence interval of each
    player (central limit theorem, at `confidence`), `margin` the half-width that holds for certain distributions-free
    at that confidence for all players together (Hoeffding; NaN when the spread of the game is not known), `draws` the
    permutations.
    """

    exact: bool
    low: Floats
    high: Floats
    margin: float
    confidence: float
    draws: int

    def __array_finalize__(self, parent: Any) -> None:
        self.exact = getattr(parent, "exact", True)
        self.margin = getattr(parent, "margin", 0.0)
        self.confidence = getattr(parent, "confidence", 1.0)
        self.draws = getattr(parent, "draws", 0)
        self.low = getattr(parent, "low", np.asarray(self))
        self.high = getattr(parent, "high", np.asarray(self))


@dataclass(frozen=True)
class SimpleGame:
    """A game that is won (1) or lost (0): coalition S wins when the top gate fails once the events in S fail.

    `players` are events of the gates; others never fail. Calling it evaluates coalitions exactly.
    """

    gates: Mapping[str, Gate]
    top: str
    players: tuple[str, ...]

    def __call__(self, coalitions: Coalitions) -> Floats:
        net = self._net
        failed = np.zeros((len(coalitions), len(net.names)), dtype=bool)
        place = {name: i for i, name in enumerate(self.players)}
        for column, name in enumerate(net.names):
            if name in place:
                failed[:, column] = coalitions[:, place[name]]
        return evaluate(net, failed).astype(np.float64)

    @cached_property
    def _net(self) -> Any:
        return compile_gates(self.gates, self.top)

    def merged(self, groups: Mapping[str, str]) -> SimpleGame:
        """Return the game in which the players of one group act as one (named after the group)."""
        gates = {
            name: Gate(gate.op, tuple(groups.get(part, part) for part in gate.inputs), gate.least, gate.weights)
            for name, gate in self.gates.items()
        }
        return SimpleGame(gates, self.top, tuple(dict.fromkeys(groups.get(p, p) for p in self.players)))


def weighted_game(quota: float, weights: Sequence[float]) -> SimpleGame:
    """Return the weighted voting game: a coalition wins when its weights add up to at least `quota`."""
    names = tuple(f"p{i:06d}" for i in range(len(weights)))
    if any(not w >= 0 for w in weights):
        raise UsageError("weights of votes must not be negative")
    return SimpleGame({"win": threshold(quota, dict(zip(names, weights, strict=True)))}, "win", names)


def shapley(
    value: Value,
    n: int,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    confidence: float = 0.95,
    spread: float = math.nan,
) -> Values:
    """Return the Shapley value of each of `n` players: the mean of what it adds over all orders of joining.

    Beyond EXACT_PLAYERS players, `permutations` orders are drawn in mirrored pairs. `spread` is the largest possible
    difference that one player makes (for a monotone game: the value of all minus that of none) and sets `margin`.
    """
    _check_players(n)
    if isinstance(value, SimpleGame):
        return _simple(value, None, uniform=True)
    if n > EXACT_PLAYERS:
        return sampled_shapley(value, n, permutations=permutations, seed=seed, confidence=confidence, spread=spread)
    worth = all_coalitions(value, n)
    weight = np.array([1.0 / (n * math.comb(n - 1, size)) for size in range(n)])
    return _exact(_weighted_swings(worth, n, weight))


def sampled_shapley(
    value: Value,
    n: int,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    confidence: float = 0.95,
    spread: float = math.nan,
) -> Values:
    """Return Shapley values sampled along random orders, whatever the number of players; see `shapley`."""
    return _sampled_orders(value, [[i] for i in range(n)], permutations, seed, confidence, spread)


def banzhaf(
    value: Value,
    n: int,
    *,
    normalised: bool = False,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    confidence: float = 0.95,
    spread: float = math.nan,
) -> Values:
    """Return the Banzhaf value of each player: the mean of what it adds over all coalitions of the others.

    `normalised` scales the values to add up to 1. Sampled beyond EXACT_PLAYERS players, as `shapley`.
    """
    _check_players(n)
    if isinstance(value, SimpleGame):
        found = _simple(value, None, uniform=False)
    elif n > EXACT_PLAYERS:
        found = _sampled_coalitions(value, n, permutations, seed, confidence, spread)
    else:
        found = _exact(_weighted_swings(all_coalitions(value, n), n, np.full(n, 0.5 ** (n - 1))))
    return _scaled(found, 1.0 / found.sum()) if normalised and found.sum() != 0 else found


def owen(
    value: Value,
    unions: Sequence[Hashable] | Sequence[Sequence[int]],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    confidence: float = 0.95,
    spread: float = math.nan,
) -> Values:
    """Return the Owen value: the Shapley value when unions of players join as blocs, and players within their bloc.

    `unions` names each player's union (a player alone has a union of its own), or lists the players of each union.
    """
    blocs = _blocs(unions)
    if isinstance(value, SimpleGame):
        return _simple(value, blocs, uniform=True)
    if not _countable(blocs):
        return _sampled_orders(value, blocs, permutations, seed, confidence, spread)
    return _exact(_bloc_values(value, blocs, uniform=True))


def banzhaf_owen(value: Value, unions: Sequence[Hashable] | Sequence[Sequence[int]]) -> Values:
    """Return the Banzhaf-Owen value: the Banzhaf value between unions and again within them (Owen 1982). Exact only."""
    blocs = _blocs(unions)
    if isinstance(value, SimpleGame):
        return _simple(value, blocs, uniform=False)
    if not _countable(blocs):
        raise UsageError(f"the Banzhaf-Owen value needs at most {EXACT_PLAYERS} unions and members of a union together")
    return _exact(_bloc_values(value, blocs, uniform=False))


def _check_players(n: int) -> None:
    if n < 1:
        raise UsageError("a game needs at least one player")


def _blocs(unions: Sequence[Any]) -> list[list[int]]:
    if not unions:
        raise UsageError("a game needs at least one player")
    if all(isinstance(bloc, (list, tuple, set, frozenset, np.ndarray)) for bloc in unions):
        blocs = [sorted(int(player) for player in bloc) for bloc in unions if len(bloc)]
        if sorted(player for bloc in blocs for player in bloc) != list(range(sum(len(bloc) for bloc in blocs))):
            raise UsageError("unions must hold every player 0 .. n-1 exactly once")
        return blocs
    members: dict[Hashable, list[int]] = {}
    for player, union in enumerate(unions):
        members.setdefault(union, []).append(player)
    return list(members.values())


def _countable(blocs: list[list[int]]) -> bool:
    return len(blocs) - 1 + max(len(bloc) for bloc in blocs) <= EXACT_PLAYERS


def _exact(values: Floats) -> Values:
    return values.view(Values)


def _scaled(values: Values, factor: float) -> Values:
    scaled = (np.asarray(values) * factor).view(Values)
    scaled.exact, scaled.confidence, scaled.draws = values.exact, values.confidence, values.draws
    scaled.low, scaled.high, scaled.margin = values.low * factor, values.high * factor, values.margin * abs(factor)
    return scaled


def _called(value: Value, coalitions: Coalitions) -> Floats:
    worth = np.asarray(value(coalitions), dtype=np.float64)
    if worth.shape != (len(coalitions),):
        raise UsageError(f"the game must return one number a coalition: got shape {worth.shape} for {len(coalitions)}")
    if not np.isfinite(worth).all():
        raise UsageError("the game returned a number that is not finite")
    return worth


def coalition_rows(first: int, last: int, n: int) -> Coalitions:
    """Return coalitions number `first` to `last` (exclusive) of `n` players: player i is in number c when bit i of c
    is set.
    """
    return (np.arange(first, last, dtype=np.int64)[:, None] >> np.arange(n) & 1).astype(bool)


def all_coalitions(value: Value, n: int) -> Floats:
    """Return the value of all 2**n coalitions, in binary order."""
    parts = [_called(value, coalition_rows(first, min(first + BATCH, 1 << n), n)) for first in range(0, 1 << n, BATCH)]
    return np.concatenate(parts)


def _weighted_swings(worth: Floats, n: int, weight: Floats) -> Floats:
    """Return, for each player, the sum over coalitions S of the others of weight[|S|] times what the player adds."""
    size = np.bitwise_count(np.arange(1 << (n - 1), dtype=np.uint32)).astype(np.int64)
    values = np.empty(n)
    for player in range(n):
        pairs = worth.reshape(-1, 2, 1 << player)
        added = (pairs[:, 1] - pairs[:, 0]).ravel()
        values[player] = math.fsum(np.bincount(size, weights=added, minlength=n) * weight)
    return values


def _bloc_values(value: Value, blocs: list[list[int]], uniform: bool) -> Floats:
    """Owen (uniform over orders) or Banzhaf-Owen values: per union, all sets of other unions x all sets of own
    members.
    """
    n = sum(len(bloc) for bloc in blocs)
    values = np.empty(n)
    for k, bloc in enumerate(blocs):
        others = [b for j, b in enumerate(blocs) if j != k]
        m, b = len(others), len(bloc)

        def lifted(rows: Coalitions, bloc: list[int] = bloc, others: list[list[int]] = others) -> Floats:
            full = np.zeros((len(rows), n), dtype=bool)
            full[:, bloc] = rows[:, : len(bloc)]
            for column, other in enumerate(others, start=len(bloc)):
                full[:, other] = rows[:, column : column + 1]
            return _called(value, full)

        worth = all_coalitions(lifted, b + m).reshape(1 << m, 1 << b)
        size = np.bitwise_count(np.arange(1 << m, dtype=np.uint32))
        outer = np.array([1 / ((m + 1) * math.comb(m, s)) if uniform else 0.5**m for s in range(m + 1)])[size]
        inner = np.array([1 / (b * math.comb(b - 1, s)) if uniform else 0.5 ** (b - 1) for s in range(b)])
        values[bloc] = _weighted_swings(outer @ worth, b, inner)
    return values


def _simple(game: SimpleGame, blocs: list[list[int]] | None, uniform: bool) -> Values:
    """Values of a won-or-lost game from the multilinear extension of its diagram, exact at any number of players.

    The mean over all coalitions or orders of what player i adds is the derivative of the extension by x_i, at 1/2 or
    averaged over the diagonal, where it is a polynomial: Gauss-Legendre nodes enough for its degree integrate it
    exactly. With unions, the other unions act as one variable each and the average is over two diagonals.
    """
    n = len(game.players)
    values = np.zeros(n)
    if blocs is None:
        nodes, weights = _nodes(n, uniform)
        diagram = _diagram(game)
        slope = diagram.slopes(dict.fromkeys(game.players, nodes))
        for i, name in enumerate(game.players):
            if name in slope:
                values[i] = math.fsum(slope[name] * weights)
        return _exact(values)
    names = {player: f"\0{k}" for k, bloc in enumerate(blocs) for player in bloc}
    for bloc in blocs:
        own = {game.players[player] for player in bloc}
        merged = game.merged({game.players[p]: names[p] for p in range(n) if game.players[p] not in own})
        outer, outer_weight = _nodes(len(blocs), uniform)
        inner, inner_weight = _nodes(len(bloc), uniform)
        grid_outer, grid_inner = (grid.ravel() for grid in np.meshgrid(outer, inner, indexing="ij"))
        weights = np.outer(outer_weight, inner_weight).ravel()
        at = {name: grid_inner if name in own else grid_outer for name in merged.players}
        slope = _diagram(merged).slopes(at)
        for player in bloc:
            if game.players[player] in slope:
                values[player] = math.fsum(slope[game.players[player]] * weights)
    return _exact(values)


def _diagram(game: SimpleGame) -> Function:
    return function(compile_gates(game.gates, game.top))


def _nodes(degree: int, uniform: bool) -> tuple[Floats, Floats]:
    """Return points and weights that average a polynomial of degree below `degree` over [0, 1], or the point 1/2."""
    if not uniform:
        return np.array([0.5]), np.array([1.0])
    nodes, weights = np.polynomial.legendre.leggauss(max(1, -(-degree // 2)))
    return (nodes + 1) / 2, weights / 2


def _sampled_orders(
    value: Value, blocs: list[list[int]], permutations: int, seed: int, confidence: float, spread: float
) -> Values:
    """Mean of what players add along random orders of unions and of members, each order together with its mirror
    image.
    """
    n = sum(len(bloc) for bloc in blocs)
    random = np.random.default_rng(seed)
    pairs = max(2, permutations // 2)
    per_batch = max(1, BATCH // (2 * (n + 1)))
    total, squares = np.zeros(n), np.zeros(n)
    for first in range(0, pairs, per_batch):
        orders = np.array([_order(random, blocs) for _ in range(min(per_batch, pairs - first))])
        both = np.concatenate([orders, orders[:, ::-1]])
        place = np.argsort(both, axis=1)  # place[r, i]: how many join before player i
        prefixes = place[:, None, :] < np.arange(n + 1)[None, :, None]
        worth = _called(value, prefixes.reshape(-1, n)).reshape(len(both), n + 1)
        added = np.take_along_axis(np.diff(worth, axis=1), place, axis=1)
        mean = (added[: len(orders)] + added[len(orders) :]) / 2
        total += mean.sum(axis=0)
        squares += (mean**2).sum(axis=0)
    return _estimate(total, squares, pairs, confidence, spread)


def _order(random: np.random.Generator, blocs: list[list[int]]) -> npt.NDArray[np.int64]:
    parts = [random.permutation(blocs[k]) for k in random.permutation(len(blocs))]
    return np.concatenate(parts)


def _sampled_coalitions(value: Value, n: int, draws: int, seed: int, confidence: float, spread: float) -> Values:
    """Mean of what players add to random coalitions, each together with its complement."""
    random = np.random.default_rng(seed)
    pairs = max(2, draws // 2)
    per_batch = max(1, BATCH // (2 * (n + 1)))
    total, squares = np.zeros(n), np.zeros(n)
    flips = np.concatenate([np.zeros((1, n), dtype=bool), np.eye(n, dtype=bool)])
    for first in range(0, pairs, per_batch):
        drawn = random.random((min(per_batch, pairs - first), n)) < 0.5
        both = np.concatenate([drawn, ~drawn])
        rows = (both[:, None, :] ^ flips[None]).reshape(-1, n)
        worth = _called(value, rows).reshape(len(both), n + 1)
        added = np.where(both, worth[:, :1] - worth[:, 1:], worth[:, 1:] - worth[:, :1])
        mean = (added[: len(drawn)] + added[len(drawn) :]) / 2
        total += mean.sum(axis=0)
        squares += (mean**2).sum(axis=0)
    return _estimate(total, squares, pairs, confidence, spread)


def _estimate(total: Floats, squares: Floats, pairs: int, confidence: float, spread: float) -> Values:
    if not 0 < confidence < 1:
        raise UsageError("the confidence of an interval must lie between 0 and 1")
    mean = total / pairs
    deviation = np.sqrt(np.maximum(squares / pairs - mean**2, 0.0) / (pairs - 1))
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * deviation
    values = mean.view(Values)
    values.exact, values.confidence, values.draws = False, confidence, 2 * pairs
    values.low, values.high = mean - reach, mean + reach
    values.margin = spread * math.sqrt(math.log(2 * len(mean) / (1 - confidence)) / (2 * pairs))
    return values
