"""Results on standard output: a table for people, or one JSON object for programs."""

import json
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from tidegate_common.codec import encode_event
from tidegate_common.domain.units import FEN_PER_YUAN
from tidegate_common.events.outcome import RunSummary


def summary_json(summary: RunSummary) -> str:
    """Return a summary as one line of JSON."""
    return encode_event(summary).decode()


def print_summary(summary: RunSummary, *, as_json: bool, console: Console | None = None) -> None:
    """Print a summary as the last thing on standard output."""
    console = console or Console()
    if as_json:
        # Not through rich: it would wrap the line at the width of the terminal.
        console.file.write(summary_json(summary) + "\n")
        console.file.flush()
    else:
        console.print(summary_table(summary))


def summary_table(summary: RunSummary) -> Table:
    """Return a summary as a table for people."""
    rejected = sum(summary.decisions_rejected.values())
    rows = {
        "beats": f"{summary.beats:,}",
        "ticks": f"{summary.ticks:,}",
        "scores": f"{summary.scores:,}",
        "decisions accepted": f"{summary.decisions_accepted:,}",
        "decisions rejected": f"{rejected:,}",
        **{f"  {reason}": f"{n:,}" for reason, n in summary.decisions_rejected.items()},
        "orders": f"{summary.orders:,}",
        "fills": f"{summary.fills:,}",
        "fees": format_cny(summary.fees_fen),
        "final NAV": format_cny(summary.final_nav_fen),
        "dead letters": f"{summary.dead_letters:,}",
        "wall time": f"{summary.wall_s:,.1f} s",
        "speed": f"{summary.beats_per_s:,.1f} beats/s",
        "outcome": summary.outcome_sha256[:16],
    }
    return two_column_table(f"run {summary.run_id}", rows)


def two_column_table(title: str, rows: Mapping[str, str]) -> Table:
    """Return names beside values."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def format_cny(fen: int) -> str:
    """Return an amount in fen as CNY, exactly."""
    sign = "-" if fen < 0 else ""
    yuan, rest = divmod(abs(fen), FEN_PER_YUAN)
    return f"{sign}{yuan:,}.{rest:02d} CNY"


def print_json(document: object, console: Console | None = None) -> None:
    """Print a document as one line of JSON on standard output."""
    console = console or Console()
    console.file.write(json.dumps(document, separators=(",", ":")) + "\n")
    console.file.flush()
