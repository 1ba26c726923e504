"""Minimal cut sets: published counts, brute force, and three independent ways that must agree."""

from __future__ import annotations

import csv
import math
from fractions import Fraction
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supplychain.analysis.cutsets import minimal_cut_sets
from supplychain.analysis.gates import (
    Gate,
    all_of,
    any_of,
    at_least,
    compile_gates,
    evaluate,
    modules,
    threshold,
)
from supplychain.analysis.interdiction import cheapest_cut_set, enumerate_minimal
from supplychain.analysis.openpsa import read_open_psa
from supplychain.errors import InputError, NoAnswer, UsageError

ARALIA = ("baobab2", "chinese", "das9201", "das9202", "das9203", "das9204", "ftr10", "isp9605", "isp9606")


def brute_force(gates: dict[str, Gate], top: str) -> list[tuple[str, ...]]:
    """Every minimal set, by trying all subsets in order of size on the plain gates."""
    events = sorted({name for gate in gates.values() for name in gate.inputs if name not in gates})

    def fails(name: str, failed: set[str]) -> bool:
        if name not in gates:
            return name in failed
        gate = gates[name]
        states = [fails(part, failed) for part in gate.inputs]
        match gate.op:
            case "and":
                return all(states)
            case "or":
                return any(states)
            case "not":
                return not states[0]
            case "xor":
                return sum(states) % 2 == 1
            case "atleast":
                return sum(states) >= gate.least
            case "threshold":
                return sum(w for w, s in zip(gate.weights, states, strict=True) if s) >= gate.least
            case _:
                return gate.op == "true"

    found: list[set[str]] = []
    for size in range(len(events) + 1):
        for chosen in combinations(events, size):
            if not any(known <= set(chosen) for known in found) and fails(top, set(chosen)):
                found.append(set(chosen))
    return sorted((tuple(sorted(chosen)) for chosen in found), key=lambda chosen: (len(chosen), chosen))


@pytest.mark.parametrize("model", ARALIA)
@pytest.mark.parametrize("method", ["bdd", "zbdd"])
def test_published_counts_of_the_aralia_fault_trees(model: str, method: str, shared: Path) -> None:
    with (shared / "bench" / "mcs" / "expected_counts.csv").open() as stream:
        expected = next(row for row in csv.DictReader(stream) if row["model"] == model)
    tree = read_open_psa(shared / "bench" / "mcs" / f"{model}.xml")
    sets = minimal_cut_sets(tree.gates, tree.tops[0], method=method)  # type: ignore[arg-type]
    assert sets.count == int(expected["mcs_scram_0.16.2"])
    assert sets.sizes[1:] == tuple(int(n) for n in expected["size_distribution_from_1"].split())
    assert sets.coherent
    if sets.count < 6000:
        listed = list(sets.sets())
        assert len(set(listed)) == sets.count
        assert [len(chosen) for chosen in listed] == sorted(len(chosen) for chosen in listed)
        net = compile_gates(tree.gates, tree.tops[0])
        place = {name: i for i, name in enumerate(net.names)}
        failed = np.zeros((2 * len(listed), len(net.names)), dtype=bool)
        for i, chosen in enumerate(listed):  # each is a cut set, and no longer one without its last event
            failed[2 * i, [place[e] for e in chosen]] = True
            failed[2 * i + 1, [place[e] for e in chosen[:-1]]] = True
        assert evaluate(net, failed).tolist() == [True, False] * len(listed)


def random_gates(draw: st.DrawFn, negations: bool = False) -> dict[str, Gate]:
    events = [f"e{i}" for i in range(draw(st.integers(2, 8)))]
    gates: dict[str, Gate] = {}
    for number in range(draw(st.integers(1, 7))):
        known = events + list(gates)
        inputs = tuple(draw(st.lists(st.sampled_from(known), min_size=1, max_size=5)))
        op = draw(
            st.sampled_from(["and", "or", "atleast", "threshold", *(["not", "xor", "true"] if negations else [])])
        )
        if op == "threshold":
            weights = tuple(Fraction(draw(st.integers(0, 6)), 4) for _ in inputs)
            gate = Gate(op, inputs, Fraction(draw(st.integers(-1, 16)), 4), weights)
        elif op == "true":
            gate = Gate(op)
        else:
            gate = Gate(op, inputs[:1] if op == "not" else inputs, Fraction(draw(st.integers(0, 4))))
        gates[f"g{number}"] = gate
    return gates


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_three_ways_and_brute_force_agree_on_random_networks(data: st.DataObject) -> None:
    gates = random_gates(data.draw)
    top = list(gates)[-1]
    expected = brute_force(gates, top)
    assert list(minimal_cut_sets(gates, top, method="bdd").sets()) == expected
    assert list(minimal_cut_sets(gates, top, method="zbdd").sets()) == expected
    largest = data.draw(st.integers(0, 4))
    few = [chosen for chosen in expected if len(chosen) <= largest]
    assert list(minimal_cut_sets(gates, top, method="bdd", max_size=largest).sets()) == few
    assert list(minimal_cut_sets(gates, top, method="zbdd", max_size=largest).sets()) == few


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_integer_programs_enumerate_the_same_sets(data: st.DataObject) -> None:
    gates = random_gates(data.draw)
    top = list(gates)[-1]
    assert enumerate_minimal(gates, top) == brute_force(gates, top)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_minimal_solutions_of_networks_with_negations(data: st.DataObject) -> None:
    gates = random_gates(data.draw, negations=True)
    top = list(gates)[-1]
    sets = minimal_cut_sets(gates, top)
    assert list(sets.sets()) == brute_force(gates, top)


