"""The country table against an independent one (pycountry), and names that loose matching gets wrong."""

from __future__ import annotations

import json
from datetime import date

import pycountry
import pytest

from supplychain.errors import UsageError
from supplychain.facts.countries import countries, country, is_country, likely_code
from supplychain.locate import datasets


def test_codes_agree_with_pycountry() -> None:
    ours = {(row.iso3, row.iso2, row.numeric) for row in countries().values()}
    theirs = {(row.alpha_3, row.alpha_2, row.numeric) for row in pycountry.countries}
    assert ours == theirs
    assert list(countries()) == sorted(countries())


def test_every_official_name_leads_to_its_country() -> None:
    # "Congo" is the ISO name of COG alone; every other ISO name must be ours too.
    wrong = {row.name: likely_code(row.name) for row in pycountry.countries if likely_code(row.name) != row.alpha_3}
    assert not wrong


def test_no_name_leads_to_two_countries() -> None:
    seen: dict[str, str] = {}
    for row in countries().values():
        for word in {row.iso3, row.iso2, row.name, *row.aliases}:
            assert seen.setdefault(word.casefold(), row.iso3) == row.iso3, word


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Republic of Korea", "KOR"),
        ("SOUTH KOREA", "KOR"),
        ("Korea, Democratic People's Republic of", "PRK"),
        ("Chinese Taipei", "TWN"),
        ("Taiwan, Province of China", "TWN"),
        ("China", "CHN"),
        ("Hong Kong SAR", "HKG"),
        ("Macau", "MAC"),
        ("Turkey", "TUR"),
        ("türkiye", "TUR"),
        ("NA", "NAM"),
        ("NO", "NOR"),
        ("Viet  Nam", "VNM"),
        ("Czech Republic", "CZE"),
        ("UK", "GBR"),
    ],
)
def test_names_people_use(name: str, code: str) -> None:
    assert likely_code(name) == code


@pytest.mark.parametrize(
    "name", ["Korea", "Chin", "Guinea-", "Republic of", "Asia", "EU", "", "XKX", "Niger Republic of"]
)
def test_names_are_never_matched_loosely(name: str) -> None:
    assert likely_code(name) == ""


def test_only_upper_case_alpha3_is_a_code() -> None:
    assert is_country("IND")
    assert not any(is_country(word) for word in ("ind", "IN", "India", "", "???", "EUU"))
    with pytest.raises(UsageError, match="did you mean KOR"):
        country("Republic of Korea")


def test_european_union_on_a_date() -> None:
    members = [code for code, row in countries().items() if row.in_eu(date(2024, 9, 6))]
    assert len(members) == 27
    assert country("GBR").in_eu(date(2020, 1, 31))
    assert not country("GBR").in_eu(date(2020, 2, 1))
    assert not country("HRV").in_eu(date(2013, 6, 30))


def test_outlines_carry_our_codes_and_the_small_places_that_matter() -> None:
    world = json.loads((datasets() / "reference" / "world-110m.json").read_text(encoding="utf-8"))
    codes = [shape["id"] for shape in world["objects"]["countries"]["geometries"] if "id" in shape]
    assert len(codes) == len(set(codes))
    assert set(codes) <= set(countries())
    assert {"SGP", "HKG", "MAC", "MLT", "TWN", "KOR", "NLD", "ISR", "LUX", "LIE", "BHR"} <= set(codes)
