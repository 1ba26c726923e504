"""Networks of money flows from plain lists: links, sectors, essentiality, revenues, checked and turned into arrays for
ESRI.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from supplychain.errors import EnvironmentFault, InputError, Problem, Problems, UsageError, shown

if TYPE_CHECKING:
    from supplychain.facts.raw import RawTable
    from supplychain.network import SupplyNetwork

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Essentiality = Literal["linear", "leontief"] | pd.DataFrame

LINEAR, ESSENTIAL = 1, 2
FLOW_NAMES = ("flow", "x", "value", "weight", "volume", "amount")


@dataclass(frozen=True, eq=False)
class MoneyFlows:
    """Firms in canonical order and what flows between them.

    `flow[l]` is money that buyer[l] pays supplier[l] (one link a pair, positive); `out` and `into` are each firm's
    sales and purchases; `kind[l]` is the class of the link: 0 not needed, 1 linear, 2 essential.
    """

    firms: tuple[str, ...]
    sector: Longs
    sectors: tuple[str, ...]
    supplier: Longs
    buyer: Longs
    flow: Floats
    kind: Longs
    revenue: Floats
    cost: Floats
    warnings: tuple[str, ...]

    @property
    def out(self) -> Floats:
        return np.bincount(self.supplier, self.flow, len(self.firms)).astype(np.float64)

    @property
    def into(self) -> Floats:
        return np.bincount(self.buyer, self.flow, len(self.firms)).astype(np.float64)


def read_list(path: Path, wanted: tuple[str, ...], what: str) -> pd.DataFrame:
    """Read a CSV or Parquet list as text cells with the columns `wanted`; the row numbers stay in the index."""
    from supplychain.facts.csvfile import read_csv
    from supplychain.facts.parquetfile import read_parquet

    problems = Problems()
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise EnvironmentFault(f"cannot read the {what} list {path}: {error.strerror or error}") from error
    reader: Callable[[bytes, str, str, Problems], RawTable | None]
    reader = read_parquet if Path(path).suffix.lower() == ".parquet" else read_csv
    raw = reader(data, what, str(path), problems)
    problems.raise_if_any()
    assert raw is not None
    names = {name.strip().lower(): name for name in raw.cells}
    missing = [name for name in wanted if name not in names]
    for name in missing:
        cure = f"the columns are {', '.join(shown(n, 30) for n in raw.cells)}"
        problems.add("column", f"the {what} list needs a column {name}", cure, file=str(path), row=1, column=name)
    problems.raise_if_any()
    table = pd.DataFrame({key: raw.cells[name].to_pandas() for key, name in names.items()})
    table.index = pd.Index(raw.rows)
    table.attrs["file"] = str(path)
    return table


def lane_lists(network: SupplyNetwork) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return links and sectors of a network with lanes: supplies are the firms, items the sectors, money the flow.

    A lane's money is its volume times its unit cost (of the lane, or else of the supply that sells). Sales to plants
    have no buyer in the network and stand in `revenue`: they are the final demand. Raises UsageError where no lane
    joins two supplies, or where a lane's volume or price is unknown.
    """
    lanes, supplies = network.lanes, network.supplies.set_index("supply")

    def number(table: pd.DataFrame, column: str) -> pd.Series[float]:
        return table[column].astype(float) if column in table else pd.Series(np.nan, index=table.index)

    usual = number(supplies, "unit_cost").reindex(lanes["from_supply"]).to_numpy()
    money = number(lanes, "volume") * number(lanes, "unit_cost").fillna(pd.Series(usual, index=lanes.index))
    blank = lanes.loc[money.isna(), "lane"].tolist()
    if blank:
        more = f" and {len(blank) - 1:,} more" if len(blank) > 1 else ""
        raise UsageError(f"lane {blank[0]!r}{more}: money flows need a volume and a unit_cost (of lane or supply)")
    inside = (lanes["to_supply"] != "").to_numpy()
    if not inside.any():
        raise UsageError("the network has no lanes between supplies: give lists with --links and --sectors")
    links = pd.DataFrame(
        {
            "supplier": lanes["from_supply"].to_numpy(object)[inside],
            "buyer": lanes["to_supply"].to_numpy(object)[inside],
            "flow": [repr(value) for value in money[inside].tolist()],
        }
    )
    sales = money.groupby(lanes["from_supply"]).sum().reindex(supplies.index).fillna(0.0)
    firms = pd.DataFrame(
        {
            "firm": supplies.index.to_numpy(object),
            "sector": supplies["item"].to_numpy(object),
            "revenue": [repr(value) for value in sales.tolist()],
        }
    )
    return links, firms


