"""The life of orders in the engine: commands, days, lost frames, memory."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import (
    BeatKind,
    Board,
    LimitState,
    OrderReason,
    OrderStatus,
    Side,
    TimeInForce,
)
from tidegate_common.domain.enums import Exchange as Market
from tidegate_common.domain.ids import OrderId
from tidegate_common.engine import EngineState
from tidegate_common.errors import InvariantError
from tidegate_common.market.fees import FeeContract, FeeSchedule
from tidegate_execution.engine import ExecutionEngine

if TYPE_CHECKING:
    from tests.unit.execution.conftest import Bar, Exchange, Quote, Reference

    from tidegate_execution.engine import ExecutionReport

MIDEA = 2000333
BIDS = ((99_900, 500),)
ASKS = ((100_100, 300),)


def states(report: "ExecutionReport") -> list[tuple[OrderStatus, OrderReason]]:
    """Return state and reason of each update."""
    return [(update.status, update.reason) for update in report.updates]


def test_order_in_an_unknown_instrument_is_rejected(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Without today's reference data nobody knows what is allowed."""
    exchange.submit(100, 100_000, instrument=MIDEA)

    report = exchange.tick(quote(BIDS, ASKS, instrument=MIDEA))

    assert states(report) == [(OrderStatus.REJECTED, OrderReason.UNKNOWN_INSTRUMENT)]
    assert report.updates[0].leaves_shares == 0
    assert exchange.tick(quote(BIDS, ASKS, instrument=MIDEA)).updates == ()


def test_order_after_the_last_known_instrument_is_rejected(exchange: "Exchange") -> None:
    """The search for a row must not run off the table's end."""
    exchange.submit(100, 100_000, instrument=1600000)
    exchange.submit(100, 100_000, instrument=3920000)

    assert states(exchange.tick()) == 2 * [(OrderStatus.REJECTED, OrderReason.UNKNOWN_INSTRUMENT)]


def test_order_in_a_suspended_instrument_is_rejected(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
) -> None:
    """A suspension is for the whole day."""
    exchange = exchange_of()
    exchange.submit(100, 100_000)

    report = exchange.open(reference(is_suspended=True))

    assert states(report) == [(OrderStatus.REJECTED, OrderReason.SUSPENDED)]


@pytest.mark.parametrize(
    ("price_e4", "status"),
    [
        (89_900, OrderStatus.REJECTED),
        (90_000, OrderStatus.NEW),
        (110_000, OrderStatus.NEW),
        (110_100, OrderStatus.REJECTED),
        (0, OrderStatus.NEW),
    ],
)
def test_order_beyond_the_days_limits_is_rejected(
    exchange: "Exchange",
    price_e4: int,
    status: OrderStatus,
) -> None:
    """The limits themselves are allowed, and a market order has no price to refuse."""
    exchange.submit(100, price_e4)

    report = exchange.tick()

    reason = OrderReason.NONE if status is OrderStatus.NEW else OrderReason.OUTSIDE_PRICE_LIMIT
    assert states(report) == [(status, reason)]


@pytest.mark.parametrize("price_e4", [0, 100_000])
def test_order_under_an_unknown_limit_is_rejected(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    price_e4: int,
) -> None:
    """UNKNOWN is never quietly a number: when in doubt, no."""
    exchange = exchange_of()
    exchange.submit(100, price_e4)

    report = exchange.open(reference(limit_state=LimitState.UNKNOWN, open_e4=100_000))

    assert states(report) == [(OrderStatus.REJECTED, OrderReason.OUTSIDE_PRICE_LIMIT)]


