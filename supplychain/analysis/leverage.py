"""Leverage: what each state adds to a refusal, which coalitions cut a buyer off, whose defection voids them.

The game is v(S) = the buyer's short-run loss when the states in S refuse (docs/leverage.md). Up to 20 states every
coalition is counted; beyond, values are sampled along random orders of joining and carry confidence intervals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.analysis.coalitions import (
    EXACT_PLAYERS,
    PERMUTATIONS,
    SimpleGame,
    Value,
    Values,
    all_coalitions,
    banzhaf,
    banzhaf_owen,
    owen,
    sampled_shapley,
    shapley,
    weighted_game,
)
from supplychain.analysis.refusal import ItemGame, OfferGame, control_game, pooled, state_game
from supplychain.errors import UsageError
from supplychain.facts.countries import country, is_country
from supplychain.network import UNKNOWN_PLACE
from supplychain.regimes.flows import UNION

if TYPE_CHECKING:
    from datetime import date

    from supplychain.case import Case

__all__ = [
    "Coalitions",
    "Leverage",
    "SimpleGame",
    "Values",
    "banzhaf",
    "banzhaf_owen",
    "defectors",
    "leverage",
    "minimal_coalitions",
    "owen",
    "shapley",
    "weighted_game",
]

Measure = Literal["all", "controlled"]
CUT = 0.9  # a buyer that loses this part of its need counts as cut off, unless asked otherwise
SLACK = 1e-9  # a loss this close below the cut reaches it
SEARCH = 150_000  # coalitions tried, beyond 20 states
EU = "EU"
UNKNOWN_EXACT, UNKNOWN_DRAWS = 10, 400  # states up to which the range for unknown supply is exact; draws beyond


@dataclass(frozen=True, eq=False)
class Leverage:
    """`table`: one row a state: state, name, bloc, alone (loss when it refuses alone), last (what it adds when all
    others refuse already), shapley with low and high (confidence interval; equal when exact), banzhaf, owen (EU
    members as one bloc), with_unknown (Shapley value if the supply of unknown place is lost as well). All in parts of
    the buyer's need.

    `coalitions`: minimal coalitions whose refusal takes at least `cut`; complete up to `complete_to` members.
    `defectors`: the test of a named coalition, or of the smallest ones. `total`: loss when all refuse.
    """

    table: pd.DataFrame
    coalitions: pd.DataFrame
    defectors: pd.DataFrame
    measure: Measure
    horizon: float
    cut: float
    total: float
    exact: bool
    complete_to: int
    players: int
    draws: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Coalitions:
    """Minimal coalitions in order of size, then name; `complete_to` is the size up to which none is missing."""

    found: tuple[tuple[str, ...], ...]
    loss: tuple[float, ...]
    complete_to: int


def leverage(
    case: Case,
    horizon: float = 36.0,
    *,
    measure: Measure = "all",
    cut: float = CUT,
    players: Sequence[str] | None = None,
    top: int | None = None,
    coalition: Sequence[str] | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    max_size: int | None = None,
) -> Leverage:
    """Return the leverage of states over the buyer of `case` at one horizon (months; inf is growth).

    `measure` "all": states refuse all they make; "controlled": each refuses the flows that need its leave on the date.
    `players` names the states; `top` keeps the most powerful ones (others never refuse), so that 20 or fewer are exact.
    `coalition` is put to the defector test. Raises UsageError for unknown states or a cut outside (0, 1].
    """
    if not 0 < cut <= 1:
        raise UsageError("--cut is the part of the need whose loss counts as being cut off: above 0, at most 1")
    if not horizon > 0:
        raise UsageError("the horizon is a number of months above 0")
    whole = _game(case, horizon, measure, players)
    names = whole.players if top is None or len(whole.players) <= top else _strongest(whole, top)
    game: Value = _among(whole, names)
    warnings = list(case.warnings)
    if measure == "controlled" and players is None:
        warnings += _silent(case, horizon, whole.players)
    if not names:
        warnings.append("no other state supplies anything that this case needs")
        return _nothing(case, measure, horizon, cut, warnings)
    n = len(names)
    game = counted(game, n) if n <= EXACT_PLAYERS else game
    value = shapley(game, n, permutations=permutations, seed=seed, spread=1.0)
    everyone = float(game(np.ones((1, n), dtype=bool))[0])
    table = _powers(game, names, value, everyone, case.on, permutations, seed)
    table["with_unknown"] = _with_unknown(case, horizon, measure, names, permutations, seed)
    table = table.sort_values(["shapley", "state"], ascending=[False, True], kind="stable").reset_index(drop=True)
    coalitions = minimal_coalitions(game, names, cut, max_size=max_size)
    tested = [tuple(coalition)] if coalition else list(coalitions.found[:20])
    return Leverage(
        table,
        _coalition_table(coalitions),
        defectors(game, names, tested, cut),
        measure,
        horizon,
        cut,
        everyone,
        value.exact,
        coalitions.complete_to,
        n,
        value.draws,
        tuple(warnings),
    )


def _powers(
    game: Value, names: Sequence[str], value: Values, everyone: float, on: date, permutations: int, seed: int
) -> pd.DataFrame:
    """Return the columns of `Leverage.table` that the game alone decides, one row per state, in the order of `names`.

    `value` are the Shapley values of the game, `everyone` the loss when all refuse.
    """
    n = len(names)
    unions = [EU if _in_eu(name, on) else name for name in names]
    blocs = owen(game, unions, permutations=permutations, seed=seed) if EU in unions else value
    return pd.DataFrame(
        {
            "state": names,
            "name": [_called(name) for name in names],
            "bloc": [union if union != name else "" for union, name in zip(unions, names, strict=True)],
            "alone": game(np.eye(n, dtype=bool)),
            "last": everyone - game(~np.eye(n, dtype=bool)),
            "shapley": np.asarray(value),
            "low": value.low,
            "high": value.high,
            "banzhaf": np.asarray(banzhaf(game, n, permutations=permutations, seed=seed)),
            "owen": np.asarray(blocs),
        }
    )


def counted(game: Value, n: int) -> Value:
    """Return the same game with the value of all 2**n coalitions worked out beforehand."""
    worth = all_coalitions(game, n)
    bits = 1 << np.arange(n)
    return lambda coalitions: worth[coalitions @ bits]


def _game(case: Case, horizon: float, measure: Measure, players: Sequence[str] | None) -> ItemGame | OfferGame:
    if measure == "controlled":
        game = control_game(case, horizon)
        if players is None:
            return _among(game, game.acting)
        unknown = [player for player in players if player not in game.players]
        if unknown:
            raise UsageError(f"{unknown[0]!r} controls no flow of this case; those that do: {', '.join(game.players)}")
        keep = [game.players.index(player) for player in sorted(set(players))]
        return OfferGame(game.compiled, sorted(set(players)), game.withheld[:, keep], game.aim, horizon)
    if not pooled(case.compiled):
        raise UsageError("leverage by all supply needs pooled markets: use --measure controlled")
    whole = state_game(case, horizon)
    if players is not None:
        unknown = [player for player in players if player not in whole.players]
        if unknown:
            raise UsageError(f"{unknown[0]!r} supplies nothing of this case from abroad")
        return whole.among(sorted(set(players)))
    return whole.among(whole.relevant)


def _silent(case: Case, horizon: float, acting: Sequence[str]) -> list[str]:
    """Return the remark on states that control no flow for certain, but may: facts or law of theirs are not known."""
    may = sorted(set(control_game(case, horizon, "pessimistic").acting) - set(acting))
    if not may:
        return []
    shown = ", ".join(may[:12]) + (f" and {len(may) - 12} more" if len(may) > 12 else "")
    return [f"{len(may)} states control no flow for certain but may, as facts or law are unknown; no players: {shown}"]


def _among(game: ItemGame | OfferGame, names: Sequence[str]) -> ItemGame | OfferGame:
    if isinstance(game, ItemGame):
        return game.among(names)
    keep = [game.players.index(name) for name in names]
    return OfferGame(game.compiled, names, game.withheld[:, keep], game.aim, game.horizon)


def _strongest(game: ItemGame | OfferGame, top: int) -> tuple[str, ...]:
    """Return the players that take most: alone, as the last to join, and halfway along a few random orders."""
    n = len(game.players)
    one = np.eye(n, dtype=bool)
    everyone = game(np.ones((1, n), dtype=bool))[0]
    sampled = np.asarray(shapley(game, n, permutations=400)) if n > EXACT_PLAYERS else np.zeros(n)
    power = game(one) + everyone - game(~one) + sampled
    ranked = sorted(range(n), key=lambda i: (-power[i], game.players[i]))[:top]
    return tuple(sorted(game.players[i] for i in ranked))


def _with_unknown(
    case: Case, horizon: float, measure: Measure, names: Sequence[str], permutations: int, seed: int
) -> npt.NDArray[np.float64]:
    """Return Shapley values when what is unknown is lost as well: supply of unknown place, or controls that may
    apply.
    """
    n = len(names)
    if measure == "controlled":
        game: Value = _among(control_game(case, horizon, "pessimistic"), names)
    else:
        with_all = state_game(case, horizon, (*names, UNKNOWN_PLACE))

        def game(coalitions: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
            return with_all(np.column_stack([coalitions, np.ones(len(coalitions), dtype=bool)]))

    if n > UNKNOWN_EXACT:
        return np.asarray(sampled_shapley(game, n, permutations=min(permutations, UNKNOWN_DRAWS), seed=seed))
    return np.asarray(shapley(game, n))


def _called(state: str) -> str:
    return "European Union" if state == UNION else country(state).name if is_country(state) else state


def _in_eu(state: str, on: date) -> bool:
    return state == UNION or (is_country(state) and country(state).in_eu(on))


def minimal_coalitions(
    game: Value, players: Sequence[str], cut: float, *, max_size: int | None = None, search: int = SEARCH
) -> Coalitions:
    """Return the minimal coalitions whose value is at least `cut`, of a game that never falls when a player joins.

    Every coalition is tried up to 20 players. Beyond, sizes 1, 2, ... are tried as long as they fit into `search`
    tries, leaving out what holds a coalition found before; `complete_to` says how far.
    """
    n = len(players)
    if n <= EXACT_PLAYERS and max_size is None:
        return _all_minimal(game, players, cut)
    found: list[tuple[int, ...]] = []
    losses: list[float] = []
    tried = 0
    complete = 0
    for size in range(1, (n if max_size is None else min(max_size, n)) + 1):
        tried += math.comb(n, size)
        if tried > search:
            break
        known = [frozenset(members) for members in found]
        chosen = [c for c in combinations(range(n), size) if not any(k.issubset(c) for k in known)]
        if chosen:
            rows = np.zeros((len(chosen), n), dtype=bool)
            rows[np.repeat(np.arange(len(chosen)), size), np.ravel(chosen)] = True
            worth = np.asarray(game(rows))
            for at in np.flatnonzero(worth >= cut - SLACK):
                found.append(chosen[at])
                losses.append(float(worth[at]))
        complete = size
        if not chosen:
            complete = n
            break
    names = tuple(tuple(players[i] for i in members) for members in found)
    return Coalitions(names, tuple(losses), complete)


def _all_minimal(game: Value, players: Sequence[str], cut: float) -> Coalitions:
    n = len(players)
    worth = all_coalitions(game, n)
    enough = worth >= cut - SLACK
    minimal = enough.copy()
    for player in range(n):  # not minimal when still enough without some member
        pairs, without = minimal.reshape(-1, 2, 1 << player), enough.reshape(-1, 2, 1 << player)
        pairs[:, 1] &= ~without[:, 0]
    index = np.flatnonzero(minimal)
    members = [tuple(players[i] for i in range(n) if c >> i & 1) for c in index.tolist()]
    ranked = sorted(range(len(members)), key=lambda k: (len(members[k]), members[k]))
    return Coalitions(tuple(members[k] for k in ranked), tuple(float(worth[index[k]]) for k in ranked), n)


def defectors(game: Value, players: Sequence[str], coalitions: Sequence[Sequence[str]], cut: float) -> pd.DataFrame:
    """Return, for each member of each coalition, the loss with and without it, and whether its absence voids the
    refusal.

    A refusal is void when it takes less than `cut`. Columns: coalition, member, loss, without, voids. Members that
    supply nothing of the case change nothing.
    """
    rows = []
    place = {name: i for i, name in enumerate(players)}
    for members in coalitions:
        whole = np.zeros(len(players), dtype=bool)
        whole[[place[name] for name in members if name in place]] = True
        tests = np.repeat(whole[None], len(members) + 1, axis=0)
        for row, name in enumerate(members):
            if name in place:
                tests[row, place[name]] = False
        worth = np.asarray(game(tests))
        for row, name in enumerate(members):
            voids = bool(worth[-1] >= cut - SLACK and worth[row] < cut - SLACK)
            rows.append(("+".join(members), name, float(worth[-1]), float(worth[row]), voids))
    return pd.DataFrame(rows, columns=["coalition", "member", "loss", "without", "voids"])


def _coalition_table(coalitions: Coalitions) -> pd.DataFrame:
    rows = [
        {"size": len(members), "members": list(members), "loss": loss}
        for members, loss in zip(coalitions.found, coalitions.loss, strict=True)
    ]
    return pd.DataFrame(rows, columns=["size", "members", "loss"])


def _nothing(case: Case, measure: Measure, horizon: float, cut: float, warnings: Sequence[str]) -> Leverage:
    columns = ["state", "name", "bloc", "alone", "last", "shapley", "low", "high", "banzhaf", "owen", "with_unknown"]
    empty: Mapping[str, list[float]] = {name: [] for name in columns}
    return Leverage(
        pd.DataFrame(empty),
        _coalition_table(Coalitions((), (), 0)),
        defectors(lambda rows: np.zeros(len(rows)), (), (), cut),
        measure,
        horizon,
        cut,
        0.0,
        True,
        0,
        0,
        0,
        tuple(warnings),
    )