def money_flows(
    links: pd.DataFrame,
    sectors: pd.DataFrame,
    essentiality: Essentiality = "linear",
) -> MoneyFlows:
    """Check and index the lists. Raises InputError with every fault.

    `links`: supplier, buyer and a flow (a column named flow, x, value, weight, volume or amount, or the only other
    one); `sectors`: firm, sector, and optionally revenue and cost; `essentiality`: one class for all links (linear 1,
    leontief 2) or a table supplier_sector, buyer_sector, class.
    """
    check = _Checks(links.attrs.get("file", "links"), sectors.attrs.get("file", "sectors"))
    firm = check.names(sectors, "firm", check.sector_file)
    sector = check.names(sectors, "sector", check.sector_file)
    supplier = check.names(links, "supplier", check.link_file)
    buyer = check.names(links, "buyer", check.link_file)
    flow = check.numbers(links, _flow_column(links, check), check.link_file, least=0.0)
    revenue = check.numbers(sectors, "revenue", check.sector_file, optional=True)
    cost = check.numbers(sectors, "cost", check.sector_file, optional=True)
    check.problems.raise_if_any()
    check.unique(firm)
    firms, code = _canonical(firm)
    index = pd.Index(firms)
    s, b = index.get_indexer(pd.Index(supplier)), index.get_indexer(pd.Index(buyer))
    check.known(s, supplier, links, "supplier")
    check.known(b, buyer, links, "buyer")
    check.problems.raise_if_any()
    n = len(firms)
    order = np.empty(n, dtype=np.int64)
    order[code] = np.arange(n)
    named, sector_code = _canonical(sector[order])
    warnings = list(check.warnings)
    used = flow > 0
    if not used.all():
        warnings.append(f"{int((~used).sum()):,} links of zero flow are left out")
    key = s[used] * n + b[used]
    ranked = np.lexsort((flow[used], key))  # links of one pair add up in order of size: sums do not depend on row order
    pair, first = np.unique(key[ranked], return_index=True)
    total = np.add.reduceat(flow[used][ranked], first) if len(pair) else np.zeros(0)
    row, column = pair // n, pair % n
    if len(pair) < len(key):
        more = len(key) - len(pair)
        warnings.append(f"{more:,} further links of one supplier to one buyer are added to the first")
    kind = _classes(essentiality, named, sector_code[row], sector_code[column])
    revenue = revenue[order] if revenue is not None else np.full(n, np.nan)
    cost = cost[order] if cost is not None else np.full(n, np.nan)
    network = MoneyFlows(
        tuple(firms), sector_code, tuple(named), row, column, total, kind, revenue, cost, tuple(warnings)
    )
    _check_totals(network)
    return network


def _flow_column(links: pd.DataFrame, check: _Checks) -> str:
    for name in FLOW_NAMES:
        if name in links.columns:
            return name
    others = [str(name) for name in links.columns if name not in ("supplier", "buyer")]
    if len(others) != 1:
        rule = "the links list needs one column with the flow"
        check.problems.add(
            "column", rule, f"name it {FLOW_NAMES[0]}", file=check.link_file, row=1, value=", ".join(others)
        )
        return ""
    return others[0]


def _canonical(values: npt.NDArray[np.object_]) -> tuple[list[str], Longs]:
    """Return the distinct names in order (by number when all are whole numbers) and each value's place among them."""
    distinct = pd.unique(pd.Series(values, dtype=object))
    plain = all(name.isascii() and name.isdecimal() for name in distinct)
    names = sorted(distinct, key=(lambda name: (int(name), name)) if plain else None)
    return names, pd.Index(names).get_indexer(pd.Index(values)).astype(np.int64)


