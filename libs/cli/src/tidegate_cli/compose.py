"""Options into a `RunSpec`: the one place where a run is defined."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from tidegate_cli.limits import load_limits
from tidegate_cli.live_feed import live_max_wait_ms, live_spec
from tidegate_common.clock import Clock
from tidegate_common.codec import encode_event
from tidegate_common.domain.enums import RunMode
from tidegate_common.domain.ids import AccountId, RunId, is_run_id
from tidegate_common.domain.units import FEN_PER_YUAN
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import (
    AccountSpec,
    ConstructionSpec,
    FeedSpec,
    RiskLimits,
    RunSpec,
    StrategySpec,
    SyntheticSpec,
)
from tidegate_ingest.adapters.feed import describe_files, describe_reference, hold_quotes
from tidegate_ingest.adapters.synthetic_market import BEATS_PER_DAY_MAX
from tidegate_ingest.engine.synthetic.shares import INSTRUMENT_COUNT_MAX
from tidegate_signals.adapters.strategy_files import load_strategy

# A lot of the dearest share (600519) is about 180,000 CNY, and a position aims at a tenth of NAV.
CASH_DEFAULT: Final = "5000000"
SEED_DEFAULT: Final = 7
INSTRUMENTS_DEFAULT: Final = 300
BEATS_DEFAULT: Final = 400
ACCOUNTS_MAX: Final = 999
DAYS_MAX: Final = 10_000
# A minute: twenty beats of a Level-1 feed. Who would wait longer waits for ever.
MAX_WAIT_MS_MAX: Final = 60_000
SPEED_MAX: Final = "max"
# A trillion CNY: sums of a thousand such accounts are still far from the end of an int64 in fen.
CASH_MAX: Final = Decimal(10) ** 12
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
STRATEGY_OF_QUOTES: Final = "book_imbalance"
STRATEGY_OF_BARS: Final = "ma_cross"

_SYNTHETIC_DAYS: Final = 1
_SEED_MAX: Final = 2**63 - 1
_RUN_ID_HASH_DIGITS: Final = 4
# The market's time, as everywhere in the platform; China has had no summer time since 1991.
_SHANGHAI: Final = timezone(timedelta(hours=8))
_NS_PER_SECOND: Final = 1_000_000_000
# Nothing was traded before.
_START_YEAR_MIN: Final = 1990


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the user asks for; see `tidegate up --help`.

    files : none stands for a synthetic market of `instruments`, with `beats` a day.
    live : sources of live quotes with commas instead, of `symbols`; "" for none.
    cash : CNY per account, as text.
    days : at most so many trading days; 0 for all of the files, or one synthetic day.
    warmup_days : of these, so many at the start are not traded.
    run_id : "" for one made of the clock and the spec.
    max_wait_ms : risk waits so long for a late shard; 0 for as long as it takes.
    start : "" for all of the files, or from which day and time on, Shanghai.
    reference : a file of listing dates, ST flags, sectors and corporate actions; "" for none.
    """

    files: tuple[str, ...] = ()
    live: str = ""
    symbols: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    cash: str = CASH_DEFAULT
    accounts: int = 1
    seed: int = SEED_DEFAULT
    days: int = 0
    warmup_days: int = 0
    instruments: int = INSTRUMENTS_DEFAULT
    beats: int = BEATS_DEFAULT
    limits: str = "default"
    run_id: str = ""
    config_dir: Path | None = None
    max_wait_ms: int = 0
    start: str = ""
    reference: str = ""


