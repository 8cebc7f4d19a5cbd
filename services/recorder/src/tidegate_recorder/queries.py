"""What the command line asks of a recorded run: its summary, and every event byte for byte."""

import hashlib
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

import asyncpg

from tidegate_common.domain.ids import RunId
from tidegate_common.events.outcome import OutcomeDigest, OutcomeStream
from tidegate_common.store.postgres import Pool, errors_translated

_ROWS_PER_FETCH = 1_000

_COUNTS = """
SELECT
    (SELECT count(*) FROM beats WHERE run_id = $1) AS beats,
    (SELECT coalesce(sum(tick_count), 0) FROM beats WHERE run_id = $1) AS ticks,
    (SELECT coalesce(sum(score_count), 0) FROM beats WHERE run_id = $1) AS scores,
    (SELECT count(*) FROM orders WHERE run_id = $1) AS orders,
    (SELECT count(*) FROM fills WHERE run_id = $1) AS fills,
    (SELECT coalesce(sum(fee_fen), 0) FROM fills WHERE run_id = $1) AS fees_fen,
    (SELECT count(*) FROM dead_letters) AS dead_letters,
    (SELECT coalesce(sum(nav_fen), 0) FROM (
        SELECT DISTINCT ON (account_id) nav_fen FROM equity
        WHERE run_id = $1 ORDER BY account_id, beat DESC
    ) AS last_equity) AS final_nav_fen
"""
_DECISIONS = """
SELECT outcome, reason, count(*) AS decisions FROM decisions
WHERE run_id = $1 GROUP BY outcome, reason ORDER BY reason COLLATE "C"
"""
_RUN = """
SELECT run_id, spec, is_complete, (SELECT max(beat) FROM beats WHERE run_id = $1) AS last_beat
FROM runs WHERE run_id = $1
"""
_LATEST_RUN = "SELECT run_id FROM runs ORDER BY recorded_at DESC, run_id DESC LIMIT 1"

