"""The commands of `tidegate`."""

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tidegate_cli import options as opt
from tidegate_cli.api_keys import api_key_app
from tidegate_cli.compose import (
    BEATS_DEFAULT,
    CASH_DEFAULT,
    INSTRUMENTS_DEFAULT,
    SEED_DEFAULT,
    SPEED_MAX,
    RunOptions,
    check_patience,
    compose_run,
    parse_log_level,
    parse_speed,
)
from tidegate_cli.deployed_runs import run_app
from tidegate_cli.feed import feed_app
from tidegate_cli.fetch import fetch_app
from tidegate_cli.interruption import InterruptedByUser, run_interruptible
from tidegate_cli.output import print_json, print_summary
from tidegate_cli.screen import Screen
from tidegate_cli.settings import CliSettings
from tidegate_common.errors import TidegateError
from tidegate_common.events.outcome import RunSummary
from tidegate_common.runtime.settings import load_settings
from tidegate_common.runtime.system_clock import SystemClock

if TYPE_CHECKING:
    from tidegate_cli.stack import LocalStack
    from tidegate_cli.stack_file import StackFile

app = typer.Typer(
    name="tidegate",
    help="Tidegate: a streaming A-share trading platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class StackNotRunningError(TidegateError):
    """There is no stack to ask."""


def _show_version(value: bool) -> None:  # noqa: FBT001  # Typer's callback
    if value:
        typer.echo(f"tidegate {version('tidegate-cli')}")
        raise typer.Exit


@app.callback()
def main_options(
    *,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Tidegate: a streaming A-share trading platform."""


@app.command()
def up(
    *,
    replay: opt.Replay = None,
    live: opt.Live = "",
    symbols: opt.Symbols = None,
    speed: opt.Speed = SPEED_MAX,
    max_wait_ms: opt.MaxWaitMs = 0,
    start: opt.Start = "",
    reference: opt.Reference = "",
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
    data_dir: opt.DataDir = opt.DATA_DIR_DEFAULT,
    shards: opt.Shards = 1,
    risk_partitions: opt.RiskPartitions = 1,
    ingest_standby: opt.IngestStandby = False,
    with_backtests: opt.WithBacktests = False,
    gateway_port: opt.GatewayPort = None,
    log_level: opt.LogLevel = "info",
    exit_when_done: opt.ExitWhenDone = False,
    as_json: opt.Json = False,
) -> None:
    """Run the whole platform on this machine, fed by files, live quotes or a synthetic market."""
    from tidegate_cli.services import Topology
    from tidegate_cli.stack import LocalStack, StackOptions

    clock = SystemClock()
    check_patience(max_wait_ms=0 if live else max_wait_ms, speed=speed)
    run = RunOptions(
        files=tuple(replay or ()),
        live=live,
        symbols=tuple(symbols or ()),
        strategies=tuple(strategy or ()),
        cash=cash,
        accounts=accounts,
        seed=seed,
        days=days,
        start=start,
        reference=reference,
        warmup_days=warmup_days,
        instruments=instruments,
        beats=beats,
        limits=limits,
        run_id=run_id,
        config_dir=config_dir,
        max_wait_ms=max_wait_ms,
    )
    how = StackOptions(
        data_dir=data_dir,
        topology=Topology(
            shards,
            risk_partitions,
            has_standby=ingest_standby,
            has_backtests=with_backtests,
        ),
        speed=parse_speed(speed),
        gateway_port=gateway_port,
        log_level=parse_log_level(log_level),
    )
    spec, settings = compose_run(run, clock), load_settings(CliSettings)
    stack = LocalStack(spec, how, settings=settings, clock=clock, screen=Screen(clock))
    _serve_stack(stack, is_exiting=exit_when_done, as_json=as_json)


def _serve_stack(stack: "LocalStack", *, is_exiting: bool, as_json: bool) -> None:
    from tidegate_cli.stack import run_stack

    shown: list[RunSummary] = []

    def show(summary: RunSummary) -> None:
        print_summary(summary, as_json=as_json)
        shown.append(summary)

    try:
        run_interruptible(run_stack(stack, show=show, is_exiting=is_exiting))
    except InterruptedByUser:
        # Ctrl-C is how a stack that has done its run and serves on is meant to end.
        if not shown:
            raise


@app.command()
def backtest(
    *,
    data: opt.Data = None,
    start: opt.Start = "",
    reference: opt.Reference = "",
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
    as_json: opt.Json = False,
) -> None:
    """Run the same engines over the same input in this process, without a bus."""
    from tidegate_cli.backtesting import backtest as run_backtest

    clock = SystemClock()
    run = RunOptions(
        files=tuple(data or ()),
        strategies=tuple(strategy or ()),
        cash=cash,
        accounts=accounts,
        seed=seed,
        days=days,
        start=start,
        reference=reference,
        warmup_days=warmup_days,
        instruments=instruments,
        beats=beats,
        limits=limits,
        run_id=run_id,
        config_dir=config_dir,
    )
    print_summary(run_backtest(compose_run(run, clock), clock), as_json=as_json)


@app.command()
def verify(
    *,
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="A recorded run, or latest.")],
    postgres_url: opt.PostgresUrl = None,
    data_dir: opt.DataDir = opt.DATA_DIR_DEFAULT,
    archive: opt.Archive = None,
    as_json: opt.Json = False,
) -> None:
    """Compare a recorded run with the in-process loop, byte for byte."""
    from tidegate_cli.recordings import open_recordings
    from tidegate_cli.verify import CONNECTIONS_MAX, Verdict, verify_run

    async def work() -> Verdict:
        async with open_recordings(
            postgres_url,
            data_dir=data_dir,
            settings=load_settings(CliSettings),
            connections_max=CONNECTIONS_MAX,
        ) as pool:
            return await verify_run(pool, run_id, archive or data_dir / "archive")

    verdict = run_interruptible(work())
    if as_json:
        print_json(asdict(verdict))
    else:
        typer.echo(str(verdict))
    if verdict.difference is not None:
        raise typer.Exit(1)


@app.command()
def bench(
    *,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="See --list.")] = None,
    is_listing: Annotated[
        bool,
        typer.Option("--list", help="List the benches, or what the figures of NAME mean; exit."),
    ] = False,
    repeats: Annotated[int, typer.Option("--repeats", min=0, help="0: the bench's own.")] = 0,
    instruments: opt.BenchInstruments = 0,
    frames: opt.BenchFrames = 0,
    orders: opt.BenchOrders = 0,
    data: opt.Data = None,
    days: opt.Days = 0,
    config_dir: opt.ConfigDir = None,
    as_json: opt.Json = False,
) -> None:
    """Measure something several times and report the medians."""
    from tidegate_cli.bench import BENCHES, BenchOptions, find_bench, report_json, report_table
    from tidegate_cli.bench.frame import describe_machine

    if name is None:
        for each in BENCHES:
            typer.echo(f"{each.name:<10} {each.description}")
        return
    if is_listing:
        typer.echo(find_bench(name).details)
        return
    machine = describe_machine()
    options = BenchOptions(
        SystemClock(),
        repeats,
        tuple(data or ()),
        days,
        config_dir,
        instrument_count=instruments,
        frame_count=frames,
        order_count=orders,
    )
    report = find_bench(name).run(options)
    if as_json:
        print_json(report_json(report, machine))
    else:
        Console().print(report_table(report))


@app.command()
def rules(
    *,
    instrument: opt.RuledInstrument = None,
    date: opt.RuledDate = None,
    prev_close: opt.PrevClose = None,
    is_st: opt.St = False,
    listed: opt.Listed = None,
    status_word: opt.StatusWord = None,
    status_since: opt.StatusSince = None,
    board: opt.FundBoard = None,
    csv_file: opt.CsvFile = None,
    out_file: opt.OutFile = None,
    as_json: opt.Json = False,
) -> None:
    """Show the rules of a share on a day, with sources; or answer a CSV file of such questions."""
    from tidegate_cli.rules.command import RuleWords, ask, check_choice
    from tidegate_common.market.calendar import xshg_calendar

    words = RuleWords(instrument, date, prev_close, is_st, listed, status_word, status_since, board)
    files = check_choice(words, csv_file, out_file)
    if files is not None:
        from tidegate_cli.rules.bulk import answer_file

        row_count = answer_file(*files, xshg_calendar())
        if as_json:
            print_json({"rows": row_count, "out": str(files[1])})
        else:
            typer.echo(f"{row_count:,} rows answered in {files[1]}")
        return
    answer = ask(words, xshg_calendar())
    if as_json:
        print_json(answer.as_json())
    else:
        Console().print(answer.as_table())


@app.command()
def rulebook(*, data: opt.SharedData = None) -> None:
    """Print the rule book as a document (docs/rulebook.md), checked against recorded days."""
    from tidegate_cli.rules.document import rulebook_document

    typer.echo(rulebook_document(data), nl=False)


@app.command()
def realism(*, data: opt.StreamData, plot: opt.PlotFile = None) -> None:
    """Print how the simulated exchange compares with recorded order streams."""
    from tidegate_cli.realism.comparing import compare_days
    from tidegate_cli.realism.report import realism_document, realism_plot

    compared = compare_days(data)
    if plot is not None:
        plot.write_text(realism_plot(compared), encoding="utf-8")
    typer.echo(realism_document(compared), nl=False)


@app.command()
def synthetic(*, data: opt.RecordedData, plot: opt.PlotFile = None) -> None:
    """Print how the synthetic market compares with recorded ones."""
    from tidegate_cli.calibration.report import calibrate, calibration_document, calibration_plot

    calibration = calibrate(data)
    if plot is not None:
        plot.write_text(calibration_plot(calibration), encoding="utf-8")
    typer.echo(calibration_document(calibration), nl=False)


@app.command()
def status(
    *,
    data_dir: opt.DataDir = opt.DATA_DIR_DEFAULT,
    as_json: opt.Json = False,
) -> None:
    """Show what runs in a data directory."""
    from tidegate_cli.status import ask_services, status_table

    stack = running_stack(data_dir)
    statuses = run_interruptible(ask_services(stack))
    if as_json:
        entries = {name: asdict(entry) for name, entry in stack.services.items()}
        services = {name: {**entry, "status": statuses[name]} for name, entry in entries.items()}
        print_json({"run_id": stack.run_id, "urls": stack.urls, "services": services})
    else:
        Console().print(status_table(stack, statuses))


@app.command()
def prometheus_config(
    *,
    data_dir: opt.DataDir = opt.DATA_DIR_DEFAULT,
    rules: opt.PrometheusRules = None,
    alertmanager: opt.Alertmanager = "",
    every_seconds: opt.ScrapeSeconds = 15,
) -> None:
    """Print what Prometheus needs to scrape the stack that runs in a data directory."""
    from tidegate_cli.prometheus import prometheus_config as config_of

    text = config_of(
        running_stack(data_dir),
        rules=rules,
        alertmanager=alertmanager,
        every_seconds=every_seconds,
    )
    typer.echo(text, nl=False)


def running_stack(data_dir: Path) -> "StackFile":
    """Return the stack that runs in a data directory.

    Raises
    ------
    StackNotRunningError
        If none does.
    """
    from tidegate_cli.stack_file import read_stack_file

    stack = read_stack_file(data_dir)
    if stack is None:
        message = f"no stack runs in {data_dir}"
        raise StackNotRunningError(message)
    return stack


@app.command()
def migrate(*, postgres_url: opt.PostgresUrl = None) -> None:
    """Bring the tables of a real PostgreSQL up to date."""
    from tidegate_common.store.postgres import migrate as run_migrations

    settings = load_settings(CliSettings)
    url = postgres_url or settings.postgres.address()
    applied = run_interruptible(run_migrations(url))
    typer.echo(f"applied {', '.join(f'{each:04d}' for each in applied) or 'nothing new'}")


@app.command()
def asyncapi() -> None:
    """Print the topics as an AsyncAPI document (docs/asyncapi.yaml)."""
    from tidegate_cli.asyncapi import asyncapi_document

    typer.echo(asyncapi_document(), nl=False)


app.add_typer(api_key_app, name="api-key")


@app.command()
def settings() -> None:
    """Print every setting of every service as an environment file (.env.example)."""
    from tidegate_cli.settings_file import settings_document

    typer.echo(settings_document(), nl=False)


app.add_typer(run_app, name="run")
topics_app = typer.Typer(help="The topics of a real Kafka.", no_args_is_help=True)
app.add_typer(topics_app, name="topics")


@topics_app.callback()
def topics_options() -> None:
    """Work on the topics of a real Kafka."""


@topics_app.command("create")
def topics_create(
    *,
    shards: opt.Shards | None = None,
    risk_partitions: opt.RiskPartitions | None = None,
    replicas: opt.Replicas = 1,
) -> None:
    """Create every topic with its partitions, and its dead letters."""
    from tidegate_cli.services import Topology
    from tidegate_cli.topics import create_topics

    settings = load_settings(CliSettings)
    topology = Topology(
        shards or settings.shard_count,
        risk_partitions or settings.risk_partition_count,
        settings.stripe_count,
    )
    count = run_interruptible(create_topics(settings.kafka.config(), topology, replicas))
    typer.echo(f"{count} topics are there")


app.add_typer(fetch_app, name="fetch")
app.add_typer(feed_app, name="feed")
