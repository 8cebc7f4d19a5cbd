"""The tables in PostgreSQL: rows and positions, written in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from tidegate_common.bus.base import TopicPartition
from tidegate_common.domain.ids import RunId
from tidegate_common.events.topics import (
    DECISIONS,
    FILLS,
    ORDERS,
    PORTFOLIOS,
    SCORES,
    STRIPED_TOPICS,
)
from tidegate_common.store.postgres import Connection, Pool, errors_translated
from tidegate_recorder.engine.projection import Projection, Row
from tidegate_recorder.engine.rows import (
    AuditRow,
    BarRow,
    BeatRow,
    BookingRow,
    CancelRow,
    ControlRow,
    DeadLetterRow,
    DecisionRow,
    EquityDayRow,
    EquityMinuteRow,
    EquityRow,
    FillRow,
    InstrumentRow,
    OrderRow,
    OrderUpdateRow,
    PortfolioRow,
    PositionRow,
    ProgressRow,
    RecommendationRow,
    RunRow,
    ScoreRow,
    StreamRow,
)

# Fewer rows are inserted sooner than a COPY is set up.
COPY_ROWS_MIN = 200

_SQL_TYPES = {str: "text", int: "bigint", bool: "boolean"}
_ROW_TYPES: dict[str, type[tuple[object, ...]]] = {
    "runs": RunRow,
    "beats": BeatRow,
    "decisions": DecisionRow,
    "controls": ControlRow,
    "orders": OrderRow,
    "cancels": CancelRow,
    "order_updates": OrderUpdateRow,
    "fills": FillRow,
    "equity": EquityRow,
    "equity_minutes": EquityMinuteRow,
    "equity_days": EquityDayRow,
    "portfolios": PortfolioRow,
    "positions": PositionRow,
    "bookings": BookingRow,
    "scores": ScoreRow,
    "bars": BarRow,
    "recommendations": RecommendationRow,
    "instruments": InstrumentRow,
    "dead_letters": DeadLetterRow,
    "audits": AuditRow,
}


def _insert(table: str, row_type: type[tuple[object, ...]], on_conflict: str) -> str:
    """Return the statement that inserts many rows, one array a column."""
    columns = row_type.__annotations__
    arrays = (f"${i}::{_SQL_TYPES[kind]}[]" for i, kind in enumerate(columns.values(), start=1))
    # Names come from our own row classes.
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608  # no input in it
        f"SELECT * FROM unnest({', '.join(arrays)}) ON CONFLICT {on_conflict}"
    )


# Of a minute and of a day the last beat counts, whoever comes first.
_KEEP_NEWER = (
    "({key}) DO UPDATE SET beat = excluded.beat, cash_fen = excluded.cash_fen, "
    "nav_fen = excluded.nav_fen WHERE {table}.beat < excluded.beat"
)
_UPSERTS = {
    "equity_minutes": "run_id, account_id, minute_ns, trade_date",
    "equity_days": "run_id, account_id, trade_date",
}
_CONFLICTS = {name: _KEEP_NEWER.format(table=name, key=key) for name, key in _UPSERTS.items()}
_INSERTS = {
    name: _insert(name, kind, _CONFLICTS.get(name, "DO NOTHING"))
    for name, kind in _ROW_TYPES.items()
}
# Tables with a partition a month.
PARTITIONED = tuple(
    name
    for name, kind in _ROW_TYPES.items()
    if "trade_date" in kind.__annotations__ and name not in {"runs", "beats"}
)
# Any constant does, as long as it is not the one of migrations: "tidf" in ASCII.
_PARTITION_LOCK = 0x74696466
_ADD_PARTITIONS = """
SELECT add_partition(parent, month) FROM unnest($1::text[], $2::integer[]) AS wanted (parent, month)
"""
_KEEP_STREAMS = _insert(
    "streams",
    StreamRow,
    "(run_id, topic, partition, producer) DO UPDATE "
    "SET last_beat = greatest(streams.last_beat, excluded.last_beat)",
)
# Never backwards: another recorder that is further has written the rows too.
_KEEP_PROGRESS = _insert(
    "progress",
    ProgressRow,
    "(log, topic, partition) DO UPDATE "
    "SET next_offset = greatest(progress.next_offset, excluded.next_offset)",
)
# An entry counts if it begins where the run's beats and the partition's requests end so far.
_CONTINUE_JOURNAL = """
INSERT INTO journal (run_id, risk_partition, from_beat, to_beat,
                     requests_from_offset, requests_through_offset, log, payload)
SELECT $1, $2, $3, $4, $5, $6, $7, $8
WHERE $3::bigint < $4::bigint AND $5::bigint <= $6::bigint
  AND $3 = (SELECT coalesce(max(to_beat), 0) FROM journal
            WHERE run_id = $1 AND risk_partition = $2)
  AND $5 = (SELECT coalesce(max(requests_through_offset), 0) FROM journal
            WHERE log = $7 AND risk_partition = $2)
