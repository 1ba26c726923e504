"""The fault kit's packages: the bundled ones, the template, one of our own that fills every column, and ETO."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from supplychain.errors import Problem
from supplychain.facts.package import Package, read_package
from supplychain.facts.schema import Column, schema
from tests.facts.content import content_hash
from tests.facts.faultmodel import DESCRIPTOR, Seed, Sheet


def package_seed(name: str, folder: Path, tables: Iterable[str] | None = None) -> Seed:
    """A data package on disk, without its companions."""
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())
             if path.suffix == ".csv" or path.name == DESCRIPTOR}  # fmt: skip
    described = json.loads(files[DESCRIPTOR])
    kind = schema(described["supplychain"]["schema"])
    resources = [entry for entry in described.get("resources", []) if entry["path"] in files]
    described["resources"] = resources or [{"name": f[:-4], "path": f} for f in files if f.endswith(".csv")]
    files[DESCRIPTOR] = json.dumps(described).encode()
    return Seed(
        name,
        files,
        lambda path: _read(path),
        {t.name: {c.name: c for c in t.columns} for t in kind.tables},
        {t.name: t.key for t in kind.tables},
        frozenset(t.name for t in kind.tables if t.required),
    )


def _read(path: Path) -> tuple[str, Iterable[Problem]]:
    package = read_package(path)
    if package.schema == "regimes":
        from supplychain.regimes.check import check_book

        check_book(package.tables, package.descriptor)
    return _content(package), package.warnings


def _content(package: Package) -> str:
    named = replace(package, name="kit", descriptor={})
    texts = {text for frame in package.tables.values() for column in frame.columns
             if frame[column].dtype == "str" for text in frame[column].unique()}  # fmt: skip
    return content_hash(named) + "\n" + "\n".join(sorted(texts))


def eto_seed(folder: Path) -> Seed:
    """The five files of ETO, read by their importer."""
    from supplychain.exchange.eto import FILES, read_eto

    files = {f"{name}.csv": (folder / f"{name}.csv").read_bytes() for name in FILES}
    kinds = {("provision", "share_provided"): ("number", 0.0, 100.0), ("provision", "year"): ("year", 0, 0),
             ("inputs", "year"): ("year", 0, 0)}  # fmt: skip
    keyed = {("inputs", "input_id"), ("stages", "stage_id"), ("providers", "provider_id"),
             ("provision", "provider_id"), ("provision", "provided_id"), ("sequence", "input_id")}  # fmt: skip
    refers = {("provision", "provider_id"): "providers.provider_id", ("provision", "provided_id"): "inputs.input_id",
              ("sequence", "input_id"): "inputs.input_id", ("sequence", "goes_into_id"): "inputs.input_id"}  # fmt: skip
    columns: dict[str, dict[str, Column]] = {}
    for name, must in FILES.items():
        columns[name] = {}
        for header in Sheet.of(files[f"{name}.csv"]).header:
            kind, low, high = kinds.get((name, header), ("text", -1e15, 1e15))
            columns[name][header] = Column(header, kind, header in must, (name, header) in keyed, False,
                                           refers.get((name, header), ""), low, high, (), "", "", "")  # fmt: skip

    def read(path: Path) -> tuple[str, Iterable[Problem]]:
        intake = read_eto(path)
        assert intake.lost == 0
        tables = {name: frame.assign(note="") for name, frame in intake.package.tables.items()}
        return _content(replace(intake.package, tables=tables)), intake.warnings  # notes name rows of the files

    keys = {"inputs": ("input_id",), "stages": ("stage_id",), "providers": (), "provision": (), "sequence": ()}
    return Seed("eto-files", files, read, columns, keys, frozenset(FILES))


def own_seed(folder: Path) -> Seed:
    """A small package of our own in which every table and every column of the schema has a value."""
    kind = schema("network")
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in OWN.items():
        table = kind[name]
        header = list(table.names)
        (folder / f"{name}.csv").write_bytes(Sheet(header, [[row.get(h, "") for h in header] for row in rows]).csv())
    described = {"name": "own", "supplychain": {"schema": "network"},
                 "resources": [{"name": name, "path": f"{name}.csv"} for name in OWN]}  # fmt: skip
    (folder / DESCRIPTOR).write_text(json.dumps(described))
    return package_seed("own", folder)


_BASE = {"quality": "reported", "source": "s1", "year": "2025"}
OWN: dict[str, list[dict[str, str]]] = {
    "items": [
        {**_BASE, "item": item, "name": item.title(), "tier": tier, "category": "thing", "unit": "unit",
         "hs6": "854231", "control_codes": "US:3A090.a", "aggregate_of": parts, "world_volume": "100",
         "price_usd": "2", "elasticity": "-0.4", "market_usd": "200", "lead_time_months": "3",
         "qualification_months": "9", "new_capacity_months": "24", "stock_days": "30", "spare_capacity": "0.1",
         "control_source": "s1", "control_quality": "derived", "ops_source": "s1", "ops_quality": "estimate",
         "note": "a note"}
        for item, tier, parts in (("chip", "0", ""), ("gas", "2", ""), ("tool", "1", ""), ("tools", "1", "tool;gas"),
                                  ("wafer", "1", ""))
    ],
    "organisations": [
        {"organisation": o, "name": o.title(), "jurisdiction": "NLD", "parent": parent, "parent_jurisdiction": "NLD",
         "source": "s1", "note": "a note"}
        for o, parent in (("acme", ""), ("bolt", "acme"), ("cord", "acme"), ("dyne", ""), ("other", ""))
    ],
    "supplies": [
        {**_BASE, "supply": f"{item}.{o}", "organisation": o, "item": item, "site": "NLD", "share": share,
         "capacity": "60", "unit_cost": "9", "currency": "USD", "lead_time_days": "30", "qualification_days": "200",
         "qualification_cost": "1000", "minimum_order": "1", "time_to_recover_days": "90", "stock_days": "10",
         "spare_capacity": "0.1", "basis": "units", "weight": "true", "site_name": "Here", "note": "a note"}
        for item, o, share in (("chip", "acme", "0.6"), ("chip", "bolt", "0.4"), ("gas", "cord", "0.7"),
                               ("tool", "dyne", "0.5"), ("wafer", "acme", "0.5"), ("wafer", "other", "0.5"))
    ],
    "content": [
        {**_BASE, "supply": "chip.acme", "origin": o, "share": s, "direct_product": "true", "note": "a note"}
        for o, s in (("USA", "0.2"), ("JPN", "0.1"))
    ],
    "requirements": [
        {**_BASE, "requirement": f"{a}.{b}", "item": a, "requires": b, "role": role, "coefficient": "1",
         "essentiality": "essential", "lifetime_years": "15", "use_share": "0.2", "alternatives": f"{a}.group",
         "note": "a note"}
        for a, b, role in (("chip", "gas", "consumable"), ("chip", "tool", "capital"), ("chip", "wafer", "consumable"))
    ],
    "processes": [
        {"process": "etch", "requires": "gas", "essentiality": "essential", "applies_to": "chip",
         "quality": "assumption", "source": "s1", "note": "a note"},
        {"process": "clean", "requires": "gas", "essentiality": "minor", "applies_to": "chip;wafer",
         "quality": "assumption", "source": "s1", "note": "a note"},
    ],
    "plants": [
        {"plant": "p1", "buyer": "me", "site": "IND", "item": item, "demand": "10", "unit": "unit",
         "stock_days": "30", "margin_usd": "5", "illustrative": "true", "quality": "assumption", "source": "s1",
         "note": "a note"}
        for item in ("chip", "gas")
    ],
    "demand": [{**_BASE, "item": "chip", "destination": d, "share": s, "note": "a note"}
               for d, s in (("IND", "0.4"), ("DEU", "0.6"))],
    "lanes": [
        {**_BASE, "lane": f"l{n}", "from_supply": a, "to_supply": b, "to_plant": p, "share": "0.4", "volume": "5",
         "unit_cost": "2", "capacity": "9", "transit_days": "14", "note": "a note"}
        for n, a, b, p in ((1, "gas.cord", "chip.acme", ""), (2, "tool.dyne", "chip.acme", ""),
                           (3, "chip.acme", "", "p1"))
    ],
    "events": [{"event": f"e{n}", "date": "2022-02-24", "items": "gas;chip", "description": "A stop",
                "effect": "None", "status": "reported", "source": "s1", "note": "a note"} for n in (1, 2)],
    "sites": [
        {**_BASE, "site": f"site{n}", "organisation": "acme", "name": f"Site {n}", "country": "NLD",
         "product": "chips", "capacity": "120", "unit": "units/year", "note": "a note"} for n in (1, 2, 3)
    ],
    "sources": [{"source": s, "title": f"Report {s}", "publisher": "Acme", "date": "2025-03-01",
                 "url": "https://example.org/a", "licence": "public", "note": "a note"} for s in ("s1", "s2")],
}  # fmt: skip


def seeds(work: Path, names: Iterable[str] | None = None) -> Iterator[Seed]:
    """The packages that are there to be corrupted."""
    from supplychain.locate import datasets

    shared = Path(__file__).resolve().parents[3] / "shared" / "eto"
    wanted = set(names or ())

    def want(name: str) -> bool:
        return not wanted or name in wanted

    if want("own"):
        yield own_seed(work / "own")
    if want("template"):
        yield package_seed("template", datasets() / "template")
    if want("semiconductors"):
        yield package_seed("semiconductors", datasets() / "semiconductors")
    if want("regimes"):
        yield package_seed("regimes", datasets() / "regimes")
    if shared.is_dir():
        if want("eto-files"):
            yield eto_seed(shared)
        if want("eto-import"):
            from supplychain.exchange.eto import read_eto
            from supplychain.exchange.intake import save

            save(read_eto(shared), work / "eto-import")
            yield package_seed("eto-import", work / "eto-import")
