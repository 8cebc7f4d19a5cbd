"""The signals engine: which beats feed what, and what leaves."""

from dataclasses import replace

import numpy as np
import pytest

from tidegate_common.domain.enums import BeatKind, Phase
from tidegate_common.domain.ids import AccountId, RunId
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import AccountSpec, RunSpec, StrategySpec
from tidegate_common.frames.checks import check_scores
from tidegate_common.frames.frame import BeatStamp, Frame, empty_rows
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows, unknown_figures
from tidegate_common.market.sessions import NS_PER_SECOND, SHANGHAI_OFFSET_SECONDS
from tidegate_signals.engine import SignalsEngine, SignalsOutput

MOUTAI, MIDEA = 1_600_519, 2_000_333
CROSS = StrategySpec("cross", "ma_cross", {"fast": 1, "slow": 2, "full_scale_bps": 1_000})
IMBALANCE = StrategySpec("book", "book_imbalance", {"window": 2})


def make_spec(*strategies: StrategySpec) -> RunSpec:
    """Return a run of some strategies."""
    return RunSpec(RunId("run-1"), (AccountSpec(AccountId("a"), 1),), strategies)


def make_stamp(kind: BeatKind, beat: int = 0) -> BeatStamp:
    """Return the place of a beat."""
    return BeatStamp(RunId("run-1"), beat, kind, 20230201, 1_000 * beat)


def open_beat(prev_close_e4: dict[int, int]) -> Frame:
    """Return an OPEN beat that states previous closes."""
    count = len(prev_close_e4)
    zeros, small, flags = (
        np.zeros(count, np.int64),
        np.zeros(count, np.uint8),
        np.zeros(count, np.bool_),
    )
    rows = ReferenceRows(
        instrument=np.array(list(prev_close_e4), np.int64),
        board=small,
        limit_state=small,
        is_st=flags,
        is_suspended=flags,
        prev_close_e4=np.array(list(prev_close_e4.values()), np.int64),
        limit_up_e4=zeros,
        limit_down_e4=zeros,
        open_e4=zeros,
        sector=np.array([""] * count, np.object_),
        **unknown_figures(count),
    )
    return Frame(make_stamp(BeatKind.OPEN), 0, rows)


def bar_beat(
    close_e4: dict[int, int],
    *,
    volume_shares: int = 100,
    kind: BeatKind = BeatKind.CLOSE,
) -> Frame:
    """Return a beat of bars."""
    close = np.array(list(close_e4.values()), np.int64)
    volume = np.full(len(close), volume_shares, np.int64)
    instrument = np.array(list(close_e4), np.int64)
    return Frame(
        make_stamp(kind), 0, BarRows(instrument, close, close, close, close, volume, close)
    )


def tick_beat(
    sizes: dict[int, tuple[int, int]],
    phase: Phase = Phase.CONTINUOUS,
) -> Frame:
    """Return a TICK beat of books with sizes (bid, ask) on the best level."""
    count = len(sizes)
    zeros = np.zeros(count, np.int64)
    bid, ask = np.zeros((count, 5), np.int64), np.zeros((count, 5), np.int64)
    bid[:, 0] = [pair[0] for pair in sizes.values()]
    ask[:, 0] = [pair[1] for pair in sizes.values()]
    rows = QuoteRows(
        instrument=np.array(list(sizes), np.int64),
        ts_event_ns=zeros,
        phase=np.full(count, phase, np.uint8),
        last_e4=np.full(count, 100_000, np.int64),
        volume_shares=zeros,
        amount_fen=zeros,
        bid_price_e4=bid,
        bid_shares=bid,
        ask_price_e4=ask,
        ask_shares=ask,
    )
    return Frame(make_stamp(BeatKind.TICK), 0, rows)


def traded(frame: Frame) -> Frame:
    """Return a TICK beat of one instrument after 500 shares."""
    assert isinstance(frame.rows, QuoteRows)
    totals = {"volume_shares": np.array([500]), "amount_fen": np.array([5_000_000])}
    return replace(frame, rows=replace(frame.rows, **totals))


def after_open(seconds: int, frame: Frame) -> Frame:
    """Return a frame of so long after 9:30."""
    ts_event_ns = (34_200 + seconds - SHANGHAI_OFFSET_SECONDS) * NS_PER_SECOND
    return replace(frame, stamp=replace(frame.stamp, ts_event_ns=ts_event_ns))


