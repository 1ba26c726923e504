"""The schema tables themselves: readable, complete, and their own examples keep their own rules."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pyarrow as pa
import pytest

from supplychain.errors import Problems, UsageError
from supplychain.facts.cells import Place, convert
from supplychain.facts.schema import LISTS, NAMES, parse, schema


@pytest.mark.parametrize("name", NAMES)
def test_every_table_and_column_is_described(name: str) -> None:
    for table in schema(name).tables:
        assert table.description, table.name
        assert table.columns, table.name
        assert len(set(table.names)) == len(table.names)
        for column in table.columns:
            assert column.description or column.name == "note", f"{table.name}.{column.name}"


@pytest.mark.parametrize("name", NAMES)
def test_references_point_to_a_key(name: str) -> None:
    kind = schema(name)
    for table in kind.tables:
        for column in table.columns:
            if column.references:
                target, key = column.references.split(".")
                assert key in kind[target].key, f"{table.name}.{column.name}"
                assert column.type in (kind[target][key].type, "text", *LISTS)


@pytest.mark.parametrize("name", NAMES)
def test_examples_keep_the_rules_of_their_column(name: str) -> None:
    problems = Problems()
    for table in schema(name).tables:
        for column in table.columns:
            if column.example:
                place = Place(name, table.name, np.array([2]))
                convert(pa.chunked_array([pa.array([column.example], pa.large_string())]), column, place, problems)
    assert problems.errors == ()


def test_the_tables_of_the_design_are_there() -> None:
    tables = {"items", "organisations", "supplies", "content", "requirements", "plants", "demand", "lanes", "events"}
    assert tables | {"sites", "sources"} <= set(schema("network").names)
    assert {"jurisdictions", "groups", "regimes", "memberships", "controls", "exceptions", "sources"} <= set(
        schema("regimes").names
    )


def test_a_schema_row_with_a_cell_too_many_is_found() -> None:
    text = files("supplychain.facts").joinpath("schemas", "network.csv").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="cell too many"):
        parse("network", text.replace("items,tier,integer,", "items,tier,integer,,"))


def test_an_unknown_schema_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="network, regimes"):
        schema("nets")


def test_tables_and_columns_that_are_none_are_key_errors() -> None:
    kind = schema("network")
    with pytest.raises(KeyError, match="wares"):
        kind["wares"]
    with pytest.raises(KeyError, match="colour"):
        kind["items"]["colour"]
