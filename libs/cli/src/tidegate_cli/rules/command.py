"""What `tidegate rules` was told, and its answer for one instrument."""

from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from tidegate_cli.rules.question import (
    Question,
    read_board,
    read_date,
    read_listed,
    read_price_e4,
    read_since,
    read_status,
    read_symbol,
)
from tidegate_cli.rules.table import rules_table
from tidegate_common.domain.enums import RiskWarning
from tidegate_common.errors import ConfigError
from tidegate_common.market.answers import Json, answer_json
from tidegate_common.market.calendar import TradingCalendar
from tidegate_common.market.lots import price_tick_e4
from tidegate_common.market.rulebook import InstrumentRules, instrument_rules


@dataclass(frozen=True, slots=True)
class RuleWords:
    """The command line's words about one instrument; None for what it does not say."""

    instrument: str | None = None
    date: str | None = None
    prev_close: str | None = None
    is_st: bool = False
    listed: str | None = None
    status: str | None = None
    status_since: str | None = None
    board: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The rules that were asked for, and what the question left open."""

    rules: InstrumentRules
    assumptions: tuple[str, ...]

    def as_json(self) -> Json:
        """Return JSON-ready values."""
        return answer_json(self.rules, self.assumptions)

    def as_table(self) -> Table:
        """Return a table for people."""
        return rules_table(self.rules, self.assumptions)


def check_choice(
    words: RuleWords,
    csv_file: Path | None,
    out_file: Path | None,
) -> tuple[Path, Path] | None:
    """Return the two files of a question in bulk, None for one about one instrument.

    Raises
    ------
    ConfigError
        If the command line is neither.
    """
    if csv_file is not None and out_file is not None and words == RuleWords():
        return csv_file, out_file
    is_single = None not in (words.instrument, words.date, words.prev_close)
    if is_single and csv_file is None and out_file is None:
        return None
    message = (
        "rules needs either INSTRUMENT --date DATE --prev-close CNY, or --csv FILE --out FILE "
        "and nothing about one instrument"
    )
    raise ConfigError(message)


def ask(words: RuleWords, calendar: TradingCalendar) -> Answer:
    """Return the rules of one instrument on one day.

    Raises
    ------
    ConfigError
        If a word means nothing or needs another, the board is unknown or the day has no trading.
    """
    assert words.instrument is not None
    assert words.date is not None
    assert words.prev_close is not None
    if words.status_since and not words.status:
        message = "--status-since says since when --status holds, and needs it"
        raise ConfigError(message)
    instrument = read_symbol(words.instrument)
    board = read_board(words.board or "", instrument)
    status = read_status(words.status or "")
    is_st = words.is_st or status.has_risk_warning
    question = Question(
        instrument=instrument,
        board=board,
        trade_date=read_date(words.date, name="--date"),
        prev_close_e4=read_price_e4(words.prev_close, tick_e4=price_tick_e4(board)),
        risk_warning=RiskWarning.YES if is_st else RiskWarning.NO,
        listed=read_listed(words.listed or ""),
        status=status,
        status_since=read_since(words.status_since or ""),
    )
    rules = instrument_rules(
        question.status_on(calendar),
        question.trade_date,
        prev_close_e4=question.prev_close_e4,
    )
    assumptions = (
        *(() if words.listed else ("listed long ago: no --listed was given",)),
        *(() if is_st or words.board else ("not under risk warning: no --st was given",)),
        *(("not sellable on the day it is bought: some funds are",) if words.board else ()),
    )
    return Answer(rules, assumptions)
