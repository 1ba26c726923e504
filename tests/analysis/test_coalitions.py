"""Values of coalition games: published exact values, axioms, brute force, and intervals that hold."""

from __future__ import annotations

import csv
import math
from fractions import Fraction
from itertools import groupby, permutations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supplychain.analysis.coalitions import (
    SimpleGame,
    Value,
    banzhaf,
    banzhaf_owen,
    owen,
    shapley,
    weighted_game,
)
from supplychain.analysis.gates import all_of, any_of, threshold
from supplychain.errors import UsageError

TOLERANCE = 1e-12


def rows_of(path: Path) -> dict[str, list[dict[str, str]]]:
    with path.open() as stream:
        return {name: list(rows) for name, rows in groupby(csv.DictReader(stream), lambda row: row["game"])}


@pytest.mark.parametrize("game", ["eec1958", "unsc", "eec1973", "eu15_1995"])
def test_voting_bodies_have_their_published_powers(game: str, shared: Path) -> None:
    rows = rows_of(shared / "bench" / "coalition" / "weighted_games_exact.csv")[game]
    quota, weights = float(rows[0]["quota"]), np.array([float(row["weight"]) for row in rows])
    n = len(weights)
    expected = [Fraction(int(row["shapley_num"]), int(row["shapley_den"])) for row in rows]
    swings = np.array([int(row["swings"]) for row in rows])
    by_diagram = weighted_game(quota, weights.tolist())

    def by_counting(coalitions: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        return coalitions @ weights >= quota

    values: tuple[Value, ...] = (by_diagram, by_counting)
    for value in values:
        assert np.abs(shapley(value, n) - np.array([float(x) for x in expected])).max() <= TOLERANCE
        assert np.abs(banzhaf(value, n) - swings / 2 ** (n - 1)).max() <= TOLERANCE
        assert np.abs(banzhaf(value, n, normalised=True) - swings / swings.sum()).max() <= TOLERANCE
        assert np.abs(owen(value, list(range(n))) - shapley(value, n)).max() <= TOLERANCE


@pytest.mark.parametrize("game", ["crandoc6", "eec1958_benelux"])
def test_games_with_unions_have_their_published_values(game: str, shared: Path) -> None:
    rows = rows_of(shared / "bench" / "coalition" / "owen_games.csv")[game]
    quota, weights = float(rows[0]["quota"]), [float(row["weight"]) for row in rows]
    unions = [row["union"] for row in rows]
    for value in (weighted_game(quota, weights), lambda s: (s @ np.array(weights) >= quota).astype(float)):
        assert np.abs(owen(value, unions) - [float(row["owen"]) for row in rows]).max() <= 1e-12
        assert np.abs(banzhaf_owen(value, unions) - [float(row["banzhaf_owen"]) for row in rows]).max() <= 1e-12


def counted_shapley(quota: int, weights: list[int]) -> list[Fraction]:
    """Exact Shapley values of a weighted game from generating functions over (size, weight): whole numbers only."""
    n = len(weights)
    values = []
    for i in range(n):
        ways: dict[tuple[int, int], int] = {(0, 0): 1}
        for j, weight in enumerate(weights):
            if j != i:
                step = dict(ways)
                for (size, total), count in ways.items():
                    key = (size + 1, total + weight)
                    step[key] = step.get(key, 0) + count
                ways = step
        value = Fraction(0)
        for (size, total), count in ways.items():
            if quota - weights[i] <= total < quota:
                value += Fraction(count, n * math.comb(n - 1, size))
        values.append(value)
    return values


EU27_NICE = [29, 29, 29, 29, 27, 27, 14, 13, 12, 12, 12, 12, 12, 10, 10, 10, 7, 7, 7, 7, 7, 4, 4, 4, 4, 4, 3]


@pytest.mark.parametrize(
    ("quota", "weights"),
    [(255, EU27_NICE), (270, [3 + (7 * i) % 11 for i in range(51)])],
    ids=["EU-27 votes of Nice", "51 players"],
)
def test_large_voting_bodies_are_exact_through_the_diagram(quota: int, weights: list[int]) -> None:
    game = weighted_game(quota, [float(w) for w in weights])
    values = shapley(game, len(weights))
    assert values.exact
    assert np.abs(values - np.array([float(x) for x in counted_shapley(quota, weights)])).max() <= TOLERANCE
    if len(weights) == 27:  # published to four digits: Germany 0.0867 and, normalised Banzhaf, 0.0778
        assert round(float(values[0]), 4) == 0.0867
        assert round(float(banzhaf(game, 27, normalised=True)[0]), 4) == 0.0778
        alone = owen(game, list(range(27)))
        assert np.abs(alone - values).max() <= TOLERANCE


def slow_owen(value: Value, blocs: list[list[int]]) -> list[float]:
    """The mean over all orders that keep unions together, one order at a time."""
    n = sum(len(bloc) for bloc in blocs)
    total, count = np.zeros(n), 0
    for order_of_blocs in permutations(blocs):
        orders: list[list[int]] = [[]]
        for bloc in order_of_blocs:
            orders = [head + list(tail) for head in orders for tail in permutations(bloc)]
        for order in orders:
            inside = np.zeros(n, dtype=bool)
            before = float(value(inside[None])[0])
            for player in order:
                inside[player] = True
                after = float(value(inside[None])[0])
                total[player] += after - before
                before = after
            count += 1
    return list(total / count)


def table_game(table: npt.NDArray[np.float64]) -> Value:
    n = int(math.log2(len(table)))
    return lambda coalitions: table[coalitions @ (1 << np.arange(n))]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(0, 10**6))
