"""What a portfolio says of its limits."""

from dataclasses import replace

from tests.unit.risk.scenario import (
    APPLIANCE,
    BANK,
    LIQUOR,
    LOOSE,
    Quote,
    Reference,
    Stage,
    fill_of,
    filled,
    update_of,
)

from tidegate_common.domain.enums import Layer, OrderStatus
from tidegate_common.domain.ids import AccountId
from tidegate_common.events.portfolio import LimitUsage
from tidegate_common.events.run import RiskLimits
from tidegate_risk.engine.engine import RiskEngine

LIMITS = RiskLimits(
    position_bps_max=9_001,
    daily_loss_bps_max=9_002,
    drawdown_bps_max=9_003,
    sector_bps_max=9_004,
    leverage_bps_max=9_005,
)
LAYERS = (
    Layer.POSITION_SIZE,
    Layer.DAILY_LOSS,
    Layer.DRAWDOWN,
    Layer.SECTOR_CONCENTRATION,
    Layer.LEVERAGE,
)


def bought(stage: Stage, instrument: int, quantity_shares: int) -> None:
    """Buy at the usual price, filled on the next beat."""
    order = stage.ask(
        Quote(instrument), instrument=instrument, quantity_shares=quantity_shares
    ).submits[0]
    stage.tick(fills=(fill_of(order),), updates=(filled(order),))


def observed(stage: Stage) -> list[int]:
    """Return what every layer sees, in bps."""
    return [use.observed_bps for use in stage.engine.portfolios()[0].usage]


def test_usage_by_sector_is_kept_up_to_date_by_all_that_changes_it() -> None:
    """An engine that takes up the memory counts everything anew, and finds the same."""
    stage = Stage(limits=LIMITS)
    other = RiskEngine(stage.spec, (AccountId("alpha"),))
    food, bank = Reference(LIQUOR, sector="food"), Reference()
    told = []

    def compare() -> None:
        other.restore(stage.engine.snapshot())
        told.append(observed(stage)[3])
        assert stage.engine.portfolios() == other.portfolios()

    stage.open(bank, food)
    compare()
    first = stage.ask(Quote(), Quote(LIQUOR), quantity_shares=1_000).submits[0]
    compare()
    second = stage.ask(instrument=LIQUOR, quantity_shares=1_500).submits[0]
    compare()
    stage.tick(fills=(fill_of(first, quantity_shares=300, price_e4=39_000),))
    compare()
    stage.tick(Quote(last_e4=41_000))
    compare()
    end = update_of(second, OrderStatus.CANCELED, filled_shares=500)
    stage.tick(fills=(fill_of(second, quantity_shares=500),), updates=(end,))
    compare()
    stage.close({BANK: 41_500})
    stage.open(replace(bank, sector="food"), food)
    compare()

    assert told == [0, 40, 60, 60, 60, 41, 60]


def test_usage_of_an_empty_account_is_nothing_of_its_limits() -> None:
    """Every layer that has a limit in bps is there, in the order of the layers."""
    stage = Stage(limits=LIMITS)
    stage.open()

    usage = stage.engine.portfolios()[0].usage

    limits = (9_001, 9_002, 9_003, 9_004, 9_005)
    assert usage == tuple(
        LimitUsage(layer, 0, limit) for layer, limit in zip(LAYERS, limits, strict=True)
    )


def test_usage_counts_holdings_and_open_buys_as_the_layers_do() -> None:
    """1,200 CNY of a bank, 2,000 of liquor and 399 of appliances being bought, of 10,000 CNY."""
    stage = Stage(cash_fen=1_000_000, limits=LOOSE)
    stage.open(
        Reference(BANK, sector="finance"),
        Reference(LIQUOR, sector="food"),
        Reference(APPLIANCE, sector="food"),
    )
    bought(stage, BANK, 300)
    bought(stage, LIQUOR, 500)
    books = stage.ask(
        Quote(APPLIANCE), instrument=APPLIANCE, quantity_shares=100, price_e4=39_900
    ).portfolios[0]

    assert [use.observed_bps for use in books.usage] == [2_000, 0, 0, 2_399, 3_599]
    assert books.open_order_count == 1


def test_usage_of_losses_is_what_the_layers_would_observe() -> None:
    """4,800 of 10,000 CNY fell by 5%; a gain is no loss below nothing."""
    stage = Stage(cash_fen=1_000_000, limits=LOOSE)
    stage.hold(1_200)
    stage.open()

    stage.tick(Quote(last_e4=38_000))
    fallen = observed(stage)
    stage.tick(Quote(last_e4=41_000))

    assert fallen[1:3] == [240, 240]
    assert observed(stage)[1:3] == [0, 0]


def test_usage_of_a_holding_without_sector_counts_in_every_sector() -> None:
    """The conservative bound, as in the layer."""
    stage = Stage(cash_fen=1_000_000, limits=LOOSE)
    stage.open(Reference(BANK, sector=""), Reference(LIQUOR, sector="food"))
    bought(stage, LIQUOR, 500)
    stage.close()
    stage.open(Reference(BANK, sector="finance"), Reference(LIQUOR, sector=""))
    bought(stage, BANK, 300)

    assert observed(stage)[3:] == [3_200, 3_200]


def test_usage_follows_the_limits_in_force() -> None:
    """Of the account, not of the run."""
    own = replace(LIMITS, position_bps_max=5)
    stage = Stage(limits=LIMITS, own_limits={"alpha": own})

    stage.open()

    assert stage.engine.portfolios()[0].usage[0].limit_bps == 5
