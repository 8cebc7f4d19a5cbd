"""Backtests that somebody asks for, and what they come to."""

from msgspec import Struct

from tidegate_common.events.outcome import RunSummary


class BacktestJob(Struct, frozen=True):
    """A backtest to run, in the words of `tidegate backtest`.

    job_id : names the run, too.
    requested_by : of whom, as the gateway knows him. requested_ns : UTC epoch.
    files : relative to the worker's folder of feeds; none for a synthetic market.
    cash : CNY per account, as text.
    days : at most so many trading days; 0 for all of the files, or one synthetic day.
    warmup_days : of these, so many at the start are not traded.
    start : "" for all of the files, or from which day and time on, Shanghai.
    limits : name of a limits file.
    reference : a file of listing dates, ST flags, sectors and corporate actions, of the same
        folder; "" for none.
    """

    job_id: str
    requested_by: str
    requested_ns: int
    files: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    cash: str = "5000000"
    accounts: int = 1
    seed: int = 7
    days: int = 0
    warmup_days: int = 0
    instruments: int = 300
    beats: int = 400
    start: str = ""
    limits: str = "default"
    reference: str = ""


class EquityClose(Struct, frozen=True):
    """What an account was worth at the last beat of a day."""

    trade_date: int
    account_id: str
    cash_fen: int
    nav_fen: int


class BacktestResult(Struct, frozen=True):
    """What a backtest came to.

    equity : sorted by (trade_date, account_id).
    """

    summary: RunSummary
    equity: tuple[EquityClose, ...]
