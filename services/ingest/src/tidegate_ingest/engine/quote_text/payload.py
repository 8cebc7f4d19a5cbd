"""What a parsed answer of a quote service is, and how its rows are put together."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum, unique
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Board
from tidegate_common.domain.units import BoolArray, Float64Array, Int64Array
from tidegate_common.frames.rows import LEVELS
from tidegate_common.market.board import boards_of
from tidegate_common.market.sessions import NS_PER_SECOND, SHANGHAI_OFFSET_SECONDS
from tidegate_ingest.engine.columns import RawSnapshots, TextColumn
from tidegate_ingest.engine.normalizer import instrument_of

# Services never say a phase. Words of the SSE feed, which `normalizer` knows: it tells lunch and
# pause from trading by the session table.
_PHASE_WORDS = ("START", "OCALL", "TRADE", "CCALL", "CLOSE", "SUSP")
# 09:15, 09:25, 14:57 and 15:00 in seconds of the day: each begins the next word. A quote of
# 15:00:00 sharp is the first one after the closing call.
_PHASE_STARTS = np.array([33_300, 33_900, 53_820, 54_000], dtype=np.int64)
_SUSPENDED_WORD = len(_PHASE_WORDS) - 1

_FIRST_YEAR, _LAST_YEAR = 1990, 2099
_UNIX_YEAR = 1970
_MONTHS, _DAYS, _HOURS, _SIXTY = 12, 31, 24, 60
_SECONDS_PER_DAY = 86_400

_MAY_BE_NEGATIVE = ("limit_up", "limit_down")

# On an ex-day the exchange writes XD, XR or DR before the name: XDST康美 is under risk warning.
_RISK_WARNING = re.compile(r"(XD|XR|DR)?(S\*ST|SST|\*ST|ST)")
# N on the first day of a listing, C on the four after it (no Latin letter follows: N is also the
# first letter of no other name); 退 in the delisting period. Such a share may have no limit, or its
# own, and which day it is the quote does not say.
_UNUSUAL = re.compile(r"[NC][^\x00-\x7F]|.*退")
_SPACES = re.compile(r"\s+")


@unique
class QuoteSource(StrEnum):
    """A public quote service."""

    SINA = "sina"
    TENCENT = "tencent"
    EASTMONEY = "eastmoney"


@unique
class LineFault(StrEnum):
    """Why a line of an answer made no row; a line with several faults has the first one here."""

    BAD_ENCODING = "bad_encoding"
    BAD_LINE = "bad_line"
    EMPTY_QUOTE = "empty_quote"
    FIELD_COUNT = "field_count"
    BAD_STATUS = "bad_status"
    NOT_LISTED = "not_listed"
    BAD_TIME = "bad_quote_time"
    BAD_NUMBER = "bad_number"
    WRONG_UNIT = "wrong_unit"


class FaultyLine(NamedTuple):
    """A line that made no row; its number counts from 0."""

    fault: LineFault
    line: int


@dataclass(frozen=True, slots=True)
class ParsedPayload:
    """Rows of one answer, in its order; lines_in = rows + all rejected.

    source : None where the bytes are no answer of a service that we know.
    raw : codes are like `SH600000`. `limit_up`, `limit_down` are 0 where the service has none.
    name : (n,) str objects, without spaces, in narrow letters.
    is_st : (n,) bool, under risk warning by the name.
    is_limit_unknown : (n,) bool, the day's limits are not those of an ordinary day, or may not be.
    volume_step, amount_step : (n,) float64, shares and CNY that the service rounds to.
    line : (n,) int64, the line that each row was, from 0.
    record : returns a line as it came.
    rejected : lines by fault, in the order of `LineFault`, without zeros.
    faults : the same lines, one by one.
    """

    source: QuoteSource | None
    raw: RawSnapshots
    name: NDArray[np.object_]
    is_st: BoolArray
    is_limit_unknown: BoolArray
    volume_step: Float64Array
    amount_step: Float64Array
    line: Int64Array
    record: Callable[[int], str]
    lines_in: int = 0
    rejected: Mapping[LineFault, int] = field(default_factory=dict)
    faults: Sequence[FaultyLine] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.raw.ts_event_ns)

    def take(self, chosen: BoolArray) -> Self:
        """Return the chosen rows, as an answer that has no others."""
        return replace(
            self,
            raw=_take_raw(self.raw, chosen),
            name=self.name[chosen],
            is_st=self.is_st[chosen],
            is_limit_unknown=self.is_limit_unknown[chosen],
            volume_step=self.volume_step[chosen],
            amount_step=self.amount_step[chosen],
            line=self.line[chosen],
            lines_in=int(chosen.sum()),
            rejected={},
            faults=(),
        )


@dataclass(frozen=True, slots=True)
class QuoteColumns:
    """Fields of well-formed lines before they are judged; (n,) each, NaN for no number.

    line : (n,) int64, place in the answer, from 0.
    code : like `SH600000`.
    stamp : YYYYMMDDhhmmss in Shanghai, -1 where there is none.
    volume, amount : shares and CNY.
    limit_up, limit_down : CNY; 0 where the service gives none, negative where it says that
        there is none.
    bid_price, bid_shares, ask_price, ask_shares : (n, 5).
    """

    line: Int64Array
    code: NDArray[np.object_]
    name: NDArray[np.object_]
    stamp: Int64Array
    is_suspended: BoolArray
    prev_close: Float64Array
    open: Float64Array
    high: Float64Array
    low: Float64Array
    last: Float64Array
    volume: Float64Array
    amount: Float64Array
    volume_step: Float64Array
    amount_step: Float64Array
    limit_up: Float64Array
    limit_down: Float64Array
    bid_price: Float64Array
    bid_shares: Float64Array
    ask_price: Float64Array
    ask_shares: Float64Array

    def take(self, chosen: BoolArray) -> Self:
        """Return the chosen rows."""
        return type(self)(*(getattr(self, item.name)[chosen] for item in fields(self)))


def make_payload(
    source: QuoteSource,
    columns: QuoteColumns,
    faults: Sequence[FaultyLine],
    record: Callable[[int], str],
) -> ParsedPayload:
    """Return the answer whose well-formed lines say `columns` and whose other lines are `faults`.

    A row whose amount could not be made of its volume at prices of its day, by the source's units,
    is a fault: one of the three is in another unit than we believe.
    """
    ts_event_ns = stamps_to_ns(columns.stamp)
    codes = TextColumn(tuple(columns.code.tolist()), np.arange(len(columns.code)))
    instrument = codes.map_words(lambda word: instrument_of(word, None))
    found = np.select(
        [ts_event_ns < 0, _has_bad_number(columns), _is_wrong_unit(columns, instrument)],
        [1, 2, 3],
        0,
    )
    kinds = (LineFault.BAD_TIME, LineFault.BAD_NUMBER, LineFault.WRONG_UNIT)
    lines = columns.line[found > 0].tolist()
    codes_found = found[found > 0].tolist()
    own = [FaultyLine(kinds[code - 1], line) for code, line in zip(codes_found, lines, strict=True)]
    all_faults = [*faults, *own]
    rows = columns.take(found == 0)
    names = [_clean(name) for name in rows.name.tolist()]
    is_unusual = np.array([_UNUSUAL.match(name) is not None for name in names], dtype=np.bool_)
    return ParsedPayload(
        source=source,
        raw=_raw_snapshots(rows, ts_event_ns[found == 0]),
        name=np.array(names, dtype=np.object_),
        is_st=np.array([_RISK_WARNING.match(name) is not None for name in names], dtype=np.bool_),
        is_limit_unknown=(rows.limit_up < 0) | ((rows.limit_up == 0) & is_unusual),
        volume_step=rows.volume_step,
        amount_step=rows.amount_step,
        line=rows.line,
        record=record,
        lines_in=len(rows.code) + len(all_faults),
        rejected=count_faults(all_faults),
        faults=all_faults,
    )


def count_faults(faults: Sequence[FaultyLine]) -> dict[LineFault, int]:
    """Return how often each fault is there, in the order of `LineFault`, without zeros."""
    found = [each.fault for each in faults]
    return {fault: count for fault in LineFault if (count := found.count(fault))}


def stamps_to_ns(stamp: Int64Array) -> Int64Array:
    """Return Shanghai wall times YYYYMMDDhhmmss as UTC epoch nanoseconds, -1 where there is none.

    Parameters
    ----------
    stamp : (n,) int64; a day that is not in the calendar or an hour that is on no clock has none.
    """
    date, clock = np.divmod(stamp, 1_000_000)
    hour, minute, second = clock // 10_000, clock // 100 % 100, clock % 100
    year, month, day = date // 10_000, date // 100 % 100, date % 100
    is_real = (year >= _FIRST_YEAR) & (year <= _LAST_YEAR)
    is_real &= (month >= 1) & (month <= _MONTHS) & (day >= 1) & (day <= _DAYS)
    is_real &= (hour < _HOURS) & (minute < _SIXTY) & (second < _SIXTY)
    months = np.where(is_real, (year - _UNIX_YEAR) * _MONTHS + month - 1, 0)
    first = months.astype("datetime64[M]").astype("datetime64[D]")
    days = first + np.where(is_real, day - 1, 0).astype("timedelta64[D]")
    is_real &= days.astype("datetime64[M]").astype(np.int64) == months
    seconds = days.astype(np.int64) * _SECONDS_PER_DAY + hour * 3_600 + minute * 60 + second
    return np.where(is_real, (seconds - SHANGHAI_OFFSET_SECONDS) * NS_PER_SECOND, -1)


def whole_or_nan(units: Float64Array) -> Float64Array:
    """Return counts of shares or lots, NaN where one is no whole number."""
    return np.where(units == np.rint(units), units, np.nan)


def empty_payload(source: QuoteSource | None, lines: Sequence[str]) -> ParsedPayload:
    """Return an answer without rows, all of whose lines are no quotes."""
    none = np.zeros(0)
    levels = np.zeros((0, LEVELS))
    words = np.zeros(0, dtype=np.object_)
    flags = np.zeros(0, dtype=np.bool_)
    prices = ("prev_close", "open", "high", "low", "last", "volume", "amount")
    numbers = np.zeros(0, dtype=np.int64)
    rows = QuoteColumns(
        line=numbers,
        code=words,
        name=words,
        stamp=numbers,
        is_suspended=flags,
        **dict.fromkeys((*prices, "volume_step", "amount_step", "limit_up", "limit_down"), none),
        **dict.fromkeys(("bid_price", "bid_shares", "ask_price", "ask_shares"), levels),
    )
    faults = [FaultyLine(LineFault.BAD_LINE, line) for line in range(len(lines))]
    return ParsedPayload(
        source=source,
        raw=_raw_snapshots(rows, numbers),
        name=words,
        is_st=flags,
        is_limit_unknown=flags,
        volume_step=none,
        amount_step=none,
        line=numbers,
        record=lines.__getitem__,
        lines_in=len(lines),
        rejected=count_faults(faults),
        faults=faults,
    )


def phase_column(seconds: Int64Array, is_suspended: BoolArray) -> TextColumn:
    """Return the phase that a time of the day and a flag tell, as words of the SSE feed."""
    phase = np.searchsorted(_PHASE_STARTS, seconds, side="right")
    return TextColumn(_PHASE_WORDS, np.where(is_suspended, _SUSPENDED_WORD, phase))


def _raw_snapshots(rows: QuoteColumns, ts_event_ns: Int64Array) -> RawSnapshots:
    seconds = rows.stamp % 1_000_000
    seconds = seconds // 10_000 * 3_600 + seconds // 100 % 100 * 60 + seconds % 100
    codes, place = np.unique(rows.code, return_inverse=True)
    return RawSnapshots(
        exchange=None,
        code=TextColumn(tuple(codes.tolist()), place.astype(np.int64)),
        phase=phase_column(seconds, rows.is_suspended),
        ts_event_ns=ts_event_ns,
        prev_close=rows.prev_close,
        open=rows.open,
        high=rows.high,
        low=rows.low,
        last=rows.last,
        volume=rows.volume,
        amount=rows.amount,
        limit_up=np.maximum(rows.limit_up, 0.0),
        limit_down=np.maximum(rows.limit_down, 0.0),
        bid_price=rows.bid_price,
        bid_shares=rows.bid_shares,
        ask_price=rows.ask_price,
        ask_shares=rows.ask_shares,
    )


def _take_raw(raw: RawSnapshots, chosen: BoolArray) -> RawSnapshots:
    numbers = {
        item.name: getattr(raw, item.name)[chosen]
        for item in fields(raw)
        if item.name not in {"exchange", "code", "phase"}
    }
    code = TextColumn(raw.code.words, raw.code.index[chosen])
    phase = TextColumn(raw.phase.words, raw.phase.index[chosen])
    return RawSnapshots(raw.exchange, code, phase, **numbers)


def _clean(name: str) -> str:
    """Return a name without spaces, its wide Latin letters narrow."""
    return _SPACES.sub("", unicodedata.normalize("NFKC", name))


def _has_bad_number(columns: QuoteColumns) -> BoolArray:
    """Tell where a number is missing, or negative where it is not a limit that there is none."""
    is_bad = np.zeros(len(columns.code), dtype=np.bool_)
    for item in fields(columns):
        column = getattr(columns, item.name)
        if column.dtype == np.float64:
            least = -np.inf if item.name in _MAY_BE_NEGATIVE else 0.0
            wrong = ~np.isfinite(column) | (column < least)
            is_bad |= wrong if wrong.ndim == 1 else wrong.any(axis=1)
    return is_bad


def _is_wrong_unit(columns: QuoteColumns, instrument: Int64Array) -> BoolArray:
    """Tell where a share's amount lies outside its volume at the day's low and at its high.

    Both are rounded by the source, volumes to `volume_step`. What is no share (an index counts
    points) goes on: `quality` knows it.
    """
    volume_low = columns.volume - columns.volume_step
    volume_high = columns.volume + columns.volume_step
    is_outside: BoolArray = columns.amount + columns.amount_step < columns.low * volume_low
    is_outside |= columns.amount - columns.amount_step > columns.high * volume_high
    is_outside &= boards_of(instrument) != Board.UNKNOWN
    return is_outside
