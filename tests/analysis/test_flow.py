"""Loss after re-sourcing: by hand, against the LP written out in PuLP, below the cascade, and its properties."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from networks import random_tables
from test_cascade import three_tiers

from supplychain.analysis.cascade import cascade
from supplychain.analysis.flow import FlowModel, after_resourcing
from supplychain.analysis.flow_pulp import flow_problem
from supplychain.analysis.resourcing import Resourcing, industry_claims
from supplychain.errors import UsageError
from supplychain.linear import safe_bound
from supplychain.network import Compiled, SupplyNetwork
from supplychain.shocks import Shocks, outage, refuse_all, remove_items, remove_organisations, remove_supplies
from supplychain.solve import solve


def chips(**changes: pd.DataFrame) -> Compiled:
    return SupplyNetwork.from_tables({**three_tiers(), **changes}).compile(["IND"]).completed()


def loss(compiled: Compiled, shocks: Shocks, horizon: float, resourcing: Resourcing | None = None) -> float:
    market = compiled.market("chip", "IND")
    return FlowModel(compiled, market, horizon, resourcing or Resourcing.none(compiled)).loss(shocks).loss


def test_three_tiers_by_hand() -> None:
    compiled = chips()
    ukraine = refuse_all(compiled, ["UKR"])
    # Gas left: Germany's 0.3, all of it now for Germany and Japan, since the tenth of wafers made at unknown places can
    # take Ukraine's. Wafers: 0.3 + 0.1 per month, and 1.5 months of stock spread over T: 0.5 at 3, 0.125 at 12.
    assert loss(compiled, ukraine, 3) == pytest.approx(1 - 0.4 - 0.5)
    assert loss(compiled, ukraine, 12) == pytest.approx(1 - 0.4 - 0.125)
    # Scanners have one maker and no stock: 12 of 60 months are worn out, and nothing can be done.
    assert loss(compiled, refuse_all(compiled, ["NLD"]), 12) == pytest.approx(0.2)
    # Spare capacity of a quarter among chip makers buffers wear: 1.25 * (1 - 0.2) is the whole need.
    spare = Resourcing.none(compiled, spare=0.25)
    assert loss(compiled, refuse_all(compiled, ["NLD"]), 12, spare) == pytest.approx(0.0)
    assert loss(compiled, refuse_all(compiled, ["NLD"]), 36, spare) == pytest.approx(1 - 1.25 * 0.4)
    # Taiwan's chip makers go: the others make 0.4, and 0.5 with spare capacity, half of it once half the time it takes
    # to qualify them has passed.
    assert loss(compiled, outage(compiled, {"chip-t": 1.0}), 12, spare) == pytest.approx(0.5)
    slow = spare.with_(qualification_months=np.full(len(compiled.items), 24.0))
    assert loss(compiled, outage(compiled, {"chip-t": 1.0}), 12, slow) == pytest.approx(0.55)


def test_other_industries_can_be_outbid_and_chip_makers_cannot() -> None:
    compiled = chips()
    gas = compiled.items.index("gas")
    claim = np.ones(len(compiled.items))
    claim[gas] = 0.1  # nine tenths of the gas go to other industries; half of that can be bid away: 1 + 0.5 * 9 = 5.5
    other = Resourcing.none(compiled).with_(claim=claim)
    assert loss(compiled, refuse_all(compiled, ["UKR"]), 12, other) == pytest.approx(0.0)
    tight = other.with_(outbid=0.1)  # 0.3 * 1.9 = 0.57 of the gas, 0.67 of wafers, 0.125 from stock
    assert loss(compiled, refuse_all(compiled, ["UKR"]), 12, tight) == pytest.approx(1 - 0.57 - 0.1 - 0.125)
    assert (Resourcing.none(compiled).headroom(12) == 1).all()


def test_the_reason_is_read_off_the_duals() -> None:
    compiled = chips()
    found = FlowModel(compiled, compiled.market("chip", "IND"), 12, Resourcing.none(compiled)).loss(
        refuse_all(compiled, ["UKR"])
    )
    assert found.chain == ("chip", "wafer", "gas")
    assert [(b.item, b.price) for b in found.binding] == [("gas", pytest.approx(1.0))]
    assert found.binding[0].withheld == pytest.approx(0.63)
    assert found.status == "optimal"
    assert found.loss - found.bound < 1e-9


def test_new_plants_count_only_once_they_can_be_ready() -> None:
    compiled = chips()
    months = np.where(np.array(compiled.items) == "chip", 24.0, np.nan)
    building = Resourcing.none(compiled).with_(new_capacity_months=months, expansion=0.25)
    gone = outage(compiled, {"chip-t": 1.0})
    assert loss(compiled, gone, 24, building) == pytest.approx(0.6)
    assert loss(compiled, gone, 36, building) == pytest.approx(1 - 0.4 * 1.25)


def test_use_shares_make_claims_through_the_tiers() -> None:
    items = pd.DataFrame({"item": ["chip", "film", "powder", "ore"], "tier": [0.0, 1, 2, 3]})
    supplies = pd.DataFrame({"supply": ["a"], "item": ["ore"], "site": ["CHN"], "share": [1.0]})
    rows = [("chip", "film", 1.0), ("film", "powder", 0.01), ("powder", "ore", np.nan), ("chip", "ore", 0.25)]
    requirements = pd.DataFrame(rows, columns=["item", "requires", "use_share"])
    network = SupplyNetwork.from_tables({"items": items, "supplies": supplies, "requirements": requirements})
    use, claim = industry_claims(network)
    table = dict(
        zip(zip(network.requirements["item"], network.requirements["requires"], strict=True), use, strict=True)
    )
    assert table["powder", "ore"] == pytest.approx(0.75)  # unknown: what the known use leaves
    found = dict(zip(network.items["item"], claim, strict=True))
    assert found == pytest.approx({"chip": 1.0, "film": 1.0, "powder": 0.01, "ore": 0.25 + 0.0075})


@cache
def case(seed: int) -> tuple[Compiled, int, Resourcing, Shocks]:
    """A random network with cycles, alternatives, stock, lanes (one in four), and all kinds of shock."""
    rng = np.random.default_rng(seed)
    network = SupplyNetwork.from_tables(random_tables(seed, lanes=seed % 4 == 0))
    compiled = network.compile(["AAA"]).completed()
    n = len(compiled.items)
    resourcing = Resourcing.none(compiled).with_(
        spare=rng.choice([0.0, 0.2, 1.0], n),
        claim=rng.choice([1.0, 0.5, 0.05], n),
        qualification_months=rng.choice([0.0, 12.0, 24.0], n),
        substitution=float(rng.choice([0.0, 0.3, 1.0])),
    )
    own = rng.choice([0.0, 0.5, 1.0], (compiled.n_supplies, 1))
    tau = rng.choice([0.0, 1.0], (compiled.n_offers, 1), p=[0.3, 0.7])
    shocks = refuse_all(compiled).beside(
        refuse_all(compiled, bound="pessimistic"),
        remove_organisations(compiled),
        remove_items(compiled),
        remove_supplies(compiled),
        Shocks.from_multipliers(compiled, ["mixed"], own, tau),
    )
    return compiled, compiled.market("i0", "AAA"), resourcing, shocks


def test_200_random_networks_lie_below_the_cascade_and_agree_with_pulp() -> None:
    compared = 0
    for seed in range(200):
        compiled, market, resourcing, shocks = case(seed)
        rng = np.random.default_rng(seed)
        shocks = shocks.take(np.sort(rng.permutation(len(shocks))[:6]))
        horizon = float(rng.choice([3, 12, 36]))
        short = cascade(compiled, shocks, (horizon,)).market_loss[market, :, 0]
        model = FlowModel(compiled, market, horizon, resourcing)
        for column, found in enumerate(model.losses(shocks)):
            assert found.loss <= short[column] + 1e-7, (seed, shocks.names[column])
            assert found.loss - found.bound <= 1e-7
            if column == seed % 6:
                written_out = solve(flow_problem(model, shocks, column))
                assert found.loss == pytest.approx(written_out.objective, abs=1e-7), (seed, shocks.names[column])
                compared += found.loss > 0.01
    assert compared > 40


def test_exact_bounds_prove_the_losses() -> None:
    for seed in range(40):
        compiled, market, resourcing, shocks = case(seed)
        model = FlowModel(compiled, market, 12, resourcing)
        found = model.loss(shocks, 0)
        live = next(reversed(model._structures.values())).live
        assert safe_bound(live.model, live.solve().duals, exact=True) == pytest.approx(found.loss, abs=1e-9)


def test_partial_refusals_lie_between_none_and_all_and_below_the_cascade() -> None:
    for seed in range(60):
        compiled, market, resourcing, _ = case(seed)
        part = np.random.default_rng(seed).random((compiled.n_offers, 1))
        names = ["part", "more", "all"]
        tau = np.hstack([part, part * 0.5, np.where(part > 0.5, 0.0, part * 0.5)])
        shocks = Shocks.from_multipliers(compiled, names, None, tau)
        found = [loss.loss for loss in FlowModel(compiled, market, 12, resourcing).losses(shocks)]
        short = cascade(compiled, shocks, (12,)).market_loss[market, :, 0]
        assert (np.array(found) <= short + 1e-7).all()
        assert found == sorted(found) or np.allclose(found, sorted(found), atol=1e-7)


def test_more_spare_never_hurts_and_a_deeper_shock_never_helps() -> None:
    for seed in range(60):
        compiled, market, resourcing, shocks = case(seed)
        column = seed % len(shocks)
        base = FlowModel(compiled, market, 12, resourcing).loss(shocks, column).loss
        more = resourcing.with_(spare=resourcing.spare + 0.3)
        assert FlowModel(compiled, market, 12, more).loss(shocks, column).loss <= base + 1e-7
        both = shocks.take([column, (column + 1) % len(shocks)]).together("both")
        assert FlowModel(compiled, market, 12, resourcing).loss(both).loss >= base - 1e-7


def test_row_order_and_names_do_not_matter() -> None:
    for seed in range(1, 40, 2):
        tables = random_tables(seed)
        renamed = {
            name: frame.sample(frac=1, random_state=seed).replace(r"^i(\d)", r"z\1", regex=True)
            for name, frame in tables.items()
        }
        values = []
        for source, product in ((tables, "i0"), (renamed, "z0")):
            compiled = SupplyNetwork.from_tables(source).compile(["AAA"]).completed()
            shocks = refuse_all(compiled).beside(remove_organisations(compiled))
            model = FlowModel(compiled, compiled.market(product, "AAA"), 12, Resourcing.none(compiled, spare=0.3))
            values.append(dict(zip(shocks.names, (found.loss for found in model.losses(shocks)), strict=True)))
        assert values[0] == pytest.approx(values[1], abs=1e-8)


def test_losses_grow_with_the_horizon_without_new_supply_and_zeros_need_no_lp() -> None:
    compiled = chips()
    markets = [compiled.market("chip", "IND")]
    shocks = refuse_all(compiled)
    horizons = (1, 3, 6, 12, 24, 36)
    short = cascade(compiled, shocks, horizons, markets=markets).market_loss
    result = after_resourcing(compiled, shocks, markets, Resourcing.none(compiled), horizons, short_run=short)
    assert (np.diff(result.loss, axis=2) >= -1e-9).all()
    assert (result.loss <= short + 1e-9).all()
    assert (result.bound <= result.loss).all()
    assert result.solved < result.loss.size
    every = after_resourcing(compiled, shocks, markets, Resourcing.none(compiled), horizons)
    assert result.loss == pytest.approx(every.loss, abs=1e-9)


def test_a_horizon_must_be_finite_and_lives_known() -> None:
    compiled = chips()
    with pytest.raises(UsageError, match="finite"):
        FlowModel(compiled, 0, float("inf"), Resourcing.none(compiled))
    unknown = SupplyNetwork.from_tables(three_tiers()).compile(["IND"])
    with pytest.raises(UsageError, match="unknown stocks or lives"):
        FlowModel(unknown, 0, 12, Resourcing.none(unknown))
