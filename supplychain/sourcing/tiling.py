"""From the PuLP core to the whole model: its arrays are read once, and the scenario is tiled over all scenarios."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from supplychain.errors import Problems
from supplychain.linear import LinearModel, read_pulp
from supplychain.sourcing.core import FIRST, SCENARIO, Core, Soft
from supplychain.sourcing.model import build_core
from supplychain.sourcing.policy import Policy
from supplychain.sourcing.problem import Floats, Ints, SourcingProblem, Threat


@dataclass(frozen=True)
class Scenario:
    """A threat with its probability over the horizon."""

    name: str
    probability: float
    factor: Floats


@dataclass(frozen=True, eq=False)
class SourcingModel:
    """The whole model as arrays. `block` gives the columns of each block; `softs` the columns by which rules give
    way."""

    problem: SourcingProblem
    policy: Policy
    linear: LinearModel
    block: dict[str, slice]
    softs: tuple[Soft, ...]
    scenarios: tuple[Scenario, ...]
    family: npt.NDArray[np.object_]  # name of the constraint that each row belongs to
    seats: tuple[int, ...]  # supplies with a column in `panel`, in its order
    tiered: dict[str, tuple[int, ...]]  # supply of each column of `tier` and `open`
    kept: Ints  # which columns of scenarios x scenario columns the model has: those of needs that a scenario touches

    @cached_property
    def soft_columns(self) -> Ints:
        return np.array([soft.column for soft in self.softs], dtype=np.int64)

    @property
    def baseline(self) -> float:
        """Probability that no scenario happens."""
        return 1.0 - sum(scenario.probability for scenario in self.scenarios)

    def named(self, column: int) -> str:
        """What a column stands for: its block and its place there."""
        block, where = next((name, s) for name, s in self.block.items() if s.start <= column < s.stop)
        return f"{block} {column - where.start}"

    def values(self, block: str, x: Floats) -> Floats:
        """Values of one block of the point `x`; zeros of the right shape where the block is not part of the model."""
        problem = self.problem
        shapes = {
            "buy": (len(problem.lines), problem.periods),
            "reserve": (len(problem.lines), problem.after),
            "build": (len(problem.needs),),
            "source": (len(problem.lines),),
            "unmet": (len(self.scenarios), len(problem.needs), problem.after),
            "deliver": (len(self.scenarios), len(problem.lines), problem.after),
        }
        shape = shapes[block]
        found = self.block.get(block)
        if found is None:
            return np.zeros(shape)
        if block in SCENARIO:
            start, stop = _span(self.block)
            every = np.zeros(len(self.scenarios) * (stop - start))
            every[self.kept] = x[start : start + len(self.kept)]
            return every.reshape(len(self.scenarios), -1)[:, found.start - start : found.stop - start].reshape(shape)
        return np.asarray(x[found].reshape(shape))

    def panel(self, x: Floats) -> dict[int, bool]:
        """For each supply that has a seat to be filled: is it on the panel?"""
        return dict(zip(self.seats, (x[self.block["panel"]] > 0.5).tolist(), strict=True))


def build(
    problem: SourcingProblem,
    policy: Policy,
    exposed: tuple[Threat, ...] = (),
    threatened: bool = False,
    secured: npt.NDArray[np.bool_] | None = None,
) -> SourcingModel:
    """Return the whole model of a problem under a policy. Raises InputError when probabilities do not add up.

    With `exposed`, the model also holds the loss of every need under each of these threats (block `loss`, cost
    0). `secured` (threats x needs) limits the N-1 rows to some pairs. `threatened`: reserves and stock are worth
    having for a reason that stands outside the model.
    """
    check_tiers(problem, policy)
    scenarios = drawn(problem, policy)
    baseline = 1.0 - sum(scenario.probability for scenario in scenarios)
    threats = named_threats(problem, policy)
    core = build_core(problem, policy, baseline, bool(scenarios), threatened or bool(scenarios or threats or exposed))
    block = _blocks(core)
    factor = np.array(core.factor, dtype=np.int64)
    family = np.array(core.families, dtype=object)
    linear, kept, rows = tile(problem, _aligned(core, read_pulp(core.lp)), factor, block, scenarios)
    families = [family[factor == -1], np.tile(family[factor != -1], max(len(scenarios), 1))[rows]]
    softs = [
        Soft(block["slack"].start + soft.column, soft.rule, soft.need, soft.label, soft.weight) for soft in core.softs
    ]
    linear, secure = secure_rows(problem, policy, linear, block, threats, secured)
    families.append(np.full(linear.matrix.shape[0] - sum(map(len, families)), "secure_rows", dtype=object))
    if exposed:
        linear, block["loss"] = exposure_rows(problem, policy, linear, block, exposed)
        families.append(np.full(linear.matrix.shape[0] - sum(map(len, families)), "exposure_rows", dtype=object))
    every, found, seats = np.concatenate(families), tuple(softs + secure), tuple(core.gate)
    return SourcingModel(problem, policy, linear, block, found, scenarios, every, seats, core.tiered, kept)


def check_tiers(problem: SourcingProblem, policy: Policy) -> None:
    """Raise InputError for price tiers of supplies that are not there or have no price of their own to start from."""
    faults = Problems()
    price = dict(zip(problem.supplies["supply"], problem.supplies["unit_cost"].tolist(), strict=True))
    for i, tier in enumerate(policy.price_tiers):
        place: dict[str, Any] = {"column": f"price_tiers.{i}.supply", "value": tier.supply}
        if tier.supply not in price:
            near = get_close_matches(tier.supply, list(price), n=1)
            faults.add("policy-tiers", "no such supply", f"did you mean {near[0]}?" if near else "", **place)
        elif not np.isfinite(price[tier.supply]) or problem.currency == "index":
            rule = "a price tier needs a supply with a recorded unit_cost, and prices in money"
            faults.add("policy-tiers", rule, "record the prices, or remove the tier", **place)
    faults.raise_if_any()


def drawn(problem: SourcingProblem, policy: Policy) -> tuple[Scenario, ...]:
    """The policy's scenarios: each threat of a kind that has a probability, and the named ones."""
    rule = policy.scenarios
    by_kind = {"state": rule.state, "supplier": rule.supplier, "regime": rule.regime}
    faults = Problems()
    known = {threat.name for threat in problem.threats}
    for name in sorted(set(rule.named) - known):
        cure = f"threats of this case: {', '.join(sorted(known)) or 'none'}"
        faults.add("policy-threat", "no such threat", cure, column="scenarios.named", value=name)
    found = [
        Scenario(threat.name, probability, threat.factor)
        for threat in problem.threats
        if (probability := rule.named.get(threat.name, by_kind.get(threat.kind, 0.0))) > 0
        and of_strength(threat, rule.refusal)
    ]
    total = sum(scenario.probability for scenario in found)
    if total > 1 + 1e-9 or (rule.baseline is not None and abs(rule.baseline + total - 1) > 1e-9):
        rule_text = f"{len(found)} scenarios of {total:g} in all" + (
            f" and the baseline of {rule.baseline:g}" if rule.baseline is not None else ""
        )
        faults.add(
            "policy-probability", "probabilities must sum to 1", "lower them", column="scenarios", value=rule_text
        )
    faults.raise_if_any()
    return tuple(found)


