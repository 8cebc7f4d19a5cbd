"""The simulated exchange beside whole recorded days of orders and trades."""

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tidegate_cli.realism.book import RecordedBook
from tidegate_cli.realism.calls import OrderedCall, calls_of, hold
from tidegate_cli.realism.children import CallKind, ChildKind
from tidegate_cli.realism.comparing import DEFAULT, Realism, compare_days
from tidegate_cli.realism.rebuilding import rebuild
from tidegate_cli.realism.report import realism_document, realism_plot
from tidegate_cli.realism.streams import MessageKind, read_streams
from tidegate_cli.realism.trades import read_trades_and_cancels
from tidegate_common.frames.rows import QuoteRows

pytestmark = pytest.mark.data

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
# From 09:30 on an order that trades on arrival meets one that rests.
CONTINUOUS_FROM_NS = 34_200 * 1_000_000_000
CONTINUOUS_NS = (53_820 - 34_200) * 1_000_000_000


@pytest.fixture(scope="module")
def realism() -> Realism:
    """Return every child of every recorded day."""
    return compare_days(DATA)


def test_rebuilt_book_knows_every_order_that_traded_while_resting() -> None:
    """An order that the book does not know, or at another price, would make the truth a guess."""
    streams = read_streams(DATA / "l2")
    for stream in (*streams, rebuild(read_trades_and_cancels(DATA / "l2"))):
        book = RecordedBook()
        midnight_ns = int(stream.ts_event_ns[0]) // 86_400_000_000_000 * 86_400_000_000_000
        opening_ns = midnight_ns + CONTINUOUS_FROM_NS - 8 * 3_600_000_000_000
        for message in stream:
            kind, at, is_buy, _, _, _, buy, sell = message
            is_continuous = opening_ns <= at < opening_ns + CONTINUOUS_NS
            if kind == MessageKind.TRADE and is_continuous:
                resting = sell if is_buy else buy
                assert resting in book.side(is_buy=not is_buy)[message[3]]
            book.apply(message)


def test_rebuilt_day_trades_what_the_exchange_quoted() -> None:
    """The quotes of the day, recorded apart, end with the same volume."""
    stream = next(iter(read_streams(DATA / "l2")))
    book = RecordedBook()
    for message in stream:
        book.apply(message)

    quoted = pq.read_table(DATA / "l2" / "sse_600519_snapshot_20230201.parquet")
    assert book.volume_shares == pc.max(quoted["TradVolume"]).as_py()


def test_held_auction_comes_to_the_recorded_price_and_volume() -> None:
    """The rule that fills children must be the exchange's."""
    for stream in read_streams(DATA / "l2"):
        for call in calls_of(stream, is_whole=True):
            record = call.record
            assert isinstance(record, OrderedCall)
            demand, supply = (
                {price_e4: sum(queue.values()) for price_e4, queue in queues.items()}
                for queues in (record.bids, record.asks)
            )
            before, after = (frame.rows for frame in call.day.frames[-2:])
            assert isinstance(before, QuoteRows)
            assert isinstance(after, QuoteRows)
            matched_shares = int(after.volume_shares[0] - before.volume_shares[0])
            assert hold(demand, supply) == (int(after.last_e4[0]), matched_shares)


def test_auction_of_a_rebuilt_day_ends_as_the_exchange_quoted() -> None:
    """Price, volume and what was left on display, recorded apart."""
    stream = next(iter(read_streams(DATA / "l2")))
    rebuilt = [call.day.frames[-1].rows for call in calls_of(stream, is_whole=True)]
    file = DATA / "l2" / "sse_600519_snapshot_20230201.parquet"
    quoted = pq.read_table(file).to_pylist()

    volumes = [each["TradVolume"] for each in quoted]
    for rows in rebuilt:
        assert isinstance(rows, QuoteRows)
        after = quoted[volumes.index(int(rows.volume_shares[0]))]
        assert round(after["LastPrice"] * 10_000) == int(rows.last_e4[0])
        assert [after[f"BidVolume{level}"] for level in range(1, 6)] == rows.bid_shares[0].tolist()
        assert [after[f"AskVolume{level}"] for level in range(1, 6)] == rows.ask_shares[0].tolist()


def test_passive_orders_are_never_optimistic_on_average(realism: Realism) -> None:
    """A backtest must not earn what the market would not have given; Shenzhen's is a bound."""
    for compared in (*realism.days[DEFAULT], realism.shenzhen[DEFAULT]):
        passive = compared.passive_figures()
        assert passive.rate_error <= 0
        assert passive.filled is not None
        assert passive.filled.delay_seconds > 0
        assert passive.filled.price_error_ticks >= 0
        for kind in ChildKind:
            figures = compared.figures(kind)
            assert figures.rate_error <= 2 * figures.rate_error_deviation


def test_days_without_their_orders_flatter_the_simulator(realism: Realism) -> None:
    """Only so is what is measured of Shenzhen an upper bound."""
    for whole, thin in zip(realism.days[DEFAULT], realism.thinned, strict=True):
        assert thin.passive_figures().rate_error >= whole.passive_figures().rate_error


def test_orders_in_auctions_are_never_optimistic(realism: Realism) -> None:
    """Nor does anyone fill who offered less."""
    for call in (*realism.held_calls, *realism.quoted_calls):
        assert call.compared.figures(CallKind.BETTER).rate_error <= 0
        assert call.compared.figures(CallKind.AT).rate_error <= 0
        assert call.compared.figures(CallKind.WORSE).simulated_rate == 0


def test_orders_better_than_an_auctions_price_never_pay_less_than_they_would(
    realism: Realism,
) -> None:
    """Where the record held the auction with them in it, on every day and call."""
    for call in realism.held_calls:
        filled = call.compared.figures(CallKind.BETTER).filled
        assert filled is not None
        assert filled.price_error_ticks >= 0


def test_realism_document_and_plot_are_up_to_date(realism: Realism) -> None:
    """People read the file: run the command that its head names."""
    docs = ROOT / "docs"

    assert (docs / "execution-realism.md").read_text(encoding="utf-8") == realism_document(realism)
    assert (docs / "execution-realism.svg").read_text(encoding="utf-8") == realism_plot(realism)