def as_dict(output: SignalsOutput) -> dict[tuple[str, int], int]:
    """Return the scores of a beat by strategy and instrument."""
    batch = output.scores
    check_scores(batch)
    return {
        (batch.strategies[strategy], int(instrument)): int(score)
        for strategy, instrument, score in zip(
            batch.strategy,
            batch.instrument,
            batch.score_e6,
            strict=True,
        )
    }


def test_ma_cross_rising_close_scores_distance_in_millionths() -> None:
    """Averages of 10.2 and 10.1 are 99 bps apart, of 1000 for a full score."""
    engine = SignalsEngine(make_spec(CROSS))
    engine.on_beat(bar_beat({MOUTAI: 100_000}))

    scores = as_dict(engine.on_beat(bar_beat({MOUTAI: 102_000})))

    assert scores == {("cross", MOUTAI): round((102 / 101 - 1) * 10 * 1_000_000)}


def test_scores_before_the_window_is_full_are_absent() -> None:
    """A cold indicator has no opinion, which is not the same as a neutral one."""
    engine = SignalsEngine(make_spec(CROSS))

    output = engine.on_beat(bar_beat({MOUTAI: 100_000}))

    assert as_dict(output) == {}
    assert output.scores.strategies == ("cross",)


def test_bar_without_volume_holds_the_state_and_scores_nothing() -> None:
    """A suspended day repeats the last close; it is no observation."""
    engine = SignalsEngine(make_spec(CROSS))
    engine.on_beat(bar_beat({MOUTAI: 100_000}))

    suspended = as_dict(engine.on_beat(bar_beat({MOUTAI: 100_000}, volume_shares=0)))
    resumed = as_dict(engine.on_beat(bar_beat({MOUTAI: 102_000})))

    assert suspended == {}
    assert resumed == {("cross", MOUTAI): round((102 / 101 - 1) * 10 * 1_000_000)}


def test_instrument_outside_the_frame_gets_no_score() -> None:
    """A score is about news of this beat."""
    engine = SignalsEngine(make_spec(CROSS))
    engine.on_beat(bar_beat({MOUTAI: 100_000, MIDEA: 50_000}))

    scores = as_dict(engine.on_beat(bar_beat({MIDEA: 50_000})))

    assert scores == {("cross", MIDEA): 0}


def test_close_beat_after_bars_of_the_day_is_not_counted_again() -> None:
    """The day's bar repeats the close of its last minute."""
    engine = SignalsEngine(make_spec(CROSS))
    engine.on_beat(bar_beat({MOUTAI: 100_000}, kind=BeatKind.BAR))

    same_day = as_dict(engine.on_beat(bar_beat({MOUTAI: 100_000})))
    engine.on_beat(open_beat({MOUTAI: 100_000}))
    next_day = as_dict(engine.on_beat(bar_beat({MOUTAI: 100_000})))

    assert same_day == {}
    assert next_day == {("cross", MOUTAI): 0}


def test_beat_that_completes_two_bars_of_a_period_scores_the_later_one() -> None:
    """A beat between two minutes leaves its bar open, and a batch has one score an instrument."""
    engine = SignalsEngine(make_spec(replace(CROSS, period="1m")))
    engine.on_beat(open_beat({MOUTAI: 100_000, MIDEA: 50_000}))
    beats = [
        (60, {MOUTAI: 100_000, MIDEA: 50_000}),
        (150, {MOUTAI: 101_000, MIDEA: 50_000}),
        (240, {MOUTAI: 102_000}),
    ]

    outputs = [
        engine.on_beat(after_open(seconds, bar_beat(close_e4, kind=BeatKind.BAR)))
        for seconds, close_e4 in beats
    ]

    bars = outputs[-1].bars
    assert bars is not None
    assert bars.close_e4[bars.period_seconds == 60].tolist() == [101_000, 50_000, 102_000]
    assert as_dict(outputs[-1]) == {("cross", MOUTAI): 49_261, ("cross", MIDEA): 0}


def test_ex_rights_day_without_a_move_scores_neutral() -> None:
    """After a 2-for-1 split half the price is the same price."""
    engine = SignalsEngine(make_spec(CROSS))
    engine.on_beat(bar_beat({MOUTAI: 100_000, MIDEA: 60_000}))

    engine.on_beat(open_beat({MOUTAI: 50_000, MIDEA: 60_000}))
    scores = as_dict(engine.on_beat(bar_beat({MOUTAI: 50_000, MIDEA: 60_000})))

    assert scores == {("cross", MOUTAI): 0, ("cross", MIDEA): 0}


