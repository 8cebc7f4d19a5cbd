"""Bars against a slow pandas resample, on random days with gaps, late quotes and feed resets."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate_common.domain.enums import Phase
from tidegate_common.frames.rows import LEVELS, BarRows, QuoteRows
from tidegate_common.market.sessions import NS_PER_SECOND, shanghai_ns
from tidegate_signals.engine.bars import BarBuilder, CompletedBars

ROW_COUNT = 4
BEAT_COUNT = 60
MIDNIGHT_NS = shanghai_ns(20230201, 0)
COLUMNS = ["open_e4", "high_e4", "low_e4", "close_e4", "volume_shares", "amount_fen"]
MINUTES = {"1m": 1, "5m": 5, "15m": 15}
# Seconds from one beat to the next: usual ones, over an end, over several, over lunch.
PAUSES = [3, 20, 61, 240, 4_000]
PAUSE_ODDS = [0.6, 0.2, 0.1, 0.08, 0.02]
BEFORE_OPEN, LATE = 9 * 3_600 + 600, 10 * 3_600

# A pandas day takes its time.
relaxed = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def random_day(seed: int, start_seconds: int) -> pd.DataFrame:
    """Return quotes in order of beat and row; times are nanoseconds after midnight.

    Now and then a quote is late, has no price, or a count that fell. Every row speaks first.
    """
    rng = np.random.default_rng(seed)
    pauses = rng.choice(PAUSES, BEAT_COUNT, p=PAUSE_ODDS)
    stamps = start_seconds + np.cumsum(pauses) - pauses[0]
    stamp_ns = stamps * NS_PER_SECOND + rng.integers(0, 2, BEAT_COUNT)
    shape = (BEAT_COUNT, ROW_COUNT)
    volume = np.cumsum(rng.integers(0, 3, shape) * 100, axis=0)
    amount = np.cumsum(rng.integers(0, 3, shape) * 1_000, axis=0)
    lag_ns = rng.choice([0, 1, 2, 30, 90], shape) * NS_PER_SECOND
    day = pd.DataFrame(
        {
            "beat": np.repeat(np.arange(BEAT_COUNT), ROW_COUNT),
            "row": np.tile(np.arange(ROW_COUNT), BEAT_COUNT),
            "stamp_ns": np.repeat(stamp_ns, ROW_COUNT),
            "ts_ns": (stamp_ns[:, np.newaxis] - lag_ns).ravel(),
            "last_e4": np.where(rng.random(shape) < 0.05, 0, rng.integers(1, 99, shape)).ravel(),
            "volume_shares": np.where(rng.random(shape) < 0.1, volume // 2, volume).ravel(),
            "amount_fen": np.where(rng.random(shape) < 0.1, amount // 2, amount).ravel(),
        },
    )
    return day[(rng.random(len(day)) < 0.6) | (day["beat"] == 0)].reset_index(drop=True)


days = st.builds(random_day, seeds, st.sampled_from([BEFORE_OPEN, LATE]))
whole_days = st.builds(random_day, seeds, st.just(BEFORE_OPEN))


def end_ns(ts_ns: "pd.Series[int]") -> "pd.Series[int]":
    """Return the end of the 1-minute bar of each time."""
    minute = -(-ts_ns // (60 * NS_PER_SECOND))
    minute = minute.clip(571, 900).mask((minute > 690) & (minute < 781), 781)
    return minute * 60 * NS_PER_SECOND


def bars_by_pandas(day: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the bars of a day by period: one row a bar, by end and row of state."""
    stamp_end = end_ns(day.groupby("beat")["stamp_ns"].first())
    open_end = stamp_end.shift(fill_value=571 * 60 * NS_PER_SECOND)
    is_open = day["ts_ns"] <= day["beat"].map(open_end)
    day = day.assign(end_ns=day["beat"].map(open_end).where(is_open, day["beat"].map(stamp_end)))
    is_late = stamp_end.iloc[0] > open_end.iloc[0]
    minutes = []
    for row, quotes in day.groupby("row"):
        counts = quotes[["volume_shares", "amount_fen"]].cummax()
        base = counts.iloc[0] * int(is_late)
        grown = counts["volume_shares"].diff().fillna(counts["volume_shares"] - base.iloc[0])
        traded = quotes[(grown > 0) & (quotes["last_e4"] > 0)]
        bars = traded.groupby("end_ns")["last_e4"].agg(["first", "max", "min", "last"])
        ends = counts.groupby(quotes["end_ns"]).last().loc[bars.index]
        totals = ends.diff().fillna(ends - base)
        minutes.append(bars.join(totals).reset_index().assign(row=row))
    table = pd.concat(minutes, ignore_index=True).rename(
        columns={"first": "open_e4", "max": "high_e4", "min": "low_e4", "last": "close_e4"},
    )
    return {name: longer_by_pandas(table, length) for name, length in MINUTES.items()}


