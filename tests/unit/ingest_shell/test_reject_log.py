"""The log of refused rows: numbered, resumed, and read once."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from prometheus_client import CollectorRegistry
from tests.unit.ingest.file_rows import plain_snapshot_row

from tidegate_cli.feed_rejects import read_rejects
from tidegate_common.bus.base import NewTopic
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.events.ingest import RejectBatch, RejectedRow
from tidegate_common.events.message import Message
from tidegate_common.events.run import FeedSpec, RunSpec
from tidegate_common.events.topics import REJECTS
from tidegate_common.testing.builders import RUN_ID
from tidegate_ingest.__main__ import _feed
from tidegate_ingest.adapters.feed import describe_files
from tidegate_ingest.adapters.recorded_files import open_files
from tidegate_ingest.adapters.reject_log import RejectLog
from tidegate_ingest.engine.rejects import BATCH_ROWS_MAX, WaitingRejects, rejected_row
from tidegate_ingest.metrics import FeedMeter, IngestMetrics


@pytest.fixture
async def bus() -> MemoryBus:
    """Return a bus with the topic of refused rows."""
    bus = MemoryBus()
    await bus.create_topics([NewTopic(REJECTS.name, 1)])
    return bus


def make_row(number: int) -> RejectedRow:
    """Return a refused row."""
    return rejected_row("feed.csv", number, "off_tick", f"record {number}")


def pieces() -> Iterator[Sequence[RejectedRow]]:
    """Yield the rows of three batches, and pieces without any."""
    rows = [make_row(number) for number in range(2 * BATCH_ROWS_MAX + 5)]
    yield from ([], rows[:20], rows[20:], [])


def batches(bus: MemoryBus) -> list[RejectBatch]:
    """Return what stands in the log."""
    return [decode_event(RejectBatch, message.value) for message in bus.log(REJECTS.name)]


async def test_reject_log_of_a_replay_says_all_rows_in_numbered_batches(bus: MemoryBus) -> None:
    """Nothing is left out, and who said it plays no part."""
    await RejectLog(bus, RUN_ID).say_replayed(pieces())

    found = batches(bus)
    assert [(batch.epoch, batch.sequence) for batch in found] == [(0, 0), (0, 1), (0, 2)]
    assert [row.row for batch in found for row in batch.rows] == list(range(1, 2_006))
    assert {batch.run_id for batch in found} == {RUN_ID}
    assert bus.log(REJECTS.name)[0].key == RUN_ID.encode()


@pytest.mark.parametrize("kept", range(4))
async def test_reject_log_of_a_replay_that_was_broken_off_says_the_rest(
    bus: MemoryBus, kept: int
) -> None:
    """A takeover or a restart; what others say in between is none of ours."""
    whole = MemoryBus()
    await whole.create_topics([NewTopic(REJECTS.name, 1)])
    await RejectLog(whole, RUN_ID).say_replayed(pieces())
    foreign = RejectBatch(RUN_ID, 3, 9, 0, ())
    other_run = encode_event(foreign).replace(RUN_ID.encode(), b"other")
    strangers = [encode_event(foreign), other_run, b"{"]
    said = whole.log(REJECTS.name)[:kept]
    await bus.publish([*said, *(Message(REJECTS.name, 0, value) for value in strangers)])

    await RejectLog(bus, RUN_ID).say_replayed(pieces())

    values = [message.value for message in bus.log(REJECTS.name)]
    ours = [value for value in values if value not in strangers]
    assert ours == [message.value for message in whole.log(REJECTS.name)]


async def test_reject_log_of_a_live_run_numbers_from_zero_in_each_epoch(bus: MemoryBus) -> None:
    """Two sequencers that overlap say different rows: the lease tells them apart."""
    log, waiting = RejectLog(bus, RUN_ID), WaitingRejects()

    for epoch in (2, 2, 5):
        waiting.add(make_row(epoch))
        await log.say_waiting(waiting, epoch=epoch, ts_event_ns=epoch)
    await log.say_waiting(waiting, epoch=5, ts_event_ns=9)

    found = [(batch.epoch, batch.sequence, batch.ts_event_ns) for batch in batches(bus)]
    assert found == [(2, 0, 2), (2, 1, 2), (5, 0, 5)]


async def test_reject_log_of_a_live_run_says_how_many_rows_are_missing(bus: MemoryBus) -> None:
    """Once, with the next batch."""
    log, waiting = RejectLog(bus, RUN_ID), WaitingRejects(bytes_max=80)

    for number in range(3):
        waiting.add(make_row(number))
    await log.say_waiting(waiting, epoch=1, ts_event_ns=1)
    waiting.add(make_row(4))
    await log.say_waiting(waiting, epoch=1, ts_event_ns=2)

    assert [(len(batch.rows), batch.lost_count) for batch in batches(bus)] == [(1, 2), (1, 0)]


async def test_read_rejects_takes_the_first_of_each_key(bus: MemoryBus) -> None:
    """A repeat is passed over, and what is no batch, too."""
    said = [RejectBatch(RUN_ID, 1, number, 0, (make_row(number),)) for number in (0, 1, 0, 2)]
    messages = [Message(REJECTS.name, 0, encode_event(batch)) for batch in said]
    await bus.publish([*messages[:2], Message(REJECTS.name, 0, b"garbage"), *messages[2:]])

    found = [batch async for batch in read_rejects(bus)]

    assert found == [said[0], said[1], said[3]]


@pytest.mark.parametrize("is_resident", [True, False])
async def test_feed_of_a_replay_says_and_counts_what_it_refuses(
    bus: MemoryBus, tmp_path: Path, *, is_resident: bool
) -> None:
    """Beside the beats; of a run that is larger than memory it is known after them."""
    path = tmp_path / "quotes.csv"
    rows = [plain_snapshot_row(), plain_snapshot_row()]
    pa_csv.write_csv(pa.Table.from_pylist([dict(row) for row in rows]), path)
    spec = RunSpec(RUN_ID, (), (), feed=FeedSpec(files=describe_files([path])))
    feed = open_files(spec, resident_rows_max=2 if is_resident else 0)
    registry = CollectorRegistry()

    async def send() -> None:
        assert len(list(feed.frames())) == 3

    meter = FeedMeter(IngestMetrics(registry))
    for _ in (1, 2):
        # A second time, as after a takeover.
        await _feed(send, feed, RejectLog(bus, RUN_ID), meter)

    (batch,) = batches(bus)
    assert [(row.row, row.reason) for row in batch.rows] == [(2, "duplicate")]
    name = "tidegate_ingest_rejected_rows_total"
    assert registry.get_sample_value(name, {"rule": "duplicate"}) == 1


async def test_reject_log_of_a_replay_without_faults_does_not_look() -> None:
    """A clean run asks nothing of the log."""
    await RejectLog(MemoryBus(), RUN_ID).say_replayed(iter([[], []]))
