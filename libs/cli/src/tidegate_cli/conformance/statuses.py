"""The instrument table of recorded days: who was listed since when, and under risk warning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tidegate_cli.conformance.bars import DailyBars
from tidegate_common.domain.enums import ListingStatus, RiskWarning
from tidegate_common.domain.ids import InstrumentId, format_symbol, parse_symbol
from tidegate_common.domain.units import Int64Array
from tidegate_common.errors import ConfigError
from tidegate_common.market.board import board_of
from tidegate_common.market.calendar import TradingCalendar
from tidegate_common.market.dated import LAST_DATE, Confidence
from tidegate_common.market.instruments import InstrumentRow, InstrumentTable


@dataclass(frozen=True, slots=True)
class StatusFact:
    """A status that no list of shares tells, on the days from `effective_from` on."""

    instrument: InstrumentId
    effective_from: int
    effective_to: int
    status: ListingStatus
    source: str
    confidence: Confidence


STATUS_FACTS: Final = (
    StatusFact(
        parse_symbol("000018.SZ"),
        2019_11_25,
        2020_01_06,
        ListingStatus.DELISTING,
        "the last 30 trading days before 2020-01-07, when baostock's list says that it was "
        "delisted; limits of 10% follow on 5% from the first of them",
        Confidence.C,
    ),
    StatusFact(
        parse_symbol("000792.SZ"),
        2021_08_10,
        2021_08_10,
        ListingStatus.RELISTING,
        "first day after 312 suspended days of a suspended listing, in baostock's bars",
        Confidence.B,
    ),
)


def instrument_table(
    files: Sequence[DailyBars],
    *,
    listings: Mapping[int, int],
    calendar: TradingCalendar,
    facts: Sequence[StatusFact] = STATUS_FACTS,
) -> InstrumentTable:
    """Return the statuses of every instrument that the files hold.

    Risk warning is what a file flags, and holds until the next flag of another kind; it is
    UNKNOWN before the first flag and after the last. An instrument that no list names has 0 for
    its listing date, which the rule book answers with UNKNOWN.

    Raises
    ------
    ConfigError
        If two files flag one day differently.
    """
    instrument, trade_date, flag = _flags(files)
    starts = np.flatnonzero(np.diff(instrument, prepend=-1))
    flagged = dict(zip(instrument[starts].tolist(), _spans(starts, len(instrument)), strict=True))
    rows: list[InstrumentRow] = []
    for each in sorted({int(each) for file in files for each in np.unique(file.instrument)}):
        span = flagged.get(each, slice(0, 0))
        risk_from = _risk_warning_runs(trade_date[span], flag[span], calendar)
        own_facts = [fact for fact in facts if fact.instrument == each]
        rows += _rows(each, risk_from, own_facts, listed=listings.get(each, 0), calendar=calendar)
    return InstrumentTable(tuple(rows), calendar)


def _flags(files: Sequence[DailyBars]) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Return instrument, date and flag of every day that is flagged, in that order, once."""
    empty = np.empty((3, 0), dtype=np.int64)
    parts = [
        np.stack([file.instrument, file.trade_date, file.risk_warning.astype(np.int64)])
        for file in files
    ]
    days = np.concatenate([empty, *parts], axis=1)
    days = np.unique(days[:, days[2] != RiskWarning.UNKNOWN], axis=1)
    is_again = (np.diff(days[:2], axis=1) == 0).all(axis=0)
    if is_again.any():
        instrument, trade_date = days[:2, np.flatnonzero(is_again)[0]].tolist()
        message = (
            f"risk warning must be one thing on a day, files say both yes and no "
            f"({format_symbol(instrument)}, {trade_date})"
        )
        raise ConfigError(message)
    return days[0], days[1], days[2]


def _spans(starts: Int64Array, size: int) -> list[slice]:
    ends = np.append(starts, size)[1:]
    return [slice(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def _risk_warning_runs(
    trade_date: Int64Array,
    flag: Int64Array,
    calendar: TradingCalendar,
) -> dict[int, RiskWarning]:
    """Return since when risk warning is what, by date; UNKNOWN from 0 on and after the end."""
    runs = {0: RiskWarning.UNKNOWN}
    for place in np.flatnonzero(np.diff(flag, prepend=-1)).tolist():
        runs[int(trade_date[place])] = RiskWarning(int(flag[place]))
    if len(trade_date):
        runs[calendar.next_day(int(trade_date[-1]))] = RiskWarning.UNKNOWN
    return runs


def _rows(
    instrument: int,
    risk_from: Mapping[int, RiskWarning],
    facts: Sequence[StatusFact],
    *,
    listed: int,
    calendar: TradingCalendar,
) -> list[InstrumentRow]:
    """Return the rows of one instrument, cut where risk warning or status changes."""
    cuts = {*risk_from, *(fact.effective_from for fact in facts)}
    cuts |= {calendar.next_day(fact.effective_to) for fact in facts}
    starts = sorted(cuts)
    ends = [calendar.previous_day(start) for start in starts[1:]] + [LAST_DATE]
    rows = []
    for start, end in zip(starts, ends, strict=True):
        fact = next((each for each in facts if _is_on(each, start)), None)
        since = max(each for each in risk_from if each <= start)
        rows.append(
            InstrumentRow(
                instrument=instrument,
                effective_from=start,
                effective_to=end,
                board=board_of(instrument),
                status=ListingStatus.LISTED if fact is None else fact.status,
                risk_warning=risk_from[since],
                listed=listed,
                has_same_day_resale=False,
                source="vendors' bars and lists of shares" if fact is None else fact.source,
                confidence=Confidence.C if fact is None else fact.confidence,
            )
        )
    return rows


def _is_on(fact: StatusFact, trade_date: int) -> bool:
    return fact.effective_from <= trade_date <= fact.effective_to
