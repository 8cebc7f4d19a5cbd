"""Limits as exchanges and vendors quoted them, beside those that the rule book computes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np

from tidegate_cli.conformance.bars import in_file, read_code
from tidegate_cli.rules.question import read_date
from tidegate_common.domain.enums import LimitState, ListingStatus, RiskWarning
from tidegate_common.domain.ids import format_symbol
from tidegate_common.domain.units import PRICE_SCALE, Float64Array, Int64Array
from tidegate_common.errors import ConfigError
from tidegate_common.market.board import board_of
from tidegate_common.market.calendar import TradingCalendar
from tidegate_common.market.instruments import InstrumentTable
from tidegate_common.market.listing import stage_of
from tidegate_common.market.price_limits import PriceLimit, price_limit
from tidegate_common.market.sessions import shanghai_date
from tidegate_ingest.adapters.szse_sse_snapshots import SNAPSHOT_LAYOUTS
from tidegate_ingest.adapters.tables import column_names
from tidegate_ingest.engine.columns import RawSnapshots

# Fields of a line of Tencent's quotes, as its readers number them.
_NAME, _CODE, _PREV_CLOSE, _TIME, _STATE, _UP, _DOWN = 1, 2, 4, 30, 40, 47, 48
_FIELDS_MIN: Final = 49
# What Tencent says of a code that is not listed: delisted, or not yet listed.
_NOT_LISTED_STATES: Final = frozenset({"D", "U"})


@dataclass(frozen=True, slots=True)
class Quote:
    """A day's limits of one instrument as somebody quoted them; 0 where none is quoted."""

    instrument: int
    trade_date: int
    prev_close_e4: int
    up_e4: int
    down_e4: int
    status: ListingStatus
    risk_warning: RiskWarning


@dataclass(frozen=True, slots=True)
class QuoteCheck:
    """What became of a file of quotes.

    equal_count : quotes whose two limits are the computed ones.
    without_limit_count : quotes of what is not listed, without a limit on either side.
    unexplained : the others, as text.
    """

    name: str
    quote_count: int
    equal_count: int
    without_limit_count: int
    unexplained: tuple[str, ...]


def check_quotes(
    name: str,
    quotes: Sequence[Quote],
    *,
    listings: Mapping[int, int],
    calendar: TradingCalendar,
) -> QuoteCheck:
    """Hold quoted limits against the rule book."""
    equal_count = without_limit_count = 0
    unexplained: list[str] = []
    for quote in quotes:
        limits = _computed(quote, listed=listings.get(quote.instrument, 0), calendar=calendar)
        equal = [each for each in limits if (each.up_e4, each.down_e4) == _quoted(quote)]
        if any(each.state is LimitState.LIMITED for each in equal):
            equal_count += 1
        elif equal and quote.status is ListingStatus.NOT_LISTED:
            without_limit_count += 1
        else:
            computed = " or ".join(f"{each.down_e4} to {each.up_e4}" for each in limits)
            unexplained.append(
                f"{format_symbol(quote.instrument)} {quote.trade_date}: quoted "
                f"{quote.down_e4} to {quote.up_e4}, computed {computed} (1/10,000 CNY)"
            )
    return QuoteCheck(name, len(quotes), equal_count, without_limit_count, tuple(unexplained))


def _computed(quote: Quote, *, listed: int, calendar: TradingCalendar) -> list[PriceLimit]:
    """Return the limit of a quote; of both kinds where nobody tells whether a share is ST."""
    is_known = quote.risk_warning is not RiskWarning.UNKNOWN
    risk_warnings = (quote.risk_warning,) if is_known else (RiskWarning.NO, RiskWarning.YES)
    board = board_of(quote.instrument)
    listing_day = calendar.day_number(since=listed, on=quote.trade_date) if listed else 0
    return [
        price_limit(
            board=board,
            stage=stage_of(
                board=board,
                risk_warning=risk_warning,
                status=quote.status,
                listed=listed,
                listing_day=listing_day,
                status_day=0,
            ),
            prev_close_e4=quote.prev_close_e4,
            trade_date=quote.trade_date,
        )
        for risk_warning in risk_warnings
    ]