# Each table's order is that of the events in a run: (beat, account, sequence, ...).
_PAYLOADS = {
    "decisions": "SELECT payload FROM decisions WHERE run_id = $1 "
    "ORDER BY beat, account_id, sequence",
    "controls": "SELECT payload FROM controls WHERE run_id = $1 "
    "ORDER BY beat, account_id, sequence",
    "orders": "SELECT payload FROM orders WHERE run_id = $1 ORDER BY beat, account_id, sequence",
    "cancels": "SELECT payload FROM cancels WHERE run_id = $1 "
    "ORDER BY beat, account_id, sequence, order_id",
    "order_updates": "SELECT payload FROM order_updates WHERE run_id = $1 "
    "ORDER BY beat, account_id, order_id",
    "fills": "SELECT payload FROM fills WHERE run_id = $1 "
    "ORDER BY beat, account_id, order_beat, sequence, fill_index",
    "portfolios": "SELECT payload FROM portfolios WHERE run_id = $1 ORDER BY beat, account_id",
    "final_portfolios": "SELECT DISTINCT ON (account_id) payload FROM portfolios "
    "WHERE run_id = $1 ORDER BY account_id, beat DESC",
    "bookings": "SELECT payload FROM bookings WHERE run_id = $1 "
    "ORDER BY beat, account_id, sequence",
    "journal": "SELECT payload FROM journal WHERE run_id = $1 ORDER BY risk_partition, from_beat",
}
_OUTCOME = {
    OutcomeStream.DECISIONS: "decisions",
    OutcomeStream.ORDERS: "orders",
    OutcomeStream.FILLS: "fills",
    OutcomeStream.PORTFOLIOS: "final_portfolios",
}
# Every table of a run with its key, for a comparison of whole recordings.
_KEYS = {
    "runs": "run_id",
    "beats": "beat",
    "decisions": "beat, account_id, sequence",
    "controls": "beat, account_id, sequence",
    "orders": "beat, account_id, sequence",
    "cancels": "beat, account_id, sequence, order_id",
    "order_updates": "order_id, beat",
    "fills": "beat, account_id, order_beat, sequence, fill_index",
    "equity": "account_id, beat",
    "equity_minutes": "account_id, minute_ns",
    "equity_days": "account_id, trade_date",
    "portfolios": "account_id, beat",
    "positions": "account_id, trade_date, beat, instrument",
    "bookings": "account_id, beat, sequence",
    "scores": "strategy, instrument, beat",
    "bars": "instrument, period_seconds, ts_end_ns",
    "recommendations": "strategy, beat",
    "journal": "risk_partition, from_beat",
    "streams": "topic, partition, producer",
}


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run as the tables know it.

    spec : JSON of its RunSpec, byte for byte.
    last_beat : greatest recorded, -1 when there is none.
    is_complete : whether every message of the run, to its last beat, is recorded.
    """

    run_id: str
    spec: str
    last_beat: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class RunTotals:
    """What a run came to.

    decisions_rejected : count by reason, sorted by reason.
    final_nav_fen : of all accounts together.
    dead_letters : distinct messages put aside in the whole log; a dead letter names no run.
    """

    run_id: str
    beats: int
    ticks: int
    scores: int
    decisions_accepted: int
    decisions_rejected: dict[str, int]
    orders: int
    fills: int
    fees_fen: int
    final_nav_fen: int
    dead_letters: int


async def recorded_run(pool: Pool, run_id: str) -> RecordedRun | None:
    """Return a run, None if it was never seen."""
    with errors_translated():
        row = await pool.fetchrow(_RUN, run_id)
    if row is None:
        return None
    last_beat = -1 if row["last_beat"] is None else row["last_beat"]
    return RecordedRun(row["run_id"], row["spec"], last_beat, row["is_complete"])


async def latest_run_id(pool: Pool) -> str | None:
    """Return the run that was recorded last, None if there is none."""
    with errors_translated():
        run_id: str | None = await pool.fetchval(_LATEST_RUN)
    return run_id


async def run_summary(pool: Pool, run_id: str) -> RunTotals:
    """Return what a run came to so far; zeros for one that was never seen."""
    with errors_translated():
        counts = await pool.fetchrow(_COUNTS, run_id)
        decisions = await pool.fetch(_DECISIONS, run_id)
    assert counts is not None
    return RunTotals(
        run_id=run_id,
        decisions_accepted=sum(
            row["decisions"] for row in decisions if row["outcome"] == "accepted"
        ),
        decisions_rejected={
            row["reason"]: row["decisions"] for row in decisions if row["outcome"] == "rejected"
        },
        **{name: int(value) for name, value in counts.items()},
    )


def decision_payloads(pool: Pool, run_id: str) -> AsyncIterator[str]:
    """Yield the JSON of every decision, sorted by (beat, account, sequence)."""
    return _payloads(pool, run_id, "decisions")


def control_payloads(pool: Pool, run_id: str) -> AsyncIterator[str]:
    """Yield the JSON of every ControlOutcome, sorted by (beat, account, sequence)."""
    return _payloads(pool, run_id, "controls")


def order_payloads(pool: Pool, run_id: str) -> AsyncIterator[str]:
    """Yield the JSON of every SubmitOrder, sorted by (beat, account, sequence)."""
    return _payloads(pool, run_id, "orders")


def cancel_payloads(pool: Pool, run_id: str) -> AsyncIterator[str]:
    """Yield the JSON of every CancelOrder, sorted by (beat, account, sequence, order)."""
    return _payloads(pool, run_id, "cancels")


def order_update_payloads(pool: Pool, run_id: str) -> AsyncIterator[str]:
    """Yield the JSON of every OrderUpdate, sorted by (beat, account, order id)."""
    return _payloads(pool, run_id, "order_updates")


def fill_payloads(pool: Pool, run_id: str) -> AsyncIterator[str]:
    """Yield the JSON of every fill, sorted by (beat, account, order's beat, sequence, number)."""
    return _payloads(pool, run_id, "fills")


def portfolio_payloads(pool: Pool, run_id: str) -> AsyncIterator[str]:
    """Yield the JSON of every recorded portfolio, sorted by (beat, account)."""
    return _payloads(pool, run_id, "portfolios")


def booking_payloads(pool: Pool, run_id: str) -> AsyncIterator[str]:
    """Yield the JSON of every Booking, sorted by (beat, account, sequence)."""
    return _payloads(pool, run_id, "bookings")


def final_portfolio_payloads(pool: Pool, run_id: str) -> AsyncIterator[str]:
    """Yield the JSON of each account's last portfolio, sorted by account."""
    return _payloads(pool, run_id, "final_portfolios")


def journal_payloads(pool: Pool, run_id: str) -> AsyncIterator[str]:
    """Yield the JSON of the journal's chain, sorted by (risk partition, first beat)."""
    return _payloads(pool, run_id, "journal")


async def outcome_sha256(pool: Pool, run_id: str) -> str:
    """Return the hash over every decision, order, fill and the final portfolios of a run."""
    digest = OutcomeDigest(RunId(run_id))
    for stream, kind in _OUTCOME.items():
        async for payload in _payloads(pool, run_id, kind):
            digest.add(stream, payload.encode())
    return digest.hexdigest()


async def recording_sha256(pool: Pool, run_id: str) -> dict[str, str]:
    """Return a hash of a run's rows in each table, and of all dead letters.

    Equal hashes mean equal tables, but for the wall time at which the run was first seen.
    """
    hashes = {}
    with errors_translated():
        async with pool.acquire() as connection, connection.transaction(readonly=True):
            for table, key in _KEYS.items():
                # No input is in it.
                sql = f"SELECT * FROM {table} WHERE run_id = $1 ORDER BY {key}"  # noqa: S608
                hashes[table] = await _sha256(connection.cursor(sql, run_id))
            sql = (
                "SELECT topic, partition, log_offset, stage, reason, value_base64 "
                "FROM dead_letters ORDER BY log, topic, partition, log_offset"
            )
            hashes["dead_letters"] = await _sha256(connection.cursor(sql))
    return hashes


async def _payloads(pool: Pool, run_id: str, kind: str) -> AsyncIterator[str]:
    with errors_translated():
        async with pool.acquire() as connection, connection.transaction(readonly=True):
            cursor = connection.cursor(_PAYLOADS[kind], run_id, prefetch=_ROWS_PER_FETCH)
            async for row in cursor:
                yield row["payload"]


async def _sha256(rows: AsyncIterable[asyncpg.Record]) -> str:
    digest = hashlib.sha256()
    async for row in rows:
        values = [value for name, value in row.items() if name != "recorded_at"]
        digest.update(repr(values).encode())
        digest.update(b"\n")
    return digest.hexdigest()
