"""ESRI: the authors' reference values, a plain dense computation, and what must hold for every network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from supplychain.analysis.esri import EsriResult, esri
from supplychain.analysis.moneyflow import lane_lists, read_list
from supplychain.errors import EnvironmentFault, InputError, UsageError
from supplychain.network import SupplyNetwork

NETWORKS = {
    "fig1": ("fig1", "fig1_links.csv", "fig1_mixed_essentiality.csv"),
    "erdos_reny": ("tutorial101", "tutorial101_erdos_reny_links.csv", "tutorial101_ess24_essentiality.csv"),
}
CASES = [
    f"{name}|{essentiality}|{replaceability}|{threshold}"
    for name, tables, thresholds in (("fig1", "mixed", ("0.01", "1e-12")), ("erdos_reny", "ess24", ("0.01", "1e-06")))
    for essentiality in ("linear", "leontief", tables)
    for replaceability in ("none", "sector")
    for threshold in thresholds
]
REFERENCE = ["ESRI_weight_1", "ESRI_d_weight_1", "ESRI_u_weight_1", "T"]


@pytest.mark.parametrize("engine", ["scipy", "numba"])
@pytest.mark.parametrize("case", CASES)
def test_every_reference_value_of_the_authors_program(case: str, engine: Any, shared: Path) -> None:
    if engine == "numba":
        pytest.importorskip("numba")
    network, kind, replaceability, threshold = case.split("|")
    prefix, links, table = NETWORKS[network]
    folder = shared / "bench" / "esri"
    reference = pd.read_csv(folder / f"{prefix}_reference_GLcascade_0.9.3.1.csv")
    reference = reference[reference["case"] == case].sort_values("firm")
    essentiality: Any = kind
    if kind not in ("linear", "leontief"):
        essentiality = read_list(folder / table, ("supplier_sector", "buyer_sector", "class"), "essentiality")
    result = esri(
        read_list(folder / links, ("supplier", "buyer"), "links"),
        read_list(folder / f"{prefix}_sectors.csv", ("firm", "sector"), "sectors"),
        essentiality=essentiality,
        replaceability=replaceability,  # type: ignore[arg-type]
        threshold=float(threshold),
        engine=engine,
    )
    assert result.engine == engine
    assert result.table["firm"].tolist() == [str(firm) for firm in reference["firm"]]
    difference = result.table[["esri", "down", "up", "iterations"]].to_numpy() - reference[REFERENCE].to_numpy()
    assert np.abs(difference).max() <= 1e-9
    assert (result.table["threshold"] == float(threshold)).all()
    if network == "erdos_reny":
        assert any("upstream" in warning and "threshold" in warning for warning in result.warnings)


def random_lists(seed: int, firms: int = 12, links: int = 30) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(seed)
    sectors = pd.DataFrame({"firm": [f"f{i}" for i in range(firms)], "sector": random.choice(list("ABC"), firms)})
    pairs = random.integers(0, firms, (links, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    flows = pd.DataFrame(
        {
            "supplier": [f"f{i}" for i in pairs[:, 0]],
            "buyer": [f"f{i}" for i in pairs[:, 1]],
            "flow": random.lognormal(size=len(pairs)),
        }
    )
    classes = [(a, b, int(random.integers(0, 3))) for a in "ABC" for b in "ABC"]
    return flows, sectors, pd.DataFrame(classes, columns=["supplier_sector", "buyer_sector", "class"])


def plain(
    flows: pd.DataFrame,
    sectors: pd.DataFrame,
    classes: pd.DataFrame,
    replaceable: bool,
    limit: float,
    sinks: tuple[float, float],
) -> dict[str, tuple[float, float, float, int]]:
    """The formulas of the paper in plain loops over a dense matrix."""
    firms = sectors["firm"].tolist()
    sector = dict(zip(sectors["firm"], sectors["sector"], strict=True))
    kind = {(a, b): c for a, b, c in classes.itertuples(index=False)}
    n = range(len(firms))
    w = np.zeros((len(firms), len(firms)))
    for supplier, buyer, flow in flows.itertuples(index=False):
        w[firms.index(supplier), firms.index(buyer)] += flow
    out, into = w.sum(axis=1), w.sum(axis=0)
    answer = {}
    for shocked in n:
        psi = np.array([0.0 if i == shocked else 1.0 for i in n])
        hd, hu = psi.copy(), psi.copy()
        updates = 0
        while True:
            sigma = np.ones(len(firms))
            if replaceable:
                for i in n:
                    left = sum(out[m] * hd[m] for m in n if sector[firms[m]] == sector[firms[i]])
                    sigma[i] = min(1.0, out[i] / left) if left > 0 else 1.0
            nd, nu = hd.copy(), hu.copy()
            for j in n:
                lost: dict[str, float] = {}
                for i in n:
                    if w[i, j] == 0:
                        continue
                    k = sector[firms[i]]
                    c = kind[k, sector[firms[j]]]
                    base = sum(w[m, j] for m in n if sector[firms[m]] == k) if c == 2 else into[j]
                    slot = k if c == 2 else "linear"
                    if c > 0:
                        lost[slot] = lost.get(slot, 0.0) + sigma[i] * w[i, j] / base / sinks[1] * (1 - hd[i])
                nd[j] = max(0.0, min(psi[j], 1 - max(lost.values(), default=0.0)))
            for i in n:
                felt = sum(w[i, j] / (sinks[0] * out[i]) * (1 - hu[j]) for j in n if w[i, j] > 0)
                nu[i] = max(0.0, min(psi[i], 1 - felt))
            moved = max(np.abs(nd - hd).max(), np.abs(nu - hu).max())
            hd, hu, updates = nd, nu, updates + 1
            if moved <= limit:
                break
        share = out / out.sum()
        answer[firms[shocked]] = (share @ (1 - np.minimum(hd, hu)), share @ (1 - hd), share @ (1 - hu), updates)
    return answer


@pytest.mark.parametrize("engine", ["scipy", "numba"])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("replaceability", ["none", "sector"])
def test_agrees_with_plain_loops(seed: int, replaceability: Any, engine: Any) -> None:
    if engine == "numba":
        pytest.importorskip("numba")
    flows, sectors, classes = random_lists(seed)
    sinks = (1.3, 1.2) if seed % 2 else (1.0, 1.0)
    expected = plain(flows, sectors, classes, replaceability == "sector", 1e-3, sinks)
    result = esri(
        flows.sample(frac=1, random_state=seed),
        sectors.sample(frac=1, random_state=seed),
        essentiality=classes,
        replaceability=replaceability,
        threshold=1e-3,
        revenue_sink=sinks[0],
        cost_sink=sinks[1],
        engine=engine,
    )
    assert len(result.table) == len(expected)
    for row in result.table.itertuples():
        got = (row.esri, row.down, row.up, row.iterations)
        assert np.allclose(got, expected[str(row.firm)], atol=1e-12, rtol=0)


def values(result: EsriResult) -> np.ndarray[Any, Any]:
    return result.table["esri"].to_numpy()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
@example(199)  # as many inputs that bind as firms, though some firms have several and some none
def test_properties(seed: int) -> None:
    flows, sectors, classes = random_lists(seed)
    result = esri(flows, sectors, essentiality=classes)
    table = result.table
    assert (table["esri"] >= table["own_share"] - 1e-12).all()
    assert (table["esri"] >= table[["down", "up"]].max(axis=1) - 1e-12).all()
    assert (table["esri"] <= 1 + 1e-12).all()
    fine: dict[str, Any] = {"threshold": 1e-9, "revenue_sink": 1.3, "cost_sink": 1.3}
    leontief, linear = (esri(flows, sectors, essentiality=kind, **fine) for kind in ("leontief", "linear"))
    assert (leontief.table["down"] >= linear.table["down"] - 1e-8).all()
    plainly = plain(flows, sectors, classes, False, 1e-2, (1.0, 1.0))
    assert np.allclose(table["esri"], [plainly[str(firm)][0] for firm in table["firm"]], atol=1e-12, rtol=0)
    both = esri(flows, sectors, groups={"pair": ["f0", "f1"], "one": ["f0"]}, **fine).table.set_index("group")["esri"]
    assert both["pair"] >= both["one"] - 1e-12
    again = esri(flows[::-1], sectors[::-1], essentiality=classes)
    assert again.table.equals(table)


@pytest.mark.parametrize("part", [10.0, 0.0], ids=["alone", "in batches"])
@pytest.mark.parametrize("kind", ["linear", "mixed"])
def test_dropping_small_changes_stays_within_its_bound(kind: str, part: float, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    from supplychain.analysis import frontier

    monkeypatch.setattr(frontier, "BATCH_SHARE", part)  # alone small changes are dropped, in batches losses rounded
    flows, sectors, classes = random_lists(7, firms=400, links=3000)
    essentiality: Any = classes if kind == "mixed" else kind
    options: dict[str, Any] = {"essentiality": essentiality, "revenue_sink": 1.3, "cost_sink": 1.2}
    exact = esri(flows, sectors, engine="numba", **options)
    plainly = esri(flows, sectors, engine="scipy", **options)
    assert np.abs(values(exact) - values(plainly)).max() <= 1e-12
    assert (exact.table["iterations"] == plainly.table["iterations"]).all()
    coarse = esri(flows, sectors, engine="numba", drop=1e-4, **options)
    off = np.abs(values(coarse) - values(exact))
    assert (off <= coarse.table["bound"].to_numpy() + 1e-12).all()
    assert (coarse.table["iterations"] == exact.table["iterations"]).all()
    assert off.max() > 0
    assert (exact.table["bound"] == 0).all()


def test_threads_do_not_change_a_bit() -> None:
    pytest.importorskip("numba")
    from supplychain.analysis.esri import downstream, upstream
    from supplychain.analysis.frontier import run
    from supplychain.analysis.moneyflow import money_flows

    network = money_flows(*random_lists(3, firms=200, links=2000))
    down, up = downstream(network, 1.0), upstream(network, 1.3)
    members = [np.array([i]) for i in range(200)]
    one, three = (run(down, up, network.out, None, members, 1e-6, 0.0, threads) for threads in (1, 3))
    assert all(np.array_equal(a, b) for a, b in zip(one, three, strict=True))


def test_a_chain_by_hand() -> None:
    """a sells 1 to b, b sells 2 to c: if a fails all of b's input is gone, and so on; upstream b loses all when c
    fails.
    """
    flows = pd.DataFrame({"supplier": ["a", "b"], "buyer": ["b", "c"], "flow": [1.0, 2.0]})
    sectors = pd.DataFrame({"firm": ["a", "b", "c"], "sector": ["A", "B", "C"]})
    table = esri(flows, sectors).table.set_index("firm")
    assert table["esri"].tolist() == [1.0, 1.0, 1.0]
    assert table.loc["a", ["down", "up"]].tolist() == [1.0, pytest.approx(1 / 3)]
    assert table.loc["c", ["down", "up"]].tolist() == [0.0, 1.0]
    half = esri(flows, sectors, revenue_sink=2.0, threshold="published").table.set_index("firm")
    assert half.loc["c", "up"] == pytest.approx(2 / 3 * 0.5 + 1 / 3 * 0.25)


LINKS = pd.DataFrame({"supplier": ["a", "b"], "buyer": ["b", "a"], "flow": ["1", "2"]})
SECTORS = pd.DataFrame({"firm": ["a", "b"], "sector": ["A", "B"]})


@pytest.mark.parametrize(
    ("links", "sectors", "message"),
    [
        (LINKS.assign(flow=["1", ""]), SECTORS, "a blank is unknown, not zero"),
        (LINKS.assign(flow=["1", "-2"]), SECTORS, "zero or more"),
        (LINKS.assign(flow=["1", "much"]), SECTORS, "must be a number"),
        (LINKS.assign(flow=["1", "inf"]), SECTORS, "must be a number"),
        (LINKS.assign(buyer=["b", "z"]), SECTORS, "must stand in the sectors list"),
        (LINKS.assign(supplier=["a", " "]), SECTORS, "must not be blank"),
        (LINKS.drop(columns="buyer"), SECTORS, "column buyer"),
        (LINKS.rename(columns={"flow": "p"}).assign(q=1), SECTORS, "one column with the flow"),
        (LINKS, pd.concat([SECTORS, SECTORS]), "stands once"),
        (LINKS, SECTORS.assign(sector=["A", None]), "must not be blank"),
        (LINKS, SECTORS.assign(revenue=["0.5", "9"]), "not be less than"),
    ],
)
def test_faulty_lists_are_refused_with_the_reason(links: pd.DataFrame, sectors: pd.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        esri(links, sectors)


def test_faulty_essentiality_and_options_are_refused() -> None:
    table = pd.DataFrame({"supplier_sector": ["A"], "buyer_sector": ["B"], "class": [2]})
    with pytest.raises(InputError, match="B to A"):
        esri(LINKS, SECTORS, essentiality=table)
    with pytest.raises(InputError, match=r"0 \(not needed\)"):
        esri(LINKS, SECTORS, essentiality=table.assign(**{"class": 3}))
    for options in ({"threshold": 0.0}, {"revenue_sink": 0.9}, {"drop": 1e-6, "replaceability": "sector"}):
        with pytest.raises(UsageError):
            esri(LINKS, SECTORS, **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown firms"):
        esri(LINKS, SECTORS, firms=["q"])


def test_odd_but_harmless_lists_are_read_with_a_word(tmp_path: Path) -> None:
    (tmp_path / "links.csv").write_text("Supplier,Buyer,x\n1,2,3\n1,2,4\n2,1,0\n10,1,1\n", encoding="utf-8")
    (tmp_path / "sectors.csv").write_text("firm,sector\n10,s\n2,s\n1,t\n", encoding="utf-8")
    links = read_list(tmp_path / "links.csv", ("supplier", "buyer"), "links")
    result = esri(links, read_list(tmp_path / "sectors.csv", ("firm", "sector"), "sectors"))
    assert result.table["firm"].tolist() == ["1", "2", "10"]
    assert any("added to the first" in warning for warning in result.warnings)
    assert any("zero flow" in warning for warning in result.warnings)
    with pytest.raises(InputError, match=r"row 1, column volume"):
        read_list(tmp_path / "links.csv", ("volume",), "links")
    with pytest.raises(EnvironmentFault, match="cannot read"):
        read_list(tmp_path / "absent.csv", ("volume",), "links")


def lane_network(**lane_columns: list[Any]) -> SupplyNetwork:
    """a sells to b, b sells to c and to a plant, c sells to a plant; prices on the supplies."""
    return SupplyNetwork.from_tables(
        {
            "supplies": pd.DataFrame(
                {"supply": ["a", "b", "c"], "item": ["x", "y", "z"], "share": [1.0] * 3, "unit_cost": [2.0, 3.0, 5.0]}
            ),
            "plants": pd.DataFrame({"plant": ["p"], "buyer": ["us"], "site": ["DEU"], "item": ["z"], "demand": [1.0]}),
            "lanes": pd.DataFrame(
                {
                    "from_supply": ["a", "b", "b", "c"],
                    "to_supply": ["b", "c", "", ""],
                    "to_plant": ["", "", "p", "p"],
                    "volume": [10.0, 4.0, 1.0, 7.0],
                    **lane_columns,
                }
            ),
        }
    )


def test_lanes_give_the_same_index_as_their_lists() -> None:
    links, firms = lane_lists(lane_network(unit_cost=[np.nan, 2.5, np.nan, np.nan]))
    assert links["flow"].astype(float).tolist() == [20.0, 10.0]  # the lane's own price goes before the supply's
    assert firms["revenue"].astype(float).tolist() == [20.0, 13.0, 35.0]
    plain = pd.DataFrame({"supplier": ["a", "b"], "buyer": ["b", "c"], "flow": ["20", "10"]})
    sectors = pd.DataFrame({"firm": ["a", "b", "c"], "sector": ["x", "y", "z"], "revenue": ["20", "13", "35"]})
    assert esri(links, firms, essentiality="leontief").table.equals(esri(plain, sectors, essentiality="leontief").table)


def test_lanes_without_money_are_refused() -> None:
    with pytest.raises(UsageError, match="need a volume and a unit_cost"):
        lane_lists(lane_network(volume=[np.nan, 4.0, 1.0, 7.0]))
    with pytest.raises(UsageError, match="no lanes between supplies"):
        lane_lists(SupplyNetwork.from_tables({"supplies": pd.DataFrame({"supply": ["a"], "item": ["x"]})}))


def test_options_and_lists_that_mean_nothing_are_refused() -> None:
    for options, message in (
        ({"replaceability": "firm"}, "none or sector"),
        ({"engine": "scipy", "drop": 1e-6}, "frontier kernel"),
    ):
        with pytest.raises(UsageError, match=message):
            esri(LINKS, SECTORS, **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="linear, leontief or a table"):
        esri(LINKS, SECTORS, essentiality="some")  # type: ignore[arg-type]
    for links, sectors, message in (
        (LINKS.drop(columns="buyer"), SECTORS, "needs a column buyer"),
        (LINKS, SECTORS.drop(columns="sector"), "needs a column sector"),
        (LINKS.set_axis(["supplier", "buyer", "one"], axis=1).assign(two=1), SECTORS, "one column with the flow"),
    ):
        with pytest.raises(InputError, match=message):
            esri(links, sectors)
    many = pd.DataFrame({"supplier": [f"x{k}" for k in range(30)], "buyer": SECTORS["firm"].iloc[0], "weight": "?"})
    with pytest.raises(InputError, match="and 10 more") as caught:
        esri(many, SECTORS)
    assert len(caught.value.problems) < 60


def test_numbered_firms_keep_their_numbers_beside_a_blank() -> None:
    links = pd.DataFrame({"supplier": [1.0, np.nan], "buyer": [2.0, 1.0], "weight": [1.0, 1.0]})
    sectors = pd.DataFrame({"firm": [1, 2], "sector": ["s", "s"]})
    with pytest.raises(InputError) as caught:
        esri(links, sectors)
    assert {(problem.row, problem.column) for problem in caught.value.problems} == {(1, "supplier")}