def _quoted(quote: Quote) -> tuple[int, int]:
    return quote.up_e4, quote.down_e4


def read_snapshot_quotes(path: Path, table: InstrumentTable) -> tuple[Quote, ...]:
    """Return the limits that a file of snapshots quotes, each once; none where it quotes none.

    Parameters
    ----------
    table : tells risk warning, which snapshots do not.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    found = column_names(path)
    for layout in SNAPSHOT_LAYOUTS:
        if layout.missing(found):
            continue
        return _snapshot_quotes(layout.read(path), table)
    return ()


def _snapshot_quotes(raw: RawSnapshots, table: InstrumentTable) -> tuple[Quote, ...]:
    suffix = "" if raw.exchange is None else f".{raw.exchange.name}"
    columns = (
        raw.code.map_words(lambda word: read_code(word + suffix)),
        raw.ts_event_ns,
        _prices_e4(raw.prev_close),
        _prices_e4(raw.limit_up),
        _prices_e4(raw.limit_down),
    )
    has_quote = (raw.ts_event_ns > 0) & (raw.limit_up > 0)
    rows = np.stack([column[has_quote] for column in columns], axis=1)
    rows[:, 1] = [shanghai_date(ts_event_ns) for ts_event_ns in rows[:, 1].tolist()]
    return tuple(
        Quote(
            instrument=instrument,
            trade_date=trade_date,
            prev_close_e4=prev_close_e4,
            up_e4=up_e4,
            down_e4=down_e4,
            status=ListingStatus.LISTED,
            risk_warning=table.status_on(instrument, trade_date).risk_warning,
        )
        for instrument, trade_date, prev_close_e4, up_e4, down_e4 in np.unique(
            rows, axis=0
        ).tolist()
    )


def read_tencent_quotes(path: Path) -> tuple[Quote, ...]:
    """Return the limits of every line of a recorded answer of Tencent, GBK or UTF-8.

    Raises
    ------
    ConfigError
        If the file cannot be read or a line has too few fields.
    """
    try:
        text = _decoded(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        message = f"expected a recorded answer in {path}, found: {error}"
        raise ConfigError(message) from error
    return tuple(_tencent_quotes(text, path))


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("gbk")


def _tencent_quotes(text: str, path: Path) -> Iterator[Quote]:
    for line in text.split(";"):
        name, is_line, rest = line.strip().partition('="')
        if not is_line:
            continue
        values = rest.rstrip('"').split("~")
        if len(values) < _FIELDS_MIN:
            message = f"expected {_FIELDS_MIN} fields or more, found {len(values)} ({path}, {name})"
            raise ConfigError(message)
        is_listed = values[_STATE] not in _NOT_LISTED_STATES
        with in_file(path):
            quote = Quote(
                read_code(f"{name.removeprefix('v_')[:2]}.{values[_CODE]}"),
                read_date(values[_TIME][:8], name="time"),
                _price_e4(values[_PREV_CLOSE]),
                _price_e4(values[_UP]),
                _price_e4(values[_DOWN]),
                ListingStatus.LISTED if is_listed else ListingStatus.NOT_LISTED,
                RiskWarning.YES if "ST" in values[_NAME] else RiskWarning.NO,
            )
        yield quote


def _price_e4(text: str) -> int:
    """Return a quoted price; -1, which stands for none, is 0."""
    try:
        return max(0, int(Decimal(text) * PRICE_SCALE))
    except (ArithmeticError, ValueError):
        message = f"expected a price or -1, found {text!r}"
        raise ConfigError(message) from None


def _prices_e4(prices: Float64Array) -> Int64Array:
    return np.rint(prices * PRICE_SCALE).astype(np.int64)
