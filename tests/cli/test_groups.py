"""A dataclass of options stands for its fields on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from supplychain.cli.groups import spread


@dataclass(frozen=True)
class Point:
    x: Annotated[int, typer.Option("--x", help="Across.")]
    y: Annotated[int, typer.Option("--y", help="Up.")] = 5


def where(name: Annotated[str, typer.Argument()] = "it", *, point: Point, loud: bool = False) -> None:
    """Say where it is."""
    typer.echo(f"{name} {point.x} {point.y} {loud}")


def plain(name: str) -> None:
    """Take no group."""


def ask(*words: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(spread(where))
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--x", "1"], "it 1 5 False"),
        (["here", "--y", "2", "--x", "1", "--loud"], "here 1 2 True"),
    ],
)
def test_fields_are_options(words: list[str], said: str) -> None:
    assert ask(*words) == (0, said + "\n")


def test_help_tells_of_them_and_a_field_without_default_is_asked_for() -> None:
    assert all(word in ask("--help")[1] for word in ("--x", "Across.", "--y", "Up.", "Say where it is."))
    code, told = ask()
    assert code == 2
    assert "--x" in told


def test_a_command_without_a_group_is_left_alone() -> None:
    assert spread(plain) is plain
