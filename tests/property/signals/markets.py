"""Random markets of whole days for the signals engine: suspensions, late listings, ex-rights."""

from dataclasses import dataclass

import numpy as np

from tidegate_common.domain.enums import BeatKind, Phase
from tidegate_common.domain.ids import AccountId, RunId
from tidegate_common.domain.units import Int64Array
from tidegate_common.events.run import AccountSpec, RunSpec, StrategySpec
from tidegate_common.frames.frame import BeatStamp, Frame, FrameRows
from tidegate_common.frames.rows import FIGURES, BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.sessions import NS_PER_SECOND, SHANGHAI_OFFSET_SECONDS
from tidegate_signals.engine.strategies.registry import STRATEGY_KINDS

INSTRUMENTS = np.array([1_600_000, 1_600_519, 1_688_001, 2_000_001, 2_300_750], np.int64)
# The last one falls into the next month.
TRADE_DATES = (20230330, 20230331, 20230403)
# Seconds after midnight of 1970-01-01 in Shanghai; the date does not matter to any engine.
_BEAT_SECONDS = (33_900, 34_203, 34_206, 34_262, 34_500, 35_105, 35_161, 36_001, 46_805, 53_990)
# All ends of bars but one, which stays open until the beat that completes two.
_BAR_SECONDS = (35_100, 35_130, 36_900, 37_800, 54_000)

# Windows short enough to be warm after a day or two.
_SHORT = {
    "bollinger_reversion": {"window": 3},
    "book_imbalance": {"window": 2},
    "donchian_breakout": {"entry_window": 2, "exit_window": 1},
    "ma_cross": {"fast": 2, "slow": 3},
    "macd": {"fast": 2, "slow": 3, "signal": 1},
    "momentum": {"window": 2, "skip": 1},
    "rsi_reversal": {"window": 2},
}


def make_spec(warmup_days: int = 0) -> RunSpec:
    """Return a run of every strategy that ships, on every period on which it works."""
    strategies = tuple(
        StrategySpec(f"{kind}-{period}", kind, _SHORT.get(kind, {}), period=period)
        for kind, strategy in STRATEGY_KINDS.items()
        for period in strategy.PERIODS
    )
    accounts = (AccountSpec(AccountId("a"), 1),)
    return RunSpec(RunId("run-1"), accounts, strategies, warmup_days=warmup_days)


@dataclass(frozen=True, slots=True)
class _Walk:
    """Where each instrument is; changed from beat to beat."""

    rng: np.random.Generator
    price_e4: Int64Array
    volume_shares: Int64Array
    listed_day: Int64Array


def random_days(seed: int, *, has_bars: bool = False) -> list[Frame]:
    """Return three days of beats, of quotes or of bars.

    Instruments list late, some of them in mid-day, are suspended for a day or silent for a beat, go
    ex-rights, trade nothing, and have books with an empty side.
    """
    rng = np.random.default_rng(seed)
    count = len(INSTRUMENTS)
    walk = _Walk(
        rng,
        100 * rng.integers(100, 2_000, count),
        np.zeros(count, np.int64),
        rng.integers(0, 2, count),
    )
    frames: list[Frame] = []

    def say(kind: BeatKind, trade_date: int, seconds: int, rows: FrameRows) -> None:
        second = seconds - SHANGHAI_OFFSET_SECONDS
        stamp = BeatStamp(RunId("run-1"), len(frames), kind, trade_date, second * NS_PER_SECOND)
        frames.append(Frame(stamp, 0, rows))

    for day, trade_date in enumerate(TRADE_DATES):
        listed = np.flatnonzero(walk.listed_day <= day)
        stated = listed[rng.random(len(listed)) < 0.8]
        say(BeatKind.OPEN, trade_date, 33_000, _reference(walk, stated))
        trading = listed[rng.random(len(listed)) < 0.9]
        for seconds in _BAR_SECONDS if has_bars else _BEAT_SECONDS:
            speaking = trading[rng.random(len(trading)) < 0.9]
            rows = _bars(walk, speaking) if has_bars else _quotes(walk, speaking, seconds)
            say(BeatKind.BAR if has_bars else BeatKind.TICK, trade_date, seconds, rows)
        say(BeatKind.CLOSE, trade_date, 54_300, _bars(walk, listed))
    return frames


def _reference(walk: _Walk, chosen: Int64Array) -> ReferenceRows:
    """Open a day; now and then at another price than the last one."""
    count = len(chosen)
    is_ex = walk.rng.random(count) < 0.3
    halved = np.maximum(walk.price_e4[chosen] // 200 * 100, 100)
    walk.price_e4[chosen] = np.where(is_ex, halved, walk.price_e4[chosen])
    walk.volume_shares[:] = 0
    zeros, flags = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    figures = {
        name: np.where(walk.rng.random(count) < 0.2, np.nan, walk.rng.normal(20, 15, count))
        for name in FIGURES
    }
    return ReferenceRows(
        instrument=INSTRUMENTS[chosen],
        board=np.ones(count, np.uint8),
        limit_state=np.ones(count, np.uint8),
        is_st=flags,
        is_suspended=flags,
        prev_close_e4=walk.price_e4[chosen],
        limit_up_e4=zeros,
        limit_down_e4=zeros,
        open_e4=zeros,
        sector=np.array([""] * count, np.object_),
        **figures,
    )


def _move(walk: _Walk, chosen: Int64Array) -> Int64Array:
    """Move prices and volumes; return the shares that traded, a third of the time none."""
    count = len(chosen)
    step = 100 * walk.rng.integers(-30, 31, count)
    traded = np.where(walk.rng.random(count) < 0.3, 0, 100 * walk.rng.integers(1, 50, count))
    moved = np.maximum(walk.price_e4[chosen] + step, 100)
    walk.price_e4[chosen] = np.where(traded > 0, moved, walk.price_e4[chosen])
    walk.volume_shares[chosen] += traded
    return traded


def _quotes(walk: _Walk, chosen: Int64Array, seconds: int) -> QuoteRows:
    _move(walk, chosen)
    count = len(chosen)
    phase = Phase.OPEN_CALL if seconds < 34_200 else Phase.CONTINUOUS
    price, volume = walk.price_e4[chosen], walk.volume_shares[chosen]
    levels = np.arange(1, 6) * 100
    sizes = walk.rng.integers(0, 50, (2, count, 5)) * 100
    return QuoteRows(
        instrument=INSTRUMENTS[chosen],
        ts_event_ns=np.full(count, (seconds - SHANGHAI_OFFSET_SECONDS) * NS_PER_SECOND, np.int64),
        phase=np.full(count, phase, np.uint8),
        last_e4=np.where(volume > 0, price, 0),
        volume_shares=volume,
        amount_fen=volume * price // 100,
        bid_price_e4=np.maximum(price[:, np.newaxis] - levels, 0),
        bid_shares=sizes[0],
        ask_price_e4=price[:, np.newaxis] + levels,
        ask_shares=sizes[1],
    )


def _bars(walk: _Walk, chosen: Int64Array) -> BarRows:
    before = walk.price_e4[chosen].copy()
    volume = _move(walk, chosen)
    after = walk.price_e4[chosen]
    high, low = np.maximum(before, after), np.minimum(before, after)
    amount = volume * after // 100
    return BarRows(INSTRUMENTS[chosen], before, high, low, after, volume, amount)
