"""Time to survive, time to recover and the risk exposure index (Simchi-Levi et al., HBR 2014; Interfaces 45(5), 2015).

For a disruption that stops some makers for t months, the performance impact PI(t) is the least value lost:

    min  sum_j f_j l_j
    s.t. u_j <= sum_i gain_ij y_ij + stock      for every part that maker j needs (its sources i; stock at the user)
         sum_j draw_ij y_ij + x_i <= u_i + s_i  for every maker (s: finished goods)
         x_j + l_j >= d_j t                     for every demand
         0 <= u_j <= c_j t, and 0 where stopped

PI is convex and piecewise linear in t. Time to survive is the longest t with PI(t) = 0; a maker is exposed when that is
less than its time to recover (TTR); the index is PI(TTR) over the largest of all. One model serves every disruption:
only bounds and right-hand sides change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from supplychain.analysis.chain import chain_of
from supplychain.analysis.needs import at_or
from supplychain.analysis.resourcing import Resourcing
from supplychain.errors import NoAnswer, UsageError
from supplychain.linear import LinearModel
from supplychain.network import CONSUMABLE, DAYS_PER_MONTH, ESSENTIAL, SUPPLY, UNKNOWN_PLACE, Compiled, Floats, is_firm
from supplychain.solve import LiveModel

if TYPE_CHECKING:
    from supplychain.case import Case

Longs = npt.NDArray[np.int64]
KINDS: Final = ("organisation", "site")
LONGEST: Final = 120.0  # months: what survives longer survives
_ZERO: Final = 1e-7
_STEPS: Final = 60


@dataclass(frozen=True, eq=False)
class Firm:
    """Makers, what they need of one another, stocks and demands; quantities a month, stocks in the same unit.

    Links: maker ``link_user`` draws on maker ``link_source`` for its part ``link_part`` (parts are numbered over all
    makers; the sources of one part replace one another). One unit drawn takes ``link_draw`` of the source and makes
    ``link_gain`` of the user's output.
    """

    capacity: Floats  # (n,) inf = no limit that matters (ten thousand times all demand)
    stock: Floats  # (n,) finished goods
    demand: Floats  # (n,)
    value: Floats  # (n,) of one unit of demand
    link_user: Longs
    link_part: Longs
    link_source: Longs
    link_draw: Floats
    link_gain: Floats
    part_stock: Floats  # (parts,) held by the user, in units of its output


class Resilience:
    """The linear programme of a firm, live: each question changes bounds only."""

    def __init__(self, firm: Firm) -> None:
        n, m, parts = len(firm.capacity), len(firm.link_user), len(firm.part_stock)
        self.firm, self.n, self.parts = firm, n, parts
        # Every column is bounded, so that the solver's answer can be proved from its duals.
        self.most = np.minimum(firm.capacity, 1e4 * max(float(firm.demand.sum()), 1e-12))
        owner = np.zeros(parts, np.int64)
        owner[firm.link_part] = firm.link_user
        self.wanted = np.flatnonzero(firm.demand > 0)
        wide = n + m + 2 * len(self.wanted)
        at_y, at_x, at_l = n, n + m, n + m + len(self.wanted)
        k = np.arange(len(self.wanted))
        entries = [
            (firm.link_part, at_y + np.arange(m), firm.link_gain),
            (np.arange(parts), owner, np.full(parts, -1.0)),
            (parts + firm.link_source, at_y + np.arange(m), firm.link_draw),
            (parts + self.wanted, at_x + k, np.ones(len(k))),
            (parts + np.arange(n), np.arange(n), np.full(n, -1.0)),
            (parts + n + k, at_x + k, np.ones(len(k))),
            (parts + n + k, at_l + k, np.ones(len(k))),
        ]
        rows, columns, values = (np.concatenate([np.asarray(e[j]) for e in entries]) for j in range(3))
        height = parts + n + len(k)
        lower = np.concatenate([-firm.part_stock, np.full(n, -math.inf), np.zeros(len(k))])
        upper = np.concatenate([np.full(parts, math.inf), firm.stock, np.full(len(k), math.inf)])
        cost = np.zeros(wide)
        cost[at_l:] = firm.value[self.wanted]
        self.live = LiveModel(
            LinearModel(
                cost=cost,
                matrix=sparse.csr_array((values, (rows, columns)), shape=(height, wide)),
                row_lower=lower,
                row_upper=upper,
                col_lower=np.zeros(wide),
                col_upper=np.full(wide, math.inf),
            )
        )
        self._constant = np.concatenate([-firm.part_stock, firm.stock, np.zeros(len(k))])
        self._at_l = at_l

    def impact(self, left: Floats, months: float) -> tuple[float, Floats]:
        """Return PI and the units lost of every demand, with the part ``left`` (n,) of each capacity, for
        ``months``."""
        value, lost, _ = self._solve(left, months)
        return value, lost

    def time_to_survive(self, left: Floats, longest: float = LONGEST) -> float:
        """Return the longest disruption that costs nothing, in months; infinity beyond ``longest``.

        Newton's method on the convex PI(t), from the right: every step solves one programme, and the last is exact.
        """
        months = longest
        for _ in range(_STEPS):
            value, _, constant = self._solve(left, months)
            if value <= _ZERO * max(1.0, float(self.firm.value.max(initial=0.0))):
                return math.inf if months == longest else months
            # PI(t) = constant + slope * t on this piece: go where the piece meets zero.
            following = -constant * months / (value - constant) if value > constant else 0.0
            if following <= 0 or following >= months:
                return max(following, 0.0) + 0.0
            months = following
        raise NoAnswer("time to survive did not settle")

    def _solve(self, left: Floats, months: float) -> tuple[float, Floats, float]:
        if months <= 0:
            return 0.0, np.zeros(len(self.wanted)), 0.0
        firm, n = self.firm, self.n
        ends = firm.demand[self.wanted] * months
        drawn = self.most[firm.link_user] * months / np.maximum(firm.link_gain, 1e-12)
        upper = np.concatenate([self.most * left * months, drawn, ends, ends])
        self.live.set_columns(np.arange(len(upper)), np.zeros(len(upper)), upper)
        rows = self.parts + n + np.arange(len(self.wanted))
        self.live.set_rows(rows, ends, np.full(len(rows), math.inf))
        solution = self.live.solve()
        if solution.status != "optimal":
            raise NoAnswer(f"the programme of a disruption of {months:g} months is {solution.status}")
        lost = np.maximum(solution.values[self._at_l :], 0.0)
        return max(float(solution.objective), 0.0), lost, float(solution.duals @ self._constant)


@dataclass(frozen=True, eq=False)
class RiskExposure:
    """The risk exposure table of a case, largest index first.

    table: kind, element, months_to_survive (inf: longer than ten years), months_to_recover, exposed (survives less
    than it takes to recover), impact (USD of margin, or mean months of need lost where no margin is known, in the time
    to recover), index (impact over the largest), needs_hit, worst_need. unit: USD or months.
    """

    table: pd.DataFrame
    unit: str
    examined: int
    warnings: tuple[str, ...]


def risk_exposure(
    case: Case,
    kinds: Sequence[str] = KINDS,
    recovery_months: float | None = None,
    step: Callable[[str], None] | None = None,
) -> RiskExposure:
    """Return time to survive, time to recover and the index for the loss of every organisation or all sites in a
    country.

    What stops in a disruption is what is used up: equipment and know-how outlast these times and are left out. Makers
    outside the disruption raise output by their spare capacity. A time to recover that no supply records is the shorter
    of qualifying others and building anew, as the item records (or ``recovery_months`` for all).
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is no kind of disruption: {', '.join(KINDS)}")
    view = _View(case, recovery_months)
    rows = []
    for kind in kinds:
        if step:
            step(f"stopping every {kind}")
        for name, nodes in view.elements(kind):
            found = view.measure(nodes)
            if found is not None:
                rows.append({"kind": kind, "element": name, **found})
    columns = [
        "kind",
        "element",
        "months_to_survive",
        "months_to_recover",
        "exposed",
        "impact",
        "needs_hit",
        "worst_need",
    ]
    table = pd.DataFrame(rows, columns=columns)
    largest = float(table["impact"].max()) if len(table) else 0.0
    table["index"] = table["impact"] / largest if largest > 0 else 0.0
    table = table.sort_values(
        ["index", "months_to_survive", "kind", "element"], ascending=[False, True, True, True], ignore_index=True
    )
    return RiskExposure(table, view.unit, view.examined, case.warnings)