def compose_run(options: RunOptions, clock: Clock) -> RunSpec:
    """Return the settings of the run that the options ask for.

    Raises
    ------
    ConfigError
        If an option, a file that it names or the configuration directory is wrong.
    """
    config_dir = find_config_dir(options.config_dir)
    _check_range("--seed", options.seed, 0, _SEED_MAX)
    _check_range("--days", options.days, 0, DAYS_MAX)
    _check_range("--max-wait-ms", options.max_wait_ms, 0, MAX_WAIT_MS_MAX)
    _check_warmup(options)
    limits = load_limits(options.limits, config_dir / "limits")
    feed = _feed(options)
    strategies = _strategies(options, feed, config_dir / "strategies")
    _check_capital(limits.construction, strategies)
    spec = RunSpec(
        run_id=RunId(""),
        accounts=_accounts(options.accounts, parse_cash(options.cash), limits.accounts),
        strategies=strategies,
        feed=feed,
        mode=RunMode.REPLAY if feed.live is None else RunMode.LIVE,
        seed=options.seed,
        construction=limits.construction,
        limits=limits.limits,
        commission=limits.commission,
        execution=limits.execution,
        warmup_days=options.warmup_days,
        programme_trading=limits.programme_trading,
        max_wait_ms=options.max_wait_ms or live_max_wait_ms(feed.live),
    )
    return replace(spec, run_id=_run_id(options.run_id, spec, clock))


def find_config_dir(chosen: Path | None) -> Path:
    """Return the directory with `strategies/` and `limits/`: the chosen one, or the checkout's.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if chosen is not None:
        if chosen.is_dir():
            return chosen
        message = f"config directory {chosen} does not exist"
        raise ConfigError(message)
    # From libs/cli/src/tidegate_cli/compose.py four folders up.
    checkout = Path(__file__).resolve().parents[4] / "config"
    if checkout.is_dir():
        return checkout
    message = "there is no config directory: name one with --config-dir or TIDEGATE_CONFIG_DIR"
    raise ConfigError(message)


def parse_cash(text: str) -> int:
    """Return an amount in CNY as fen.

    Raises
    ------
    ConfigError
        If it is no positive amount of whole fen.
    """
    try:
        yuan = Decimal(text.replace(",", "").replace("_", ""))
    except InvalidOperation:
        yuan = Decimal("NaN")
    is_amount = yuan.is_finite() and 0 < yuan <= CASH_MAX
    if not is_amount or yuan * FEN_PER_YUAN != int(yuan * FEN_PER_YUAN):
        message = f"--cash must be CNY with at most two decimals, up to {CASH_MAX:,}, was {text!r}"
        raise ConfigError(message)
    return int(yuan * FEN_PER_YUAN)


def parse_start(text: str) -> int:
    """Return a day, or a day and a time such as `2023-02-01T10:00`, Shanghai, as UTC epoch ns.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is not None or at.microsecond or at.year < _START_YEAR_MIN:
        message = f"--from must be a day or a day and a time, as 2023-02-01T10:00, was {text!r}"
        raise ConfigError(message)
    return int(at.replace(tzinfo=_SHANGHAI).timestamp()) * _NS_PER_SECOND


def parse_speed(text: str) -> str:
    """Return a speed as ingest takes it: `max`, or market seconds per second such as `60x`."""
    if text == SPEED_MAX or re.fullmatch(r"[1-9][0-9]{0,5}x", text):
        return text
    message = f"--speed must be max or a number and x such as 60x, was {text!r}"
    raise ConfigError(message)


def check_patience(*, max_wait_ms: int, speed: str) -> None:
    """Refuse a run that could not say of any shard that it is late.

    Raises
    ------
    ConfigError
        If there is a time to wait, but at full speed, where who is slow sets the pace.
    """
    if max_wait_ms and speed == SPEED_MAX:
        message = f"--max-wait-ms needs a paced run, such as --speed 1x, was --speed {SPEED_MAX}"
        raise ConfigError(message)


def parse_log_level(text: str) -> str:
    """Return a log level as services take it."""
    if text in LOG_LEVELS:
        return text
    message = f"--log-level must be one of {', '.join(LOG_LEVELS)}, was {text!r}"
    raise ConfigError(message)


def _accounts(
    count: int,
    cash_fen: int,
    limits: Mapping[str, RiskLimits],
) -> tuple[AccountSpec, ...]:
    _check_range("--accounts", count, 1, ACCOUNTS_MAX)
    names = [f"A{number:03d}" for number in range(1, count + 1)]
    for name in limits:
        # A limit that is silently not applied costs money.
        if name not in names:
            message = f"limits: account {name} is not in the run, its last one is {names[-1]}"
            raise ConfigError(message)
    return tuple(AccountSpec(AccountId(name), cash_fen, limits.get(name)) for name in names)


