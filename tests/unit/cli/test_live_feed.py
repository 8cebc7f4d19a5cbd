"""Live sources and shares as the user names them."""

from pathlib import Path

import pytest

from tidegate_cli.compose import RunOptions, compose_run
from tidegate_cli.live_feed import MAX_WAIT_MS_LIVE, live_spec
from tidegate_common.clock import ManualClock
from tidegate_common.domain.enums import RunMode
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import LiveSpec


def test_live_spec_of_lists_and_files_is_sorted_and_without_repeats(tmp_path: Path) -> None:
    """The order in which shares are named is no part of a run."""
    path = tmp_path / "shares.txt"
    path.write_text("000001.SZ\n600519.SH, 430047.BJ\n", encoding="utf-8")

    spec = live_spec("tencent, sina", ["600519.SH,600000.SH", str(path)])

    expected = ("600000.SH", "600519.SH", "000001.SZ", "430047.BJ")
    assert spec == LiveSpec(("tencent", "sina"), expected)


@pytest.mark.parametrize(
    ("sources", "symbols", "message"),
    [
        ("sina,bloomberg", ["600519.SH"], "--live must be some of sina, tencent, eastmoney"),
        ("sina,sina", ["600519.SH"], "each once"),
        ("push,sina", ["600519.SH"], "or push alone"),
        ("sina", [], "--live needs --symbols, 1 to 8,000, found 0"),
        ("sina", ["600519"], "--symbols: symbol must look like 600519.SH"),
    ],
)
def test_live_spec_of_what_is_none_says_so(sources: str, symbols: list[str], message: str) -> None:
    """One line, before anything starts."""
    with pytest.raises(ConfigError, match=message):
        live_spec(sources, symbols)


def test_live_spec_of_a_file_that_is_no_text_says_so(tmp_path: Path) -> None:
    """A spreadsheet is no list of symbols."""
    path = tmp_path / "shares.xls"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match=r"shares\.xls cannot be read"):
        live_spec("sina", [str(path)])


@pytest.mark.parametrize(("source", "max_wait_ms"), [("sina", MAX_WAIT_MS_LIVE), ("push", 0)])
def test_compose_run_with_live_quotes_is_a_live_run(source: str, max_wait_ms: int) -> None:
    """It is one day unless said otherwise, and where time does not wait nor does risk."""
    options = RunOptions(live=source, symbols=("600519.SH",))

    spec = compose_run(options, ManualClock())

    assert spec.mode is RunMode.LIVE
    assert spec.feed.live == LiveSpec((source,), ("600519.SH",))
    assert (spec.feed.synthetic, spec.feed.files) == (None, ())
    assert spec.max_wait_ms == max_wait_ms


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (RunOptions(symbols=("600519.SH",)), "name its sources with --live"),
        (RunOptions(live="sina", symbols=("600519.SH",), files=("a.csv",)), "not by both"),
    ],
)
def test_compose_run_of_two_feeds_is_refused(options: RunOptions, message: str) -> None:
    """A run has one input."""
    with pytest.raises(ConfigError, match=message):
        compose_run(options, ManualClock())
