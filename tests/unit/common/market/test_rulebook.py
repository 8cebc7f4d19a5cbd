"""The rule book behind one door: known days, silence, and days without trading."""

import numpy as np
import pytest

from tidegate_common.domain.enums import Board, LimitState, ListingStage, ListingStatus, RiskWarning
from tidegate_common.domain.ids import parse_symbol
from tidegate_common.market.calendar import CalendarError, TradingCalendar, xshg_calendar
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence, DatedRow
from tidegate_common.market.instruments import InstrumentRow, InstrumentTable
from tidegate_common.market.listing import LISTED_LONG_AGO
from tidegate_common.market.programme_trading import ProgrammeTradingThresholds
from tidegate_common.market.rulebook import NO_CAP_SHARES, NO_RESALE_DAYS, RuleBook

MOUTAI = parse_symbol("600519.SH")
ST_SHARE = parse_symbol("000010.SZ")
FUND = parse_symbol("511880.SH")
STRANGER = parse_symbol("601988.SH")


def make_row(
    instrument: int,
    board: Board = Board.MAIN,
    risk_warning: RiskWarning = RiskWarning.NO,
    *,
    has_same_day_resale: bool = False,
) -> InstrumentRow:
    """Return a row that holds on all days."""
    return InstrumentRow(
        instrument=instrument,
        effective_from=FIRST_DATE,
        effective_to=LAST_DATE,
        board=board,
        status=ListingStatus.LISTED,
        risk_warning=risk_warning,
        listed=LISTED_LONG_AGO,
        has_same_day_resale=has_same_day_resale,
        source="test",
        confidence=Confidence.A,
    )


@pytest.fixture(scope="module")
def book() -> RuleBook:
    """Return a rule book of three instruments."""
    calendar = xshg_calendar()
    rows = (
        make_row(MOUTAI),
        make_row(ST_SHARE, risk_warning=RiskWarning.YES),
        make_row(FUND, Board.ETF, has_same_day_resale=True),
    )
    return RuleBook(InstrumentTable(rows, calendar), calendar)


def test_on_ordinary_day_answers_every_part_with_its_row(book: RuleBook) -> None:
    """600519 on 2023-02-01, as the issue asks for it."""
    rules = book.on(MOUTAI, 2023_02_01, prev_close_e4=18_000_000)

    assert rules.status.stage is ListingStage.ORDINARY
    assert (rules.limit.up_e4, rules.limit.down_e4) == (19_800_000, 16_200_000)
    assert rules.limit.rule is not None
    assert rules.limit.rule.confidence is Confidence.B
    assert rules.cage.state is LimitState.UNLIMITED
    assert rules.lot is not None
    assert rules.lot.value.min_shares == 100
    assert rules.tick is not None
    assert rules.tick.value == 100
    assert rules.st_buy_cap is None
    assert rules.sessions is not None
    assert rules.sessions.effective_from == 2018_08_20
    assert rules.settlement is not None
    assert rules.settlement.value.resale_days == 1
    assert rules.fees is not None
    assert rules.fees.stamp_duty.value.sell_rate_e8 == 100_000
    assert rules.programme_trading is None


def test_on_share_under_risk_warning_caps_buys_and_halves_the_limit(book: RuleBook) -> None:
    """000010 before and after 2026-07-06, with the prices that were published."""
    before = book.on(ST_SHARE, 2026_06_30, prev_close_e4=17_000)
    after = book.on(ST_SHARE, 2026_07_06, prev_close_e4=18_700)

    assert (before.limit.up_e4, after.limit.up_e4) == (17_900, 20_600)
    assert before.st_buy_cap is not None
    assert before.st_buy_cap.value == 500_000


def test_on_fund_with_same_day_resale_settles_at_once(book: RuleBook) -> None:
    """The product's flag decides, never its class."""
    rules = book.on(FUND, 2023_02_01, prev_close_e4=1_000_000)

    assert rules.settlement is not None
    assert rules.settlement.value.resale_days == 0
    assert rules.tick is not None
    assert rules.tick.value == 10


@pytest.mark.parametrize("instrument", [STRANGER, 5])
def test_on_unknown_instrument_is_unknown_in_every_part(book: RuleBook, instrument: int) -> None:
    """Nothing about a stranger is quietly a number, and an id of no exchange is no crash."""
    rules = book.on(instrument, 2023_02_01, prev_close_e4=100_000)

    assert rules.status.board is Board.UNKNOWN
    assert rules.limit.state is LimitState.UNKNOWN
    assert rules.cage.state is LimitState.UNKNOWN
    assert rules.lot is None
    assert rules.sessions is None
    assert (rules.fees is None) is (instrument == 5)


def test_on_user_s_thresholds_come_before_the_rule_book_s() -> None:
    """An override carries its own source."""
    calendar = xshg_calendar()
    own = DatedRow(
        2026_01_01, LAST_DATE, ProgrammeTradingThresholds(15, 20_000), "mine", Confidence.D
    )
    book = RuleBook(InstrumentTable((), calendar), calendar, thresholds=own)

    rules = book.on(MOUTAI, 2026_01_05, prev_close_e4=100)

    assert rules.programme_trading is own


@pytest.mark.parametrize("trade_date", [2023_02_04, 2027_01_04, 2023_02_30])
def test_on_and_columns_on_day_without_trading_raise(book: RuleBook, trade_date: int) -> None:
    """Where the calendar is silent or closed there is an error, never a guess."""
    instruments, prev_close_e4 = np.array([MOUTAI]), np.array([100_000])

    with pytest.raises(CalendarError):
        book.on(MOUTAI, trade_date, prev_close_e4=100_000)
    with pytest.raises(CalendarError):
        book.columns_on(instruments, trade_date, prev_close_e4=prev_close_e4)


def test_columns_on_day_before_a_rule_say_so(book: RuleBook) -> None:
    """Where no row tells a cap or a settlement, the columns hold what no order can use."""
    sessions = np.array([1994_12_30, 1995_01_03])
    calendar = TradingCalendar(sessions, first_date=1994_12_30, last_date=1995_01_03)
    rows = (
        make_row(MOUTAI),
        make_row(ST_SHARE, risk_warning=RiskWarning.UNKNOWN),
        make_row(FUND, Board.ETF, has_same_day_resale=True),
    )
    old_book = RuleBook(InstrumentTable(rows, calendar), calendar)
    instruments = np.array([MOUTAI, ST_SHARE, FUND])
    prev_close_e4 = np.full(3, 100_000)

    old = old_book.columns_on(instruments, 1994_12_30, prev_close_e4=prev_close_e4)
    new = book.columns_on(instruments, 2023_02_01, prev_close_e4=prev_close_e4)

    assert old.resale_days.tolist() == [NO_RESALE_DAYS, NO_RESALE_DAYS, 0]
    assert old.st_buy_cap_shares.tolist() == [NO_CAP_SHARES] * 3
    assert new.resale_days.tolist() == [1, 1, 0]
    assert new.st_buy_cap_shares.tolist() == [NO_CAP_SHARES, 500_000, NO_CAP_SHARES]
    assert new.exchange.tolist() == [1, 2, 1]
