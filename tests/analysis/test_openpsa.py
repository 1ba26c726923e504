"""Open-PSA files in and out: every form that real files use, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from supplychain.analysis.cutsets import minimal_cut_sets
from supplychain.analysis.gates import Gate, all_of, any_of, at_least, threshold
from supplychain.analysis.openpsa import FaultTree, open_psa, read_open_psa
from supplychain.errors import EnvironmentFault, InputError

EVERYTHING = """<?xml version="1.0" encoding="UTF-8"?>
<!-- two trees, a component, references before definitions, labels, attributes, a namespace -->
<opsa-mef xmlns="http://open-psa.org/mef/2.0d">
  <define-fault-tree name="plant">
    <label>The whole plant</label>
    <define-gate name="top">
      <label>Loss of all</label>
      <attributes><attribute name="tier" value="0" type="text"/></attributes>
      <and>
        <gate name="power"/>
        <event name="pump" type="gate"/>
        <or><basic-event name="fire"/><and><basic-event name="a"/><not><not><event name="b"/></not></not></and></or>
        <house-event name="winter"/>
      </and>
    </define-gate>
    <define-gate name="power"><atleast min="2"><basic-event name="a"/><basic-event name="b"/>
      <basic-event name="c"/></atleast></define-gate>
    <define-house-event name="winter"><constant value="true"/></define-house-event>
    <define-basic-event name="a"/>
    <define-component name="cooling">
      <define-gate name="local" role="private"><basic-event name="valve"/></define-gate>
      <define-gate name="pump"><or><gate name="local"/><gate name="other.local"/></or></define-gate>
    </define-component>
    <define-component name="other" role="private">
      <define-gate name="local"><and><basic-event name="fire"/><constant value="true"/></and></define-gate>
      <define-basic-event name="valve"/>
    </define-component>
  </define-fault-tree>
  <define-fault-tree name="second">
    <define-gate name="alone">
      <cardinality min="1" max="3"><event name="x"/><event name="y"/></cardinality></define-gate>
  </define-fault-tree>
  <model-data>
    <define-basic-event name="a"><float value="0.25"/></define-basic-event>
    <define-basic-event name="fire"><exponential><parameter name="l"/><system-mission-time/></exponential>
    </define-basic-event>
    <define-parameter name="l"><float value="1"/></define-parameter>
  </model-data>
