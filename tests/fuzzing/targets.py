"""What is fuzzed: every reader of a file that a user may give, with small valid files to start from."""

from __future__ import annotations

import functools
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from supplychain.errors import Problems
from supplychain.facts.csvfile import csv_grid, read_csv
from supplychain.facts.folder import parse_descriptor
from supplychain.facts.package import read_package
from supplychain.facts.parquetfile import read_parquet
from supplychain.facts.raw import RawTable
from supplychain.facts.schema import schema
from supplychain.facts.tables import load
from supplychain.facts.workbook import read_workbook, workbook_grid, write_workbook
from supplychain.locate import datasets, models
from tests.facts.faultmodel import Seed, Sheet
from tests.facts.faultseeds import own_seed
from tests.fuzzing import mutate
from tests.fuzzing.mutate import Mutation

CSV: tuple[Mutation, ...] = (mutate.of_cells, mutate.of_cells, mutate.of_lines, mutate.of_bytes)
TOML: tuple[Mutation, ...] = (mutate.of_toml, mutate.of_toml, mutate.of_lines, mutate.of_bytes)


@dataclass(frozen=True)
class Target:
    """One reader. `read` takes the name of the seed and the bytes; all it may raise is a SupplychainError."""

    name: str
    seeds: dict[str, bytes]
    read: Callable[[str, bytes], object]
    kinds: tuple[Mutation, ...] = CSV
    weight: int = 1  # share of the inputs
    apart: bool = field(default=False)  # binary: the product reads it in a child, so a crash is contained


def _lines(data: bytes, count: int) -> bytes:
    """The header and some records spread over the file."""
    sheet = Sheet.of(data)
    step = max(1, len(sheet.rows) // count)
    return Sheet(sheet.header, sheet.rows[::step][:count]).csv()


@functools.cache
def work() -> Path:
    holder = tempfile.TemporaryDirectory(prefix="fuzz-")
    _KEPT.append(holder)
    return Path(holder.name)


_KEPT: list[Any] = []


@functools.cache
def own() -> Seed:
    return own_seed(work() / "own")


def _file(name: str, data: bytes, folder: str = "one") -> Path:
    path = work() / folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def _table(kind: str) -> Callable[[str, bytes], object]:
    def read(name: str, data: bytes) -> object:
        problems = Problems()
        raw = read_csv(data, name, f"{name}.csv", problems)
        if raw is not None:
            load(raw, schema(kind)[name], problems)
        problems.raise_if_any()
        return raw

    return read


def _package(name: str, data: bytes) -> object:
    path = work() / "own" / f"{name}.csv"
    before = own().files[path.name]
    path.write_bytes(data)
    try:
        return read_package(work() / "own")
    finally:
        path.write_bytes(before)


@functools.cache
def _book() -> dict[str, Any]:
    return dict(read_package(datasets() / "regimes", "regimes").tables)


def _regimes(name: str, data: bytes) -> object:
    """One table of the book, with the other tables sound: form, references, then the grammar of the law."""
    from supplychain.facts.tables import Loaded, check_references
    from supplychain.regimes.check import find_faults

    problems = Problems()
    raw = read_csv(data, name, f"{name}.csv", problems)
    problems.raise_if_any()
    assert raw is not None
    kind = schema("regimes")
    frames = dict(_book())
    part = load(raw, kind[name], problems)
    frames[name] = part.frame
    loaded = {other: Loaded(other, f"{other}.csv", rows, rows.index.to_numpy() + 2) for other, rows in frames.items()}
    loaded[name] = part
    check_references(loaded, kind, problems)
    problems.raise_if_any()
    find_faults(frames, problems, {name: part.rows})
    problems.raise_if_any()
    return frames


def _loaded(tables: dict[str, RawTable], problems: Problems) -> None:
    for name, raw in tables.items():
        if name in schema("network").names:
            load(raw, schema("network")[name], problems)
    problems.raise_if_any()


def _workbook(name: str, data: bytes) -> object:
    problems = Problems()
    if name == "grid":
        return workbook_grid(data, "a.xlsx", problems)
    _, tables, _ = read_workbook(data, "a.xlsx", problems)
    _loaded(tables, problems)
    return tables


def _parquet(name: str, data: bytes) -> object:
    problems = Problems()
    raw = read_parquet(data, name, f"{name}.parquet", problems)
    _loaded({name: raw} if raw is not None else {}, problems)
    return raw


def _parquet_seed(sheet: Sheet) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(sheet.arrays()), sink, compression="zstd")
    return sink.getvalue()


