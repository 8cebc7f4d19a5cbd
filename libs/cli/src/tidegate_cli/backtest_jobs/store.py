"""The table of backtests, as the worker writes it."""

from tidegate_common.codec import decode_event, encode_event
from tidegate_common.events.backtests import BacktestJob, BacktestResult
from tidegate_common.store.postgres import Pool, errors_translated

REASON_CHARACTERS_MAX = 1_000

_ADD = """
INSERT INTO backtests (job_id, requested_ns, state, job) VALUES ($1, $2, 'queued', $3)
ON CONFLICT DO NOTHING
"""
_REQUEUE = "UPDATE backtests SET state = 'queued', started_ns = NULL WHERE state = 'running'"
_NEXT = """
SELECT job FROM backtests WHERE state = 'queued' ORDER BY requested_ns, job_id LIMIT 1
"""
_START = "UPDATE backtests SET state = 'running', started_ns = $2 WHERE job_id = $1"
_END = """
UPDATE backtests SET state = $2, ended_ns = $3, result = $4, reason = $5 WHERE job_id = $1
"""


class JobStore:
    """Backtests and how they stand.

    Every method raises TransientError if PostgreSQL does not answer.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, job: BacktestJob) -> None:
        """Queue a job; one that is known stays as it is."""
        await self._execute(_ADD, job.job_id, job.requested_ns, encode_event(job).decode())

    async def requeue(self) -> None:
        """Queue again what a worker that is gone was at."""
        await self._execute(_REQUEUE)

    async def next(self) -> BacktestJob | None:
        """Return the job that has waited longest, None if there is none."""
        with errors_translated():
            text = await self._pool.fetchval(_NEXT)
        return None if text is None else decode_event(BacktestJob, text)

    async def start(self, job_id: str, now_ns: int) -> None:
        """Note that a job runs."""
        await self._execute(_START, job_id, now_ns)

    async def finish(self, job_id: str, result: BacktestResult, now_ns: int) -> None:
        """Keep what a job came to."""
        await self._execute(_END, job_id, "done", now_ns, encode_event(result).decode(), "")

    async def fail(self, job_id: str, reason: str, now_ns: int) -> None:
        """Note why a job came to nothing."""
        text = reason.replace("\0", "\N{REPLACEMENT CHARACTER}")[:REASON_CHARACTERS_MAX]
        await self._execute(_END, job_id, "failed", now_ns, None, text)

    async def _execute(self, sql: str, *values: object) -> None:
        with errors_translated():
            await self._pool.execute(sql, *values)
