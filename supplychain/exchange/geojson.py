"""Sites as GeoJSON (RFC 7946): one point per site, in the middle of its country, since packages hold no coordinates."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.errors import json_shown
from supplychain.facts.countries import countries
from supplychain.facts.package import Package
from supplychain.files import check_free, make_folder, replace_file
from supplychain.locate import datasets

Points = npt.NDArray[np.float64]


@cache
def middles() -> dict[str, tuple[float, float]]:
    """Return longitude and latitude of the centroid of each country's largest piece of land, in degrees."""
    path = datasets() / "reference" / "world-110m.json"
    topology = json.loads(path.read_text(encoding="utf-8"))
    scale, shift = (np.asarray(topology["transform"][key]) for key in ("scale", "translate"))
    arcs = [np.cumsum(np.asarray(arc, dtype=float)[:, :2], axis=0) * scale + shift for arc in topology["arcs"]]
    found = {}
    for shape in topology["objects"]["countries"]["geometries"]:
        polygons = shape["arcs"] if shape["type"] == "MultiPolygon" else [shape["arcs"]]
        pieces = [_centroid(_ring(polygon[0], arcs)) for polygon in polygons]
        area, longitude, latitude = max(pieces)
        if area > 0 and "id" in shape:
            found[str(shape["id"])] = (round(longitude, 3), round(latitude, 3))
    return found


def _ring(numbers: list[int], arcs: list[Points]) -> Points:
    return np.concatenate([arcs[n] if n >= 0 else arcs[~n][::-1] for n in numbers])


def _centroid(ring: Points) -> tuple[float, float, float]:
    """Return area and centroid of a ring in the plane of longitude and latitude."""
    x, y = ring[:, 0], ring[:, 1]
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    area = cross.sum() / 2
    if not area:
        return 0.0, float(x.mean()), float(y.mean())
    longitude = ((x + np.roll(x, -1)) * cross).sum() / (6 * area)
    latitude = ((y + np.roll(y, -1)) * cross).sum() / (6 * area)
    return abs(float(area)), float(longitude), float(latitude)


def site_features(package: Package) -> dict[str, Any]:
    """Return a FeatureCollection: the sites of the package, and each organisation's production in a country.

    `precision` is "country" everywhere; a site without a known country, or of a country without an outline, has no
    geometry.
    """
    sites, supplies = package.tables["sites"], package.tables["supplies"]
    weight = supplies[supplies["weight"].fillna(False).astype(bool) & (supplies["site"] != "")]
    made = weight.groupby(["organisation", "site"], sort=True)["item"].agg(lambda items: ";".join(sorted(set(items))))
    features = [_feature("site", row["site"], row["country"], row) for row in sites.to_dict("records")]
    for organisation, country in made.index:
        row = {"organisation": organisation, "country": country, "items": made[organisation, country]}
        features.append(_feature("production", f"{organisation}.{country.lower()}", country, row))
    return {"type": "FeatureCollection", "features": sorted(features, key=lambda feature: str(feature["id"]))}


def _feature(kind: str, identity: str, country: str, row: dict[Any, Any]) -> dict[str, Any]:
    known = {str(key): value for key, value in row.items() if not pd.isna(value) and value != ""}
    place = middles().get(country)
    about = {"kind": kind, "precision": "country", "country_name": countries()[country].name if country else ""}
    return {
        "type": "Feature",
        "id": f"{kind}:{identity}",
        "geometry": {"type": "Point", "coordinates": list(place)} if place else None,
        "properties": {**about, **known},
    }


def write_geojson(package: Package, path: Path, *, overwrite: bool = False) -> None:
    """Write the sites of a package as GeoJSON."""
    check_free(path, overwrite)
    text = json_shown(json.dumps(site_features(package), ensure_ascii=False, indent=1)) + "\n"
    make_folder(path.parent)
    replace_file(path, text.encode())