ON CONFLICT DO NOTHING
"""
_OPEN_ENDINGS = """
SELECT run_id, beat FROM beats JOIN runs USING (run_id) WHERE is_last AND NOT is_complete
"""
_IS_WHOLE = """
SELECT EXISTS (SELECT 1 FROM runs WHERE run_id = $1)
   AND $3 <= (SELECT count(*) FROM streams WHERE run_id = $1 AND topic = ANY($7)
              AND last_beat > $2 - CASE WHEN topic = ANY($5) THEN $6 ELSE 1 END)
   AND $4 <= (SELECT count(DISTINCT risk_partition) FROM journal
              WHERE run_id = $1 AND to_beat > $2)
"""
# Topics that say something in every beat.
_STEADY_TOPICS = sorted(topic.name for topic in (SCORES, ORDERS, FILLS, DECISIONS, PORTFOLIOS))
# One step through the key for each pair, instead of all rows of a run.
_LAST_SCORES = """
WITH RECURSIVE pairs AS (
    (SELECT strategy, instrument FROM scores WHERE run_id = $1
     ORDER BY strategy, instrument LIMIT 1)
    UNION ALL
    SELECT following.strategy, following.instrument FROM pairs CROSS JOIN LATERAL (
        SELECT strategy, instrument FROM scores
        WHERE run_id = $1
          AND (strategy, instrument) > (pairs.strategy, pairs.instrument)
        ORDER BY strategy, instrument LIMIT 1
    ) AS following
)
SELECT pairs.strategy, pairs.instrument, latest.score_e6 FROM pairs CROSS JOIN LATERAL (
    SELECT score_e6 FROM scores
    WHERE run_id = $1 AND scores.strategy = pairs.strategy
      AND scores.instrument = pairs.instrument AND beat <= $2
    ORDER BY beat DESC LIMIT 1
) AS latest
"""
_LAST_SCORES_SECONDS_MAX = 120.0
# Months of which a run that was recorded since has a day stay whole.
_OLD_PARTITIONS = """
WITH partitions AS (
    SELECT child.relname AS name, right(child.relname, 6)::integer AS month
    FROM pg_inherits
    JOIN pg_class AS parent ON parent.oid = inhparent
    JOIN pg_class AS child ON child.oid = inhrelid
    WHERE parent.relname = ANY($1) AND parent.relnamespace = current_schema()::regnamespace
)
SELECT name FROM partitions
WHERE month < $2 AND NOT EXISTS (
    SELECT 1 FROM beats JOIN runs USING (run_id)
    WHERE recorded_at >= $3 AND beats.trade_date / 100 = partitions.month
)
ORDER BY name
"""
_OLD_RUNS = """
SELECT run_id FROM runs
WHERE is_complete AND recorded_at < $2
  AND NOT EXISTS (
      SELECT 1 FROM beats WHERE beats.run_id = runs.run_id AND beats.trade_date / 100 >= $1
  )