</opsa-mef>
"""


def tree_of(tmp_path: Path, text: str) -> FaultTree:
    path = tmp_path / "tree.xml"
    path.write_text(text, encoding="utf-8")
    return read_open_psa(path)


def test_every_form_of_the_format_is_read(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, EVERYTHING)
    assert tree.tops == ("top", "alone")
    assert tree.probabilities == {"a": 0.25}
    sets = minimal_cut_sets(tree.gates, "top")
    assert sets.coherent
    # power needs two of a, b, c; the pump fails by its own valve or by fire; then fire, or a with b
    assert set(sets.sets()) == {
        ("a", "b", "fire"),
        ("a", "c", "fire"),
        ("b", "c", "fire"),
        ("a", "b", "valve"),
    }
    assert list(minimal_cut_sets(tree.gates, "alone").sets()) == [("x",), ("y",)]


@pytest.mark.parametrize(
    ("connective", "sets", "coherent"),
    [
        ("<xor><event name='a'/><event name='b'/></xor>", [("a",), ("b",)], False),
        ("<nor><event name='a'/><event name='b'/></nor>", [()], False),
        ("<nand><event name='a'/><event name='b'/></nand>", [()], False),
        ("<iff><event name='a'/><event name='b'/></iff>", [()], False),
        ("<imply><event name='a'/><event name='b'/></imply>", [()], False),
        ("<cardinality min='1' max='1'><event name='a'/><event name='b'/></cardinality>", [("a",), ("b",)], False),
        ("<constant value='true'/>", [()], True),
        ("<constant value='false'/>", [], True),
        ("<basic-event name='a'/>", [("a",)], True),
    ],
)
def test_connectives(tmp_path: Path, connective: str, sets: list[tuple[str, ...]], coherent: bool) -> None:
    text = f"<opsa-mef><define-fault-tree name='t'><define-gate name='g'>{connective}</define-gate></define-fault-tree>"
    tree = tree_of(tmp_path, text + "</opsa-mef>")
    found = minimal_cut_sets(tree.gates, "g")
    assert list(found.sets()) == sets
    assert found.coherent == coherent


def in_tree(body: str) -> str:
    return f"<opsa-mef><define-fault-tree name='t'>{body}</define-fault-tree></opsa-mef>"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not xml at all", "well-formed"),
        ("", "well-formed"),
        ("<html/>", "opsa-mef"),
        ("<opsa-mef/>", "at least one gate"),
        ("<!DOCTYPE x [<!ENTITY e 'boom'>]><opsa-mef>&e;</opsa-mef>", "entities"),
        (in_tree("<define-gate name='g'><gate name='h'/></define-gate>"), "must be defined"),
        (in_tree("<define-gate name='g'><or/></define-gate>"), "at least one input"),
        (in_tree("<define-gate name='g'/>"), "exactly one formula"),
        (in_tree("<define-gate><event name='a'/></define-gate>"), "needs a name"),
        (in_tree("<define-gate name='g'><perhaps><event name='a'/></perhaps></define-gate>"), "connectives"),
        (in_tree("<define-gate name='g'><atleast><event name='a'/></atleast></define-gate>"), "whole number min"),
        (in_tree("<define-gate name='g'><event name='a'/></define-gate>" * 2), "defined once"),
        (in_tree("<define-gate name='g'><gate name='g'/></define-gate>"), "feed itself"),
        (in_tree("<define-gate name='g'><event/></define-gate>"), "needs a name"),
        (in_tree("<include file='more.xml'/><define-gate name='g'><event name='a'/></define-gate>"), "not followed"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tree_of(tmp_path, text)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        tree_of(tmp_path, in_tree("<define-gate name='g'><or><gate name='x'/><gate name='y'/></or></define-gate>"))
    assert len(caught.value.problems) == 2


def test_a_file_that_is_not_there_is_a_fault_of_the_environment(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault):
        read_open_psa(tmp_path / "missing.xml")


def test_formulas_nested_very_deep_are_read(tmp_path: Path) -> None:
    depth = 5000
    body = "<or><event name='a'/>" * depth + "<event name='b'/>" + "</or>" * depth
    tree = tree_of(tmp_path, in_tree(f"<define-gate name='g'>{body}</define-gate>"))
    assert list(minimal_cut_sets(tree.gates, "g").sets()) == [("a",), ("b",)]


def test_what_is_written_reads_back_to_the_same_cut_sets(tmp_path: Path) -> None:
    gates = {
        "top": any_of("market", "pair", "odd <&\"'"),
        "market": threshold(0.6, {"a": 0.35, "b": 0.3, "c": 0.2, "d": 0.15}),
        "pair": all_of("e", "vote"),
        "vote": at_least(2, "a", "f", "g"),
        "odd <&\"'": all_of("h", "never"),
        "never": Gate("false"),
    }
    text = open_psa(FaultTree("case one", gates, ("top",), {"a": 0.1}), {"a": "Firm & sons", "top": "no <chips>"})
    again = tree_of(tmp_path, text)
    assert again.tops == ("top",)
    assert again.probabilities == {"a": 0.1}
    expected = list(minimal_cut_sets(gates, "top").sets())
    assert list(minimal_cut_sets(again.gates, "top").sets()) == expected
    assert ("a", "b") in expected
    nested = tree_of(tmp_path, EVERYTHING)
    rewritten = tree_of(tmp_path, open_psa(nested))
    assert set(minimal_cut_sets(rewritten.gates, "top").sets()) == set(minimal_cut_sets(nested.gates, "top").sets())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<define-gate name='g'><not><event name='a'/><event name='b'/></not></define-gate>", "exactly one input"),
        ("<define-gate name='g'><house-event name='h'/></define-gate>"
         "<define-house-event name='h'><constant value='maybe'/></define-house-event>", "true or false"),
        ("<define-gate name='g'><event name='a'/></define-gate>"
         "<define-basic-event name='a'><float value='often'/></define-basic-event>", "must be a number"),
        ("<define-gate name='g'><gate name='h'/></define-gate><define-gate name='h'><gate name='g'/></define-gate>",
         "feed itself"),
    ],
)  # fmt: skip
def test_values_and_loops_that_cannot_be_are_refused(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tree_of(tmp_path, in_tree(body))