def test_ex_rights_price_stated_twice_scales_once() -> None:
    """A stock suspended over its ex-rights day has the same reference price on both mornings."""
    engine = SignalsEngine(make_spec(CROSS))
    engine.on_beat(bar_beat({MOUTAI: 100_000}))

    for _ in range(2):
        engine.on_beat(open_beat({MOUTAI: 50_000}))
    scores = as_dict(engine.on_beat(bar_beat({MOUTAI: 50_000})))

    assert scores == {("cross", MOUTAI): 0}


def test_close_that_was_lost_makes_no_ex_rights_day() -> None:
    """A dead letter stands for an empty beat; the day's move was in the quotes all the same."""
    engine = SignalsEngine(make_spec(replace(CROSS, period="beat")))
    engine.on_beat(bar_beat({MOUTAI: 90_000}))
    engine.on_beat(open_beat({MOUTAI: 90_000}))
    engine.on_beat(traded(tick_beat({MOUTAI: (300, 100)})))
    engine.on_beat(Frame(make_stamp(BeatKind.CLOSE), 0, empty_rows(BeatKind.CLOSE)))

    engine.on_beat(open_beat({MOUTAI: 100_000}))
    unmoved = as_dict(engine.on_beat(traded(tick_beat({MOUTAI: (300, 100)}))))
    engine.on_beat(bar_beat({MOUTAI: 100_000}))
    engine.on_beat(open_beat({MOUTAI: 50_000}))
    halved = as_dict(engine.on_beat(traded(tick_beat({MOUTAI: (300, 100)}))))

    assert unmoved == {("cross", MOUTAI): 0}
    assert halved == {("cross", MOUTAI): 1_000_000}


def test_ex_rights_day_of_a_suspended_stock_whose_close_was_lost_is_seen() -> None:
    """The morning after states the lost close; what is stated later is measured against it."""
    engine = SignalsEngine(make_spec(replace(CROSS, period="beat")))
    engine.on_beat(open_beat({MOUTAI: 90_000}))
    engine.on_beat(traded(tick_beat({MOUTAI: (300, 100)})))
    engine.on_beat(open_beat({MOUTAI: 200_000}))

    engine.on_beat(open_beat({MOUTAI: 100_000}))
    scores = as_dict(engine.on_beat(traded(tick_beat({MOUTAI: (300, 100)}))))

    assert scores == {("cross", MOUTAI): 1_000_000}


def test_book_imbalance_is_the_mean_of_the_last_quotes() -> None:
    """(3 - 1) / 4 and (1 - 1) / 2 have the mean of a quarter."""
    engine = SignalsEngine(make_spec(IMBALANCE))
    engine.on_beat(tick_beat({MOUTAI: (300, 100)}))

    scores = as_dict(engine.on_beat(tick_beat({MOUTAI: (100, 100)})))

    assert scores == {("book", MOUTAI): 250_000}


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.CONTINUOUS])
def test_book_outside_continuous_trading_is_no_observation(phase: Phase) -> None:
    """In a call auction the best levels hold the virtual match, not a book."""
    engine = SignalsEngine(make_spec(IMBALANCE))
    engine.on_beat(tick_beat({MOUTAI: (300, 100)}))

    scores = as_dict(engine.on_beat(tick_beat({MOUTAI: (300, 100)}, phase)))

    assert scores == {}


def test_one_sided_book_is_no_observation() -> None:
    """At the price limit one side is empty, and its imbalance says nothing new."""
    engine = SignalsEngine(make_spec(IMBALANCE))
    engine.on_beat(tick_beat({MOUTAI: (300, 100), MIDEA: (300, 100)}))

    scores = as_dict(engine.on_beat(tick_beat({MOUTAI: (300, 0), MIDEA: (0, 100)})))

    assert scores == {}