def named_threats(problem: SourcingProblem, policy: Policy) -> tuple[Threat, ...]:
    """The threats that the policy's N-1 rule names."""
    rule = policy.secure
    return tuple(t for t in problem.threats if t.kind in rule.against and of_strength(t, rule.refusal))


def of_strength(threat: Threat, refusal: str) -> bool:
    """Is the threat as strong as ``refusal`` ("all", "at-leave") asks?"""
    # A state's threats come in two strengths, told apart by the ending of their names; others have one.
    return not threat.name.endswith((":at-leave", ":all")) or threat.name.endswith(f":{refusal}")


def _blocks(core: Core) -> dict[str, slice]:
    block, at = {}, 0
    for name in (*FIRST, *SCENARIO):
        size = len(core.blocks.get(name, ()))
        if size or name in ("panel", "build", "drop", "slack"):
            block[name] = slice(at, at + size)
        at += size
    return block


def _aligned(core: Core, linear: LinearModel) -> LinearModel:
    """The core's arrays with a column for every variable: PuLP leaves out those that stand in no row and cost
    nothing."""
    variables = [variable for name in (*FIRST, *SCENARIO) for variable in core.blocks.get(name, ())]
    position = {str(variable.name): j for j, variable in enumerate(variables)}
    at = np.array([position[name] for name in linear.columns], dtype=np.int64)
    if len(at) == len(variables):
        return linear
    lower = np.array([-np.inf if v.lowBound is None else v.lowBound for v in variables], dtype=float)
    upper = np.array([np.inf if v.upBound is None else v.upBound for v in variables], dtype=float)
    cost = np.zeros(len(variables))
    whole = np.zeros(len(variables), dtype=bool)
    cost[at], whole[at] = linear.cost, linear.integer
    old = linear.matrix
    matrix = sparse.csr_array((old.data, at[old.indices], old.indptr), shape=(old.shape[0], len(variables)))
    return LinearModel(cost, matrix, linear.row_lower, linear.row_upper, lower, upper, whole, linear.offset)


