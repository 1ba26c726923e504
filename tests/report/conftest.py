"""One small case that tests of the report share: the bundled network as a firm would keep it, with names of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from supplychain.case import Case
from supplychain.locate import datasets
from supplychain.report.findings import Findings
from supplychain.report.gather import gather


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled network as a firm would keep it: a buyer, plants, a site, notes, sources with names of its own."""
    folder = tmp_path_factory.mktemp("firm") / "acme-plan"
    shutil.copytree(datasets() / "semiconductors", folder)
    tables = {name: pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
              for name in ("plants", "organisations", "supplies", "sources")}  # fmt: skip
    plants = tables["plants"]
    plants["buyer"], plants["illustrative"], plants["note"] = "acme-holding", "false", "call Secret Sam"
    plants["plant"] = plants["plant"].replace("deu-fab", "acme-fab-7")
    makers = tables["organisations"]
    makers.loc[makers["organisation"] == "ajinomoto-fine-techno", "name"] = "Zeta (Ω) & Söhne"
    lines = tables["supplies"]
    if "site_name" in lines:
        lines["site_name"] = "Hidden Valley"
    lines["note"] = "bought through Secret Sam"
    tables["sources"]["title"] = "ERP export of " + tables["sources"]["source"]
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    descriptor = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    (folder / "datapackage.json").write_text(json.dumps({**descriptor, "name": "acme-plan"}), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def case(package: Path) -> Case:
    return Case.load(network=package, buyer="acme-holding", products=["wf6", "phosphine"], on="2026-11-01")


@pytest.fixture(scope="session")
def findings(case: Case) -> Findings:
    return gather(case, None, lambda _: None)