def test_a_tree_is_called_incoherent_only_when_a_failure_can_help() -> None:
    harmless = {"top": any_of("a", "n2"), "n1": Gate("not", ("b",)), "n2": Gate("not", ("n1",))}
    assert minimal_cut_sets(harmless, "top").coherent
    helps = {"top": all_of("a", "n"), "n": Gate("not", ("b",))}
    assert not minimal_cut_sets(helps, "top").coherent


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_cheapest_set_is_the_cheapest_of_all_minimal_sets(data: st.DataObject) -> None:
    gates = random_gates(data.draw)
    top = list(gates)[-1]
    events = compile_gates(gates, top).names
    weights = {event: float(data.draw(st.integers(1, 9))) for event in events}
    expected = [sum(weights[e] for e in chosen) for chosen in brute_force(gates, top)]
    if expected:
        result = cheapest_cut_set(gates, top, weights)
        assert result.cost == min(expected)
        assert result.bound <= result.cost <= result.bound + 1e-6
    else:
        with pytest.raises(NoAnswer):
            cheapest_cut_set(gates, top, weights)


def test_an_event_of_infinite_weight_is_never_chosen() -> None:
    gates = {"top": any_of("a", "pair"), "pair": all_of("b", "c")}
    assert cheapest_cut_set(gates, "top", {"a": math.inf}).events == ("b", "c")
    with pytest.raises(InputError, match="positive"):
        cheapest_cut_set(gates, "top", {"a": 0.0})


def test_counts_without_listing_and_listing_without_the_rest() -> None:
    """Eleven choices of one in fifty each: 50**11 sets, counted in no time, and the first ones listed."""
    gates = {f"g{i}": any_of(*(f"e{i}.{j}" for j in range(50))) for i in range(11)}
    gates["top"] = all_of(*gates)
    sets = minimal_cut_sets(gates, "top")
    assert sets.count == 50**11
    assert sets.sizes == (0,) * 11 + (50**11,)
    assert len(list(sets.sets(limit=100))) == 100


def test_k_of_n_counts_are_binomials() -> None:
    sets = minimal_cut_sets({"top": at_least(30, *(f"e{i}" for i in range(60)))}, "top")
    assert sets.sizes == (0,) * 30 + (math.comb(60, 30),)


def test_threshold_shares_add_up_exactly() -> None:
    """0.1 + 0.2 reaches 0.3, which binary floating point gets wrong."""
    gates = {"top": threshold(0.3, {"a": 0.1, "b": 0.2, "c": 0.29999999999999993})}
    assert list(minimal_cut_sets(gates, "top").sets()) == [("a", "b"), ("a", "c"), ("b", "c")]


def test_very_deep_networks_do_not_exhaust_the_stack() -> None:
    """A chain of gates, and a comb whose diagram is as deep as it has variables."""
    deep = {f"g{i}": any_of(f"g{i + 1}") for i in range(30_000)} | {"g30000": all_of("a", "b")}
    assert list(minimal_cut_sets(deep, "g0").sets()) == [("a", "b")]
    comb = {f"g{i}": (any_of if i % 2 else all_of)(f"e{i}", f"g{i + 1}") for i in range(3000)} | {"g3000": any_of("z")}
    assert minimal_cut_sets(comb, "g0").count == 1501
    shared = {f"h{i}": at_least(2, f"e{i}", f"e{i + 1}", f"e{i + 2}") for i in range(1500)}
    assert minimal_cut_sets(shared | {"top": any_of(*shared)}, "top").sizes[2] == 2 * 1500 + 1