def test_cancel_of_a_working_order_comes_before_the_market(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Who cancelled on the beat before is not filled on this one."""
    order = exchange.submit(100, 100_000)
    exchange.tick(quote(BIDS, ASKS))
    exchange.cancel(order)

    report = exchange.tick(quote(BIDS, ((100_000, 900),)))

    assert states(report) == [(OrderStatus.CANCELED, OrderReason.REQUESTED)]
    assert report.fills == ()


def test_cancel_of_an_order_of_the_same_beat_meets_it(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Submits are taken before cancels, so an order can be taken back at once."""
    exchange.cancel(exchange.submit(100, 100_100))

    report = exchange.tick(quote(BIDS, ASKS))

    assert states(report) == [(OrderStatus.CANCELED, OrderReason.REQUESTED)]


def test_cancel_of_an_order_that_does_not_work_says_nothing(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """A filled, rejected or unknown order has no new state."""
    filled = exchange.submit(100, 100_100)
    exchange.tick(quote(BIDS, ASKS))
    exchange.cancel(filled)
    exchange.cancel(OrderId("run.0.a.77"))

    assert exchange.tick(quote(BIDS, ASKS)).updates == ()


def test_close_of_a_tick_run_expires_orders_without_matching_its_bar(
    exchange: "Exchange",
    quote: "type[Quote]",
    bar: "type[Bar]",
) -> None:
    """The day was matched tick by tick; its bar would match it twice."""
    exchange.submit(100, 100_000)
    exchange.tick(quote(BIDS, ASKS))
    exchange.submit(100, 100_000, account="b")

    report = exchange.close(bar(low_e4=99_000))

    assert states(report) == 2 * [(OrderStatus.EXPIRED, OrderReason.DAY_ENDED)]
    assert report.fills == ()


def test_open_after_a_day_without_close_expires_its_orders(
    exchange: "Exchange",
    reference: "type[Reference]",
    quote: "type[Quote]",
) -> None:
    """A DAY order never meets the prices, or the limits, of another day."""
    exchange.submit(100, 100_000)
    exchange.tick(quote(BIDS, ASKS))

    report = exchange.open(reference(open_e4=95_000))

    assert states(report) == [(OrderStatus.EXPIRED, OrderReason.DAY_ENDED)]


def test_new_day_forgets_what_was_taken_and_traded(
    exchange: "Exchange",
    reference: "type[Reference]",
    quote: "type[Quote]",
    bar: "type[Bar]",
) -> None:
    """Cumulative volume begins at nothing, and the book is a new one."""
    exchange.submit(300, 100_100)
    exchange.submit(100, 100_000, account="b")
    exchange.tick(quote(BIDS, ASKS, volume_shares=5_000))
    exchange.close(bar())
    exchange.open(reference())
    exchange.submit(300, 100_100, time_in_force=TimeInForce.IOC)
    exchange.submit(100, 100_000, account="b")

    first = exchange.tick(quote(BIDS, ASKS, volume_shares=50))
    second = exchange.tick(quote(BIDS, ASKS, volume_shares=90))

    assert [fill.quantity_shares for fill in first.fills] == [300]
    assert [fill.quantity_shares for fill in second.fills] == [40]


def test_missing_frame_keeps_orders_and_matches_nothing(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Orders wait for a market that can be seen; a cancel needs none."""
    resting = exchange.submit(100, 100_000)
    exchange.tick(quote(BIDS, ASKS))
    exchange.submit(100, 100_100, account="b", time_in_force=TimeInForce.IOC)
    exchange.cancel(resting)

    missing = exchange.miss(BeatKind.TICK)
    after = exchange.tick(quote(BIDS, ASKS))

    assert states(missing) == [
        (OrderStatus.CANCELED, OrderReason.REQUESTED),
        (OrderStatus.NEW, OrderReason.NONE),
    ]
    assert missing.fills == ()
    assert states(after) == [(OrderStatus.FILLED, OrderReason.NONE)]


def test_missing_open_frame_rejects_the_orders_of_its_day(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Yesterday's limits are not today's."""
    exchange.miss(BeatKind.OPEN)
    exchange.submit(100, 100_000)

    report = exchange.tick(quote(BIDS, ASKS))

    assert states(report) == [(OrderStatus.REJECTED, OrderReason.UNKNOWN_INSTRUMENT)]


def test_missing_close_frame_still_ends_the_day(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """That the day is over is known from the beat, whatever its frame said."""
    exchange.submit(100, 100_000)
    exchange.tick(quote(BIDS, ASKS))

    report = exchange.miss(BeatKind.CLOSE)

    assert states(report) == [(OrderStatus.EXPIRED, OrderReason.DAY_ENDED)]


def test_day_whose_only_quotes_are_missing_is_not_matched_by_its_bar(
    exchange: "Exchange",
    bar: "type[Bar]",
) -> None:
    """A tick run stays one when its frames are lost."""
    exchange.submit(100, 100_000)
    exchange.miss(BeatKind.TICK)

    assert exchange.close(bar(low_e4=99_000)).fills == ()


def test_report_is_sorted_by_account_order_beat_and_sequence(
    exchange: "Exchange",
    reference: "type[Reference]",
    quote: "type[Quote]",
) -> None:
    """Readers rely on the order, and it hides the instruments' and the shards' one."""
    exchange.open(reference(), reference(instrument=MIDEA))
    exchange.submit(100, 100_000, account="b")
    exchange.submit(100, 100_000, account="a")
    exchange.tick(quote(BIDS, ASKS))
    exchange.submit(100, 100_200, account="a")
    exchange.submit(200, 100_300, account="a", instrument=MIDEA)

    report = exchange.tick(
        quote(((99_000, 100),), ((100_000, 900),)),
        quote(BIDS, ((100_200, 100), (100_300, 100)), instrument=MIDEA),
    )

    ids = [update.order_id for update in report.updates]
    assert ids == ["run.1.a.1", "run.2.a.2", "run.2.a.3", "run.1.b.0"]
    assert [fill.fill_id for fill in report.fills] == [
        "run.1.a.1.0",
        "run.2.a.2.0",
        "run.2.a.3.0",
        "run.2.a.3.1",
        "run.1.b.0.0",
    ]


def test_fills_of_an_order_carry_the_fees_that_each_adds(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """The minimum commission is charged once, and the items add up to the order's."""
    exchange.submit(300, 99_900, side=Side.SELL)

    first = exchange.tick(quote(((99_900, 100),), ASKS)).fills
    second = exchange.tick(quote(((99_900, 200),), ASKS)).fills

    total = FeeSchedule(FeeContract(250, 500)).order_fees(
        side=Side.SELL,
        amount_fen=299_700,
        quantity_shares=300,
        exchange=Market.SH,
        board=Board.MAIN,
        trade_date=2023_02_01,
    )
    fills = (*first, *second)
    assert [fill.amount_fen for fill in fills] == [99_900, 199_800]
    assert [fill.commission_fen for fill in fills] == [500, 0]
    assert sum(fill.stamp_duty_fen for fill in fills) == total.stamp_duty_fen == 300
    assert sum(fill.transfer_fee_fen for fill in fills) == total.transfer_fee_fen == 3
    assert fills[0].fee_fen == 500 + 100 + 1


def test_fill_of_a_fund_pays_no_duty_and_no_transfer_fee(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    quote: "type[Quote]",
) -> None:
    """The board of the day's reference data decides the fees, in a restored engine too."""
    exchange = exchange_of()
    exchange.open(reference(board=Board.ETF))
    exchange.submit(400, 99_900, side=Side.SELL)
    first = exchange.tick(quote(((99_900, 100),), ASKS)).fills
    state = exchange.engine.snapshot()
    values = decode_event(dict[str, object], encode_event(state.values))
    exchange.engine = ExecutionEngine(exchange.spec)
    exchange.engine.restore(EngineState(values, state.arrays))

    second = exchange.tick(quote(((99_900, 300),), ASKS)).fills

    assert [fill.stamp_duty_fen + fill.transfer_fee_fen for fill in (*first, *second)] == [0, 0]
    assert [fill.commission_fen for fill in (*first, *second)] == [500, 0]


def test_fill_under_an_unbundled_contract_carries_the_fees_beside_it(
    exchange_of: "Callable[..., Exchange]",
    quote: "type[Quote]",
    reference: "type[Reference]",
) -> None:
    """999 CNY: handling 0.00487% is 5 fen, the regulator's 0.002% is 2 fen."""
    exchange = exchange_of(is_bundled=False)
    exchange.open(reference())
    exchange.submit(100, 99_900, side=Side.SELL)

    fill = exchange.tick(quote(((99_900, 100),), ASKS)).fills[0]

    assert (fill.handling_fee_fen, fill.regulatory_fee_fen) == (5, 2)
    assert fill.fee_fen == 500 + 100 + 1 + 5 + 2


def test_amount_of_a_fill_is_rounded_half_up_to_the_fen(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    quote: "type[Quote]",
) -> None:
    """An odd price of a fund times an odd quantity is not a whole number of fen."""
    exchange = exchange_of()
    exchange.open(reference(board=Board.ETF))
    exchange.submit(1, 100_150)

    report = exchange.tick(quote(BIDS, ((100_150, 100),)))

    assert report.fills[0].amount_fen == 1_002


def test_engine_restored_from_its_snapshot_goes_on_alike(
    exchange: "Exchange",
    quote: "type[Quote]",
    bar: "type[Bar]",
) -> None:
    """A crash between two beats must not show."""
    exchange.submit(500, 100_100)
    exchange.submit(200, 100_000, account="b", side=Side.SELL)
    exchange.submit(100, 99_900, account="c")
    exchange.tick(quote(BIDS, ASKS, volume_shares=10))
    twin = replace(exchange)
    state = exchange.engine.snapshot()
    # What JSON does to values: pairs become lists, numbers stay.
    values = decode_event(dict[str, object], encode_event(state.values))
    twin.engine.restore(EngineState(values, state.arrays))

    assert twin.engine.snapshot().values == state.values
    rows = quote(BIDS, ASKS, last_e4=100_060, volume_shares=60)
    assert twin.tick(rows) == exchange.tick(rows)
    assert twin.close(bar()) == exchange.close(bar())


def test_snapshot_is_not_changed_by_later_beats(
    exchange: "Exchange",
    quote: "type[Quote]",
    bar: "type[Bar]",
) -> None:
    """A snapshot is written down while the engine goes on."""
    exchange.submit(300, 100_100)
    exchange.submit(100, 99_900)
    exchange.tick(quote(BIDS, ASKS))
    state = exchange.engine.snapshot()
    before = encode_event(state.values)

    exchange.tick(quote(BIDS, ((100_100, 5),), last_e4=99_000, volume_shares=900))
    exchange.close(bar())

    assert encode_event(state.values) == before
    assert len(state.arrays["volumes_instrument"]) == 0


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"books": 1, "orders": [], "open_shares": [], "has_intraday": False},
        {"books": [], "orders": [{"side": "up"}], "open_shares": [], "has_intraday": False},
    ],
)
def test_restore_of_a_foreign_state_fails(
    exchange: "Exchange",
    values: dict[str, object],
) -> None:
    """Corrupt memory is worse than no memory."""
    state = replace(exchange.engine.snapshot(), values=values)

    with pytest.raises(InvariantError, match="expected a memory of the execution engine"):
        ExecutionEngine(exchange.spec).restore(state)
