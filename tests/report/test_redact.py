"""A redacted report holds no name of the data in any file, every quantity, and nothing of the order of the names."""

from __future__ import annotations

import io
import itertools
import os
import re
import shutil
import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from supplychain.case import Case
from supplychain.cli import run as command
from supplychain.errors import UsageError
from supplychain.locate import models
from supplychain.report import formats
from supplychain.report.findings import Findings
from supplychain.report.language import language
from supplychain.report.make import Request, document, key_path, make
from supplychain.report.redact import MASK, Key, asked, coded_table, redact
from supplychain.report.verify import verify
from supplychain.sourcing.policy import load_policy

pytestmark = pytest.mark.xdist_group("report-firm")  # one worker gathers the findings that tests of the report share

# Words of ours, or of a format, that are also ids or names in the bundled data.
OURS = {"apple", "screen", "illustrative", "other"}
SECRETS = ("acme-holding", "acme-fab-7", "Zeta (Ω) & Söhne", "Hidden Valley", "Secret Sam", "ERP export", "acme-plan")


def quiet(_: str) -> None:
    """Progress goes nowhere."""


@pytest.fixture(scope="module")
def redacted(findings: Findings, case: Case) -> tuple[Findings, Key]:
    return redact(findings, case)


def texts(name: str, data: bytes) -> str:
    """Everything in a file that could be read as text, archives opened."""
    if name.endswith((".xlsx", ".pptx")):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return "\n".join(archive.read(part).decode("utf-8", "replace") for part in archive.namelist())
    if name.endswith(".parquet"):
        return pd.read_parquet(io.BytesIO(data)).to_csv()
    return data.decode("utf-8", "replace")


def found_in(text: str, key: pd.DataFrame) -> set[str]:
    """The ids and names of a key that stand in a text, as whole words."""
    words = re.compile(r"[^\W_]+")
    by_word: dict[str, set[str]] = {}
    for name in {*key["id"], *key["name"]} - OURS:
        first = words.search(name)
        assert first is not None
        by_word.setdefault(first.group(), set()).add(name[first.start() :])
    found = set()
    for word in words.finditer(text):
        for name in by_word.get(word.group(), ()):
            end = word.start() + len(name)
            if text.startswith(name, word.start()) and not text[end : end + 1].isalnum():
                found.add(name)
    return found - OURS


@pytest.mark.parametrize("code", ["en", "zh"])
def test_no_name_stands_in_any_file_of_any_format(redacted: tuple[Findings, Key], code: str) -> None:
    told, key = redacted
    assert set(key.table["kind"]) == {"organisation", "supply", "plant", "buyer", "source", "network"}
    assert len(key.table) > 1500
    spoken = told.spoken(language(code))
    wanted = ("html", "xlsx") if code == "en" else ("html",)
    some = {name: spoken.tables[name] for name in ("choke_evidence", "plan_lines", "plan_threats", "sources")}
    made = formats.files(document(spoken), some, wanted, quiet)
    tables = {f"{name}.csv": table.to_csv().encode() for name, table in told.tables.items()}
    for name, data in {**made, **(tables if code == "en" else {})}.items():
        text = texts(name, data)
        assert found_in(text, key.table) == set(), name
        assert [secret for secret in SECRETS if secret in text] == [], name


def test_the_search_would_find_a_name(findings: Findings, redacted: tuple[Findings, Key]) -> None:
    text = findings.tables["choke_evidence"].to_csv() + findings.tables["plan_lines"].to_csv()
    assert {"ajinomoto-fine-techno", "acme-fab-7"} <= found_in(text, redacted[1].table)


def test_every_quantity_stays(findings: Findings, redacted: tuple[Findings, Key]) -> None:
    told, _ = redacted
    assert set(told.tables) == set(findings.tables)
    for name, table in findings.tables.items():
        other = told.tables[name]
        assert list(other.columns) == list(table.columns)
        assert len(other) == len(table)
        for column in table.select_dtypes("number"):
            np.testing.assert_array_equal(np.sort(other[column].to_numpy()), np.sort(table[column].to_numpy()))
    assert told.tables["items"].equals(findings.tables["items"])  # items keep their names
    assert told.destinations == findings.destinations


def test_codes_say_nothing_of_the_order_of_the_names(redacted: tuple[Findings, Key]) -> None:
    """Of two neighbours in a redacted table, as many stand in the order of their ids as do not."""
    told, key = redacted
    back = dict(zip(key.table["code"], key.table["id"], strict=True))
    for kind in ("organisation", "supply", "source"):
        ids = key.table.loc[key.table["kind"] == kind, "id"].tolist()
        assert 0.4 < np.mean([a < b for a, b in itertools.pairwise(ids)]) < 0.6
    checked = 0
    for name, table in told.tables.items():
        for column in set(table.columns) & {"supply", "organisation", "source"}:
            shown = [back[code] for code in dict.fromkeys(table[column].astype(str)) if code in back]
            pairs = list(itertools.pairwise(shown))
            if column == "supply":  # its id begins with its item, and items are no secret
                pairs = [(a, b) for a, b in pairs if a.split(".")[0] == b.split(".")[0]]
            if len(pairs) > 80:
                checked += 1
                rising = np.mean([a < b for a, b in pairs])
                assert 0.3 < rising < 0.7, (name, column)
    assert checked >= 3


