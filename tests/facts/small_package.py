"""A small sound package for tests to corrupt one cell at a time, and helpers that read what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from supplychain.errors import InputError, Problem
from supplychain.facts.package import read_package

TABLES = {
    "items": """\
item,name,tier,category,unit,hs6,control_codes,aggregate_of,market_usd,year,quality,source,note
chip,Chip,0,end-product,unit,854231,US:3A090.a,,1.3e11,2025,reported,s1,
gas,Neon gas,2,gas,m3,280429,none,,,2025,estimate,s1,"99.999 %, bottled"
tool,Tool,1,lithography,unit,848620,US:3B001.f.1;NLD:3B001.f,,,2025,derived,s1;s2,
tools,All tools,1,lithography,unit,,,tool,,2025,estimate,none,
""",
    "organisations": """\
organisation,name,jurisdiction,parent,parent_jurisdiction,source,note
acme,Acme,NLD,,,s1,
bolt,Bolt Gases,DEU,acme,NLD,s1,
other,Other producers,,,,none,
""",
    "supplies": """\
supply,organisation,item,site,share,unit_cost,currency,basis,weight,year,quality,source,note
chip.acme,acme,chip,NLD,0.6,900,EUR,revenue,true,2025,reported,s1,
chip.other,other,chip,,0.4,,,revenue,true,2025,estimate,s2,
gas.bolt,bolt,gas,DEU,0.7,,,volume,true,2024,reported,s1,
tool.acme,acme,tool,NLD,1,,,units,true,2024,reported,s1;s2,
""",
    "requirements": """\
requirement,item,requires,role,coefficient,essentiality,lifetime_years,use_share,alternatives,year,quality,source,note
chip.gas,chip,gas,consumable,1,essential,,0.1,,2025,reported,s1,
chip.tool,chip,tool,capital,,important,15,0.9,,2025,assumption,none,
""",
    "plants": """\
plant,buyer,site,item,demand,unit,stock_days,margin_usd,illustrative,quality,source,note
p1,me,IND,gas,1000,m3,30,,true,assumption,none,invented
p1,me,IND,tool,2,unit,,,true,assumption,none,invented
""",
    "events": """\
event,date,items,description,effect,status,source,note
e1,2022-02,gas;chip,A stop,,reported,s1,
""",
    "sources": """\
source,title,publisher,date,url,licence,note
s1,Report of the maker,Acme,2025-03-01,https://example.org/a,public,
s2,Older report,Acme,c. 2019,,public,
""",
}


def write(folder: Path, tables: dict[str, str]) -> Path:
    """Write the tables and their descriptor to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    descriptor = {
        "name": "small",
        "resources": [{"name": name, "path": f"{name}.csv"} for name in tables],
        "supplychain": {"schema": "network"},
    }
    (folder / "datapackage.json").write_text(json.dumps(descriptor), encoding="utf-8")
    return folder


def refused(path: Path, **options: bool) -> tuple[Problem, ...]:
    """Return the problems for which the package is refused; fail when it is accepted."""
    with pytest.raises(InputError) as caught:
        read_package(path, **options)
    assert caught.value.exit_code == 3
    return caught.value.problems


def places(problems: tuple[Problem, ...]) -> set[tuple[str, str, int | None, str]]:
    return {(problem.code, problem.file, problem.row, problem.column) for problem in problems}
