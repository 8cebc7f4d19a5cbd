"""Live runs on the whole stack: polled and pushed, traded, and proven afterwards."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.e2e.conftest import number_of, stack, tidegate

from tidegate_cli.feed_push import find_push_url, push_frames
from tidegate_common.domain.ids import RunId, format_symbol
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import FeedSpec, RunSpec, SyntheticSpec
from tidegate_common.frames.frame import Frame
from tidegate_common.market.sessions import shanghai_ns
from tidegate_common.testing.quote_server import QuoteMarket, serving_quotes
from tidegate_ingest.adapters.feed import open_feed

TOKEN = "open sesame"
DONE = ("--exit-when-done", "--json", "--gateway-port", 0)
# From 14:40 to 15:01 in twenty-one seconds.
SPEED = 60
START, START_SECONDS, DATE = "14:40:00", 14 * 3_600 + 40 * 60, 20260914
SHARES = "600000.SH,600004.SH,600006.SH,000001.SZ"


def synthetic() -> list[Frame]:
    """Return the frames of a small market that a client would push."""
    feed = FeedSpec(synthetic=SyntheticSpec(instrument_count=20, beats_per_day=120))
    return list(open_feed(RunSpec(RunId("recorded"), (), (), feed=feed)).frames())


async def push(data_dir: Path, frames: list[Frame]) -> None:
    """Push frames to the stack, once it takes them."""
    async with asyncio.timeout(120):
        while True:
            try:
                await push_frames(frames, url=await find_push_url(data_dir), token=TOKEN)
            except ConfigError:
                await asyncio.sleep(0.1)
            else:
                return


def rejects(data_dir: Path) -> list[dict[str, object]]:
    """Return what `tidegate feed rejects` shows of a running stack."""
    found = tidegate("feed", "rejects", "--data-dir", data_dir, "--json")
    assert found.exit_code == 0, found.stderr
    return [json.loads(line) for line in found.stdout.splitlines()]


def assert_proven(data_dir: Path, summary: dict[str, object]) -> None:
    """Check that a run traded, and that its archive through the engines gives the same bytes."""
    verified = tidegate("verify", "latest", "--data-dir", data_dir)

    assert number_of(summary, "fills") > 0
    assert summary["dead_letters"] == 0
    assert verified.stdout.startswith(f"identical: {number_of(summary, 'beats'):,} beats"), verified
    assert verified.exit_code == 0


# Two runs of the whole stack: on a busy machine they outlast the limit of an ordinary test.
@pytest.mark.timeout(900)
def test_stack_of_a_live_feed_trades_and_is_verified(tmp_path: Path) -> None:
    """Polled from a service, pushed by a client: what was recorded is what the engines make."""
    polled, pushed = tmp_path / "polled", tmp_path / "pushed"
    market_ns = shanghai_ns(DATE, START_SECONDS)
    day = synthetic()
    symbols = ",".join(map(format_symbol, day[0].rows.instrument.tolist()))

    with serving_quotes(QuoteMarket(START, SPEED)) as url:
        settings = {
            "TIDEGATE_INGEST_LIVE__SINA_URL": url,
            "TIDEGATE_INGEST_LIVE__REHEARSAL": f"{market_ns}@0@{SPEED}",
        }
        polling = ("--live", "sina", "--symbols", SHARES, "--days", 1)
        with stack(polled, *polling, *DONE, **settings) as running:
            running.wait_for_beat(5)
            refused = rejects(polled)
            summary = running.finish().summary
    assert {(row["source"], row["reason"]) for row in refused} == {("sina", "off_tick")}
    assert "var hq_str_sh600006=" in str(refused[0]["record"])
    assert_proven(polled, summary)

    token = {"TIDEGATE_INGEST_LIVE__PUSH_TOKEN": TOKEN}
    pushing = (
        "--live",
        "push",
        "--symbols",
        symbols,
        "--ingest-standby",
        "--days",
        1,
    )
    with stack(pushed, *pushing, *DONE, **token) as running:
        asyncio.run(push(pushed, day))
        summary = running.finish().summary
    assert_proven(pushed, summary)