class _View:
    """A case with one programme per distinct need, and what each disruption leaves of every item."""

    def __init__(self, case: Case, recovery_months: float | None) -> None:
        self.case, self.compiled = case, case.compiled
        self.resourcing = case.resourcing
        self.recovery = recovery_months
        self.examined = 0
        margin = case.needs["margin_usd"].to_numpy(float)
        self.unit = "USD" if np.isfinite(margin).any() else "months"
        self.margin = np.where(np.isfinite(margin), margin, 0.0) if self.unit == "USD" else np.ones(len(margin))
        own = case.needs["need"].to_numpy(np.int64)
        self.uses_up = at_or(case.compiled.need_role, own, CONSUMABLE) == CONSUMABLE
        self.models: dict[tuple[int, float], tuple[Resilience, Longs]] = {}

    def elements(self, kind: str) -> list[tuple[str, npt.NDArray[np.intp]]]:
        compiled = self.compiled
        label = compiled.supply_org if kind == "organisation" else compiled.supply_place
        names = compiled.organisations if kind == "organisation" else compiled.places
        found = []
        for code in np.unique(label[(compiled.supply_kind == SUPPLY) & (label >= 0)]):
            name = names[code]
            if name == UNKNOWN_PLACE or not is_firm(name):
                continue
            found.append((name, np.flatnonzero((label == code) & (compiled.supply_kind == SUPPLY))))
        return found

    def measure(self, nodes: npt.NDArray[np.intp]) -> dict[str, object] | None:
        """Return the row of a disruption, or None when spare capacity elsewhere covers it at once."""
        compiled, needs = self.compiled, self.case.needs
        self.examined += 1
        lost = np.bincount(compiled.supply_item[nodes], compiled.supply_share[nodes], len(compiled.items))
        left = np.clip(1.0 - lost / np.maximum(self._total, 1e-300), 0.0, 1.0)
        short = np.flatnonzero(left * (1.0 + self.resourcing.spare) < 1.0 - 1e-9)
        if not len(short):
            return None
        recover = self._recovery_of(nodes[np.isin(compiled.supply_item[nodes], short)])
        survive, impact, hit, worst = math.inf, np.zeros(len(needs)), 0, ""
        known: dict[int, tuple[float, float]] = {}
        for row, need in enumerate(needs.itertuples()):
            if not self.uses_up[row]:
                continue
            model, items = self._model(row)
            if not np.isin(short, items).any():
                continue
            if id(model) not in known:
                months = model.time_to_survive(left[items])
                units = model.impact(left[items], recover)[0] if recover > months else 0.0
                known[id(model)] = months, units
            months, units = known[id(model)]
            if math.isfinite(months):
                hit += 1
                if months < survive:
                    survive, worst = months, f"{need.plant!s}:{need.item!s}" if need.plant else str(need.item)
            impact[row] = units
        if not math.isfinite(survive):
            return None
        return {
            "months_to_survive": survive,
            "months_to_recover": recover,
            "exposed": survive < recover,
            "impact": self._value(impact),
            "needs_hit": hit,
            "worst_need": worst,
        }

    def _value(self, units: Floats) -> float:
        """A plant loses what its worst need loses; without margins, the mean months of need lost."""
        if self.unit == "months":
            return float(units.mean())
        table = pd.DataFrame({"plant": self.case.needs["plant"], "usd": units / 12.0 * self.margin})
        return float(table.groupby("plant")["usd"].max().sum())

    @cached_property
    def _total(self) -> Floats:
        making = self.compiled.supply_item >= 0
        items = self.compiled.supply_item[making]
        return np.bincount(items, self.compiled.supply_share[making], len(self.compiled.items)).astype(float)

    def _recovery_of(self, nodes: npt.NDArray[np.intp]) -> float:
        """Months until what stopped is replaced: the longest over the supplies hit."""
        if self.recovery is not None:
            return self.recovery
        network, compiled = self.case.network, self.compiled
        own = np.full(len(nodes), np.nan)
        if "time_to_recover_days" in network.supplies:
            days = network.supplies["time_to_recover_days"].to_numpy(float)
            own = days[compiled.supply_row[nodes]] / DAYS_PER_MONTH
        item = compiled.supply_item[nodes]
        usual = np.fmin(self.resourcing.qualification_months, self.resourcing.new_capacity_months)[item]
        return float(np.where(np.isnan(own), usual, own).max())

    def _model(self, row: int) -> tuple[Resilience, Longs]:
        need = self.case.needs.iloc[row]
        market = int(need["market"])
        stock = float(need["stock_days"]) / DAYS_PER_MONTH if int(need["need"]) >= 0 else 0.0
        key = (int(self.compiled.market_item[market]), stock)
        if key not in self.models:
            self.models[key] = _chain_model(self.compiled, self.resourcing, market, stock)
        return self.models[key]


