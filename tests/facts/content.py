"""The hash of what a package says, whatever file format, row order or file names carry it."""

from __future__ import annotations

import hashlib
import json

from supplychain.facts.package import Package
from supplychain.facts.schema import schema
from supplychain.facts.write import table_text


def content_hash(package: Package) -> str:
    """Return the SHA-256 (hexadecimal) of the package's tables, rows sorted by all columns, and of its descriptor.

    Paths and file formats stay out, so CSV, Parquet and XLSX copies of one package have one hash. Empty tables do not
    count: a package without lanes says the same as one with an empty table of lanes.
    """
    digest = hashlib.sha256()
    described = {key: value for key, value in package.descriptor.items() if key != "resources"}
    own = {**described.get("supplychain", {}), "schema": package.schema}
    described = {**described, "name": package.name, "supplychain": own}
    digest.update(json.dumps(described, sort_keys=True, ensure_ascii=False).encode())
    for table in schema(package.schema).tables:
        frame = package.tables[table.name]
        if frame.empty:
            continue
        # Records may hold line breaks, but sorted records of one table still tell two tables apart.
        header, records = table_text(frame, table)
        order = sorted(range(len(header)), key=header.__getitem__)
        digest.update(f"\x1d{table.name}\x1e{json.dumps([header[at] for at in order])}\x1e".encode())
        lines = sorted("\x1f".join(record[at] for at in order) for record in records)
        digest.update("\x1e".join(lines).encode())
    return digest.hexdigest()
