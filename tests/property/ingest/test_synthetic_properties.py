"""Any synthetic market keeps the contract of frames, and passes the checks of recorded rows."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate_common.domain.enums import BeatKind, Phase
from tidegate_common.domain.ids import RunId, format_symbol
from tidegate_common.domain.units import FEN_PER_YUAN, PRICE_SCALE, Int64Array
from tidegate_common.events.run import SyntheticSpec
from tidegate_common.frames.codec import decode_frame, encode_frame
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_ingest.engine.columns import RawSnapshots, TextColumn
from tidegate_ingest.engine.normalizer import normalize_snapshots
from tidegate_ingest.engine.quality import ACCEPTED, check_merged_snapshots, check_snapshots
from tidegate_ingest.engine.synthetic.market import SyntheticMarket

SPECS = st.builds(
    SyntheticSpec,
    seed=st.integers(0, 2**63 - 1),
    instrument_count=st.integers(1, 70),
    day_count=st.integers(1, 2),
    beats_per_day=st.integers(1, 120),
)
# As the Shanghai exchange says them.
WORDS = {
    Phase.OPEN_CALL: "OCALL",
    Phase.PAUSE: "TRADE",
    Phase.CONTINUOUS: "TRADE",
    Phase.HALTED: "SUSP",
    Phase.CLOSE_CALL: "CCALL",
    Phase.CLOSED: "CLOSE",
}


@settings(max_examples=6)
@given(SPECS)
def test_synthetic_market_of_any_spec_keeps_the_contract(spec: SyntheticSpec) -> None:
    """Beats are numbered, time never falls, the run ends once, frames survive the wire."""
    market = SyntheticMarket(spec)

    frames = list(market.frames(RunId("r")))

    assert [frame.stamp.beat for frame in frames] == list(range(market.beat_count))
    assert [frame.stamp.is_last for frame in frames].count(True) == 1
    assert frames[-1].stamp.is_last
    times = [frame.stamp.ts_event_ns for frame in frames]
    assert times == sorted(times)
    kinds = [frame.stamp.kind for frame in frames]
    assert kinds == spec.day_count * [
        BeatKind.OPEN,
        *spec.beats_per_day * [BeatKind.TICK],
        BeatKind.CLOSE,
    ]
    for frame in frames[:: max(len(frames) // 10, 1)]:
        assert encode_frame(decode_frame(encode_frame(frame))) == encode_frame(frame)


@settings(max_examples=6)
@given(SPECS)
def test_synthetic_rows_of_any_spec_pass_the_checks_of_recorded_rows(spec: SyntheticSpec) -> None:
    """What the platform would refuse of an exchange it does not make itself."""
    for reference, quotes, bars in _days(list(SyntheticMarket(spec).frames(RunId("r")))):
        raw = _as_recorded(reference, quotes, bars)

        columns = normalize_snapshots(raw)

        assert (check_snapshots(raw, columns) == ACCEPTED).all()
        assert (check_merged_snapshots(columns, reference) == ACCEPTED).all()
        assert np.array_equal(columns.bid_price_e4, quotes.bid_price_e4)


def _days(frames: Sequence[Frame]) -> list[tuple[ReferenceRows, QuoteRows, BarRows]]:
    days = []
    quotes: list[QuoteRows] = []
    for frame in frames:
        if isinstance(frame.rows, ReferenceRows):
            reference = frame.rows
        elif isinstance(frame.rows, QuoteRows):
            quotes.append(frame.rows)
        else:
            days.append((reference, QuoteRows.concat(quotes), frame.rows))
            quotes = []
    return days


def _as_recorded(reference: ReferenceRows, quotes: QuoteRows, bars: BarRows) -> RawSnapshots:
    """Return rows as a file of the exchange would have them, the day's own prices told as well."""
    place = np.searchsorted(reference.instrument, quotes.instrument)
    is_traded = quotes.volume_shares > 0

    def of_day(price_e4: Int64Array) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.where(is_traded, price_e4[place], 0) / PRICE_SCALE

    symbols = tuple(format_symbol(each) for each in reference.instrument.tolist())
    phases = tuple(WORDS)
    return RawSnapshots(
        exchange=None,
        code=TextColumn(symbols, place),
        phase=TextColumn(
            tuple(WORDS[phase] for phase in phases),
            np.array([phases.index(Phase(each)) for each in quotes.phase.tolist()]),
        ),
        ts_event_ns=quotes.ts_event_ns,
        prev_close=reference.prev_close_e4[place] / PRICE_SCALE,
        open=of_day(bars.open_e4),
        high=of_day(bars.high_e4),
        low=of_day(bars.low_e4),
        last=quotes.last_e4 / PRICE_SCALE,
        volume=quotes.volume_shares.astype(np.float64),
        amount=quotes.amount_fen / FEN_PER_YUAN,
        limit_up=reference.limit_up_e4[place] / PRICE_SCALE,
        limit_down=reference.limit_down_e4[place] / PRICE_SCALE,
        bid_price=quotes.bid_price_e4 / PRICE_SCALE,
        bid_shares=quotes.bid_shares.astype(np.float64),
        ask_price=quotes.ask_price_e4 / PRICE_SCALE,
        ask_shares=quotes.ask_shares.astype(np.float64),
    )
