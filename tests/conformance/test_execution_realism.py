"""The simulated exchange beside whole recorded days of orders and trades."""

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tidegate_cli.realism.book import RecordedBook
from tidegate_cli.realism.children import ChildKind
from tidegate_cli.realism.report import (
    DEFAULT,
    Realism,
    compare_days,
    realism_document,
    realism_plot,
)
from tidegate_cli.realism.streams import MessageKind, read_streams

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
    """An order that the book does not know would make the truth a guess."""
    for stream in read_streams(DATA / "l2"):
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


def test_passive_orders_are_never_optimistic_on_average(realism: Realism) -> None:
    """A backtest must not earn what the market would not have given."""
    for day in range(len(realism.days)):
        passive = realism.passive_figures(DEFAULT, day)
        assert passive.rate_error <= 0
        assert passive.filled is not None
        assert passive.filled.delay_seconds > 0
        assert passive.filled.price_error_ticks >= 0
        for kind in ChildKind:
            figures = realism.figures(DEFAULT, day, kind)
            assert figures.rate_error <= 2 * figures.rate_error_deviation


def test_realism_document_and_plot_are_up_to_date(realism: Realism) -> None:
    """People read the file: run the command that its head names."""
    docs = ROOT / "docs"

    assert (docs / "execution-realism.md").read_text(encoding="utf-8") == realism_document(realism)
    assert (docs / "execution-realism.svg").read_text(encoding="utf-8") == realism_plot(realism)