def _classes(essentiality: Essentiality, sectors: list[str], supplier: Longs, buyer: Longs) -> Longs:
    """Return the class of each link by the sectors of its supplier and buyer."""
    if isinstance(essentiality, str):
        if essentiality not in ("linear", "leontief"):
            raise InputError([Problem("essentiality", value=shown(essentiality), rule="linear, leontief or a table")])
        return np.full(len(supplier), LINEAR if essentiality == "linear" else ESSENTIAL, dtype=np.int64)
    file = essentiality.attrs.get("file", "essentiality")
    check = _Checks(file, file)
    k = check.names(essentiality, "supplier_sector", file)
    b = check.names(essentiality, "buyer_sector", file)
    value = check.numbers(essentiality, "class", file)
    check.problems.raise_if_any()
    assert value is not None
    rows = essentiality.index.to_numpy()
    for at in np.flatnonzero(~np.isin(value, (0, 1, 2)))[:20]:
        rule = "a class is 0 (not needed), 1 (linear) or 2 (essential)"
        check.problems.add("class", rule, file=file, row=int(rows[at]), column="class", value=value[at])
    index = pd.Index(sectors)
    ki, bi = index.get_indexer(pd.Index(k)), index.get_indexer(pd.Index(b))
    both = (ki >= 0) & (bi >= 0)
    table = pd.Series(value[both], index=ki[both] * len(sectors) + bi[both])
    for at in np.flatnonzero(table.index.duplicated())[:20]:
        check.problems.add(
            "twice", "a pair of sectors has one class", file=file, row=int(rows[np.flatnonzero(both)[at]])
        )
    check.problems.raise_if_any()
    wanted = supplier * len(sectors) + buyer
    found = table.reindex(np.unique(wanted))
    for pair in found.index[found.isna()][:20]:
        text = f"{sectors[pair // len(sectors)]} to {sectors[pair % len(sectors)]}"
        rule = "every pair of sectors that trades needs a class"
        check.problems.add("pair", rule, "add a row, or use linear or leontief", file=file, value=text)
    check.problems.raise_if_any()
    return np.asarray(table.reindex(wanted).to_numpy(), dtype=np.int64)


def _check_totals(network: MoneyFlows) -> None:
    problems = []
    for name, given, least in (("revenue", network.revenue, network.out), ("cost", network.cost, network.into)):
        below = np.flatnonzero(given < least * (1 - 1e-9))
        for firm in below[:20]:
            total = "sales" if name == "revenue" else "purchases"
            rule = f"a {name} must not be less than the firm's {total} in the links"
            problems.append(Problem(name, column=name, value=shown(network.firms[firm]), rule=rule))
    if problems:
        raise InputError(problems)


class _Checks:
    """Reads columns of the lists and collects what is wrong."""

    def __init__(self, link_file: str, sector_file: str) -> None:
        self.problems = Problems()
        self.warnings: list[str] = []
        self.link_file = link_file
        self.sector_file = sector_file

    def _rows(self, table: pd.DataFrame) -> Longs:
        rows = table.index.to_numpy()
        return rows if rows.dtype.kind == "i" else np.arange(len(table))

    def names(self, table: pd.DataFrame, column: str, file: str) -> npt.NDArray[np.object_]:
        if column not in table.columns:
            self.problems.add("column", f"the list needs a column {column}", file=file, row=1, column=column)
            return np.zeros(0, dtype=object)
        values = table[column]
        if values.dtype.kind == "f" and (values.dropna() % 1 == 0).all():
            values = values.astype("Int64")  # whole-number ids that a blank turned into floats
        blank = values.isna().to_numpy()
        text = values.astype(str).str.strip().to_numpy(dtype=object)
        blank = blank | (text == "")
        for at in np.flatnonzero(blank)[:20]:
            row = int(self._rows(table)[at])
            self.problems.add("blank", f"{column} must not be blank", file=file, row=row, column=column)
        return text

    def numbers(
        self, table: pd.DataFrame, column: str, file: str, *, least: float = -np.inf, optional: bool = False
    ) -> Any:
        if column not in table.columns:
            if not optional and column:
                self.problems.add("column", f"the list needs a column {column}", file=file, row=1, column=column)
            return None
        text = table[column]
        values = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64)
        blank = (text.isna() | (text.astype(str).str.strip() == "")).to_numpy()
        wrong = ~np.isfinite(values) | (values < least)
        if optional:
            wrong &= ~blank
        for at in np.flatnonzero(wrong)[:20]:
            row, value = int(self._rows(table)[at]), text.iloc[at]
            rule = f"{column} must be a number" + (" of zero or more" if least == 0 else "")
            cure = "a blank is unknown, not zero: estimate it or leave the row out" if blank[at] else ""
            self.problems.add("number", rule, cure, file=file, row=row, column=column, value=value)
        if (more := int(wrong.sum()) - 20) > 0:
            self.problems.add("number", f"and {more:,} more cells of this column", file=file, column=column)
        return values

    def unique(self, firm: npt.NDArray[np.object_]) -> None:
        for name in pd.unique(pd.Series(firm)[pd.Series(firm).duplicated()])[:20]:
            self.problems.add("twice", "a firm stands once in the sectors list", file=self.sector_file, value=name)

    def known(self, code: Longs, names: npt.NDArray[np.object_], links: pd.DataFrame, column: str) -> None:
        missing = np.flatnonzero(code < 0)
        for at in missing[:20]:
            rule, row = "every firm of a link must stand in the sectors list", int(self._rows(links)[at])
            self.problems.add("firm", rule, file=self.link_file, row=row, column=column, value=names[at])
        if len(missing) > 20:
            self.problems.add("firm", f"and {len(missing) - 20:,} more links", file=self.link_file, column=column)