def test_rows_with_equal_numbers_do_not_stand_in_the_order_of_the_names() -> None:
    names = [f"maker-{letter}" for letter in "abcdefgh"]
    codes = [f"O-00{number}" for number in (7, 2, 8, 1, 5, 3, 6, 4)]
    rows = [("organisation", code, name, name) for code, name in zip(codes, names, strict=True)]
    key = Key(pd.DataFrame(rows, columns=["kind", "code", "id", "name"]))
    table = pd.DataFrame(
        {"threat": [f"supplier:{name}" for name in names], "mean_resourced_before": [0.5] * 4 + [0.1] * 4}
    )
    told = coded_table("plan_threats", table, key)
    assert told["mean_resourced_before"].tolist() == table["mean_resourced_before"].tolist()
    assert told["threat"].tolist() == [f"supplier:O-00{n}" for n in (1, 2, 7, 8, 3, 4, 5, 6)]


def test_codes_hang_on_the_whole_content_and_on_nothing_else(
    findings: Findings, case: Case, redacted: tuple[Findings, Key]
) -> None:
    key = redacted[1]
    again, same = redact(findings, case)
    assert same.table.equals(key.table)
    other = case.with_(on="2024-09-10")
    assert redact(findings, other)[1].table.equals(key.table)
    bundled = redact(findings, Case.bundled(products=["wf6"]))[1]
    shared = key.table.merge(bundled.table, on=["kind", "id"])
    assert (shared["code_x"] == shared["code_y"]).mean() < 0.1
    assert again.buyer == "B-001"


def test_a_name_in_the_text_of_the_law_is_masked_not_coded() -> None:
    rows = [("organisation", "O-001", "coherent", "Coherent"), ("organisation", "O-002", "sk", "SK"),
            ("organisation", "O-003", "sk-hynix", "SK hynix")]  # fmt: skip
    key = Key(pd.DataFrame(rows, columns=["kind", "code", "id", "name"]))
    assert key.clear("coherent light sources of SK hynix", MASK) == f"{MASK} light sources of {MASK}"
    assert key.clear("hbm.sk-hynix.kor; sky; task; SK") == "hbm.O-003.kor; sky; task; O-002"


def test_a_policy_without_a_plan_is_not_named_either(findings: Findings, case: Case) -> None:
    own = load_policy("cheapest").model_copy(update={"name": "zeta-rules", "title": "Rules of Zeta"})
    said = replace(findings, no_plan="policy Rules of Zeta: no plan for acme-fab-7", warnings=("zeta-rules",))
    told, _ = redact(said, case, own)
    assert re.fullmatch(r"policy R-001: no plan for P-\d{3}", told.no_plan)
    assert told.warnings == ("R-001",)
    figures = told.tables["plan_summary"].set_index("figure")["value"]
    assert figures["policy_description"] == MASK


def test_the_run_its_private_key_and_its_verification(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "zeta-buying-rules.toml"
    text = (models() / "policies" / "cheapest.toml").read_text(encoding="utf-8")
    policy.write_text(text.replace('title = "Cheapest"', 'title = "Rules of Zeta"'), encoding="utf-8")
    request = Request(network=package, buyer="acme-holding", products=("phosphine",), policy=str(policy), redact=True,
                      formats=("html",))  # fmt: skip
    folder = tmp_path / "out"
    make(request, folder, quiet)
    private = key_path(request, folder)
    assert private.parent == tmp_path
    assert stat.S_IMODE(os.stat(private).st_mode) == 0o600
    key = pd.read_csv(private, dtype=str, keep_default_na=False)
    assert Request.from_record(asked(private)).network == package.resolve()
    names = key[key["kind"] != "request"]
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        text = texts(path.name, path.read_bytes())
        assert found_in(text, names) == set(), path
        for secret in (*SECRETS, "zeta", "Zeta", str(package), str(tmp_path), "redaction-key"):
            assert secret not in text, path
    assert verify(folder, quiet).good  # by hash
    assert not verify(folder, quiet).recomputed
    repeated = []

    def again(request: Request, output: Path, step: object) -> Path:
        repeated.append(request)
        return Path(shutil.copytree(folder, output))

    monkeypatch.setattr("supplychain.report.verify.make", again)  # that it gives the same bytes is shown elsewhere
    whole = verify(folder, quiet, key=private)
    assert whole.recomputed
    assert whole.good, whole.table[whole.table["outcome"] != "same"]
    assert [(one.network, one.redact) for one in repeated] == [(package.resolve(), True)]


def test_the_key_never_lies_in_the_run_and_overwrites_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    with pytest.raises(UsageError, match="inside the run"):
        key_path(Request(redact=True, key=folder / "key.csv"), folder)
    mine = tmp_path / "mine.csv"
    mine.write_text("mine")
    with pytest.raises(UsageError, match="no key"):
        key_path(Request(redact=True, key=mine), folder)
    with pytest.raises(UsageError, match="no key"):
        asked(mine)
    assert command(["report", "--key", str(tmp_path / "k.csv"), "--output", str(folder), "--quiet"]) == 2
    assert "--redact" in capsys.readouterr().err