def _chain_model(compiled: Compiled, resourcing: Resourcing, market: int, stock: float) -> tuple[Resilience, Longs]:
    """The programme of one need's chain, item by item: a disruption of makers cannot tell makers of one item apart.

    Quantities are fractions of what the chain uses of an item in a month.
    """
    chain = chain_of(compiled, market, resourcing, 1.0)
    items = chain.items.astype(np.int64)
    at = np.full(len(compiled.items), -1)
    at[items] = np.arange(len(items))
    of = compiled.supply_item[compiled.need_supply]
    on = compiled.market_item[compiled.need_market]
    wanted = (compiled.need_role == CONSUMABLE) & (compiled.need_essential == ESSENTIAL) & (chain.part > 0)
    _, first = np.unique(np.where(wanted, compiled.need_row, -1), return_index=True)
    need = first[wanted[first]]
    clause = np.where(compiled.need_group[need] >= 0, compiled.need_group[need], -1 - need)
    # A group is numbered by maker: its members stand together under the item and the first member's requirement.
    _, part = np.unique(clause, return_inverse=True)
    gain = compiled.need_weight[need]
    held = np.bincount(part, gain * compiled.need_stock_days[need] / DAYS_PER_MONTH)
    product = at[compiled.market_item[market]]
    firm = Firm(
        capacity=1.0 + resourcing.spare[items],
        stock=np.zeros(len(items)),
        demand=np.where(np.arange(len(items)) == product, 1.0, 0.0),
        value=np.ones(len(items)),
        link_user=at[of[need]],
        link_part=part.astype(np.int64),
        link_source=at[on[need]],
        link_draw=chain.part[need],
        link_gain=gain,
        part_stock=held.astype(float),
    )
    firm.stock[product] += stock * chain.final_part
    return Resilience(_scaled(firm, product, chain.final_part)), items


def _scaled(firm: Firm, product: int, part: float) -> Firm:
    """The need takes ``part`` of the chain's use of its own product; demand and its value are told per unit of need."""
    demand = firm.demand.copy()
    demand[product] = part
    value = firm.value.copy()
    value[product] = 1.0 / part
    return Firm(**{**vars(firm), "demand": demand, "value": value})
