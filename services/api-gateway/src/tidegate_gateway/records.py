"""What is recorded of the gateway's own work: requests and backtests."""

from collections.abc import Sequence
from typing import TypeAlias

import asyncpg

from tidegate_common.codec import decode_event
from tidegate_common.errors import TransientError
from tidegate_common.events.backtests import BacktestJob, BacktestResult
from tidegate_common.events.risk import ControlOutcome, Decision
from tidegate_common.store.postgres import Connection
from tidegate_common.store.reads import Reads
from tidegate_gateway.history import LATEST_RUN
from tidegate_gateway.schemas.backtests import (
    BacktestResultView,
    BacktestView,
    SummaryView,
    equity_views,
)
from tidegate_gateway.schemas.base import Page
from tidegate_gateway.schemas.orders import DecisionView, decision_row
from tidegate_gateway.schemas.requests import (
    CancelSentView,
    ControlView,
    RequestStatusView,
    TakenView,
)
from tidegate_gateway.security.callers import Caller

# A command for all accounts has an outcome in each.
_ROWS_MAX = 1_000
_ACCEPTED = 202
_CANCEL_PARTS = ("/v1/orders/", "/cancel")

_Rows: TypeAlias = "list[asyncpg.Record]"

_TAKEN = """
SELECT ts_ns, caller, method, path, status FROM audits
WHERE request_id = $1 ORDER BY ts_ns, audit_id LIMIT $2
"""
_DECISIONS = """
SELECT account_id, payload FROM decisions
WHERE run_id = $1 AND cause = $2 AND cause_kind = 'request'
ORDER BY beat, account_id, sequence LIMIT $3
"""
_CONTROLS = """
SELECT account_id, payload FROM controls WHERE run_id = $1 AND request_id = $2
ORDER BY beat, account_id, sequence LIMIT $3
"""
_CANCELS = """
SELECT order_id, beat FROM cancels WHERE run_id = $1 AND order_id = ANY($2)
ORDER BY beat, order_id LIMIT $3
"""
_BACKTEST_COLUMNS = "job_id, state, reason, requested_ns, started_ns, ended_ns, job, result"
_BACKTESTS = f"""
SELECT {_BACKTEST_COLUMNS} FROM backtests
WHERE $1::text IS NULL
   OR (requested_ns, job_id) < (SELECT requested_ns, job_id FROM backtests WHERE job_id = $1)
ORDER BY requested_ns DESC, job_id DESC LIMIT $2
"""  # noqa: S608  # columns of this file
_BACKTEST = f"SELECT {_BACKTEST_COLUMNS} FROM backtests WHERE job_id = $1"  # noqa: S608


class Records:
    """Reads what the recorder and the backtest worker wrote.

    Every method raises TransientError if PostgreSQL does not answer in time.
    """

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def request(
        self,
        request_id: str,
        run_id: str | None,
        caller: Caller,
    ) -> RequestStatusView | None:
        """Return what became of a request in a run, the latest if None; None if nothing is.

        caller : who is shown what concerns his accounts, and what was taken in his name.
        """

        async def read(one: Connection) -> tuple[str | None, list[_Rows]]:
            run = run_id or await one.fetchval(LATEST_RUN)
            taken = await one.fetch(_TAKEN, request_id, _ROWS_MAX)
            decisions = await one.fetch(_DECISIONS, run, request_id, _ROWS_MAX)
            controls = await one.fetch(_CONTROLS, run, request_id, _ROWS_MAX)
            orders = sorted({order for row in taken for order in _cancelled(row)})
            cancels = await one.fetch(_CANCELS, run, orders, _ROWS_MAX)
            return run, [taken, decisions, controls, cancels]

        run, (taken, decisions, controls, cancels) = await self._reads.run(read)
        if caller.accounts:
            taken = [row for row in taken if row["caller"] == caller.name]
            cancels = [row for row in cancels if caller.is_for(_account_of(row["order_id"]))]
            decisions = [row for row in decisions if caller.is_for(row["account_id"])]
            controls = [row for row in controls if caller.is_for(row["account_id"])]
        if not (taken or decisions or controls):
            return None
        is_answered = bool(decisions or controls or cancels)
        is_taken = any(row["status"] == _ACCEPTED for row in taken)
        return RequestStatusView(
            request_id=request_id,
            run_id=run,
            state="answered" if is_answered else "taken" if is_taken else "refused",
            taken=[TakenView(**dict(row)) for row in taken],
            decisions=[
                DecisionView.model_validate(decision_row(decode_event(Decision, row["payload"])))
                for row in decisions
            ],
            controls=[
                ControlView.of(decode_event(ControlOutcome, row["payload"])) for row in controls
            ],
            cancels=[CancelSentView(**dict(row)) for row in cancels],
        )

    async def backtests(self, *, after: str | None, limit: int) -> Page[BacktestView]:
        """Return backtests, the last that was asked for first."""
        rows = await self._reads.run(lambda one: one.fetch(_BACKTESTS, after, limit + 1))
        items = [BacktestView.model_validate(_backtest(row)) for row in rows[:limit]]
        return Page(run_id=None, items=items, next=items[-1].job_id if len(rows) > limit else None)

    async def backtest(self, job_id: str) -> BacktestResultView | None:
        """Return a backtest, None if it is not known."""
        row = await self._reads.run(lambda one: one.fetchrow(_BACKTEST, job_id))
        return None if row is None else BacktestResultView.model_validate(_backtest(row))


class NoRecords:
    """Stands in where there is no database: nothing is to be had."""

    async def request(
        self,
        request_id: str,  # noqa: ARG002  # as `Records` has it
        run_id: str | None,  # noqa: ARG002  # as above
        caller: Caller,  # noqa: ARG002  # as above
    ) -> RequestStatusView | None:
        """Raise TransientError."""
        raise _nothing()

    async def backtests(
        self,
        *,
        after: str | None,  # noqa: ARG002  # as above
        limit: int,  # noqa: ARG002  # as above
    ) -> Page[BacktestView]:
        """Raise TransientError."""
        raise _nothing()

    async def backtest(
        self,
        job_id: str,  # noqa: ARG002  # as above
    ) -> BacktestResultView | None:
        """Raise TransientError."""
        raise _nothing()


def _nothing() -> TransientError:
    return TransientError("expected a database with requests and backtests, found: none")


def _cancelled(row: asyncpg.Record) -> Sequence[str]:
    """Return the order that a taken request cancels, if it cancels one."""
    path: str = row["path"]
    before, behind = _CANCEL_PARTS
    if row["status"] != _ACCEPTED or not (path.startswith(before) and path.endswith(behind)):
        return ()
    return (path.removeprefix(before).removesuffix(behind),)


def _account_of(order_id: str) -> str:
    return order_id.split(".")[2]


def _backtest(row: asyncpg.Record) -> dict[str, object]:
    job = decode_event(BacktestJob, row["job"])
    result = None if row["result"] is None else decode_event(BacktestResult, row["result"])
    return {
        "job_id": row["job_id"],
        "state": row["state"],
        "reason": row["reason"],
        "requested_by": job.requested_by,
        "requested_ns": row["requested_ns"],
        "started_ns": row["started_ns"],
        "ended_ns": row["ended_ns"],
        "summary": SummaryView.of(result.summary) if result else None,
        "equity": equity_views(result),
    }