def _feed(options: RunOptions) -> FeedSpec:
    if options.symbols and not options.live:
        message = "--symbols are those of a live run: name its sources with --live"
        raise ConfigError(message)
    if options.start and not options.files:
        found = "live quotes" if options.live else "a synthetic market"
        message = f"--from needs recorded files, found {found}"
        raise ConfigError(message)
    if options.reference and not (options.files or options.live):
        message = "--reference is for recorded and live quotes: a synthetic market has its own"
        raise ConfigError(message)
    # Absolute, so that every process of the stack and a later `verify` find it.
    reference = (
        describe_reference(Path(options.reference).absolute()) if options.reference else None
    )
    if options.live:
        if options.files:
            message = "a run is fed by --live or by --replay, not by both"
            raise ConfigError(message)
        live = live_spec(options.live, options.symbols)
        return FeedSpec(live=live, day_count_max=options.days, reference=reference)
    if not options.files:
        _check_range("--instruments", options.instruments, 1, INSTRUMENT_COUNT_MAX)
        _check_range("--beats", options.beats, 1, BEATS_PER_DAY_MAX)
        market = SyntheticSpec(
            seed=options.seed,
            instrument_count=options.instruments,
            day_count=options.days or _SYNTHETIC_DAYS,
            beats_per_day=options.beats,
        )
        return FeedSpec(synthetic=market)
    paths = [Path(name).absolute() for name in options.files]
    files = describe_files(paths)
    start_ts_ns = parse_start(options.start) if options.start else 0
    return FeedSpec(
        files=files,
        day_count_max=options.days,
        start_ts_ns=start_ts_ns,
        reference=reference,
    )


def _strategies(
    options: RunOptions,
    feed: FeedSpec,
    directory: Path,
) -> tuple[StrategySpec, ...]:
    paths = [Path(file.path) for file in feed.files]
    default = STRATEGY_OF_QUOTES if not paths or hold_quotes(paths) else STRATEGY_OF_BARS
    names = options.strategies or (default,)
    strategies = tuple(load_strategy(name, directory) for name in names)
    seen: set[str] = set()
    for strategy in strategies:
        if strategy.name in seen:
            message = f"--strategy: each strategy may be given once, found {strategy.name} twice"
            raise ConfigError(message)
        seen.add(strategy.name)
    return strategies


def _check_capital(
    construction: ConstructionSpec,
    strategies: Sequence[StrategySpec],
) -> None:
    """Refuse a part of the capital that no strategy of the run would use."""
    names = [strategy.name for strategy in strategies]
    for name in construction.capital_bps:
        if name not in names:
            message = (
                f"limits: construction.capital_bps: {name} is not in the run, "
                f"its strategies are {', '.join(names)}"
            )
            raise ConfigError(message)


def _run_id(chosen: str, spec: RunSpec, clock: Clock) -> RunId:
    if chosen:
        if is_run_id(chosen):
            return RunId(chosen)
        message = f"--run-id must be letters, digits, _ and -, at most 63, was {chosen!r}"
        raise ConfigError(message)
    at = datetime.fromtimestamp(clock.now_ns() / 1e9, _SHANGHAI)
    digest = hashlib.sha256(encode_event(spec)).hexdigest()[:_RUN_ID_HASH_DIGITS]
    return RunId(f"{at:%Y%m%d-%H%M%S}-{digest}")


def _check_warmup(options: RunOptions) -> None:
    _check_range("--warmup-days", options.warmup_days, 0, DAYS_MAX)
    # How many days files have is known when they are read; they may have fewer.
    days = options.days if options.files else options.days or _SYNTHETIC_DAYS
    if days and options.warmup_days >= days:
        message = (
            f"--warmup-days must be below the days of the run, {days}, was {options.warmup_days}"
        )
        raise ConfigError(message)


def _check_range(option: str, value: int, least: int, greatest: int) -> None:
    if not least <= value <= greatest:
        message = f"{option} must be from {least} to {greatest}, was {value}"
        raise ConfigError(message)
