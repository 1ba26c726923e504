"""From a bill of materials to a network: the tool proposes which item each part is, the user confirms, nothing else
counts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from supplychain.errors import Problems, UsageError
from supplychain.exchange.bomfile import Bom
from supplychain.exchange.intake import network_package, read_foreign
from supplychain.exchange.mapping import distinct, slug
from supplychain.exchange.merge import alike
from supplychain.facts.package import Package
from supplychain.facts.raw import guard
from supplychain.facts.write import csv_bytes
from supplychain.files import make_folder, replace_file

MAPPING = ["part", "description", "manufacturer", "mpn", "item", "confirmed", "score", "other_candidates", "note"]
SOURCE = "own-bom"
_LEAST = 0.45  # names less similar than this are not proposed


def propose(bom: Bom, network: Package) -> pd.DataFrame:
    """Return a mapping to edit (MAPPING): for each part that has no parts of its own, the item it resembles most.

    `confirmed` is blank: only rows in which the user writes yes are used. No row is ever confirmed by the tool.
    """
    items = network.tables["items"]
    known = [(item, name) for item, name in zip(items["item"], items["name"], strict=True)]
    words = [(item, f"{name} {category}") for item, name, category in
             zip(items["item"], items["name"], items["category"], strict=True)]  # fmt: skip
    first = bom.makers[bom.makers["alternate"] == 0].drop_duplicates("part").set_index("part").astype(object)
    maker, number = first["manufacturer"].to_dict(), first["mpn"].to_dict()
    leaves = bom.lines[~bom.lines["part"].isin(bom.lines["parent"])].drop_duplicates("part")
    rows = []
    for part, description in zip(leaves["part"], leaves["description"], strict=True):
        scores: dict[str, float] = {}
        for text in (description, part):
            for item, score in [*alike(text, known, _LEAST, 4), *alike(text, words, _LEAST, 4)] if text else []:
                scores[item] = max(score, scores.get(item, 0.0))
        ranked = sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))
        rows.append(
            {
                "part": part,
                "description": description,
                "manufacturer": maker.get(part, ""),
                "mpn": number.get(part, ""),
                "item": ranked[0][0] if ranked else "",
                "confirmed": "",
                "score": f"{ranked[0][1]:.2f}" if ranked else "",
                "other_candidates": ";".join(item for item, _ in ranked[1:4]),
                "note": "",
            }
        )
    return pd.DataFrame(rows, columns=MAPPING).sort_values("part", kind="stable", ignore_index=True)


def write_mapping(mapping: pd.DataFrame, path: Path, *, overwrite: bool = False) -> None:
    """Write a mapping as CSV to be edited in a spreadsheet."""
    if path.exists() and not overwrite:
        raise UsageError(f"{str(path)!r} is there already: it may hold confirmations; give another path")
    make_folder(path.parent)
    texts = {name: guard(pa.array(mapping[name].astype(str), pa.string())) for name in MAPPING}
    replace_file(path, csv_bytes(texts))


def read_mapping(path: Path, bom: Bom, network: Package) -> dict[str, str]:
    """Return part -> item of the confirmed rows, "" for those answered no.

    Raises InputError naming every row without an answer, part that the bill has and the mapping lacks, and confirmed
    item that the network does not know.
    """
    problems = Problems()
    frame, _ = read_foreign(path, problems, ["part", "item", "confirmed"])
    problems.raise_if_any()
    known = set(network.tables["items"]["item"])
    found: dict[str, str] = {}
    for row, part, item, answer in zip(frame.index, frame["part"], frame["item"], frame["confirmed"], strict=True):
        said = answer.lower()
        if said not in ("yes", "no"):
            rule, cure = "every row is answered", "write yes (the part is that item) or no (it is none of them)"
            problems.add("unconfirmed", rule, cure, file=path.name, row=int(row), column="confirmed", value=answer)
        elif said == "yes" and item not in known:
            rule, cure = "a confirmed item is an item of the network", "correct the id, or write no"
            problems.add("reference", rule, cure, file=path.name, row=int(row), column="item", value=item)
        elif part in found:
            rule = "a part stands once"
            problems.add("duplicate-key", rule, "keep one row", file=path.name, row=int(row), column="part", value=part)
        found.setdefault(part, item if said == "yes" else "")
    leaves = set(bom.lines["part"]) - set(bom.lines["parent"])
    for part in sorted(leaves - found.keys()):
        rule, cure = "every part of the bill has a row", "propose the mapping again, or add the row"
        problems.add("part-missing", rule, cure, file=path.name, column="part", value=part)
    problems.raise_if_any()
    return found


def bom_network(
    bom: Bom, mapping: dict[str, str], *, buyer: str, site: str, demand: float | None = None
) -> tuple[Package, pd.DataFrame]:
    """Return the bill as a package to lay over the network it was mapped to, and what became of each line.

    Assemblies and unmatched parts are items; a matched part is the network's item, its part and maker numbers in the
    note. Quantities are the coefficients of consumable, essential requirements (an assumption). The makers of an
    unmatched part, alternates too, are its supplies with unknown share and site; its control codes are unknown. The
    buyer makes the assemblies at `site` and needs `demand` of each product a year (None: unknown).
    """
    # With a prefix, so that a part or maker never meets an item or organisation of the network by its name alone.
    parts = [(part, part) for part in dict.fromkeys([*bom.lines["parent"], *bom.lines["part"]]) if part]
    names = {part: f"part.{name}" for part, name in distinct(parts).items()}
    item = {part: mapping.get(part) or name for part, name in names.items()}
    described = bom.lines.drop_duplicates("part").set_index("part")["description"].to_dict()
    assemblies = {parent for parent in bom.lines["parent"] if parent}
    own = [part for part in names if not mapping.get(part)]
    lines = bom.lines[bom.lines["parent"] != ""]
    needs = lines.assign(item=lines["parent"].map(item), requires=lines["part"].map(item))
    grouped = needs.groupby(["item", "requires"], sort=True)
    rows = grouped.agg(coefficient=("quantity", lambda q: q.sum(skipna=False)), note=("row", _rows)).reset_index()
    tops = set(bom.tops)
    depth = _depths(bom)
    tables = {
        "items": pd.DataFrame(
            [
                {
                    "item": names[part],
                    "name": described.get(part) or part,
                    "tier": float(depth[part]),
                    "category": "end-product" if part in tops else "assembly" if part in assemblies else "part",
                    "quality": "reported",
                    "source": SOURCE,
                    "note": f"part {part}",
                }
                for part in own
            ]
        ),
        "requirements": rows.assign(
            requirement=rows["item"] + ".needs." + rows["requires"],
            role="consumable",
            essentiality="essential",
            quality="reported",
            source=SOURCE,
            note=rows["note"] + "; essentiality assumed",
        ),
        "organisations": _organisations(bom, own, assemblies, buyer, site),
        "supplies": _supplies(bom, own, names, assemblies, buyer, site),
        "plants": _plants(tops, names, buyer, site, demand),
        "sources": pd.DataFrame([{"source": SOURCE, "title": f"Bill of materials {bom.name}", "publisher": buyer}]),
    }
    fate = [
        ("matched", mapping[part])
        if mapping.get(part)
        else ("assembly" if part in assemblies else "own item", names[part])
        for part in bom.lines["part"]
    ]
    told = bom.lines[["row", "parent", "part", "quantity"]].assign(
        became=[kind for kind, _ in fate], item=[name for _, name in fate]
    )
    return network_package(slug(bom.name), tables, {"title": f"Bill of materials {bom.name}"}), told


def _plants(tops: set[str], names: dict[str, str], buyer: str, site: str, demand: float | None) -> pd.DataFrame:
    common = {"plant": f"{slug(buyer)}.{site.lower()}", "buyer": slug(buyer), "site": site, "demand": demand}
    common |= {"unit": "piece", "illustrative": False, "quality": "reported", "source": SOURCE}
    return pd.DataFrame([{**common, "item": names[part]} for part in sorted(tops)])


def _rows(rows: pd.Series) -> str:
    return "line " + ", ".join(str(row) for row in rows)


def _depths(bom: Bom) -> dict[str, int]:
    """Return the fewest steps from a product to each part."""
    below: dict[str, list[str]] = {}
    for parent, part in zip(bom.lines["parent"], bom.lines["part"], strict=True):
        below.setdefault(parent, []).append(part)
    depth = dict.fromkeys(bom.tops, 0)
    waiting = list(bom.tops)
    for part in waiting:  # grows while it is read: breadth first
        for each in below.get(part, []):
            if each not in depth:
                depth[each] = depth[part] + 1
                waiting.append(each)
    return depth


def _makers(bom: Bom, own: list[str], assemblies: set[str]) -> pd.DataFrame:
    parts = [part for part in own if part not in assemblies]
    return bom.makers[bom.makers["part"].isin(parts)]


def _maker_ids(makers: pd.DataFrame) -> dict[str, str]:
    names = sorted({name for name in makers["manufacturer"] if name})
    return {name: f"maker.{identity}" for name, identity in distinct([(name, name) for name in names]).items()}


def _organisations(bom: Bom, own: list[str], assemblies: set[str], buyer: str, site: str) -> pd.DataFrame:
    makers = _makers(bom, own, assemblies)
    rows = [{"organisation": f"buyer.{slug(buyer)}", "name": buyer, "jurisdiction": site, "source": SOURCE}]
    rows += [
        {"organisation": identity, "name": name, "jurisdiction": "", "source": SOURCE}
        for name, identity in _maker_ids(makers).items()
    ]
    if (makers["manufacturer"] == "").any():
        rows.append({"organisation": "other", "name": "Other producers", "jurisdiction": "", "source": "none"})
    return pd.DataFrame(rows)


def _supplies(
    bom: Bom, own: list[str], names: dict[str, str], assemblies: set[str], buyer: str, site: str
) -> pd.DataFrame:
    common = {"basis": "units", "weight": True, "quality": "reported", "source": SOURCE}
    own_make = {**common, "organisation": f"buyer.{slug(buyer)}", "site": site, "share": 1.0, "note": "own make"}
    rows = [
        {**own_make, "supply": f"{names[part]}.{slug(buyer)}", "item": names[part]}
        for part in own
        if part in assemblies
    ]
    makers = _makers(bom, own, assemblies)
    ids = _maker_ids(makers)
    for part, group in makers.groupby("part", sort=True):
        for maker, numbers in group.groupby("manufacturer", sort=True):
            organisation = ids.get(str(maker), "other")
            ranked = zip(numbers["alternate"], numbers["mpn"], strict=True)
            text = "; ".join(f"{'alternate' if n else 'first choice'} {mpn}".strip() for n, mpn in ranked)
            who = {"organisation": organisation, "site": "", "share": float("nan"), "note": text}
            item = names[str(part)]
            rows.append({**common, **who, "supply": f"{item}.{organisation}", "item": item})
    return pd.DataFrame(rows)
