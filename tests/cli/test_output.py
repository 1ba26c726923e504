"""What people see of tables: noise as zero, what matters first."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from supplychain.cli.options import Format
from supplychain.cli.output import show_record, show_table

TABLE = pd.DataFrame({"supply": ["a", "b"], "change": [-4e-17, 0.25]})


def test_noise_is_shown_as_zero_to_people_only(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(TABLE)
    show_record({"change": 3e-14})
    told = capsys.readouterr().out
    assert "e-1" not in told
    assert "0.25" in told
    show_table(TABLE, Format.json)
    assert json.loads(capsys.readouterr().out)[0]["change"] == -4e-17


def test_what_leads_stands_between_title_and_table(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(TABLE, title="Plan [x]", lead=["cost 3 [index]"], notes=["left out: none"])
    told = capsys.readouterr().out
    places = [told.index(text) for text in ("Plan [x]", "cost 3 [index]", "supply", "left out")]
    assert places == sorted(places)
    assert told.count("Plan [x]") == 1
    show_table(TABLE, Format.csv, lead=["cost 3 [index]"])
    assert "cost" not in capsys.readouterr().out
