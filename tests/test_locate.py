"""The bundled folders are found from anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from supplychain import locate
from supplychain.errors import EnvironmentFault


def test_datasets_and_models_are_found_whatever_the_working_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (locate.datasets() / "reference" / "countries.csv").is_file()
    assert locate.models().is_dir()


def test_an_installed_wheel_uses_its_own_copy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "_data" / "datasets").mkdir(parents=True)
    monkeypatch.setattr(locate, "_PACKAGE", tmp_path)
    assert locate.datasets() == tmp_path / "_data" / "datasets"


def test_a_broken_installation_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(locate, "_PACKAGE", tmp_path / "nowhere")
    with pytest.raises(EnvironmentFault, match="install supplychain again"):
        locate.datasets()
