"""Quotes as observations: what a beat traded, and which of them count."""

from dataclasses import replace

import numpy as np
import pytest

from tidegate_common.domain.enums import Phase
from tidegate_common.domain.units import Float64Array
from tidegate_common.frames.rows import QuoteRows
from tidegate_common.testing.builders import make_quote_rows
from tidegate_signals.engine.features.observations import ALL_ROWS, RowIndex
from tidegate_signals.engine.features.spec import Field
from tidegate_signals.engine.quotes import QuoteTape, is_observed


def totals(*volume_shares: int) -> QuoteRows:
    """Return quotes with these volumes of the day, at 10 CNY a share."""
    volume = np.array(volume_shares, np.int64)
    rows = make_quote_rows(len(volume))
    return replace(rows, volume_shares=volume, amount_fen=1_000 * volume)


def traded(tape: QuoteTape, quotes: QuoteRows, rows: RowIndex = ALL_ROWS) -> list[float]:
    """Return the shares that a beat traded, after checking that its amounts say the same."""
    columns: dict[Field, Float64Array] = tape.observe(rows, quotes, ())
    assert columns[Field.AMOUNT].tolist() == (1_000 * columns[Field.VOLUME]).tolist()
    shares: list[float] = columns[Field.VOLUME].tolist()
    return shares


@pytest.fixture
def tape() -> QuoteTape:
    """Return a tape of two instruments at the beginning of a day."""
    tape = QuoteTape()
    tape.grow(2)
    tape.begin_day()
    return tape


def test_beat_trades_what_the_day_grew_by(tape: QuoteTape) -> None:
    """Feeds count from the morning on; the first observation has the opening auction in it."""
    beats = [
        traded(tape, totals(500, 0)),
        traded(tape, totals(700, 30)),
        traded(tape, totals(700, 30)),
    ]

    assert beats == [[500, 0], [200, 30], [0, 0]]


def test_beat_of_some_rows_leaves_the_others_counts(tape: QuoteTape) -> None:
    """Whoever was silent trades what came meanwhile when it speaks again."""
    traded(tape, totals(500, 40))

    silent = traded(tape, totals(60), np.array([1]))
    both = traded(tape, totals(800, 60))

    assert (silent, both) == ([20], [300, 0])


def test_total_that_falls_trades_nothing_until_it_is_above_its_old_height(tape: QuoteTape) -> None:
    """One wrong quote must not count the whole day again."""
    beats = [traded(tape, totals(total, 0))[0] for total in (500, 20, 500, 600)]

    assert beats == [500, 0, 0, 100]


def test_new_day_counts_from_nothing(tape: QuoteTape) -> None:
    """Yesterday's total is no bar to today's."""
    traded(tape, totals(500, 40))

    tape.begin_day()

    assert traded(tape, totals(100, 0)) == [100, 0]


def test_quote_counts_in_continuous_trading_once_something_traded() -> None:
    """A call auction has no book, and a share without a trade today no price."""
    quotes = make_quote_rows(3)
    phase = np.array([Phase.CONTINUOUS, Phase.CLOSE_CALL, Phase.CONTINUOUS], np.uint8)

    counted = is_observed(replace(quotes, phase=phase, last_e4=np.array([100, 100, 0])))

    assert counted.tolist() == [True, False, False]
