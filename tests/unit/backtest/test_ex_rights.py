"""Accounts hold shares of the synthetic market over its ex-dates, and keep what they are worth."""

from tidegate_backtest.loop import run_loop
from tidegate_common.domain.enums import BeatKind, BookingKind
from tidegate_common.domain.ids import AccountId, RunId
from tidegate_common.events.portfolio import PortfolioState
from tidegate_common.events.run import (
    AccountSpec,
    FeedSpec,
    RiskLimits,
    RunSpec,
    StrategySpec,
    SyntheticSpec,
)
from tidegate_ingest.adapters.feed import open_feed


def test_nights_of_a_synthetic_market_conserve_value() -> None:
    """From each close to the next open nothing is won or lost but half a tick a share that goes ex.

    Seed 8 has a dividend on shares that the strategy holds.
    """
    market = SyntheticSpec(seed=8, instrument_count=40, day_count=5, beats_per_day=40)
    spec = RunSpec(
        run_id=RunId("nights"),
        accounts=(AccountSpec(AccountId("A001"), 500_000_000),),
        strategies=(StrategySpec("book_imbalance", "book_imbalance"),),
        feed=FeedSpec(synthetic=market),
        limits=RiskLimits(position_bps_max=3_000, sector_bps_max=10_000),
    )
    closed: PortfolioState | None = None
    claims = nights = 0

    for beat in run_loop(spec, open_feed(spec).frames()):
        if beat.stamp.kind is BeatKind.OPEN and closed is not None:
            (opened,) = beat.portfolios
            ex = [each for each in beat.bookings if each.kind is BookingKind.DIVIDEND_CLAIM]
            tax_fen = -sum(
                each.cash_fen for each in beat.bookings if each.kind is BookingKind.DIVIDEND_TAX
            )
            tolerance_fen = sum(each.held_shares for each in ex)
            assert abs(opened.nav_fen + tax_fen - closed.nav_fen) <= tolerance_fen
            nights += len(opened.positions) > 0
            claims += len(ex)
        if beat.stamp.kind is BeatKind.CLOSE:
            (closed,) = beat.portfolios

    assert nights == 4
    assert claims > 0