def longer_by_pandas(table: pd.DataFrame, minutes: int) -> pd.DataFrame:
    """Return 1-minute bars made longer."""
    length_ns = minutes * 60 * NS_PER_SECOND
    ends = -(-table["end_ns"] // length_ns) * length_ns
    longer = table.sort_values("end_ns").groupby([ends, "row"])
    return longer.agg(
        open_e4=("open_e4", "first"),
        high_e4=("high_e4", "max"),
        low_e4=("low_e4", "min"),
        close_e4=("close_e4", "last"),
        volume_shares=("volume_shares", "sum"),
        amount_fen=("amount_fen", "sum"),
    ).astype(np.int64)


def make_quotes(beat: pd.DataFrame) -> QuoteRows:
    """Return the quotes of a beat."""
    levels = np.zeros((len(beat), LEVELS), np.int64)
    return QuoteRows(
        instrument=beat["row"].to_numpy(np.int64),
        ts_event_ns=beat["ts_ns"].to_numpy(np.int64) + MIDNIGHT_NS,
        phase=np.full(len(beat), Phase.CONTINUOUS, np.uint8),
        last_e4=beat["last_e4"].to_numpy(np.int64),
        volume_shares=beat["volume_shares"].to_numpy(np.int64),
        amount_fen=beat["amount_fen"].to_numpy(np.int64),
        bid_price_e4=levels,
        bid_shares=levels,
        ask_price_e4=levels,
        ask_shares=levels,
    )


def make_builder() -> BarBuilder:
    """Return a builder at the beginning of a day."""
    builder = BarBuilder()
    builder.grow(ROW_COUNT)
    builder.begin_day()
    return builder


def tell(
    builder: BarBuilder,
    day: pd.DataFrame,
    stamps: "pd.Series[int]",
) -> list[tuple[CompletedBars, ...]]:
    """Tell a builder the quotes of a day; return what each beat completed."""
    nothing = make_quotes(day.iloc[:0])
    quotes: dict[object, QuoteRows] = {
        beat: make_quotes(rows) for beat, rows in day.groupby("beat")
    }
    completed = []
    for beat, stamp_ns in stamps.items():
        rows = quotes.get(beat, nothing)
        completed.append(builder.take_quotes(stamp_ns + MIDNIGHT_NS, rows.instrument, rows))
    return completed


def tell_whole(builder: BarBuilder, day: pd.DataFrame) -> list[CompletedBars]:
    """Tell a builder a day with its end; return all bars."""
    beats = [*tell(builder, day, stamps_of(day)), builder.close_day()]
    return [part for beat in beats for part in beat]


def stamps_of(day: pd.DataFrame) -> "pd.Series[int]":
    """Return the time of each beat of a day."""
    return day.groupby("beat")["stamp_ns"].first()


def table_of(completed: Iterable[CompletedBars]) -> dict[str, list[list[int]]]:
    """Return completed bars by period: end, row and figures, in order."""
    return {
        name: sorted(
            [part.ts_end_ns - MIDNIGHT_NS, *figures]
            for part in completed
            if part.period == name
            for figures in zip(
                part.rows.tolist(),
                *(getattr(part, column).tolist() for column in COLUMNS),
                strict=True,
            )
        )
        for name in MINUTES
    }


def as_lists(bars: dict[str, pd.DataFrame]) -> dict[str, list[list[int]]]:
    """Return pandas' bars in the form of `table_of`."""
    return {name: bars[name].reset_index().to_numpy().tolist() for name in MINUTES}


@relaxed
@given(days)
def test_bars_of_random_quotes_are_those_of_pandas(day: pd.DataFrame) -> None:
    """Every bar of every period, from a formula that looks at the day as a whole."""
    completed = tell_whole(make_builder(), day)

    assert table_of(completed) == as_lists(bars_by_pandas(day))


@relaxed
@given(days, st.lists(st.integers(0, 2), min_size=ROW_COUNT, max_size=ROW_COUNT))
def test_bars_of_random_quotes_do_not_depend_on_shards(
    day: pd.DataFrame,
    shard_of_row: list[int],
) -> None:
    """Each shard has the beats' stamps and its own quotes, and completes its bars with the rest."""
    stamps = stamps_of(day)
    shard_of_quote = day["row"].map(dict(enumerate(shard_of_row)))

    whole = tell(make_builder(), day, stamps)
    shards = [tell(make_builder(), day[shard_of_quote == shard], stamps) for shard in range(3)]

    for completed, *parts in zip(whole, *shards, strict=True):
        assert table_of(completed) == table_of([part for each in parts for part in each])
        assert len({part.period for part in completed}) == len(completed)


@relaxed
@given(whole_days)
def test_volumes_of_random_bars_add_up_to_the_days(day: pd.DataFrame) -> None:
    """Whatever was late, fell or had no price: at the end nothing is lost or counted twice."""
    final = day.tail(1).loc[lambda row: row.index.repeat(ROW_COUNT)]
    final = final.assign(
        beat=BEAT_COUNT,
        row=np.arange(ROW_COUNT),
        last_e4=50,
        volume_shares=1_000_000,
        amount_fen=5_000_000,
    )

    bars = table_of(tell_whole(make_builder(), pd.concat([day, final])))

    for name in MINUTES:
        table = pd.DataFrame(bars[name], columns=["end_ns", "row", *COLUMNS])
        assert (table["volume_shares"] > 0).all()
        assert (table["amount_fen"] >= 0).all()
        totals = table.groupby("row")[["volume_shares", "amount_fen"]].sum()
        assert totals.to_numpy().tolist() == [[1_000_000, 5_000_000]] * ROW_COUNT


@relaxed
@given(days, seeds)
def test_bar_sees_no_quote_from_after_its_end(day: pd.DataFrame, seed: int) -> None:
    """Other quotes after an end, the same bars up to it."""
    rng = np.random.default_rng(seed)
    # Any end of the day but the last, whose bar takes what comes after it.
    known_until = rng.choice(end_ns(stamps_of(day)).clip(upper=899 * 60 * NS_PER_SECOND))
    is_later = day["ts_ns"] > known_until
    other = day.copy()
    for column in ("last_e4", "volume_shares", "amount_fen"):
        other[column] = day[column].where(~is_later, rng.integers(0, 99_999, len(day)))

    bars, others = (table_of(tell_whole(make_builder(), each)) for each in (day, other))

    for name in MINUTES:
        mine, theirs = (
            [figures for figures in table[name] if figures[0] <= known_until]
            for table in (bars, others)
        )
        assert mine == theirs


@relaxed
@given(days, st.integers(0, BEAT_COUNT))
def test_builder_that_is_loaded_at_any_beat_completes_the_same_bars(
    day: pd.DataFrame,
    beat: int,
) -> None:
    """A kill leaves no trace."""
    stamps = stamps_of(day)
    before, after = make_builder(), BarBuilder()

    completed = tell(before, day, stamps[stamps.index < beat])
    after.load({name: array.copy() for name, array in before.arrays().items()})
    completed += tell(after, day, stamps[stamps.index >= beat])
    completed.append(after.close_day())

    expected = tell_whole(make_builder(), day)
    assert table_of([part for each in completed for part in each]) == table_of(expected)


@relaxed
@given(seeds)
def test_longer_bars_of_a_feeds_random_minutes_are_those_of_pandas(seed: int) -> None:
    """Bars that come as bars go on as those that were made of quotes."""
    rng = np.random.default_rng(seed)
    ends = end_ns(pd.Series(np.arange(571, 901) * 60 * NS_PER_SECOND)).unique()
    count = len(ends) * ROW_COUNT
    low = rng.integers(1, 99, count)
    table = pd.DataFrame(
        {
            "end_ns": np.repeat(ends, ROW_COUNT),
            "row": np.tile(np.arange(ROW_COUNT), len(ends)),
            "open_e4": low + rng.integers(0, 9, count),
            "high_e4": low + rng.integers(9, 18, count),
            "low_e4": low,
            "close_e4": low + rng.integers(0, 9, count),
            "volume_shares": rng.integers(0, 3, count) * 100,
            "amount_fen": rng.integers(0, 9, count) * 100,
        },
    )
    builder = make_builder()
    completed: list[CompletedBars] = []

    for end, bars in table.groupby("end_ns"):
        rows = BarRows(*(bars[name].to_numpy(np.int64) for name in ["row", *COLUMNS]))
        assert isinstance(end, int)
        completed += builder.take_bars(end + MIDNIGHT_NS, rows.instrument, rows)
    completed += builder.close_day()

    traded = table[table["volume_shares"] > 0]
    expected = {name: longer_by_pandas(traded, length) for name, length in MINUTES.items()}
    assert table_of(completed) == as_lists(expected)