"""
# Not the journal: its chain of requests goes on from run to run.
_TABLES_OF_RUNS = ("beats", "controls", "streams", "runs")
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"


@dataclass(frozen=True, slots=True)
class Transaction:
    """All that a batch of messages comes to.

    positions : where to read on after the batch.
    """

    rows: Projection
    streams: Sequence[StreamRow] = ()
    positions: Mapping[TopicPartition, int] = field(default_factory=dict)


class Tables:
    """Reads and writes the recorder's tables.

    log : name of the broker's log to which offsets belong.

    Every method raises TransientError if the server does not answer in its time.
    """

    def __init__(self, pool: Pool, *, log: str) -> None:
        self._pool = pool
        self._partitions: set[tuple[str, int]] = set()
        self.log = log

    async def positions(self) -> dict[TopicPartition, int]:
        """Return where to read on in each partition that was read before."""
        rows = await self._fetch(
            "SELECT topic, partition, next_offset FROM progress WHERE log = $1",
            self.log,
        )
        return {TopicPartition(topic, partition): offset for topic, partition, offset in rows}

    async def streams(self) -> list[StreamRow]:
        """Return how far every producer has spoken."""
        rows = await self._fetch(
            "SELECT run_id, topic, partition, producer, last_beat FROM streams",
        )
        return [StreamRow(*row) for row in rows]

    async def open_endings(self) -> dict[RunId, int]:
        """Return the runs of which the last beat is known, but not yet all of it."""
        return {RunId(run_id): beat for run_id, beat in await self._fetch(_OPEN_ENDINGS)}

    async def last_scores(self, run_id: RunId, *, to_beat: int) -> list[tuple[str, int, int]]:
        """Return strategy, instrument and score_e6 of each pair's last score to a beat."""
        with errors_translated():
            rows = await self._pool.fetch(
                _LAST_SCORES,
                run_id,
                to_beat,
                timeout=_LAST_SCORES_SECONDS_MAX,
            )
        return [(strategy, instrument, score_e6) for strategy, instrument, score_e6 in rows]

    async def forget_positions(self) -> None:
        """Read the log from its start again; rows that are there already stay as they are."""
        with errors_translated():
            await self._pool.execute("DELETE FROM progress WHERE log = $1", self.log)

    async def write(self, transaction: Transaction) -> None:
        """Write rows and positions, both or neither; rows that are there already stay."""
        rows = transaction.rows
        progress = [
            ProgressRow(self.log, place.topic, place.partition, offset)
            for place, offset in sorted(transaction.positions.items())
        ]
        tables = list(rows.tables())
        with errors_translated():
            await self._add_partitions(tables)
            async with self._pool.acquire() as connection, connection.transaction():
                for table, values in tables:
                    await _add_rows(connection, table, values)
                if rows.journal:
                    await connection.executemany(_CONTINUE_JOURNAL, rows.journal)
                await _insert_many(connection, _KEEP_STREAMS, transaction.streams)
                await _insert_many(connection, _KEEP_PROGRESS, progress)

    async def drop_before(self, month: int, recorded_at: datetime) -> list[str]:
        """Drop what is of months before one (YYYYMM) and of no run recorded since a time.

        Returns the names of the partitions that went. A reader who holds one up for long is a
        TransientError.
        """
        with errors_translated():
            async with self._pool.acquire() as connection:
                arguments = (list(PARTITIONED), month, recorded_at)
                names = [row["name"] for row in await connection.fetch(_OLD_PARTITIONS, *arguments)]
                for name in names:
                    async with connection.transaction():
                        await connection.execute(_LOCK_TIMEOUT)
                        await connection.execute(f"DROP TABLE {name}")
                async with connection.transaction():
                    rows = await connection.fetch(_OLD_RUNS, month, recorded_at)
                    runs = [row["run_id"] for row in rows]
                    for table in _TABLES_OF_RUNS:
                        # Names of our own.
                        sql = f"DELETE FROM {table} WHERE run_id = ANY($1)"  # noqa: S608
                        await connection.execute(sql, runs)
        self._partitions.clear()
        return names

    async def is_whole(
        self,
        run_id: RunId,
        *,
        last_beat: int,
        stream_count: int,
        stripe_count: int,
        risk_partition_count: int,
    ) -> bool:
        """Tell whether all producers have spoken to the end, and the journal reaches there."""
        with errors_translated():
            answer = await self._pool.fetchval(
                _IS_WHOLE,
                run_id,
                last_beat,
                stream_count,
                risk_partition_count,
                sorted(STRIPED_TOPICS),
                stripe_count,
                _STEADY_TOPICS,
            )
        return bool(answer)

    async def complete_run(self, run_id: RunId) -> None:
        """Mark a run as recorded to its end."""
        with errors_translated():
            await self._pool.execute("UPDATE runs SET is_complete = true WHERE run_id = $1", run_id)

    async def _add_partitions(self, tables: Sequence[tuple[str, Sequence[Row]]]) -> None:
        """Make the partitions that rows need, before their transaction: it keeps its locks."""
        needed = {
            (table, month)
            for table, rows in tables
            if table in PARTITIONED
            for month in {_month(row) for row in rows}
        }
        missing = sorted(needed - self._partitions)
        if missing:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", _PARTITION_LOCK)
                await connection.execute(_ADD_PARTITIONS, *map(list, zip(*missing, strict=True)))
            self._partitions.update(missing)

    async def _fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        with errors_translated():
            return await self._pool.fetch(sql, *values)


async def _add_rows(connection: Connection, table: str, rows: Sequence[Row]) -> None:
    """Add rows to a table; those that are there stay, or give way to newer ones of their kind."""
    if len(rows) >= COPY_ROWS_MIN and table not in _UPSERTS:
        try:
            async with connection.transaction():
                columns = list(_ROW_TYPES[table].__annotations__)
                await connection.copy_records_to_table(table, records=rows, columns=columns)
        except asyncpg.UniqueViolationError:
            # Read twice, or another recorder was here: some of them are there.
            pass
        else:
            return
    await _insert_many(connection, _INSERTS[table], rows)


def _month(row: Row) -> int:
    """Return the month, YYYYMM, of a row's trade date, which is its second column."""
    trade_date = row[1]
    assert isinstance(trade_date, int), "trade_date is the second column"
    return trade_date // 100


async def _insert_many(connection: Connection, sql: str, rows: Sequence[Row]) -> None:
    if rows:
        await connection.execute(sql, *(list(column) for column in zip(*rows, strict=True)))
