"""`tidegate feed`: files and clients as feeds."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from tidegate_cli import options as opt
from tidegate_cli.compose import SPEED_MAX, parse_speed
from tidegate_cli.interruption import run_interruptible
from tidegate_cli.output import print_json
from tidegate_cli.settings import CliSettings
from tidegate_common.runtime.settings import load_settings
from tidegate_common.runtime.system_clock import SystemClock

feed_app = typer.Typer(help="Files and clients as feeds.", no_args_is_help=True)


@feed_app.callback()
def feed_options() -> None:
    """Work on files and clients as feeds."""


@feed_app.command("check")
def feed_check(
    *,
    files: opt.CheckedFiles,
    reference: opt.Reference = "",
    as_json: opt.Json = False,
) -> None:
    """Show what ingest would make of each file: its layout, and its rows in, out and rejected."""
    from tidegate_cli.feed_check import check_json, check_table, read_reference

    said = read_reference(reference)
    for path in files:
        if as_json:
            print_json(check_json(path, said))
        else:
            Console().print(check_table(path, said))


@feed_app.command("rejects")
def feed_rejects(
    *,
    run_id: Annotated[str, typer.Option("--run", metavar="RUN_ID", help="Of one run only.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="For one reason only.")] = "",
    data_dir: opt.DataDir = opt.DATA_DIR_DEFAULT,
    as_json: opt.Json = False,
) -> None:
    """Show the rows that a running stack's ingest refused, as they came: one line each."""
    from tidegate_cli.feed_rejects import RejectFilter, RejectPrinter, show_rejects

    chosen = RejectFilter(run_id, reason)
    printer = RejectPrinter(Console(soft_wrap=True, highlight=False), as_json=as_json)
    run_interruptible(show_rejects(data_dir, load_settings(CliSettings), chosen, printer))
    printer.finish()


@feed_app.command("push")
def feed_push(
    *,
    files: opt.PushedFiles,
    token: opt.PushToken,
    url: opt.PushUrl = "",
    speed: opt.Speed = SPEED_MAX,
    data_dir: opt.DataDir = opt.DATA_DIR_DEFAULT,
    as_json: opt.Json = False,
) -> None:
    """Stream recorded quotes to a running ingest, as a user's own feed would."""
    from tidegate_cli.feed_push import PushSummary, find_push_url, push_files
    from tidegate_ingest.shell import Pacer

    given = parse_speed(speed)

    async def work() -> PushSummary:
        return await push_files(
            files,
            url=url or await find_push_url(data_dir),
            token=token,
            pacer=None if given == SPEED_MAX else Pacer(SystemClock(), float(given[:-1])),
        )

    summary = run_interruptible(work())
    if as_json:
        print_json(asdict(summary))
    else:
        typer.echo(
            f"{summary.messages:,} messages to run {summary.run_id}, "
            f"its next beat is {summary.next_beat:,}"
        )
