"""A data set in the shape of ETO's, invented from end to end, with the traits that bite."""

from __future__ import annotations

from pathlib import Path

TABLES = {
    "inputs": """\
input_id,input_name,type,stage_name,stage_id,description,year,market_share_chart_global_market_size_info
N99,Finished thing,ultimate_output,,,"Two lines,
one cell",,
N25,Drawing,process,Making,S1,,,
N19,Brushes (all),tool_resource,,,,2025,$1.5 billion (2025)
N20,Fine brushes,tool_resource,,,,2025,$500 million (2025)
N21,Wide brushes,tool_resource,,,,2025,$1 billion (brushes and combs) (2025)
N31,Paint,material_resource,,,,2019,
N84,Drawing rules,tool_resource,,,,2019,
""",
    "providers": """\
provider_name,alias,provider_id,provider_type,country
NLD,Netherlands,P1,country,
JPN,Japan,P2,country,
EUR,Europe,P3,country,EUR
Various countries,,P5,country,
Pinsel,,P10,organization,NLD
Pinsel,Pinsel Works,P10,organization,NLD
Fude,,P11,organization,JPN
Various companies,,P12,organization,Various countries
""",
    "provision": """\
provider_name,provider_id,provided_name,provided_id,share_provided,year,source
Pinsel,P10,Fine brushes,N20,100,2025,[Maker](https://example.org)
NLD,P1,Fine brushes,N20,100,2025,[Maker](https://example.org)
Pinsel,P10,Brushes (all),N19,60,2025,
Fude,P11,Brushes (all),N19,32.5,2025,
Various companies,P12,Brushes (all),N19,7.5,2025,
NLD,P1,Brushes (all),N19,65,2025,
JPN,P2,Brushes (all),N19,35,2025,
Fude,P11,Paint,N31,,2019,
JPN,P2,Paint,N31,,2019,
EUR,P3,Drawing rules,N84,30,2019,
JPN,P2,Drawing rules,N84,71,2019,
NLD,P1,Making,S1,55,2022,
JPN,P2,Making,S1,45,2022,
""",
    "sequence": """\
input_name,input_id,goes_into_name,goes_into_id,is_type_of_name,is_type_of_id
Drawing,N25,Finished thing,N99,,
Brushes (all),N19,Drawing,N25,,
Fine brushes,N20,,,Brushes (all),N19
Wide brushes,N21,,,Brushes (all),N19
Paint,N31,Drawing,N25,,
Drawing rules,N84,Drawing,N25,,
""",
    "stages": "stage_id,stage_name\nS1,Making\n",
}
ROWS = {"inputs.csv": 7, "providers.csv": 8, "provision.csv": 13, "sequence.csv": 6, "stages.csv": 1}


def write(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in TABLES.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder
