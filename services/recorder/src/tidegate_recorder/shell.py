"""The shell of the recorder: read the log, project it, write rows and positions together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tidegate_common.bus.base import Bus, Reader, TopicPartition
from tidegate_common.bus.beats import dead_letter
from tidegate_common.domain.ids import RunId, shard_of
from tidegate_common.errors import ContractError, TransientError
from tidegate_common.events.message import DeadLetter, Message
from tidegate_common.events.topics import DEAD_LETTER_PARTITIONS, TICKS, partition_count
from tidegate_common.runtime.logging import get_logger
from tidegate_common.runtime.metrics import StageMetrics
from tidegate_common.runtime.stage import dead_letter_message
from tidegate_common.runtime.stage_watch import StageWatch
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_recorder.adapters.archive import Archive
from tidegate_recorder.adapters.quotes import QuoteCopies
from tidegate_recorder.adapters.retention import Retention
from tidegate_recorder.adapters.tables import Tables, Transaction
from tidegate_recorder.beat_watch import BeatWatch
from tidegate_recorder.engine.market import ScoreMemory
from tidegate_recorder.engine.projection import Projection
from tidegate_recorder.engine.rows import StreamRow
from tidegate_recorder.engine.streams import SPARSE_TOPICS, Streams
from tidegate_recorder.intake import (
    DEAD_LETTER_TOPICS,
    READ_TOPICS,
    Intake,
    render,
    runs_of_scores,
)
from tidegate_recorder.metrics import RecorderMetrics

STAGE = "recorder"

# A poll that brings fewer than this found the end of the log: pausing then costs no speed.
_FULL_POLL = 200
# More than a live beat of a small deployment brings; so many at once come from a replay.
_BUSY = 20
# A reader hands out what it has and fetches the rest only then: give it time to come.
_LOOK_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class RecorderOptions:
    """How the recorder works.

    shard_count, risk_partition_count, stripe_count : of the deployment.
    batch_messages_max : a transaction takes at most so many messages (and what one poll brings).
    batch_rows_max : nor more rows than this and what one message brings: PostgreSQL must have them
        in its time.
    batch_seconds_max : while beats are many, a transaction gathers for so long.
    idle_seconds : how long a poll waits when there is nothing.
    outage_seconds_max : how long PostgreSQL may be away; then TransientError ends the process.
    equity_every_beats : the table of equity by beat keeps each n-th one.
    """

    shard_count: int = 1
    risk_partition_count: int = 1
    stripe_count: int = 1
    batch_messages_max: int = 2_000
    batch_rows_max: int = 20_000
    batch_seconds_max: float = 0.4
    idle_seconds: float = 0.5
    retry_seconds_min: float = 0.1
    retry_seconds_max: float = 5.0
    outage_seconds_max: float = 300.0
    equity_every_beats: int = 1


class Recorder:
    """Projects the log into PostgreSQL and Parquet, exactly once by idempotence.

    is_ready : whether it has recovered and PostgreSQL answers; `report_ready` is told of it.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        tables: Tables,
        options: RecorderOptions,
        archive: Archive | None = None,
        retention: Retention | None = None,
        quotes: QuoteCopies | None = None,
        metrics: RecorderMetrics | None = None,
        stage_metrics: StageMetrics | None = None,
        beat_watch: BeatWatch | None = None,
        report_ready: Callable[[bool], None] | None = None,
    ) -> None:
        self._bus = bus
        self._tables = tables
        self._options = options
        self._archive = archive
        self._retention = retention
        self._quotes = quotes
        self._metrics = metrics or RecorderMetrics()
        stage_metrics = stage_metrics or StageMetrics()
        self._watch = StageWatch(
            bus=bus,
            metrics=stage_metrics,
            clock=SystemClock(),
            stage=STAGE,
            positions=lambda: self._positions,
        )
        self._is_postgres_away = False
        stage_metrics.breaker_open.probe(lambda: self._is_postgres_away, STAGE, "postgres")
        if quotes:
            stage_metrics.breaker_open.probe(lambda: quotes.is_left_alone, STAGE, "redis")
        self._beat_watch = beat_watch
        self._log = get_logger().bind(stage=STAGE)
        self._reader: Reader | None = None
        self._positions: dict[TopicPartition, int] = {}
        self._intake = self._new_intake()
        self._scores = ScoreMemory()
        self._endings: dict[RunId, int] = {}
        self._letters: list[DeadLetter] = []
        self._runs_recorded = 0
        self._is_busy = False
        self._report_ready = report_ready
        self.is_ready = False

    async def start(self) -> None:
        """Take up where the tables end."""
        stored = await self._tables.positions()
        places = self._places()
        ends = await self._bus.end_offsets(places)
        if any(stored.get(place, 0) > ends[place] for place in places):
            # A log that is shorter than what was read of it is another log.
            self._log.warning("log_starts_anew", log=self._tables.log)
            await self._tables.forget_positions()
            stored = {}
        self._positions = {place: stored.get(place, 0) for place in places}
        self._intake = self._new_intake(await self._tables.streams())
        self._scores = ScoreMemory()
        self._endings = await self._tables.open_endings()
        starts = dict(self._positions)
        if self._archive:
            self._archive.open(ends=ends)
            for place, offset in self._archive.positions().items():
                starts[place] = min(starts[place], offset)
        self._reader = await self._bus.open_reader(starts)
        self._set_ready(is_ready=True)

    async def close(self) -> None:
        """Stop reading."""
        self._set_ready(is_ready=False)
        if self._reader:
            await self._reader.close()
            self._reader = None
        if self._archive:
            self._archive.close()

    async def run(self, stopping: asyncio.Event) -> None:
        """Record until told to stop.

        Raises
        ------
        TransientError
            If PostgreSQL or the bus was away for too long; nothing is lost.
        """
        await self.start()
        assert self._reader is not None, "the recorder is started"
        try:
            with self._watch.watching([self._reader]):
                async with asyncio.TaskGroup() as tasks:
                    looking = tasks.create_task(self._watch.run())
                    while not stopping.is_set():
                        await self.step()
                    looking.cancel()
        except BaseExceptionGroup as group:
            # The group has one cause: what a step raised.
            raise group.exceptions[0] from group
        finally:
            await self.close()

    async def step(self) -> int:
        """Record one batch and return how many messages it had; 0 when nothing has come."""
        messages = await self._collect()
        if messages:
            await self._record(messages)
        await self._complete_runs()
        if self._retention:
            await self._retention.sweep_if_due()
        return len(messages)

    def status(self) -> dict[str, object]:
        """Return JSON-ready facts for the health server."""
        return {
            "is_ready": self.is_ready,
            "runs_ending": sorted(self._endings),
            "runs_recorded": self._runs_recorded,
        }

    async def _collect(self) -> list[Message]:
        """Return what has come, after giving more of it a moment to come."""
        assert self._reader is not None, "the recorder is not started"
        options = self._options
        if self._is_busy:
            # Rarer and larger fetches while beats are many: it costs the tables a moment's age, and
            # a reader that is not paused fetches every partition on its own as news come.
            places = list(self._positions)
            self._reader.pause(places)
            await asyncio.sleep(options.batch_seconds_max)
            self._reader.resume(places)
        messages = await self._reader.poll(options.idle_seconds)
        self._watch.returned()
        while messages and len(messages) < options.batch_messages_max:
            await asyncio.sleep(min(_LOOK_SECONDS, options.batch_seconds_max))
            more = await self._reader.poll(0)
            messages.extend(more)
            if len(more) < _FULL_POLL:
                break
        self._is_busy = len(messages) >= _BUSY
        return messages

    async def _record(self, messages: list[Message]) -> None:
        # First: readers of the newest quotes do not wait for PostgreSQL.
        if self._quotes:
            for message in messages:
                if message.topic == TICKS.name:
                    self._quotes.take(message)
        await self._remember_scores(messages)
        rows = self._new_rows()
        for message in messages:
            self._take(message, rows)
            if rows.row_count() >= self._options.batch_rows_max:
                await self._write(rows)
                rows = self._new_rows()
        await self._write(rows)
        if self._archive:
            await self._archive_frames(self._archive, messages)
        self._metrics.messages.inc(len(messages))
        self._log.debug("batch_recorded", messages=len(messages))

    async def _write(self, rows: Projection) -> None:
        """Write rows and how far they go, in one transaction."""
        if self._letters:
            # Kept before the positions move past the bad message: lost by no crash.
            letters, self._letters = self._letters, []
            await self._bus.publish([dead_letter_message(letter) for letter in letters])
        transaction = Transaction(rows, self._intake.take_changes(), dict(self._positions))
        await self._patiently(lambda: self._tables.write(transaction))
        if self._beat_watch:
            self._beat_watch.committed()
        self._endings.update(rows.ending_runs())
        self._metrics.transactions.inc()

    def _new_rows(self) -> Projection:
        return Projection(render, self._scores, self._options.equity_every_beats)

    async def _archive_frames(self, archive: Archive, messages: Sequence[Message]) -> None:
        for message in messages:
            if message.topic == TICKS.name:
                archive.take(message)
        written = archive.files_written
        await asyncio.to_thread(archive.write)
        self._metrics.archive_files.inc(archive.files_written - written)

    def _take(self, message: Message, rows: Projection) -> None:
        """Project a message; put it aside if it cannot be used."""
        place = TopicPartition(message.topic, message.partition)
        if message.offset < self._positions[place]:
            return
        self._positions[place] = message.offset + 1
        try:
            self._intake.take(message, rows)
        except ContractError as error:
            letter = dead_letter(message, STAGE, str(error))
            self._log.error(
                "message_put_aside",
                topic=message.topic,
                partition=message.partition,
                offset=message.offset,
                reason=letter.reason,
            )
            self._metrics.dead_letters.labels(message.topic).inc()
            if message.topic in DEAD_LETTER_TOPICS:
                # There is no dead-letter topic of dead letters: the table is the place.
                rows.add_dead_letter(letter, self._tables.log)
            else:
                self._letters.append(letter)
        else:
            if self._beat_watch:
                self._beat_watch.take(message)

    async def _remember_scores(self, messages: Sequence[Message]) -> None:
        """Take up, from the table, what was said last in runs that go on."""
        for run_id in runs_of_scores(messages):
            if not self._scores.knows(run_id):
                last = self._intake.last_score_beats(run_id)
                await self._patiently(partial(self._restore_scores, run_id, last))

    async def _restore_scores(self, run_id: RunId, last_beats: Mapping[int, int]) -> None:
        found: list[tuple[str, int, int]] = []
        for shard, beat in last_beats.items():
            # Not beyond what was read: another recorder may have written more.
            rows = await self._tables.last_scores(run_id, to_beat=beat)
            count = self._options.shard_count
            found.extend(row for row in rows if shard_of(row[1], count) == shard)
        self._scores.restore(run_id, found)

    async def _patiently(self, use: Callable[[], Awaitable[None]]) -> None:
        """Use the tables, again and again while PostgreSQL is away."""
        options = self._options
        loop = asyncio.get_running_loop()
        deadline = loop.time() + options.outage_seconds_max
        pause = options.retry_seconds_min
        while True:
            try:
                await use()
            except TransientError as error:
                self._set_ready(is_ready=False)
                self._is_postgres_away = True
                self._metrics.outages.inc()
                if loop.time() + pause > deadline:
                    raise
                self._log.warning("postgres_away", retry_seconds=pause, error=str(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, options.retry_seconds_max)
            else:
                self._set_ready(is_ready=True)
                self._is_postgres_away = False
                return

    async def _complete_runs(self) -> None:
        """Mark the runs of which everything is recorded, dead letters included."""
        for run_id, last_beat in sorted(self._endings.items()):
            try:
                is_whole = await self._tables.is_whole(
                    run_id,
                    last_beat=last_beat,
                    stream_count=self._stream_count(last_beat),
                    stripe_count=self._options.stripe_count,
                    risk_partition_count=self._options.risk_partition_count,
                )
                if is_whole and await self._has_all_of_the_rest(run_id, last_beat):
                    await self._tables.complete_run(run_id)
                    del self._endings[run_id]
                    self._scores.forget(run_id)
                    self._runs_recorded += 1
                    self._log.info("run_recorded", run=run_id, last_beat=last_beat)
            except TransientError as error:
                # The next step tries again.
                self._log.warning("run_not_completed", run=run_id, error=str(error))
                return

    async def _has_all_of_the_rest(self, run_id: RunId, last_beat: int) -> bool:
        """Tell whether the frames are archived, and the topics read that name no last beat."""
        topics = DEAD_LETTER_TOPICS | {topic.name for topic in (TICKS, *SPARSE_TOPICS)}
        places = [place for place in self._positions if place.topic in topics]
        ends = await self._bus.end_offsets(places)
        if self._archive and not self._archive.has_whole(run_id, last_beat, ends):
            return False
        return all(
            self._positions[place] >= ends[place] for place in places if place.topic != TICKS.name
        )

    def _set_ready(self, *, is_ready: bool) -> None:
        self.is_ready = is_ready
        if self._report_ready:
            self._report_ready(is_ready)

    def _places(self) -> list[TopicPartition]:
        counts = {
            topic.name: partition_count(
                topic,
                shard_count=self._options.shard_count,
                risk_partition_count=self._options.risk_partition_count,
                stripe_count=self._options.stripe_count,
            )
            for topic in READ_TOPICS
        }
        counts |= dict.fromkeys(sorted(DEAD_LETTER_TOPICS), DEAD_LETTER_PARTITIONS)
        return [
            TopicPartition(name, partition)
            for name, count in counts.items()
            for partition in range(count)
        ]

    def _new_intake(self, rows: Sequence[StreamRow] = ()) -> Intake:
        streams = Streams(
            shard_count=self._options.shard_count,
            risk_partition_count=self._options.risk_partition_count,
            stripe_count=self._options.stripe_count,
            rows=rows,
        )
        return Intake(streams, log=self._tables.log, stripe_count=self._options.stripe_count)

    def _stream_count(self, last_beat: int) -> int:
        """Return how many producers speak on how many partitions of the bus in a run."""
        options = self._options
        risk, shards = options.risk_partition_count, options.shard_count
        # Decisions and portfolios, one a risk partition; scores, one a shard; orders and fills, one
        # a pair and stripe.
        return 2 * risk + shards + 2 * risk * shards * min(options.stripe_count, last_beat + 1)
