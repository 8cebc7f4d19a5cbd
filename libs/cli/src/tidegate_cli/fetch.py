"""`tidegate fetch`: history from the libraries that have it, as files for a replay."""

import time
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from tidegate_cli import options as opt
from tidegate_cli.live_feed import given_symbols
from tidegate_cli.output import print_json
from tidegate_common.errors import ConfigError, TransientError

fetch_app = typer.Typer(help="History of recorded markets.", no_args_is_help=True)

_FromDay = Annotated[str, typer.Option("--from", metavar="DATE", help="First day, YYYY-MM-DD.")]
_ToDay = Annotated[str, typer.Option("--to", metavar="DATE", help="Last day, YYYY-MM-DD.")]
_FetchedSymbols = Annotated[
    list[str],
    typer.Option(
        "--symbols",
        metavar="SYMBOL…",
        help="Shares, such as 600519.SH,000001.SZ, or a file with one a line.",
    ),
]
_Source = Annotated[
    str, typer.Option("--source", help="baostock or akshare: libraries that you install yourself.")
]
_Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where to put the files.")]


class NotAllFetchedError(TransientError):
    """Some shares have no file; another try may get them."""


@fetch_app.callback()
def fetch_options() -> None:
    """Download history."""


@fetch_app.command("daily")
def fetch_daily(
    *,
    from_day: _FromDay,
    to_day: _ToDay,
    symbols: _FetchedSymbols,
    source: _Source = "baostock",
    out: _Out = Path("history/daily"),
    as_json: opt.Json = False,
) -> None:
    """Download daily bars, one file a share; files that are there already are not asked for."""
    from tidegate_ingest.adapters.history import Days, Downloaded, download
    from tidegate_ingest.adapters.history_sources import open_source

    days = Days(_day("--from", from_day), _day("--to", to_day))
    wanted = given_symbols(symbols, "fetch")
    done, told = Downloaded(), 0
    for done in download(open_source(source), wanted, days, out, time.sleep):
        for symbol, reason in list(done.failed.items())[told:]:
            typer.echo(f"{symbol}: {reason}", err=True)
        told = len(done.failed)
    written, skipped, failed = len(done.written), len(done.skipped), len(done.failed)
    if as_json:
        print_json(
            {
                "folder": str(out / source),
                "written": list(map(str, done.written)),
                "skipped": list(map(str, done.skipped)),
                "failed": dict(done.failed),
                "rows": done.rows,
            }
        )
    else:
        typer.echo(
            f"{written:,} files with {done.rows:,} days written to {out / source}, "
            f"{skipped:,} were there, {failed:,} failed"
        )
    if failed:
        message = f"{failed:,} of {len(wanted):,} shares have no file: the same command asks again"
        raise NotAllFetchedError(message)


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        message = f"{option} must be a day such as 2023-02-01, was {text!r}"
        raise ConfigError(message) from error
