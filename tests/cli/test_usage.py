"""What a user may mistype, and options that every command takes."""

from __future__ import annotations

from inspect import signature
from pathlib import Path

import pytest

from supplychain.case import DEFAULT_DAY, ILLUSTRATIVE
from supplychain.cli import build, options, run


def test_every_command_takes_quiet() -> None:
    app = build()
    parts = [app, *(group.typer_instance for group in app.registered_groups)]
    commands = [command.callback for part in parts if part for command in part.registered_commands]
    assert len(commands) > 25
    assert all(callback and "quiet" in signature(callback).parameters for callback in commands)
    assert run(["regimes", "w1-iec", "--quiet"]) == 0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("exposure --buyer India", "did you mean 'IND'"),
        ("exposure --buyer illustrativ", "did you mean 'illustrative'"),
        ("exposure --buyer IND --assumptions nowhere.toml", "no assumptions file 'nowhere.toml'"),
        ("diff --from 2024-9-1 --to 2024-09-10", "--from '2024-9-1' is not a day"),
        ("diff --from 2024-09-01 --to soon", "--to 'soon' is not a day"),
        ("regimes wassenaar --state IND", "not of both at once"),
        ("regimes --state India", "did you mean IND"),
        ("show gallium-6n --table item", "did you mean 'items'"),
        ("source --policy balancd", "Did you mean balanced? Bundled:"),
    ],
)
def test_mistakes_name_what_was_probably_meant(line: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line.split()) == 2
    assert expected in capsys.readouterr().err


def test_output_into_a_missing_folder_is_a_fault_of_the_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["regimes", "--format", "csv", "--output", str(tmp_path / "missing" / "x.csv")]) == 5
    assert "cannot write" in capsys.readouterr().err
    assert run(["regimes", "--format", "parquet"]) == 2
    assert "--output" in capsys.readouterr().err


def test_commands_and_library_start_from_the_same_buyer_and_day() -> None:
    assert (options.DEFAULT_BUYER, options.DEFAULT_DATE) == (ILLUSTRATIVE, DEFAULT_DAY)