def _typed_seed() -> bytes:
    sink = io.BytesIO()
    columns = {"demand": [1.5, None], "plant": ["a", "b"], "buyer": ["me", "me"], "site": ["IND", "DEU"]}
    columns |= {"item": ["x", "y"], "illustrative": [True, None], "quality": ["reported"] * 2, "source": ["s", "s"]}
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def _grid(name: str, data: bytes) -> object:
    problems = Problems()
    rows = csv_grid(data, name, problems)
    problems.raise_if_any()
    return rows


def _descriptor(name: str, data: bytes) -> object:
    problems = Problems()
    found = parse_descriptor(data, name, problems)
    problems.raise_if_any()
    return found


def _bom(name: str, data: bytes) -> object:
    from supplychain.exchange.bomfile import read_bom

    return read_bom(_file("bom.csv", data))


def _eto(name: str, data: bytes) -> object:
    from supplychain.exchange.eto import read_eto

    folder = _file("x", b"", "eto").parent
    if not (folder / "inputs.csv").exists():
        _eto_sample().write(folder)
    before = (folder / f"{name}.csv").read_bytes()
    (folder / f"{name}.csv").write_bytes(data)
    try:
        found = read_eto(folder)
        assert found.lost == 0
        return found
    finally:
        (folder / f"{name}.csv").write_bytes(before)


def _eto_sample() -> Any:
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "exchange"))
    import eto_sample

    return eto_sample


def _trade(name: str, data: bytes) -> object:
    from supplychain.exchange.baci import read_baci
    from supplychain.exchange.comtrade import read_comtrade
    from supplychain.exchange.trade import indicators

    problems = Problems()
    path = _file(f"{name}.csv", data)
    flows = read_baci(path, problems) if name == "baci" else read_comtrade(path, problems)[0]
    problems.raise_if_any()
    return indicators(flows)


def _usgs(name: str, data: bytes) -> object:
    from supplychain.exchange.usgs import read_usgs

    return read_usgs(_file("usgs.csv", data))


def _icio(name: str, data: bytes) -> object:
    from supplychain.exchange.iotables import read_io

    return read_io(_file("icio.csv", data))


PYMRIO = {
    "file_parameters.json": b'{"systemtype": "IOSystem", "files": {"Z": {"name": "Z.txt", "nr_index_col": "2",'
    b' "nr_header": "2"},'
    b' "x": {"name": "x.txt", "nr_index_col": "2", "nr_header": "1"}}}',
    "Z.txt": b"region\t\tJPN\tUSA\nsector\t\ta\ta\nregion\tsector\t\t\nJPN\ta\t1\t2\nUSA\ta\t3\t4\n",
    "x.txt": b"region\tsector\tindout\nJPN\ta\t9\nUSA\ta\t9\n",
}


def _pymrio(name: str, data: bytes) -> object:
    from supplychain.exchange.iotables import read_io

    for other, content in PYMRIO.items():
        _file(other, data if other == name else content, "pymrio")
    return read_io(work() / "pymrio")


def _open_psa(name: str, data: bytes) -> object:
    from supplychain.analysis.openpsa import read_open_psa

    return read_open_psa(_file("tree.xml", data))