def test_values_are_means_over_orders_and_coalitions(n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    table = random.normal(size=1 << n)
    value = table_game(table)
    assert np.allclose(shapley(value, n), slow_owen(value, [[i] for i in range(n)]), atol=1e-12)
    labels = random.integers(0, 3, n).tolist()
    blocs = [[i for i in range(n) if labels[i] == k] for k in sorted(set(labels), key=labels.index)]
    assert np.allclose(owen(value, labels), slow_owen(value, blocs), atol=1e-12)
    assert np.allclose(owen(value, blocs), owen(value, labels), atol=0)
    for i in range(n):
        without = [c for c in range(1 << n) if not c >> i & 1]
        assert math.isclose(
            banzhaf(value, n)[i], np.mean([table[c | 1 << i] - table[c] for c in without]), abs_tol=1e-12
        )


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 10), st.integers(0, 10**6))
def test_axioms(n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = random.normal(size=1 << n), random.normal(size=1 << n)
    value = shapley(table_game(first), n)
    assert math.isclose(value.sum(), first[-1] - first[0], abs_tol=1e-10), "efficiency"
    assert math.isclose(
        owen(table_game(first), random.integers(0, 3, n).tolist()).sum(), first[-1] - first[0], abs_tol=1e-10
    )
    assert np.allclose(shapley(table_game(first + second), n), value + shapley(table_game(second), n)), "additivity"
    index = np.arange(1 << n)
    null = table_game(first[index & ~1])
    assert shapley(null, n)[0] == banzhaf(null, n)[0] == 0, "null player"
    swapped = (index & ~3) | (index & 1) << 1 | (index & 2) >> 1
    twins = shapley(table_game(first + first[swapped]), n)
    assert math.isclose(twins[0], twins[1], abs_tol=1e-12), "symmetry"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_cut_off_games_agree_between_diagram_and_counting(seed: int) -> None:
    random = np.random.default_rng(seed)
    names = tuple("abcdefgh")
    gates = {
        "m": threshold(0.55, {name: float(random.integers(1, 5)) / 10 for name in names[:5]}),
        "n": all_of(*random.choice(names, 3, replace=False).tolist()),
        "top": any_of("m", "n"),
    }
    game = SimpleGame(gates, "top", names)

    def counted(coalitions: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        return game(coalitions)

    unions = random.integers(0, 4, 8).tolist()
    assert np.allclose(shapley(game, 8), shapley(counted, 8), atol=1e-13)
    assert np.allclose(banzhaf(game, 8), banzhaf(counted, 8), atol=1e-13)
    assert np.allclose(owen(game, unions), owen(counted, unions), atol=1e-13)
    assert np.allclose(banzhaf_owen(game, unions), banzhaf_owen(counted, unions), atol=1e-13)


def test_joining_a_bloc_can_lose_power() -> None:
    """US, UK and France as one bloc in the Security Council: 0.310 together, 0.589 apart."""
    council = weighted_game(39, [7.0] * 5 + [1.0] * 10)
    bloc = owen(council, [0, 0, 0, *range(1, 13)])
    assert round(float(bloc[:3].sum()), 3) == 0.310
    assert round(float(shapley(council, 15)[:3].sum()), 3) == 0.589


def test_sampled_values_hold_their_intervals() -> None:
    """24 players, so that values are sampled; the true values come from the diagram."""
    weights = np.array([9, 9, 7, 5, 5, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0], dtype=float)

    def value(coalitions: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        return coalitions @ weights >= 40

    exact = weighted_game(40, weights.tolist())
    for sample, truth in (
        (shapley(value, 24, seed=3, spread=1.0), shapley(exact, 24)),
        (banzhaf(value, 24, seed=3, spread=1.0), banzhaf(exact, 24)),
        (owen(value, list(range(24)), seed=3, spread=1.0), shapley(exact, 24)),
    ):
        assert not sample.exact
        assert np.abs(sample - truth).max() <= sample.margin
        inside = (sample.low <= truth) & (truth <= sample.high)
        assert inside.mean() >= 0.75
        assert sample[23] == 0
        assert np.array_equal(sample, sample + 0)
    assert math.isclose(shapley(value, 24, seed=3).sum(), 1.0, abs_tol=1e-12), "every order shares out the whole"
    assert np.array_equal(shapley(value, 24, seed=3), shapley(value, 24, seed=3))
    assert math.isnan(shapley(value, 24).margin)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    truth = np.array([1 / 3] * 3 + [0.0] * 18)

    def value(coalitions: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        return coalitions[:, :3].sum(axis=1) >= 2

    inside = 0
    for seed in range(100):
        sample = shapley(value, 21, permutations=200, seed=seed)
        inside += int(((sample.low <= truth + 1e-12) & (truth - 1e-12 <= sample.high))[:3].sum())
    assert 0.90 <= inside / 300 <= 0.99


def test_games_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="at least one player"):
        shapley(lambda s: s.sum(axis=1), 0)
    with pytest.raises(UsageError, match="one number a coalition"):
        shapley(lambda s: s, 3)
    with pytest.raises(UsageError, match="finite"):
        banzhaf(lambda s: np.full(len(s), np.nan), 3)
    with pytest.raises(UsageError, match="exactly once"):
        owen(lambda s: s.sum(axis=1), [[0, 1], [1, 2]])
    with pytest.raises(UsageError, match="negative"):
        weighted_game(3, [1, -1])
    with pytest.raises(UsageError, match="at least one player"):
        owen(lambda s: s.sum(axis=1), [])
    with pytest.raises(UsageError, match="confidence"):
        shapley(lambda s: s.sum(axis=1), 40, confidence=1.0)
    with pytest.raises(UsageError, match="at most"):
        banzhaf_owen(lambda s: s.sum(axis=1), [[k] for k in range(60)])