def test_modules_are_found_and_share_no_events() -> None:
    gates = {"top": all_of("m1", "m2"), "m1": any_of("a", "b"), "m2": any_of("k", "l"), "k": all_of("c", "d")}
    gates["l"] = all_of("d", "e")
    net = compile_gates(gates, "top")
    found = modules(net)
    leaves = [leaf for module in found for leaf in module.leaves]
    assert len(leaves) == len(set(leaves))
    assert len(found) == 3


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ({"top": any_of("a", "b"), "a": all_of("top", "c")}, "feed itself"),
        ({"top": Gate("maybe", ("a",))}, "operator"),
        ({"top": any_of()}, "at least one input"),
        ({"top": Gate("not", ("a", "b"))}, "exactly one"),
        ({"top": Gate("threshold", ("a",), Fraction(1), (Fraction(-1),))}, "not negative"),
        ({"g": any_of("a")}, "top must be"),
    ],
)
def test_bad_networks_are_refused_with_the_reason(gates: dict[str, Gate], message: str) -> None:
    with pytest.raises(InputError, match=message):
        minimal_cut_sets(gates, "top")


def test_a_diagram_beyond_its_budget_says_what_to_do() -> None:
    pairs = {f"p{i}.{j}": all_of(f"a{i}", f"b{j}", f"c{(i * j) % 9}") for i, j in product(range(9), range(9))}
    gates = pairs | {"top": any_of(*pairs)}
    with pytest.raises(NoAnswer, match="max-size"):
        minimal_cut_sets(gates, "top", budgets=(10,))
    assert minimal_cut_sets(gates, "top").count == len(brute_force_pairs())
    with pytest.raises(UsageError):
        minimal_cut_sets(gates, "top", max_size=-1)


def brute_force_pairs() -> set[frozenset[str]]:
    return {frozenset((f"a{i}", f"b{j}", f"c{(i * j) % 9}")) for i, j in product(range(9), range(9))}


def test_integer_programs_stop_where_they_are_told_and_refuse_what_they_cannot_do() -> None:
    gates = {"top": any_of("a", "pair", "three"), "pair": all_of("b", "c"), "three": all_of("d", "e", "f")}
    assert enumerate_minimal(gates, "top", max_size=2) == [("a",), ("b", "c")]
    assert enumerate_minimal(gates, "top") == [("a",), ("b", "c"), ("d", "e", "f")]
    found = cheapest_cut_set(gates, "top", {"a": 2.0}, others=9)
    assert (found.events, found.others, found.cost) == (("a",), (("b", "c"),), 2.0) or (
        found.events == ("b", "c") and found.others == (("a",),)
    )
    with pytest.raises(NoAnswer, match="no set of the events"):
        cheapest_cut_set({"top": all_of("a", "b")}, "top", {"b": math.inf})
    denied = {"top": all_of("a", "other"), "other": Gate("not", ("b",))}
    for call in (enumerate_minimal, cheapest_cut_set):
        with pytest.raises(UsageError, match="method bdd"):
            call(denied, "top")
    with pytest.raises(UsageError, match="method bdd"):
        minimal_cut_sets(denied, "top", method="zbdd")


def test_gates_are_evaluated_by_their_truth_tables() -> None:
    rows = np.array(list(product([False, True], repeat=2)))
    a, b = rows.T
    odd = compile_gates({"top": Gate("xor", ("a", "b"))}, "top")
    order = [("a", "b").index(name) for name in odd.names]
    assert np.array_equal(evaluate(odd, rows[:, order]), a ^ b)
    only = compile_gates({"top": all_of("a", "other"), "other": Gate("not", ("b",))}, "top")
    order = [("a", "b").index(name) for name in only.names]
    assert np.array_equal(evaluate(only, rows[:, order]), a & ~b)
    always = compile_gates({"top": any_of("a", "yes"), "yes": Gate("true", ())}, "top")
    assert evaluate(always, np.zeros((3, len(always.names)), dtype=bool)).all()
    never = compile_gates({"top": all_of("a", "no"), "no": Gate("false", ())}, "top")
    assert not evaluate(never, np.ones((3, len(never.names)), dtype=bool)).any()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (all_of("a", "b", "c"), any_of("a", "b", "d")),
        (any_of("a", "b", "c"), all_of("a", "b", "d")),
        (at_least(2, "a", "b", "c"), at_least(2, "a", "b", "d")),
        (all_of("a", "b", "c"), all_of("a", "b", "d")),
    ],
)
def test_events_that_stand_together_are_grouped_only_under_gates_of_one_kind(one: Gate, other: Gate) -> None:
    gates = {"top": at_least(2, "one", "other", "e"), "one": one, "other": other}
    assert list(minimal_cut_sets(gates, "top").sets()) == brute_force(gates, "top")
