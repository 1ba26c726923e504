"""Reads inter-country input-output tables as country x sector networks: OECD ICIO files and folders saved by pymrio.

ICIO: one CSV, rows and columns named COUNTRY_SECTOR, final demand, taxes and value added beside them. pymrio: a folder
with file_parameters.json and Z.txt (tab-separated, two header rows and two index columns: region, sector).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
from scipy import sparse

from supplychain.errors import Problems, UsageError
from supplychain.exchange.intake import Intake, counted, network_package
from supplychain.exchange.mapping import slug
from supplychain.facts.countries import countries, is_country, likely_code
from supplychain.facts.raw import MAX_CELLS

LINK = 0.01  # an input below this part of a sector's output is left out of the links
SOURCE = "io-table"
# Parts into which the ICIO splits two countries.
_SPLIT = {"CN1": "CHN", "CN2": "CHN", "MX1": "MEX", "MX2": "MEX"}
_LABEL = re.compile(r"([A-Z0-9]{3})_(.+)")
_FINAL = re.compile(r"HFCE|NPISH|GGFC|GFCF|INVNT|DPABR|FD|P33|NONRES|TLS|TAXSUB|VA|OUT|CONS_.*|OUTPUT")


@dataclass(frozen=True, eq=False)
class IoTable:
    """Deliveries Z (rows give, columns take) between N country-sectors, their outputs x, in one unit of money."""

    regions: tuple[str, ...]
    sectors: tuple[str, ...]
    deliveries: npt.NDArray[np.float64]
    output: npt.NDArray[np.float64]
    rows_in: dict[str, int]
    went: dict[str, list[str]]
    hashes: dict[str, str]


def read_io(source: Path, *, link: float = LINK) -> Intake:
    """Return an input-output table as a network: items are sectors, supplies country-sectors with their share of the
    world's output of the sector, requirements the sectors a sector buys from (coefficient = input per unit of output),
    lanes who of them sells to whom (share of the buyer's purchases of that sector).

    Links and lanes below `link` of the buyer's output are left out; what is left out stays unattributed in the lanes.
    All requirements are consumables of essentiality "important" (an assumption: money tells no substitute).
    """
    table = _pymrio(source) if source.is_dir() else _icio(source)
    sectors, item_of = np.unique(np.array(table.sectors, object), return_inverse=True)
    places = [_place(region) for region in table.regions]
    names = [f"{slug(sector)}.{slug(region)}" for sector, region in zip(table.sectors, table.regions, strict=True)]
    total = np.bincount(item_of, table.output)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total[item_of] > 0, table.output / total[item_of], np.nan)
        coefficient = np.where(table.output > 0, table.deliveries / table.output, 0.0)
    belongs = sparse.csr_array((np.ones(len(names)), (item_of, np.arange(len(names)))))
    inputs = np.asarray(belongs @ table.deliveries)
    pooled = np.asarray((belongs @ inputs.T).T)
    needs = np.argwhere((pooled / np.where(total > 0, total, np.inf) >= link) & ~np.eye(len(sectors), dtype=bool))
    item = [slug(str(sector)) for sector in sectors]
    supplies = pd.DataFrame(
        {
            "supply": names,
            "organisation": [f"producers-of-{slug(region)}" for region in table.regions],
            "item": [item[at] for at in item_of],
            "site": places,
            "share": share,
            "capacity": table.output,
            "basis": "revenue",
            "weight": True,
            "quality": "reported",
            "source": SOURCE,
            "note": [f"{region} {sector}" for region, sector in zip(table.regions, table.sectors, strict=True)],
        }
    )
    sold = inputs.sum(axis=1)
    requirements = pd.DataFrame(
        {
            "requirement": [f"{item[to]}.needs.{item[of]}" for of, to in needs],
            "item": [item[to] for _, to in needs],
            "requires": [item[of] for of, _ in needs],
            "role": "consumable",
            "coefficient": [pooled[of, to] / total[to] for of, to in needs],
            "essentiality": "important",
            "use_share": [min(1.0, pooled[of, to] / max(total[of], sold[of])) for of, to in needs],
            "quality": "derived",
            "source": SOURCE,
            "note": "essentiality assumed",
        }
    )
    tables = {
        "items": pd.DataFrame(
            {
                "item": item,
                "name": [str(sector) for sector in sectors],
                "category": "sector",
                "unit": "USD m",
                "world_volume": total,
                "quality": "reported",
                "source": SOURCE,
            }
        ),
        "organisations": _organisations(table.regions),
        "supplies": supplies,
        "requirements": requirements,
        "lanes": _lanes(table, names, item_of, inputs, coefficient, {(int(o), int(t)) for o, t in needs}, link),
        "sources": pd.DataFrame([{"source": SOURCE, "title": f"Inter-country input-output table {source.name}"}]),
    }
    descriptor = {
        "title": f"Input-output network of {source.name}",
        "supplychain": {"input_hashes": table.hashes, "link": link},
    }
    remarks = (
        f"{len(names):,} country-sectors; links below {link:.0%} of the buyer's output are left out",
        "values are taken as millions of USD, the unit of OECD ICIO; all shares are free of the unit",
        "no sector has control codes: determinations of its flows are open (indeterminate)",
    )
    return Intake(network_package("io", tables, descriptor), counted(table.went), table.rows_in, "", remarks)


def _place(region: str) -> str:
    return _SPLIT.get(region, region if is_country(region) else likely_code(region))


def _organisations(regions: Sequence[str]) -> pd.DataFrame:
    rows = []
    for region in sorted(set(regions)):
        place = _place(region)
        name = f"Producers of {countries()[place].name if place else region}" + (
            f" ({region})" if region in _SPLIT else ""
        )
        rows.append(
            {"organisation": f"producers-of-{slug(region)}", "name": name, "jurisdiction": "", "source": SOURCE}
        )
    return pd.DataFrame(rows)


def _lanes(
    table: IoTable,
    names: list[str],
    item_of: npt.NDArray[Any],
    inputs: npt.NDArray[np.float64],
    coefficient: npt.NDArray[np.float64],
    needs: set[tuple[int, int]],
    link: float,
) -> pd.DataFrame:
    seller, buyer = np.nonzero(coefficient >= link)
    wanted = np.fromiter(
        ((a, b) in needs for a, b in zip(item_of[seller], item_of[buyer], strict=True)), bool, len(seller)
    )
    seller, buyer = seller[wanted], buyer[wanted]
    volume = table.deliveries[seller, buyer]
    return pd.DataFrame(
        {
            "lane": [f"{names[a]}-to-{names[b]}" for a, b in zip(seller, buyer, strict=True)],
            "from_supply": [names[a] for a in seller],
            "to_supply": [names[b] for b in buyer],
            "share": volume / inputs[item_of[seller], buyer],
            "volume": volume,
            "quality": "derived",
            "source": SOURCE,
        }
    )


def _icio(path: Path) -> IoTable:
    if not path.is_file():
        raise UsageError(f"there is no input-output table at {str(path)!r}")
    cells, row_labels, header, digest = _cells(path, 0, 1, ",")
    columns = header[0]
    square = [at for at, label in enumerate(row_labels) if _sector(label[0])]
    labels = [row_labels[at][0] for at in square]
    where = {label: at for at, label in enumerate(columns)}
    problems = Problems()
    for label in labels:
        if label not in where:
            rule = "every country-sector has a row and a column"
            problems.add("column-missing", rule, "is the file whole?", file=path.name, column=label)
    if len(labels) < 2:
        rule = "rows and columns are named COUNTRY_SECTOR, such as JPN_C26"
        problems.add("not-io", rule, "is this an ICIO table?", file=path.name)
    problems.raise_if_any()
    deliveries = cells[np.ix_(square, [where[label] for label in labels])]
    kept = set(square)
    went = ["supplies" if at in kept else f"left out: {label[0]}" for at, label in enumerate(row_labels)]
    output = _outputs(cells, row_labels, columns, square, labels, deliveries)
    parts = [_LABEL.fullmatch(label) for label in labels]
    return IoTable(
        tuple(part[1] for part in parts if part),
        tuple(part[2] for part in parts if part),
        deliveries,
        output,
        {path.name: len(row_labels)},
        {path.name: went},
        {path.name: digest},
    )


def _sector(label: str) -> bool:
    match = _LABEL.fullmatch(label)
    return bool(match and not _FINAL.fullmatch(match[2]))


def _outputs(
    cells: npt.NDArray[np.float64],
    rows: list[tuple[str, ...]],
    columns: list[str],
    square: list[int],
    labels: list[str],
    deliveries: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the printed output of each country-sector (row or column OUT), else all its deliveries."""
    if "OUT" in columns:
        return cells[square, columns.index("OUT")]
    for at, row in enumerate(rows):
        if row[0] in ("OUT", "OUTPUT"):
            return cells[at, [columns.index(label) for label in labels]]
    return np.asarray(cells[square].sum(axis=1)) if len(columns) > len(labels) else deliveries.sum(axis=1)


def _pymrio(folder: Path) -> IoTable:
    """Read a folder that pymrio saved; Z is needed, x or else Z and Y give the outputs."""
    problems = Problems()
    described = folder / "file_parameters.json"
    if not described.is_file():
        raise UsageError(f"{str(folder)!r} has no file_parameters.json: it is not a folder that pymrio saved")
    try:
        files = json.loads(described.read_text(encoding="utf-8"))["files"]
        shape = {name: (str(f["name"]), int(f["nr_header"]), int(f["nr_index_col"])) for name, f in files.items()}
        if not all(1 <= headers <= 20 and 1 <= labels <= 20 for _, headers, labels in shape.values()):
            raise ValueError("nr_header and nr_index_col are numbers from 1 to 20")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        rule = "file_parameters.json names each file, its nr_header and nr_index_col"
        problems.add("descriptor", rule, file=described.name, value=error)
        problems.raise_if_any()
        raise AssertionError from error
    for name, (file, _, _) in shape.items():
        if Path(file).name != file or not (folder / file).is_file():
            problems.add("file-missing", "the files that it names lie in the folder", file=file, value=name)
    if "Z" not in shape:
        problems.add("file-missing", "the folder holds the deliveries Z", file=described.name)
    problems.raise_if_any()
    cells, rows, header, digest = _cells(folder / shape["Z"][0], shape["Z"][2] - 1, shape["Z"][1], "\t")
    pairs = list(zip(*header[:2], strict=False))
    if len({len(line) for line in header[:2]}) > 1 or [row[:2] for row in rows] != pairs:
        rule = "rows and columns of Z are the same regions and sectors, in the same order"
        problems.add("not-io", rule, file=shape["Z"][0])
        problems.raise_if_any()
    hashes, rows_in = {shape["Z"][0]: digest}, {shape["Z"][0]: len(rows)}
    went = {shape["Z"][0]: ["supplies"] * len(rows)}
    output = cells.sum(axis=1)
    for name in ("x", "Y"):
        if name in shape and name not in hashes:
            extra, labels, _, digest = _cells(folder / shape[name][0], shape[name][2] - 1, shape[name][1], "\t")
            if [label[:2] for label in labels] != pairs:
                rule = f"the rows of {name} are those of Z"
                problems.add("not-io", rule, file=shape[name][0])
                problems.raise_if_any()
            output = extra[:, 0] if name == "x" else output + extra.sum(axis=1)
            hashes[shape[name][0]], rows_in[shape[name][0]] = digest, len(labels)
            went[shape[name][0]] = ["supplies: their output"] * len(labels)
            if name == "x":
                break
    return IoTable(tuple(row[0] for row in rows), tuple(row[1] for row in rows), cells, output, rows_in, went, hashes)


def _cells(
    path: Path, last_index: int, headers: int, delimiter: str
) -> tuple[npt.NDArray[np.float64], list[tuple[str, ...]], list[list[str]], str]:
    """Return the numbers of a table, its row labels (columns up to `last_index`), its header rows, and its SHA-256."""
    data = path.read_bytes()
    lines = data.split(b"\n", headers + 1)
    if len(lines) <= headers:
        problems = Problems()
        problems.add("file-empty", "the table has a header and rows", file=path.name)
        problems.raise_if_any()
    try:
        texts = [line.decode("utf-8-sig").rstrip("\r") for line in lines[:headers]]
    except UnicodeDecodeError as error:
        problems = Problems()
        problems.add("encoding", "text is UTF-8", "export it as UTF-8", file=path.name, row=1, value=error.reason)
        problems.raise_if_any()
        raise AssertionError from error
    header = [text.split(delimiter)[last_index + 1 :] for text in texts]
    width = len(header[0]) + last_index + 1
    problems = Problems()
    if width * data.count(b"\n") > MAX_CELLS:
        problems.add("too-long", f"a table has at most {MAX_CELLS:,} cells", "split it", file=path.name)
        problems.raise_if_any()
    # pandas names its index columns in a line of their own, without numbers.
    body = b"\n".join(lines[headers:])
    names = [f"c{at}" for at in range(width)]
    labels = dict.fromkeys(names[: last_index + 1], pa.string())
    try:
        table = pcsv.read_csv(
            pa.BufferReader(body),
            pcsv.ReadOptions(column_names=names),
            pcsv.ParseOptions(delimiter=delimiter),
            pcsv.ConvertOptions(
                column_types={**dict.fromkeys(names, pa.float64()), **labels}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        problems.add("number", "cells are numbers", "export it again", file=path.name, value=str(error).splitlines()[0])
        problems.raise_if_any()
    rows = list(zip(*(table[name].to_pylist() for name in names[: last_index + 1]), strict=True))
    columns = [pc.fill_null(table[name], np.nan).to_numpy() for name in names[last_index + 1 :]]
    if not columns:
        problems.add("file-empty", "the table has columns of numbers", "export it again", file=path.name, row=1)
        problems.raise_if_any()
    cells = np.column_stack(columns).astype(np.float64)
    keep = np.array([any(row) for row in rows], dtype=bool) & ~np.isnan(cells).all(axis=1)
    cells, rows = cells[keep], [row for row, good in zip(rows, keep, strict=True) if good]
    if not np.isfinite(cells).all():
        at = np.argwhere(~np.isfinite(cells))[0]
        rule = "every cell of the table is a number; none is blank"
        problems.add("blank", rule, file=path.name, row=int(at[0]) + headers + 1, column=str(at[1]))
        problems.raise_if_any()
    return cells, rows, header, hashlib.sha256(data).hexdigest()
