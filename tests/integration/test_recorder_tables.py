"""The recorder's tables by date on a real PostgreSQL: what is in them, and what becomes old."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace as change

from tidegate_common.bus.headers import beat_message
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.clock import ManualClock
from tidegate_common.codec import encode_event
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import TransientError
from tidegate_common.events.message import Message, Origin
from tidegate_common.events.portfolio import PortfolioBatch
from tidegate_common.events.topics import PORTFOLIOS, SCORES
from tidegate_common.market.sessions import shanghai_ns
from tidegate_common.runtime.metrics import StageMetrics
from tidegate_common.store.postgres import Pool, migrate, open_pool
from tidegate_common.testing.scripted_run import ScriptedRun, all_topics
from tidegate_recorder.adapters.archive import Archive
from tidegate_recorder.adapters.retention import Retention, RetentionOptions
from tidegate_recorder.adapters.tables import COPY_ROWS_MIN, PARTITIONED, Tables, Transaction
from tidegate_recorder.queries import recorded_run, recording_sha256
from tidegate_recorder.shell import Recorder, RecorderOptions

OPTIONS = RecorderOptions(batch_seconds_max=0, idle_seconds=0.01, retry_seconds_min=0.001)
RUN = RunId("run-1")


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """Connect to a migrated database."""
    await migrate(postgres_dsn)
    pool = await open_pool(postgres_dsn, service="test")
    yield pool
    await pool.close()


async def bus_with(messages: Sequence[Message], **counts: int) -> MemoryBus:
    """Return a bus that holds messages."""
    bus = MemoryBus()
    await bus.create_topics(all_topics(**counts))
    await bus.publish(messages)
    return bus


@asynccontextmanager
async def recording(recorder: Recorder) -> AsyncIterator[Recorder]:
    """Start a recorder and stop it."""
    await recorder.start()
    try:
        yield recorder
    finally:
        await recorder.close()


async def record_all(
    bus: MemoryBus,
    tables: Tables,
    options: RecorderOptions = OPTIONS,
    archive: Archive | None = None,
    retention: Retention | None = None,
) -> None:
    """Record until nothing comes any more."""
    parts = {"archive": archive, "retention": retention}
    recorder = Recorder(bus=bus, tables=tables, options=options, **parts)  # type: ignore[arg-type]
    async with recording(recorder):
        while await recorder.step():
            pass


def clock_at(trade_date: int) -> ManualClock:
    """Return a clock that stands at the noon of a day."""
    return ManualClock(shanghai_ns(trade_date, 12 * 3_600))


async def recorded_at(pool: Pool, run_id: str, trade_date: int) -> None:
    """Say when a run was recorded: at the noon of a day."""
    at = datetime.fromtimestamp(clock_at(trade_date).now_ns() / 1e9, UTC)
    await pool.execute("UPDATE runs SET recorded_at = $2 WHERE run_id = $1", run_id, at)


def folders_of(archive: Path) -> list[str]:
    """Return the days that an archive has."""
    return sorted(str(path.relative_to(archive)) for path in archive.glob("*/*"))


async def test_tables_are_partitioned_by_month(pool: Pool) -> None:
    """Old months go as a whole; a query of days reads the months that have them."""
    await record_all(await bus_with(ScriptedRun().messages()), Tables(pool, log="main"))

    names = await pool.fetch("SELECT inhrelid::regclass::text AS name FROM pg_inherits")
    tables = {row["name"] for row in names if not row["name"].endswith(("_idx", "_key", "_pkey"))}
    # Nothing was cancelled, and no books were told after the close.
    expected = {f"{name}_202302" for name in PARTITIONED if name not in {"cancels", "positions"}}
    assert {name for name in tables if name[-6:] == "202302"} == expected


async def test_scores_table_has_the_changes(pool: Pool) -> None:
    """Of two instruments the one's score is another in every second beat."""
    await record_all(await bus_with(ScriptedRun().messages()), Tables(pool, log="main"))

    rows = await pool.fetch("SELECT beat, instrument FROM scores ORDER BY beat, instrument")
    assert [tuple(row) for row in rows] == [
        (0, 1_600_519),
        (0, 2_000_001),
        (2, 1_600_519),
        (4, 1_600_519),
        (6, 1_600_519),
        (8, 1_600_519),
    ]
    assert await pool.fetchval("SELECT count(*) FROM bars") == 3
    assert await pool.fetchval("SELECT count(*) FROM recommendations") == 5


async def test_tables_of_a_recorder_that_is_born_anew_each_beat_are_the_same(pool: Pool) -> None:
    """What was said last of an instrument is taken up from the table, shard by shard."""
    counts = {"shard_count": 2, "risk_partition_count": 2}
    accounts = ("A1", "A2", "A3", "A4")
    script = ScriptedRun(accounts=accounts, shard_count=2, risk_partition_count=2)
    options = replace(OPTIONS, **counts)
    await record_all(await bus_with(script.messages(), **counts), Tables(pool, log="main"), options)
    expected = await recording_sha256(pool, RUN)
    tables = ", ".join([*PARTITIONED, "runs", "beats", "streams", "journal", "progress"])
    await pool.execute(f"TRUNCATE {tables}")
    bus = await bus_with([], **counts)

    for beat in range(script.beat_count):
        await bus.publish(script.beat_messages(beat))
        await record_all(bus, Tables(pool, log="main"), options)

    assert await recording_sha256(pool, RUN) == expected


async def test_scores_of_another_recorder_that_is_further_are_not_of_before(pool: Pool) -> None:
    """Two recorders at once write the same rows, whichever is ahead."""
    script = ScriptedRun()
    bus = await bus_with(script.messages())
    await record_all(bus, Tables(pool, log="main"))
    expected = await recording_sha256(pool, RUN)
    await pool.execute("DELETE FROM progress")
    await pool.execute("UPDATE streams SET last_beat = 1 WHERE topic = $1", SCORES.name)

    await record_all(bus, Tables(pool, log="main"))

    assert await recording_sha256(pool, RUN) == expected


async def test_many_rows_are_the_same_as_few_at_a_time_and_again(pool: Pool) -> None:
    """A large batch comes by COPY, which does not pass over what is there."""
    accounts = tuple(f"A{number:03d}" for number in range(COPY_ROWS_MIN // 4))
    script = ScriptedRun(accounts=accounts)
    bus = await bus_with(script.messages())
    await record_all(bus, Tables(pool, log="main"))
    copied = await recording_sha256(pool, RUN)

    await pool.execute("TRUNCATE streams, progress")
    await record_all(bus, Tables(pool, log="main"))
    again = await recording_sha256(pool, RUN)
    tables = ", ".join([*PARTITIONED, "runs", "beats", "streams", "journal", "progress"])
    await pool.execute(f"TRUNCATE {tables}")
    await record_all(bus, Tables(pool, log="main"), replace(OPTIONS, batch_rows_max=1))

    assert again == copied
    assert await recording_sha256(pool, RUN) == copied
    assert await pool.fetchval("SELECT count(*) FROM equity") > COPY_ROWS_MIN


async def test_positions_of_a_day_are_those_of_its_last_books(pool: Pool) -> None:
    """Trades after 15:00 are booked, and then the day closes."""
    script = ScriptedRun()
    after_close = shanghai_ns(20230201, 15 * 3_600)
    batches = []
    for beat, shares in ((0, 100), (1, 300), (2, 0)):
        told = script.portfolio("A1", beat)
        held = change(told.positions[0], quantity_shares=shares)
        books = change(told, ts_event_ns=after_close, positions=(held,))
        states = (books,) if shares else ()
        batches.append(
            PortfolioBatch(
                run_id=RUN,
                beat=beat,
                risk_partition=0,
                trade_date=20230201,
                ts_event_ns=after_close,
                tick_count=0,
                score_count=0,
                is_last=False,
                portfolios=states,
            ),
        )
    bus = await bus_with(
        [
            beat_message(PORTFOLIOS, 0, Origin(RUN, each.beat, "risk-0"), encode_event(each))
            for each in batches
        ],
    )

    await record_all(bus, Tables(pool, log="main"))

    rows = await pool.fetch("SELECT beat, quantity_shares FROM positions_by_day")
    assert [tuple(row) for row in rows] == [(1, 300)]
    assert await pool.fetchval("SELECT count(*) FROM positions") == 2


async def test_archive_behind_the_tables_catches_up(pool: Pool, tmp_path: Path) -> None:
    """Its places are its own: the log is read again for it alone."""
    bus, tables = await bus_with(ScriptedRun().messages()), Tables(pool, log="main")
    await record_all(bus, tables)
    expected = await recording_sha256(pool, RUN)

    await record_all(bus, tables, archive=Archive(tmp_path, log="main", shard_count=1))

    assert folders_of(tmp_path) == ["run-1/20230201"]
    assert await recording_sha256(pool, RUN) == expected


async def test_archived_run_is_complete_once_its_frames_are_in_files(
    pool: Pool,
    tmp_path: Path,
) -> None:
    """A stack goes down when its run is complete; its broker keeps nothing."""
    bus = await bus_with(ScriptedRun().messages())
    archive = Archive(tmp_path, log="main", shard_count=1)

    await record_all(bus, Tables(pool, log="main"), archive=archive)

    run = await recorded_run(pool, RUN)
    assert run is not None
    assert run.is_complete
    assert archive.files_written == 1


@pytest.mark.parametrize(
    ("recorded", "today", "is_kept"),
    [(20230301, 20240301, False), (20240229, 20240301, True), (20230301, 20230302, True)],
)
async def test_retention_drops_old_months_of_runs_recorded_long_ago(
    pool: Pool,
    recorded: int,
    today: int,
    is_kept: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """A replay of old days stays as long as a day that was live."""
    tables = Tables(pool, log="main")
    await record_all(await bus_with(ScriptedRun().messages()), tables)
    await recorded_at(pool, RUN, recorded)
    retention = Retention(tables, RetentionOptions(tables_days=100), clock_at(today))

    await retention.sweep_if_due()

    assert (await pool.fetchval("SELECT count(*) FROM fills") > 0) is is_kept
    assert (await pool.fetchval("SELECT count(*) FROM streams") > 0) is is_kept
    assert (await recorded_run(pool, RUN) is not None) is is_kept
    assert await pool.fetchval("SELECT count(*) FROM journal") == 3


async def test_month_that_was_dropped_is_made_again(pool: Pool) -> None:
    """Somebody replays the old days once more."""
    tables = Tables(pool, log="main")
    await record_all(await bus_with(ScriptedRun().messages()), tables)
    await recorded_at(pool, RUN, 20230301)
    retention = Retention(tables, RetentionOptions(tables_days=100), clock_at(20240301))
    second = ScriptedRun(run_id=RunId("run-2"))
    bus = await bus_with([*ScriptedRun().messages(), *second.messages()])

    await record_all(await bus_with([]), tables, retention=retention)
    await record_all(bus, tables)

    assert await pool.fetchval("SELECT count(*) FROM fills WHERE run_id = 'run-2'") == 12


async def test_retention_removes_old_days_of_the_archive(pool: Pool, tmp_path: Path) -> None:
    """Its files have the same rule, and a setting of their own."""
    for run, date in (("old", 20230201), ("old", 20240228), ("replayed", 20230201)):
        folder = tmp_path / run / str(date)
        folder.mkdir(parents=True)
        (folder / "0.parquet").write_bytes(b"")
        written = clock_at(20240301 if run == "replayed" else 20230201).monotonic_seconds()
        os.utime(folder, (written, written))
    options = RetentionOptions(archive_days=100, archive_dir=tmp_path)
    clock = clock_at(20240301)
    retention = Retention(Tables(pool, log="main"), options, clock)

    await retention.sweep_if_due()
    first = folders_of(tmp_path)
    clock.advance(130 * 86_400)
    await retention.sweep_if_due()

    assert first == ["old/20240228", "replayed/20230201"]
    assert folders_of(tmp_path) == []


class HeldUpTables(Tables):
    """Has a reader who does not let go."""

    count = 0

    async def drop_before(self, month: int, recorded_at: datetime) -> list[str]:
        """Fail."""
        self.count += 1
        message = f"expected a lock for {month}, {recorded_at}, found a reader"
        raise TransientError(message)


async def test_retention_that_is_held_up_tries_again_later(pool: Pool) -> None:
    """Recording goes on meanwhile."""
    tables, clock = HeldUpTables(pool, log="main"), clock_at(20240301)
    retention = Retention(tables, RetentionOptions(tables_days=100), clock)

    for _ in range(2):
        await retention.sweep_if_due()
        await retention.sweep_if_due()
        clock.advance(600)

    assert tables.count == 2


class AwayOnceTables(Tables):
    """Is away for the first write; notes what the metrics say whenever it is asked."""

    def __init__(self, pool: Pool, metrics: StageMetrics) -> None:
        super().__init__(pool, log="main")
        self._metrics = metrics
        self.seen: list[float | None] = []

    async def write(self, transaction: Transaction) -> None:
        self.seen.append(is_postgres_left_alone(self._metrics))
        if len(self.seen) == 1:
            message = "expected an answer of PostgreSQL, found: nothing"
            raise TransientError(message)
        await super().write(transaction)


def is_postgres_left_alone(metrics: StageMetrics) -> float | None:
    """Return what operators see."""
    labels = {"stage": "recorder", "server": "postgres"}
    return metrics.registry.get_sample_value("tidegate_stage_breaker_open", labels)


async def test_recorder_without_postgres_tells_that_it_is_left_alone(pool: Pool) -> None:
    """Operators see which server is missing, and that it is back."""
    bus, metrics = await bus_with(ScriptedRun().messages()), StageMetrics()
    tables = AwayOnceTables(pool, metrics)
    recorder = Recorder(bus=bus, tables=tables, options=OPTIONS, stage_metrics=metrics)

    await recorder.start()
    await recorder.step()
    await recorder.close()

    assert (tables.seen, is_postgres_left_alone(metrics)) == ([0, 1], 0)
