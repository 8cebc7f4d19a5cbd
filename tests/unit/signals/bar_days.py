"""Hand-made days for the bar builder: beats told by clock, and the bars that they complete."""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Phase
from tidegate_common.frames.rows import LEVELS, BarRows, QuoteRows
from tidegate_common.market.sessions import NS_PER_SECOND, shanghai_ns
from tidegate_signals.engine.bars import BarBuilder, CompletedBars
from tidegate_signals.engine.features.spec import Period

# Row, last price, volume and amount of the day; the quote's own time where it is not the stamp.
Quote = tuple[int, int, int, int] | tuple[int, int, int, int, str]
# Row, open, high, low, close, volume, amount.
Bar = tuple[int, int, int, int, int, int, int]


def at(clock: str) -> int:
    """Return the epoch time of a time of 2023-02-01 in Shanghai, such as `9:30:03`."""
    hour, minute, second = (float(part) for part in (*clock.split(":"), "0")[:3])
    seconds = (hour * 60 + minute) * 60 + second
    return shanghai_ns(20230201, 0) + round(seconds * NS_PER_SECOND)


def make_builder(row_count: int = 2) -> BarBuilder:
    """Return a builder at the beginning of a day on which nothing was said yet."""
    builder = BarBuilder()
    builder.grow(row_count)
    builder.begin_day()
    return builder


def make_quotes(clock: str, *quotes: Quote) -> QuoteRows:
    """Return quotes without a book."""
    columns = np.array([quote[:4] for quote in quotes], np.int64).reshape(-1, 4).T
    times = [at(quote[4] if len(quote) == 5 else clock) for quote in quotes]
    levels = np.zeros((len(quotes), LEVELS), np.int64)
    return QuoteRows(
        instrument=1_600_000 + columns[0],
        ts_event_ns=np.array(times, np.int64),
        phase=np.full(len(quotes), Phase.CONTINUOUS, np.uint8),
        last_e4=columns[1],
        volume_shares=columns[2],
        amount_fen=columns[3],
        bid_price_e4=levels,
        bid_shares=levels,
        ask_price_e4=levels,
        ask_shares=levels,
    )


def tick(builder: BarBuilder, clock: str, *quotes: Quote) -> tuple[CompletedBars, ...]:
    """Tell a TICK beat."""
    rows = np.array([quote[0] for quote in quotes], np.int64)
    return builder.take_quotes(at(clock), rows, make_quotes(clock, *quotes))


def bar(builder: BarBuilder, clock: str, *bars: Bar) -> tuple[CompletedBars, ...]:
    """Tell a BAR beat."""
    columns = np.array(bars, np.int64).reshape(-1, 7).T
    return builder.take_bars(at(clock), columns[0], BarRows(1_600_000 + columns[0], *columns[1:]))


def close(builder: BarBuilder) -> tuple[CompletedBars, ...]:
    """Tell the CLOSE beat."""
    return builder.close_day()


def copied(arrays: dict[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    """Return a state as a snapshot keeps it."""
    return {name: array.copy() for name, array in arrays.items()}


def of(
    completed: tuple[CompletedBars, ...],
    period: Period = Period.MINUTE_1,
) -> dict[str, list[Bar]]:
    """Return the bars of a period by the time of their end."""
    midnight_ns = at("0:00")
    bars: dict[str, list[Bar]] = {}
    for part in completed:
        if part.period is period:
            minute = (part.ts_end_ns - midnight_ns) // (60 * NS_PER_SECOND)
            columns = [getattr(part, field.name).tolist() for field in fields(part)[2:]]
            bars[f"{minute // 60}:{minute % 60:02d}"] = list(zip(*columns, strict=True))
    return bars


def ends(completed: tuple[CompletedBars, ...]) -> list[tuple[Period, str]]:
    """Return which bars came, in their order."""
    return [(part.period, next(iter(of((part,), part.period)))) for part in completed]