def tile(
    problem: SourcingProblem, core: LinearModel, factor: Ints, block: dict[str, slice], scenarios: tuple[Scenario, ...]
) -> tuple[LinearModel, Ints, Ints]:
    """Repeat the scenario's columns and rows for each scenario, as SMPS files do.

    Costs of scenario columns, and their terms in first-stage rows, are weighted by the scenario's probability;
    the first-stage terms of a row with a factor are multiplied by what the scenario leaves of that line. A need
    that a scenario leaves alone gets its deliveries as contracted: its columns and rows there are left out and
    their cost falls on the contract. Returns the model, and which scenario columns and rows it has.
    """
    start, stop = _span(block)
    if not scenarios:
        none = np.zeros(0, dtype=np.int64)
        return core, none, none
    K = len(scenarios)
    first, later = np.flatnonzero(factor == -1), np.flatnonzero(factor != -1)
    weight = np.array([scenario.probability for scenario in scenarios])
    left = np.stack([scenario.factor.ravel() for scenario in scenarios])
    at = factor[later]
    scale = np.where(at >= 0, left[:, np.maximum(at, 0)], 1.0)  # K x rows
    top, links = core.matrix[first][:, :start], core.matrix[first][:, start:]
    shared, own = sparse.csr_array(core.matrix[later][:, :start]), sparse.csr_array(core.matrix[later][:, start:])
    per_row = np.diff(shared.indptr)
    data = shared.data[None, :] * np.repeat(scale, per_row, axis=1)
    starts = np.concatenate([[0], np.cumsum(np.tile(per_row, K))])
    tiled = sparse.csr_array((data.ravel(), np.tile(shared.indices, K), starts), shape=(K * len(later), start))
    tiled.eliminate_zeros()
    tail = slice(start, stop)
    buy = np.arange(block["buy"].start, block["buy"].stop).reshape(-1, problem.periods)[:, problem.strike :]
    touched = touched_needs(problem, np.where(core.col_upper[buy] > 0, left.reshape(K, *buy.shape), 1.0))
    of_column = need_of_scenario_column(problem, block)
    of_row = np.minimum.reduceat(of_column[own.indices], own.indptr[:-1]) if own.nnz else np.zeros(0, dtype=np.int64)
    # Need -1 stands for the whole plan (the tail of the loss), which every scenario touches.
    keep = np.flatnonzero(np.column_stack([touched, np.ones(K, dtype=bool)])[:, of_column].ravel())
    rows = np.flatnonzero(np.column_stack([touched, np.ones(K, dtype=bool)])[:, of_row].ravel())
    cost = core.cost[:start].copy()
    unloaded = (weight @ ~touched)[problem.need]
    cost[buy] += unloaded[:, None] * core.cost[block["deliver"]].reshape(buy.shape)
    second = sparse.csr_array(sparse.kron(sparse.eye_array(K), own, format="csr"))
    upper = sparse.csr_array(sparse.kron(weight[None, :], links, format="csr"))
    if len(keep) < second.shape[1]:
        tiled, second, upper = tiled[rows], second[rows][:, keep], upper[:, keep]
    every = LinearModel(
        cost=np.concatenate([cost, np.outer(weight, core.cost[tail]).ravel()[keep]]),
        matrix=sparse.csr_array(sparse.block_array([[top, upper], [tiled, second]], format="csr")),
        row_lower=np.concatenate([core.row_lower[first], np.tile(core.row_lower[later], K)[rows]]),
        row_upper=np.concatenate([core.row_upper[first], np.tile(core.row_upper[later], K)[rows]]),
        col_lower=np.concatenate([core.col_lower[:start], np.tile(core.col_lower[tail], K)[keep]]),
        col_upper=np.concatenate([core.col_upper[:start], np.tile(core.col_upper[tail], K)[keep]]),
        integer=np.concatenate([core.integer[:start], np.tile(core.integer[tail], K)[keep]]),
        offset=core.offset,
    )
    return every, keep, rows


