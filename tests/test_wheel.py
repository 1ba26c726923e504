"""The built wheel carries the data and the models, and works away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content, as an installation would lay it."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "supplychain", *arguments],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_data_and_models_are_inside(installed: Path) -> None:
    data = installed / "supplychain" / "_data"
    for name in ("semiconductors", "regimes", "reference"):
        assert (data / "datasets" / name / "datapackage.json").is_file()
    assert list((data / "models").rglob("*.toml"))
    assert (installed / "supplychain" / "report" / "texts" / "zh.toml").is_file()
    assert (data / "datasets" / "reference" / "names_zh.csv").is_file()


def test_determination_away_from_the_checkout(installed: Path) -> None:
    text = run(installed, "determine", "--item", "3B903", "--from", "USA", "--to", "IND", "--on", "2024-09-10")
    assert "us-iec-3b903" in text