def test_open_beat_forgets_yesterdays_book_but_not_its_closes() -> None:
    """The pressure of yesterday afternoon is gone in the morning; a trend is not."""
    engine = SignalsEngine(make_spec(IMBALANCE, CROSS))
    engine.on_beat(tick_beat({MOUTAI: (300, 100)}))
    engine.on_beat(bar_beat({MOUTAI: 100_000}))

    morning = as_dict(engine.on_beat(open_beat({MOUTAI: 100_000})))
    book = as_dict(engine.on_beat(tick_beat({MOUTAI: (300, 100)})))
    close = as_dict(engine.on_beat(bar_beat({MOUTAI: 100_000})))

    assert morning == {}
    assert book == {}
    assert close == {("cross", MOUTAI): 0}


def test_scores_of_several_strategies_are_sorted_by_strategy_and_instrument() -> None:
    """The contract of a score batch; `as_dict` checks it."""
    reversal = StrategySpec("reversal", "rsi_reversal", {"window": 2})
    engine = SignalsEngine(make_spec(CROSS, IMBALANCE, reversal))
    for close_e4 in (100_000, 99_000):
        engine.on_beat(bar_beat({MOUTAI: close_e4, MIDEA: close_e4}))

    scores = as_dict(engine.on_beat(bar_beat({MOUTAI: 98_000, MIDEA: 98_000})))

    assert [key for key in scores if key[0] == "reversal"] == [
        ("reversal", MOUTAI),
        ("reversal", MIDEA),
    ]
    assert scores["reversal", MOUTAI] == 1_000_000
    assert scores["cross", MOUTAI] < 0


def test_restored_engine_goes_on_with_the_same_bytes() -> None:
    """Recovery must not change a single score."""
    spec = make_spec(CROSS, IMBALANCE)
    engine = SignalsEngine(spec)
    engine.on_beat(bar_beat({MIDEA: 31_234}, kind=BeatKind.BAR))
    engine.on_beat(bar_beat({MOUTAI: 100_100, MIDEA: 31_200}, kind=BeatKind.BAR))
    engine.on_beat(tick_beat({MOUTAI: (7, 3)}))
    state = engine.snapshot()
    restored = SignalsEngine(spec)
    restored.restore(state)

    for frame in (
        tick_beat({MOUTAI: (3, 8)}),
        bar_beat({MOUTAI: 100_300}),
        bar_beat({MOUTAI: 100_300, MIDEA: 31_111}, kind=BeatKind.BAR),
    ):
        expected, found = engine.on_beat(frame), restored.on_beat(frame)
        assert as_dict(found) == as_dict(expected)
    assert engine.snapshot().values == restored.snapshot().values


def test_snapshot_is_not_changed_by_later_beats() -> None:
    """It is published while the engine goes on."""
    engine = SignalsEngine(make_spec(CROSS))
    engine.on_beat(bar_beat({MOUTAI: 100_000}))
    state = engine.snapshot()
    before = {name: array.copy() for name, array in state.arrays.items()}

    engine.on_beat(bar_beat({MOUTAI: 120_000}))

    for name, array in before.items():
        np.testing.assert_array_equal(state.arrays[name], array)


def test_empty_frame_gives_a_batch_without_scores() -> None:
    """A shard speaks at every beat, even when it has nothing to say."""
    engine = SignalsEngine(make_spec(CROSS, IMBALANCE))

    outputs = [engine.on_beat(Frame(make_stamp(kind), 3, empty_rows(kind))) for kind in BeatKind]
    batches = [output.scores for output in outputs]

    assert [len(batch) for batch in batches] == [0, 0, 0, 0]
    assert {batch.shard for batch in batches} == {3}
    assert [output.bars for output in outputs] == [None] * 4


def test_engine_of_two_strategies_of_one_name_is_refused() -> None:
    """A score must name its cause."""
    with pytest.raises(ConfigError, match="strategy names must be unique, cross is there twice"):
        SignalsEngine(make_spec(CROSS, replace(CROSS, kind="rsi_reversal", parameters={})))


def test_quotes_that_no_strategy_reads_still_make_bars() -> None:
    """Bars are published whatever is traded."""
    engine = SignalsEngine(make_spec(CROSS))
    engine.on_beat(open_beat({MOUTAI: 100_000}))
    engine.on_beat(traded(tick_beat({MOUTAI: (300, 100)})))

    bars = engine.on_beat(bar_beat({MOUTAI: 100_000})).bars

    assert bars is not None
    assert bars.period_seconds.tolist() == [60, 300, 900, 86_400]
    assert bars.volume_shares.tolist() == [500, 500, 500, 100]