def _span(block: dict[str, slice]) -> tuple[int, int]:
    """First column of the scenario and the column after its last."""
    present = [block[name] for name in SCENARIO if name in block]
    if not present:
        return (0, 0)
    return min(s.start for s in present), max(s.stop for s in present)


def touched_needs(problem: SourcingProblem, left: Floats) -> npt.NDArray[np.bool_]:
    """Which needs lose some part of some line in each scenario (K x N)."""
    hit = (left < 1.0 - 1e-12).any(axis=2)
    count = np.zeros((len(left), len(problem.needs)))
    np.add.at(count.T, problem.need, hit.T)
    return np.asarray(count > 0)


def need_of_scenario_column(problem: SourcingProblem, block: dict[str, slice]) -> Ints:
    """The need that each scenario column belongs to; -1 for the tail of the loss."""
    A = problem.after
    needs = np.repeat(np.arange(len(problem.needs)), A)
    found = [np.repeat(problem.need, A), needs, needs]
    if "excess" in block:
        found.append(np.full(1, -1))
    return np.concatenate(found)


def secure_rows(
    problem: SourcingProblem,
    policy: Policy,
    linear: LinearModel,
    block: dict[str, slice],
    threats: tuple[Threat, ...],
    only: npt.NDArray[np.bool_] | None = None,
) -> tuple[LinearModel, list[Soft]]:
    """N-1 security, for every threat j, need n and period t' after the strike:

    stock today + b_n + sum_{t <= t'} sum_{l of n} factor_ljt ((1 + f) x_lt + r_lt) + slack_nj m >= (1 - gap) m,
    where m = t' - t* + 1.

    Promises never exceed what a supply can make (`capacity`), and stock carries over, so these rows are exactly the
    condition that deliveries exist which leave at most the gap unmet in every period: the recourse is projected out and
    no second-stage column is needed.
    """
    months = np.arange(1.0, problem.after + 1)
    right = (1.0 - policy.secure.gap) * months
    thin = policy.impossible == "refuse" and only is None
    wide, owners = _promise_rows(problem, policy, linear, block, threats, months, right, thin, only)
    softs = [Soft(len(linear.cost) + i, "secure", n, threats[j].name, 1.0) for i, (n, j) in enumerate(owners)]
    return wide, softs


def exposure_rows(
    problem: SourcingProblem, policy: Policy, linear: LinearModel, block: dict[str, slice], threats: tuple[Threat, ...]
) -> tuple[LinearModel, slice]:
    """Loss e_nj in [0, 1] of need n under threat j, the part unmet over the periods after the strike, for every t':

    stock today + b_n + sum_{t <= t'} sum_{l of n} factor_ljt ((1 + f) x_lt + r_lt) + (P - t*) e_nj >= t' - t* + 1
    """
    months = np.arange(1.0, problem.after + 1)
    wide, owners = _promise_rows(
        problem, policy, linear, block, threats, np.full(problem.after, float(problem.after)), months, False
    )
    found = slice(len(linear.cost), len(linear.cost) + len(owners))
    upper = wide.col_upper.copy()
    upper[found] = 1.0
    return replace(wide, col_upper=upper), found