XML = b"""<?xml version="1.0"?>
<opsa-mef><define-fault-tree name="t"><define-gate name="top"><or><gate name="g1"/><basic-event name="e3"/></or>
</define-gate><define-gate name="g1"><atleast min="2"><basic-event name="e1"/><basic-event name="e2"/>
<basic-event name="e3"/></atleast></define-gate><define-component name="c"><define-basic-event name="e9"/>
</define-component></define-fault-tree><model-data>
<define-basic-event name="e1"><float value="0.1"/></define-basic-event>
<define-house-event name="h"><constant value="true"/></define-house-event></model-data></opsa-mef>
"""


def _list(name: str, data: bytes) -> object:
    from supplychain.regimes.ownership import affiliates, read_decisions, read_list

    path = _file(name, data)
    if name == "decisions.csv":
        return read_decisions(path)
    found = read_list(path)
    return affiliates([entry.entry for entry in found.entries if entry.listed], found.holdings, 0.5)


LISTS = {
    "list.csv": b"_id,source,name,alt_names,addresses,country,license_policy\n"
    b'1,Entity List,Acme Ltd,Acme;ACM,"Road 1, CN",CN,x\n',
    "list.json": b'{"results": [{"id": "1", "source": "Entity List", "name": "Acme", "alt_names": ["A"],'
    b' "country": "CN", "addresses": [{"country": "CN"}]}]}',
    "entities.json": b'{"id": "a", "caption": "Acme", "schema": "Company", "datasets": ["us"],'
    b' "properties": {"name": ["Acme"], "topics": ["sanction"], "country": ["cn"]}}\n'
    b'{"id": "o", "schema": "Ownership", "properties": {"owner": ["a"], '
    b'"asset": ["b"], "percentage": ["60 %"]}}\n{"id": "b", "caption": "Bolt", "schema": "Company", "properties": '
    b'{"name": ["Bolt"]}}\n',
    "decisions.csv": b"organisation,entry,decision\nacme,1,same\nbolt,2,other\n",
}


def _scenario(name: str, data: bytes) -> object:
    from supplychain.whatif.scenario import load_scenario

    return load_scenario(_file(f"{name}.toml", data, "scenarios"))


def _policy(name: str, data: bytes) -> object:
    from supplychain.sourcing.policy import load_policy

    return load_policy(_file("my-policy.toml", data))


def _assumptions(name: str, data: bytes) -> object:
    from supplychain.assumptions import Assumptions

    return Assumptions.load(_file("mine.toml", data)).settings


def _money(name: str, data: bytes) -> object:
    from supplychain.analysis.moneyflow import money_flows, read_list

    lists = {**MONEY, name: data}
    links = read_list(_file("links.csv", lists["links"]), ("supplier", "buyer"), "links")
    return money_flows(links, read_list(_file("sectors.csv", lists["sectors"]), ("firm", "sector"), "sectors"))


MONEY = {
    "links": b"supplier,buyer,flow\na,b,5\nb,c,3.5\nc,a,1\n",
    "sectors": b"firm,sector,revenue\na,mining,9\nb,metals,7\nc,chips,4\n",
}


def _manifest(name: str, data: bytes) -> object:
    from supplychain.report.manifest import read

    return read(_file("manifest.json", data, "run").parent)


def _store(name: str, data: bytes) -> object:
    from supplychain.whatif.sweep import plan_from

    return plan_from(json.loads(data))


def _overlay(name: str, data: bytes) -> object:
    from supplychain.regimes.book import RegimeBook
    from supplychain.regimes.overlay import overlay

    folder = _file("x", b"", "overlay").parent
    for old in folder.iterdir():
        old.unlink()
    (folder / f"{name}.csv").write_bytes(data)
    return overlay(_bundled(RegimeBook), folder)


@functools.cache
def _bundled(kind: Any) -> Any:
    return kind.bundled()


REFERRED = ("controls", "groups", "jurisdictions", "regimes", "sources")


