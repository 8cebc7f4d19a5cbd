"""What a live run's spec becomes, and what of it is the user's to mend."""

import numpy as np
import pytest
from pydantic import SecretStr

from tidegate_common.clock import ManualClock
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import FeedSpec, LiveSpec, RunSpec
from tidegate_common.market.calendar import TradingCalendar
from tidegate_ingest.adapters.feed import open_feed
from tidegate_ingest.adapters.live_polling import LivePolling
from tidegate_ingest.adapters.live_push import LivePush
from tidegate_ingest.engine.live_sequencer import LiveSequencer
from tidegate_ingest.live_service import live_feed, live_run
from tidegate_ingest.settings import LiveSettings

LIVE = LiveSpec(("tencent", "sina"), ("600519.SH", "000001.SZ"))


def make_spec(live: LiveSpec = LIVE) -> RunSpec:
    """Return a live run."""
    return RunSpec(RunId("live"), (), (), feed=FeedSpec(live=live))


def open_live(live: LiveSpec, settings: LiveSettings) -> LivePolling | LivePush:
    """Return where a run's quotes come from."""
    day = 20260914
    calendar = TradingCalendar(np.array([day]), first_date=day, last_date=day)
    sequencer = LiveSequencer(live_run(make_spec(), LIVE), calendar)
    return live_feed(make_spec(live), settings, sequencer, ManualClock())


def test_live_run_of_a_spec_is_one_day_of_its_shares() -> None:
    """Shares are sorted as ids, whichever way the spec names them."""
    run = live_run(make_spec(), LIVE)

    assert run.instruments.tolist() == [1_600_519, 2_000_001]
    assert run.day_count == 1
    assert '"symbols":["600519.SH","000001.SZ"]' in run.run_spec


@pytest.mark.parametrize(
    ("symbols", "message"),
    [(("600519",), "symbol must look like"), ((), "at least one symbol, found none")],
)
def test_live_run_without_good_symbols_is_refused(symbols: tuple[str, ...], message: str) -> None:
    """A spec may be written by hand."""
    with pytest.raises(ConfigError, match=message):
        live_run(make_spec(), LiveSpec(("sina",), symbols))


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (("bloomberg",), "expected live sources of sina, tencent, eastmoney, found: bloomberg"),
        ((), "found: none"),
        (("push", "sina"), "found: push"),
        (("push",), "TIDEGATE_INGEST_LIVE__PUSH_TOKEN must be given"),
    ],
)
def test_live_feed_without_good_sources_is_refused(sources: tuple[str, ...], message: str) -> None:
    """One line, exit code 2."""
    with pytest.raises(ConfigError, match=message):
        open_live(LiveSpec(sources, LIVE.symbols), LiveSettings())


def test_live_feed_of_sources_is_what_they_name() -> None:
    """Services are polled; a user's own feed is waited for."""
    settings = LiveSettings(push_token=SecretStr("sesame"))

    assert isinstance(open_live(LIVE, settings), LivePolling)
    assert isinstance(open_live(LiveSpec(("push",), LIVE.symbols), settings), LivePush)


def test_open_feed_of_a_live_run_says_where_its_frames_are() -> None:
    """`verify` and `backtest` cannot ask the market again."""
    with pytest.raises(ConfigError, match="run live was fed live: its quotes cannot be asked"):
        open_feed(make_spec())