def _promise_rows(
    problem: SourcingProblem,
    policy: Policy,
    linear: LinearModel,
    block: dict[str, slice],
    threats: tuple[Threat, ...],
    give: Floats,
    right: Floats,
    thin: bool,
    only: npt.NDArray[np.bool_] | None = None,
) -> tuple[LinearModel, list[tuple[int, int]]]:
    """Append, for each need and threat that touches it (and is in `only`, threats x needs), one column (fixed at 0)
    and a row per period: stock and all that the promises bring by then, plus `give` times the column, is at least
    `right`. Returns the wider model and (need, threat) of each column."""
    if not threats:
        return linear, []
    A, P, L = problem.after, problem.periods, len(problem.lines)
    flexible = 1.0 + policy.contract.flexibility
    open_ = linear.col_upper[block["buy"]].reshape(L, P)[:, problem.strike :] > 0
    left = np.stack([threat.factor for threat in threats]) * open_
    starts = np.searchsorted(problem.need, np.arange(len(problem.needs) + 1))
    touched = touched_needs(problem, np.where(open_, left, 1.0))
    touched &= True if only is None else only
    need_at, threat_at = np.nonzero(touched.T)
    if thin:
        kept = [_binding(left[:, lo:hi], np.flatnonzero(touched[:, n])) for n, (lo, hi) in enumerate(pairwise(starts))]
        need_at = np.repeat(np.arange(len(kept)), [len(found) for found in kept])
        threat_at = np.array([j for found in kept for j in found], dtype=np.int64)
    pairs = len(need_at)
    if not pairs:
        return linear, []
    # Every pair's lines, one after another.
    length = (starts[1:] - starts[:-1])[need_at]
    pair = np.repeat(np.arange(pairs), length)
    line = np.arange(len(pair)) - np.repeat(np.cumsum(length) - length, length) + starts[need_at][pair]
    rows, columns, values = [], [], []
    for t in range(A):
        part = left[threat_at[pair], line, t]
        some = np.flatnonzero(part > 0)
        for a in range(t, A):
            rows.append(pair[some] * A + a)
            columns.append(block["buy"].start + line[some] * P + problem.strike + t)
            values.append(flexible * part[some])
            if "reserve" in block:
                rows.append(pair[some] * A + a)
                columns.append(block["reserve"].start + line[some] * A + t)
                values.append(part[some])
    every = np.arange(pairs * A)
    rows += [every, every]
    columns += [block["build"].start + np.repeat(need_at, A), len(linear.cost) + np.repeat(np.arange(pairs), A)]
    values += [np.ones(pairs * A), np.tile(give, pairs)]
    width = len(linear.cost) + pairs
    extra = sparse.csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(pairs * A, width)
    )
    old, none = linear.matrix, np.zeros(pairs)
    same = sparse.csr_array((old.data, old.indices, old.indptr), shape=(old.shape[0], width))
    today = problem.needs["stock_today"].to_numpy(float)[need_at]
    wide = LinearModel(
        cost=np.concatenate([linear.cost, none]),
        matrix=sparse.csr_array(sparse.vstack([same, extra], format="csr")),
        row_lower=np.concatenate([linear.row_lower, (right[None, :] - today[:, None]).ravel()]),
        row_upper=np.concatenate([linear.row_upper, np.full(pairs * A, np.inf)]),
        col_lower=np.concatenate([linear.col_lower, none]),
        col_upper=np.concatenate([linear.col_upper, none]),
        integer=np.concatenate([linear.integer, np.zeros(pairs, dtype=bool)]),
        offset=linear.offset,
    )
    return wide, list(zip(need_at.tolist(), threat_at.tolist(), strict=True))


def _binding(left: Floats, worth: Ints) -> list[int]:
    """Of the threats `worth` a row to one need (`left`: J x its lines x periods), those that no other surpasses in
    every line and period (the first of equals stays). A threat that may give way implies nothing about weaker
    ones: thin only where none may."""
    chosen: list[int] = []
    for j in worth.tolist():
        surpassed = any(
            i != j and (left[i] <= left[j] + 1e-12).all() and (i < j or not (left[j] <= left[i] + 1e-12).all())
            for i in worth.tolist()
        )
        if not surpassed:
            chosen.append(j)
    return chosen
