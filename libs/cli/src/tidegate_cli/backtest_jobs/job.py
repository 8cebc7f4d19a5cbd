"""One backtest, in a process of its own: a job comes in by standard input, its result goes out.

The process ends with its parent: the input stays open, and its end is the parent's.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Final

from msgspec import Struct

from tidegate_backtest.loop import BeatOutcome
from tidegate_cli.backtesting import backtest
from tidegate_cli.compose import RunOptions, compose_run
from tidegate_common.clock import Clock
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.errors import ConfigError, TidegateError
from tidegate_common.events.backtests import BacktestJob, BacktestResult, EquityClose
from tidegate_common.runtime.system_clock import SystemClock

EXIT_FAILED: Final = 1
EXIT_CONFIG: Final = 2
# A hundred accounts over four years; 100 bytes each in the table.
EQUITY_ROWS_MAX: Final = 100_000
# Below the platform's services, which have a market to keep up with.
_NICENESS: Final = 10


class JobOrder(Struct, frozen=True):
    """A job, and what the worker's settings say of it."""

    job: BacktestJob
    feeds_dir: str
    config_dir: str
    feed_bytes_max: int


class EquityCloses:
    """What accounts were worth at the end of each day."""

    def __init__(self) -> None:
        self._closes: dict[tuple[int, str], EquityClose] = {}

    def notice(self, beat: BeatOutcome) -> None:
        """Take a beat: the last word of a day counts."""
        for state in beat.portfolios:
            self._closes[state.trade_date, state.account_id] = EquityClose(
                trade_date=state.trade_date,
                account_id=state.account_id,
                cash_fen=state.cash_fen,
                nav_fen=state.nav_fen,
            )
        if len(self._closes) > EQUITY_ROWS_MAX:
            message = (
                f"the equity must be at most {EQUITY_ROWS_MAX} days of accounts: "
                "ask for fewer of either"
            )
            raise ConfigError(message)

    def sorted(self) -> tuple[EquityClose, ...]:
        """Return them by day and account."""
        return tuple(self._closes[key] for key in sorted(self._closes))


def run_job(order: JobOrder, clock: Clock) -> BacktestResult:
    """Return what a job comes to.

    Raises
    ------
    ConfigError
        If it asks for what there is not, or for too much.
    """
    closes = EquityCloses()
    spec = compose_run(options_of(order), clock)
    summary = backtest(spec, clock, closes.notice)
    return BacktestResult(summary, closes.sorted())


def options_of(order: JobOrder) -> RunOptions:
    """Return a job in the words of `tidegate backtest`.

    Raises
    ------
    ConfigError
        If a file is not one of the folder of feeds, or they are too large together.
    """
    job = order.job
    for strategy in job.strategies:
        _config_name("strategies", strategy)
    # The last of them, where there is one, is not of quotes.
    files = _files(order, (*job.files, *([job.reference] if job.reference else [])))
    return RunOptions(
        files=files[: len(job.files)],
        reference=files[-1] if job.reference else "",
        strategies=job.strategies,
        cash=job.cash,
        accounts=job.accounts,
        seed=job.seed,
        days=job.days,
        warmup_days=job.warmup_days,
        instruments=job.instruments,
        beats=job.beats,
        limits=_config_name("limits", job.limits),
        run_id=job.job_id,
        config_dir=Path(order.config_dir) if order.config_dir else None,
        start=job.start,
    )


def _files(order: JobOrder, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths of files in the folder of feeds."""
    if not names:
        return ()
    if not order.feeds_dir:
        message = "the worker has no folder of feeds (FEEDS_DIR): synthetic markets only"
        raise ConfigError(message)
    folder = Path(order.feeds_dir).resolve()
    found, size = [], 0
    for name in names:
        # Links count as what they lead to.
        path = (folder / name).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            message = f"file {name} is not in the folder of feeds"
            raise ConfigError(message)
        size += path.stat().st_size
        found.append(str(path))
    if size > order.feed_bytes_max:
        message = f"the files must hold at most {order.feed_bytes_max} bytes, hold {size}"
        raise ConfigError(message)
    return tuple(found)


def _config_name(what: str, name: str) -> str:
    """Refuse a path: a strategy's file is a program."""
    if not name.replace("_", "").replace("-", "").isalnum():
        message = f"{what} must be a name of the configuration, was {name!r}"
        raise ConfigError(message)
    return name


def main() -> None:
    """Run the job of the first line, and exit: 0 done, 1 failed, 2 it asks for what there is not.

    A failure is one line on standard error.
    """
    order = decode_event(JobOrder, sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(_NICENESS)
    try:
        result = run_job(order, SystemClock())
    except TidegateError as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
        _exit(EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_FAILED)
    sys.stdout.buffer.write(encode_event(result))
    sys.stdout.buffer.flush()
    _exit(0)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    _exit(EXIT_FAILED)


def _exit(code: int) -> None:
    # Now: the thread that waits for the end of the input holds the interpreter up.
    os._exit(code)


if __name__ == "__main__":
    main()
