"""`tidegate run`: runs of a deployed platform, where no `tidegate up` makes and follows them."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from tidegate_cli import options as opt
from tidegate_cli.compose import (
    BEATS_DEFAULT,
    CASH_DEFAULT,
    INSTRUMENTS_DEFAULT,
    SEED_DEFAULT,
    RunOptions,
    check_patience,
    compose_run,
)
from tidegate_cli.interruption import run_interruptible
from tidegate_cli.output import print_summary
from tidegate_cli.settings import CliSettings
from tidegate_cli.watch import STALL_SECONDS_MAX, Probes, Recorded, RunWatch, Status
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.ids import RunId, is_run_id
from tidegate_common.errors import ConfigError, ContractError, TransientError
from tidegate_common.events.outcome import RunSummary
from tidegate_common.events.run import RunSpec
from tidegate_common.runtime.settings import load_settings
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.store.postgres import Pool, open_pool
from tidegate_recorder.queries import recorded_run

_SPEC_SUFFIX: Final = ".json"

SpecFile = Annotated[
    Path,
    typer.Option("--out", metavar="FILE", help="Where ingest reads it: RUN_SPEC_FILE."),
]
AwaitedRun = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Id of a run, or the file that `run spec` wrote."),
]
StallSeconds = Annotated[
    float,
    typer.Option(
        "--stall-seconds",
        min=0,
        help="Give up when nothing was recorded for so long; 0: never.",
    ),
]

run_app = typer.Typer(help="Runs of a deployed platform.", no_args_is_help=True)


@run_app.callback()
def run_options() -> None:
    """Work on runs of a deployed platform."""


@run_app.command("spec")
def run_spec(
    *,
    out: SpecFile,
    replay: opt.Replay = None,
    live: opt.Live = "",
    symbols: opt.Symbols = None,
    speed: opt.Speed = "max",
    max_wait_ms: opt.MaxWaitMs = 0,
    start: opt.Start = "",
    days: opt.Days = 0,
    warmup_days: opt.WarmupDays = 0,
    instruments: opt.Instruments = INSTRUMENTS_DEFAULT,
    beats: opt.Beats = BEATS_DEFAULT,
    seed: opt.Seed = SEED_DEFAULT,
    strategy: opt.Strategy = None,
    cash: opt.Cash = CASH_DEFAULT,
    accounts: opt.Accounts = 1,
    limits: opt.Limits = "default",
    run_id: opt.RunIdOption = "",
    config_dir: opt.ConfigDir = None,
    reference: opt.Reference = "",
) -> None:
    """Write the settings of a run to the file that ingest feeds it from."""
    check_patience(max_wait_ms=0 if live else max_wait_ms, speed=speed)
    options = RunOptions(
        files=tuple(replay or ()),
        live=live,
        symbols=tuple(symbols or ()),
        strategies=tuple(strategy or ()),
        cash=cash,
        accounts=accounts,
        seed=seed,
        days=days,
        start=start,
        warmup_days=warmup_days,
        instruments=instruments,
        beats=beats,
        limits=limits,
        run_id=run_id,
        config_dir=config_dir,
        max_wait_ms=max_wait_ms,
        reference=reference,
    )
    spec = compose_run(options, SystemClock())
    write_spec(out, spec)
    typer.echo(f"run {spec.run_id} is in {out}")


@run_app.command("wait")
def run_wait(
    *,
    run: AwaitedRun,
    postgres_url: opt.PostgresUrl = None,
    stall_seconds: StallSeconds = STALL_SECONDS_MAX,
    as_json: opt.Json = False,
) -> None:
    """Wait until a run is recorded whole, and show what came of it."""
    settings = load_settings(CliSettings)
    url = postgres_url or settings.postgres.address()
    summary = run_interruptible(await_run(url, awaited_run_id(run), stall_seconds or math.inf))
    print_summary(summary, as_json=as_json)


def write_spec(path: Path, spec: RunSpec) -> None:
    """Write a run's settings whole or not at all: ingest may start at any time.

    Raises
    ------
    ConfigError
        If the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(encode_event(spec))
        partial.replace(path)
    except OSError as error:
        message = f"--out {path} cannot be written: {error.strerror}"
        raise ConfigError(message) from error


def awaited_run_id(run: str) -> RunId:
    """Return the id that is meant: the one given, or that in a file of `run spec`.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    if not run.endswith(_SPEC_SUFFIX):
        if is_run_id(run):
            return RunId(run)
        message = f"RUN must be the id of a run or a {_SPEC_SUFFIX} file, was {run!r}"
        raise ConfigError(message)
    try:
        return decode_event(RunSpec, Path(run).read_bytes()).run_id
    except OSError as error:
        message = f"{run} cannot be read: {error.strerror}"
        raise ConfigError(message) from error
    except ContractError as error:
        message = f"{run} holds no run: {error}"
        raise ConfigError(message) from error


async def await_run(url: str, run_id: RunId, stall_seconds_max: float) -> RunSummary:
    """Return the figures of a run once it is recorded whole; all dead letters of the log count.

    Raises
    ------
    RunStalledError
        If nothing was recorded for so long.
    """
    from tidegate_cli.recorded import summarise_recorded

    pool = await open_pool(url, service="cli", size_max=2)
    try:
        wall_s = await _watch(pool, run_id, stall_seconds_max).until_complete()
        return await summarise_recorded(pool, run_id, wall_s=wall_s)
    finally:
        await pool.close()


def _watch(pool: Pool, run_id: RunId, stall_seconds_max: float) -> RunWatch:
    async def recorded() -> Recorded:
        try:
            run = await recorded_run(pool, run_id)
        except TransientError:
            # PostgreSQL may be away for a while; the recorder waits for it too.
            run = None
        return (
            Recorded(0, is_complete=False)
            if run is None
            else Recorded(run.last_beat + 1, run.is_complete)
        )

    return RunWatch(
        probes=Probes(recorded, _no_status, _no_statuses),
        clock=SystemClock(),
        show=_show_nothing,
        stall_seconds_max=stall_seconds_max,
    )


async def _no_status() -> Status | None:
    """Know nothing of ingest: it answers where nobody outside of the deployment can ask."""
    return None


async def _no_statuses() -> Mapping[str, Status | None]:
    return {}


def _show_nothing(_beats: int, _total: int | None) -> None:
    """Show no progress: this runs in logs."""