def targets() -> list[Target]:
    """Every target with its seeds."""
    network = {table: own().files[f"{table}.csv"] for table in own().tables}
    book = {path.stem: _lines(path.read_bytes(), 6) for path in sorted((datasets() / "regimes").glob("*.csv"))
            if path.stem in schema("regimes").names}  # fmt: skip
    # References must hold: tables that others refer to stay whole.
    whole = {name: data for name, data in book.items() if name not in REFERRED}
    sheets = {table: own().sheet(table).arrays() for table in ("items", "supplies", "organisations", "sources")}
    xlsx = write_workbook({"supplychain": {"schema": "network"}}, sheets)
    scenarios = sorted((models() / "scenarios").glob("*.toml"))
    policies = sorted((models() / "policies").glob("*.toml"))
    assumptions = (models() / "assumptions" / "default.toml").read_bytes()
    eto = _eto_sample().TABLES
    import test_bom
    import test_sources
    import test_trade

    comtrade = (b"period,reporterCode,partnerCode,cmdCode,flowCode,primaryValue,netWgt\n2023,757,156,811292,M,900,4\n"
                b"2023,156,842,811292,X,700,\n")  # fmt: skip
    manifest = b'{"tool": "supplychain", "version": "0", "manifest": 1, "outputs": {"a": {"sha256": "0", "bytes": 1}}}'
    found = [
        Target("network table", network, _table("network"), weight=20),
        Target("network package", network, _package, weight=1),
        Target("regimes table", book, _table("regimes"), weight=8),
        Target("regimes book", whole, _regimes, weight=2),
        Target("overlay", book, _overlay, weight=1),
        Target("workbook", {"package": xlsx, "grid": xlsx}, _workbook, (mutate.of_archive,), 8, True),
        Target("parquet", {"items": _parquet_seed(own().sheet("items")), "plants": _typed_seed()}, _parquet,
               (mutate.of_bytes,), 10, True),
        Target("grid", {"bom": test_bom.LEVELS.encode()}, _grid, weight=4),
        Target("descriptor", {"network": own().files["datapackage.json"]}, _descriptor, (mutate.of_json,), 6),
        Target("bom", {"levels": test_bom.LEVELS.encode()}, _bom, weight=8),
        Target("eto", {name: text.encode() for name, text in eto.items()}, _eto, weight=1),
        Target("trade", {"baci": test_trade.BACI.encode(), "comtrade": comtrade}, _trade, weight=5),
        Target("usgs", {"usgs": test_sources.USGS.encode()}, _usgs, weight=2),
        Target("icio", {"icio": b"V1,JPN_A,USA_A,OUT\nJPN_A,1,2,9\nUSA_A,3,4,9\nVA,1,1,0\n"}, _icio, weight=4),
        Target("pymrio", PYMRIO, _pymrio, (mutate.of_json, mutate.of_lines, mutate.of_bytes), weight=4),
        Target("open-psa", {"tree": XML}, _open_psa, (mutate.of_xml, mutate.of_xml, mutate.of_bytes), 8),
        Target("lists", LISTS, _list, (mutate.of_json, mutate.of_cells, mutate.of_lines, mutate.of_bytes), 12),
        Target("scenario", {path.stem: path.read_bytes() for path in scenarios[::6]}, _scenario, TOML, 10),
        Target("policy", {path.stem: path.read_bytes() for path in policies}, _policy, TOML, 8),
        Target("assumptions", {"mine": assumptions[: assumptions.index(b"\n[", 3000)]}, _assumptions, TOML, 4),
        Target("money", MONEY, _money, weight=5),
        Target("manifest", {"manifest": manifest}, _manifest, (mutate.of_json,), 4),
    ]  # fmt: skip
    return found


def by_name(names: Sequence[str] = ()) -> list[Target]:
    return [target for target in targets() if not names or target.name in names]
