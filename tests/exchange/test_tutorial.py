"""The tutorial is run as it stands: its tables written, its commands in order, in one folder."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path

import pytest

from supplychain.cli import run

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")


def test_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    tables = dict(re.findall(r"```csv file=(\S+)\n(.*?)```", PAGE, flags=re.DOTALL))
    assert sum(text.count("\n") - 1 for text in tables.values()) in range(28, 38)
    commands = [
        line[2:] for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()
    ]
    start = time.perf_counter()
    for number, command in enumerate(commands):
        words = shlex.split(command)
        assert words[0] == "supplychain"
        assert run(words[1:]) == 0, command
        if number == 0:
            for name, text in tables.items():
                assert (tmp_path / "my-network" / name).is_file()
                (tmp_path / "my-network" / name).write_text(text, encoding="utf-8")
    assert time.perf_counter() - start < 120
    assert (tmp_path / "first-report" / "report.html").is_file()
    out = capsys.readouterr().out
    assert "gaas-substrate" in out
    assert "gallium-primary" in out
    assert "my-network: accepted" in out
