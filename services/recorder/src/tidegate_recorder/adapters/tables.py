"""The tables in PostgreSQL: rows and positions, written in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from tidegate_common.bus.base import TopicPartition
from tidegate_common.domain.ids import RunId
from tidegate_common.events.topics import STRIPED_TOPICS
from tidegate_common.store.postgres import Connection, Pool, errors_translated
from tidegate_recorder.engine.projection import Projection, Row
from tidegate_recorder.engine.rows import (
    BeatRow,
    CancelRow,
    ControlRow,
    DeadLetterRow,
    DecisionRow,
    EquityRow,
    FillRow,
    OrderRow,
    OrderUpdateRow,
    PortfolioRow,
    ProgressRow,
    RunRow,
    StreamRow,
)

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
    "portfolios": PortfolioRow,
    "dead_letters": DeadLetterRow,
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


_INSERTS = {name: _insert(name, kind, "DO NOTHING") for name, kind in _ROW_TYPES.items()}
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
   AND $3 <= (SELECT count(*) FROM streams WHERE run_id = $1
              AND last_beat > $2 - CASE WHEN topic = ANY($5) THEN $6 ELSE 1 END)
   AND $4 <= (SELECT count(DISTINCT risk_partition) FROM journal
              WHERE run_id = $1 AND to_beat > $2)
"""


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
        with errors_translated():
            async with self._pool.acquire() as connection, connection.transaction():
                for table, values in rows.tables():
                    await _insert_many(connection, _INSERTS[table], values)
                if rows.journal:
                    await connection.executemany(_CONTINUE_JOURNAL, rows.journal)
                await _insert_many(connection, _KEEP_STREAMS, transaction.streams)
                await _insert_many(connection, _KEEP_PROGRESS, progress)

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
            )
        return bool(answer)

    async def complete_run(self, run_id: RunId) -> None:
        """Mark a run as recorded to its end."""
        with errors_translated():
            await self._pool.execute("UPDATE runs SET is_complete = true WHERE run_id = $1", run_id)

    async def _fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        with errors_translated():
            return await self._pool.fetch(sql, *values)


async def _insert_many(connection: Connection, sql: str, rows: Sequence[Row]) -> None:
    if rows:
        await connection.execute(sql, *(list(column) for column in zip(*rows, strict=True)))
