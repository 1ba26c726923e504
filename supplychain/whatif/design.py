"""What a sweep varies, and the draws: grid, Latin hypercube, Monte Carlo, one at a time.

Each draw depends on the seed and its own number only, so a longer sweep begins with the draws of a shorter one, and no
worker or order changes them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from supplychain.assumptions import Assumptions
from supplychain.errors import UsageError
from supplychain.network import Floats
from supplychain.whatif.scenario import Scenario

Design = Literal["grid", "lhs", "mc", "one"]
_LOSSES: Final = ("short_run.", "resourcing.")  # assumptions that losses rest on
PARAMETER, ASSUMPTION = "parameter", "assumption"
# Standard errors (of the logarithm) that a figure of each quality is given: judgements, printed with results.
SPREAD: Final[dict[str, float]] = {"reported": 0.05, "derived": 0.10, "estimate": 0.25, "assumption": 0.50}


@dataclass(frozen=True)
class Dimension:
    """One thing that varies: a parameter of scenarios, or an assumption (``name:key`` for a part of a table)."""

    name: str
    kind: str
    low: float
    high: float
    usual: float


@dataclass(frozen=True)
class Draw:
    """One setting of all dimensions; ``data_seed`` draws the figures anew (0: as they are)."""

    number: int
    values: tuple[float, ...]
    data_seed: int


def dimensions(
    scenarios: Sequence[Scenario], assumptions: Assumptions, wanted: Sequence[str], every_parameter: bool = True
) -> tuple[Dimension, ...]:
    """Return the dimensions: the parameters of the scenarios, and assumptions named in ``wanted`` ("all": all numbers
    with a range that losses rest on). A wanted name may carry bounds of its own: ``name=low..high``.

    Raises UsageError for a name that is neither, and for one without a range.
    """
    table = assumptions.table
    ranged = table[np.isfinite(table["low"].to_numpy(float)) & (table["low"] < table["high"])]
    found: dict[str, Dimension] = {}
    for scenario in scenarios:
        for name, parameter in sorted((scenario.parameters or {}).items()):
            if every_parameter:
                low, high = parameter.range
                old = found.get(name)
                low, high = (min(low, old.low), max(high, old.high)) if old else (low, high)
                found[name] = Dimension(name, PARAMETER, low, high, parameter.value)
    for text in wanted:
        name, own = _bounds(text)
        if name == "all":
            rows = [
                str(row.assumption)
                for row in ranged.itertuples()
                if str(row.assumption).startswith(_LOSSES) and _is_number(row.value)
            ]
        elif name in found or any(name in (s.parameters or {}) for s in scenarios):
            value = next(s.parameters[name] for s in scenarios if s.parameters and name in s.parameters)
            low, high = own or value.range
            found[name] = Dimension(name, PARAMETER, low, high, value.value)
            continue
        else:
            rows = [name]
        for row in rows:
            found[row] = _assumption(row, own, assumptions)
    return tuple(found[name] for name in sorted(found, key=lambda n: (found[n].kind != PARAMETER, n)))


def _bounds(text: str) -> tuple[str, tuple[float, float] | None]:
    name, sign, span = text.partition("=")
    if not sign:
        return name, None
    try:
        low, high = (float(part) for part in span.split(".."))
    except ValueError:
        raise UsageError(f"{text!r}: bounds are written NAME=LOW..HIGH, such as resourcing.outbid=0.2..0.8") from None
    if not low < high:
        raise UsageError(f"{text!r}: the lower bound must be below the upper one")
    return name, (low, high)


def _assumption(name: str, own: tuple[float, float] | None, assumptions: Assumptions) -> Dimension:
    base, _, key = name.partition(":")
    entry = assumptions.entries.get(base)
    if entry is None:
        raise UsageError(f"{name!r} is neither a parameter of these scenarios nor an assumption")
    table = assumptions.table.set_index("assumption")
    label = name if name in table.index else f"{base}:{key or 'default'}"
    if label not in table.index or not _is_number(table.loc[label, "value"]):
        raise UsageError(f"the assumption {name!r} has no single number; name a part, such as {base}:default")
    row = table.loc[label]
    low, high = own or (float(str(row["low"])), float(str(row["high"])))
    if not np.isfinite(low) or not low < high:
        raise UsageError(f"the assumption {name!r} has no range; write {name}=LOW..HIGH")
    return Dimension(label, ASSUMPTION, low, high, float(str(row["value"])))


def _is_number(text: object) -> bool:
    try:
        float(str(text))
    except ValueError:
        return False
    return True


def count(design: Design, dims: Sequence[Dimension], samples: int, points: int) -> int:
    """Return how many draws a design makes, without making them."""
    if design == "grid":
        return int(np.prod([points] * len(dims), dtype=object)) if dims else 1
    return 1 + 2 * len(dims) if design == "one" else samples


def draws(design: Design, dims: Sequence[Dimension], samples: int, points: int, seed: int, data: bool) -> list[Draw]:
    """Return the draws. ``grid``: ``points`` values of each dimension, all combined. ``lhs``, ``mc``: ``samples``
    draws, uniform over the ranges. ``one``: all usual, then each dimension low and high. ``data``: figures drawn anew
    each time."""
    if design == "grid":
        axes = [np.linspace(d.low, d.high, points).tolist() if points > 1 else [d.usual] for d in dims]
        settings = [tuple(setting) for setting in itertools.product(*axes)]
    elif design == "one":
        usual = tuple(d.usual for d in dims)
        settings = [usual]
        for at, dim in enumerate(dims):
            settings += [(*usual[:at], end, *usual[at + 1 :]) for end in (dim.low, dim.high)]
    else:
        unit = _hypercube(samples, len(dims), seed) if design == "lhs" else _random(samples, len(dims), seed)
        low, width = np.array([d.low for d in dims]), np.array([d.high - d.low for d in dims])
        settings = [tuple(row) for row in (low + unit * width).tolist()]
    return [Draw(n, setting, _data_seed(seed, n) if data else 0) for n, setting in enumerate(settings)]


def _random(samples: int, width: int, seed: int) -> Floats:
    rows = [np.random.default_rng([seed, n]).random(width) for n in range(samples)]
    return np.array(rows).reshape(samples, width)


def _hypercube(samples: int, width: int, seed: int) -> Floats:
    """One value in each of ``samples`` equal parts of every dimension (McKay, Beckman, Conover 1979)."""
    rng = np.random.default_rng([seed, 0x1A71])
    cells = np.array([rng.permutation(samples) for _ in range(width)]).reshape(width, samples).T
    return np.asarray((cells + rng.random((samples, width))) / max(samples, 1))


def _data_seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number, 0xDA7A]).generate_state(1, np.uint64)[0] >> 1) or 1
