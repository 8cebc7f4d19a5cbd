"""What the command prints."""

import io
import json
from dataclasses import asdict, replace

from rich.console import Console

from tidegate_cli.output import format_cny, print_summary
from tidegate_common.domain.ids import RunId
from tidegate_common.events.outcome import RunSummary

SUMMARY = RunSummary(
    run_id=RunId("20230201-093000-abcd"),
    beats=5_462,
    ticks=10_121,
    scores=9_452,
    decisions_accepted=2,
    decisions_rejected={"not_sellable": 164},
    orders=2,
    fills=7,
    fees_fen=22_602,
    final_nav_fen=499_895_398,
    dead_letters=0,
    wall_s=36.4,
    beats_per_s=150.1,
    outcome_sha256="8641c8e72731e4bb324f4fde8d1eceb09b81dfef2e7bd95a638fe572a9871e71",
)


def test_print_summary_json_is_one_line_with_all_keys() -> None:
    """Programs read the last line, however narrow the terminal is."""
    stream = io.StringIO()

    print_summary(SUMMARY, as_json=True, console=Console(file=stream, width=20))

    (line,) = stream.getvalue().splitlines()
    assert json.loads(line) == asdict(SUMMARY)


def test_print_summary_table_shows_figures_and_reasons() -> None:
    """People read thousands separators and CNY."""
    stream = io.StringIO()

    print_summary(SUMMARY, as_json=False, console=Console(file=stream, width=80))

    text = stream.getvalue()
    for part in (SUMMARY.run_id, "5,462", "not_sellable", "164", "4,998,953.98 CNY", "150.1"):
        assert part in text


def test_print_summary_table_without_rejections_has_no_reasons() -> None:
    """A quiet run has a short table."""
    stream = io.StringIO()
    quiet = replace(SUMMARY, decisions_rejected={})

    print_summary(quiet, as_json=False, console=Console(file=stream, width=80))

    assert "not_sellable" not in stream.getvalue()


def test_format_cny_negative_amount_keeps_its_fen() -> None:
    """Rounding towards minus infinity would show another amount."""
    assert format_cny(-101) == "-1.01 CNY"
    assert format_cny(5) == "0.05 CNY"
