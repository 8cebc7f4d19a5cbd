"""A recording against the loop."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tidegate_backtest.loop import BeatOutcome, run_loop
from tidegate_cli import verify
from tidegate_cli.compose import RunOptions, compose_run
from tidegate_cli.verify import Difference, Verdict
from tidegate_common.clock import ManualClock
from tidegate_common.codec import encode_event
from tidegate_common.domain.enums import ControlCommand
from tidegate_common.domain.ids import RequestId
from tidegate_common.events.orders import ControlRequest, RequestEnvelope
from tidegate_common.events.run import FeedSpec, LiveSpec
from tidegate_ingest.adapters.archive import write_archive
from tidegate_ingest.adapters.feed import open_feed
from tidegate_recorder.queries import RecordedRun

SPEC = compose_run(RunOptions(instruments=5), ManualClock())


@pytest.fixture(scope="module")
def beats() -> list[BeatOutcome]:
    """Beats of a small run with fills."""
    halt = ControlRequest(RequestId("halt"), ControlCommand.HALT)
    requests = {300: (RequestEnvelope(control=halt),)}
    return list(run_loop(SPEC, open_feed(SPEC).frames(), requests))


def record(beats: Iterable[BeatOutcome]) -> dict[str, list[str]]:
    """Return the payloads of each stream as the recorder's tables order them."""
    return {
        stream.name: [
            encode_event(event).decode()
            for beat in beats
            for event in sorted(stream.events(beat), key=stream.key)
        ]
        for stream in verify._STREAMS
    }


async def compare(
    recording: Mapping[str, list[str]], beats: Iterable[BeatOutcome]
) -> tuple[int, Difference | None]:
    """Return what a comparison of a recording with beats finds."""

    async def read(payloads: list[str]) -> AsyncIterator[str]:
        for payload in payloads:
            yield payload

    streams = {name: read(payloads) for name, payloads in recording.items()}
    return await verify._compare(verify._Comparison(streams), beats)


async def test_compare_equal_run_finds_no_difference(beats: list[BeatOutcome]) -> None:
    """What was recorded is what the engines make."""
    recording = record(beats)

    assert await compare(recording, beats) == (len(beats), None)
    names = ("decisions", "controls", "orders", "fills", "portfolios")
    assert all(recording[name] for name in names)


async def test_compare_changed_fill_is_shown_with_both_sides(beats: list[BeatOutcome]) -> None:
    """The first difference names its place and both texts."""
    recording = record(beats)
    honest = recording["fills"][3]
    recording["fills"][3] = honest.replace('"price_e4":', '"price_e4":1')

    _, difference = await compare(recording, beats)

    assert difference is not None
    assert (difference.stream, difference.recomputed) == ("fills", honest)
    assert difference.recorded == recording["fills"][3]
    assert " A001 " in difference.key


async def test_compare_missing_event_is_shown_as_what_stands_there(
    beats: list[BeatOutcome],
) -> None:
    """A lost row is a difference too, also the last one."""
    recording = record(beats)
    lost = recording["decisions"].pop()

    _, difference = await compare(recording, beats)

    assert difference is not None
    assert (difference.recorded, difference.recomputed) == (verify.NOTHING, lost)


async def test_compare_event_beyond_the_end_is_a_difference(beats: list[BeatOutcome]) -> None:
    """The recording may not know more than the loop."""
    recording = record(beats)
    recording["orders"].append("{}")

    _, difference = await compare(recording, beats)

    assert difference == Difference("orders", "after the last beat", "{}", verify.NOTHING)


def test_verdict_equal_run_is_one_line_with_counts() -> None:
    """What people see when all is well."""
    verdict = Verdict("r", 1_000, {"decisions": 12, "fills": 3})

    assert str(verdict) == "identical: 1,000 beats, 12 decisions, 3 fills"


def test_verdict_different_run_shows_place_and_both_sides() -> None:
    """What people see when it is not."""
    verdict = replace(
        Verdict("r", 10, {}), difference=Difference("fills", "9 A001 8 0 0", "{1}", "{2}")
    )

    lines = str(verdict).splitlines()
    assert lines[0] == "different: run r, first in fills"
    assert [line.split()[-1] for line in lines[1:]] == ["0", "{1}", "{2}"]


def make_recorded(beats: int) -> RecordedRun:
    """Return a live run of so many beats as the recorder knows it."""
    return RecordedRun(run_id="live", spec="{}", last_beat=beats - 1, is_complete=True)


def test_open_input_of_a_live_run_is_its_archive(tmp_path: Path) -> None:
    """Its quotes cannot be asked for again; the frames that they came to are there."""
    live = replace(SPEC, feed=FeedSpec(live=LiveSpec(("sina",), ("600519.SH",))))
    frames = list(open_feed(SPEC).frames())
    write_archive(frames, tmp_path / "live")

    feed = verify._open_input(live, make_recorded(len(frames)), tmp_path)

    assert feed.beat_count == len(frames)
    with pytest.raises(verify.RunIncompleteError, match="has 99 beats, and its archive 402 of"):
        verify._open_input(live, make_recorded(99), tmp_path)


def test_open_input_of_another_run_is_its_feed(tmp_path: Path) -> None:
    """Files and synthetic markets say the same again."""
    feed = verify._open_input(SPEC, make_recorded(402), tmp_path)

    assert feed.beat_count == 402
