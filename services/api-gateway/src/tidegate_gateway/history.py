"""What was: reads of the recorder's tables, bounded in time and in rows."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias, TypeVar

import asyncpg
from pydantic import BaseModel

from tidegate_common.codec import decode_event, decode_recorded
from tidegate_common.events.execution import Fill
from tidegate_common.events.orders import SubmitOrder
from tidegate_common.events.portfolio import Booking, PortfolioState
from tidegate_common.events.risk import Decision
from tidegate_common.events.run import RunSpec
from tidegate_common.store.postgres import Connection
from tidegate_common.store.reads import Reads
from tidegate_common.store.redis import CachedPortfolio
from tidegate_gateway.pages import (
    BARS,
    BOOKINGS,
    DECISIONS,
    EQUITY_LISTINGS,
    FILLS,
    INSTRUMENTS,
    ORDERS,
    SCORES,
    Listing,
    PageQuery,
    cursor_after,
    page_sql,
)
from tidegate_gateway.schemas.base import Page, Row, page_json
from tidegate_gateway.schemas.market import BarView, InstrumentView, ScoreView
from tidegate_gateway.schemas.orders import decision_row, fill_row, order_row
from tidegate_gateway.schemas.portfolios import BookingView, EquityInterval, EquityView
from tidegate_gateway.schemas.runs import RunView

PORTFOLIOS_MAX = 1_000

Shown = TypeVar("Shown", bound=BaseModel)
# A run, and rows of it.
_Found: TypeAlias = "tuple[str | None, list[asyncpg.Record]]"

_RUNS = """
SELECT run_id, trade_date, is_complete,
       (SELECT max(beat) FROM beats WHERE beats.run_id = runs.run_id) AS last_beat
FROM runs
WHERE $1::text IS NULL
   OR (recorded_at, run_id) < (SELECT recorded_at, run_id FROM runs WHERE run_id = $1)
ORDER BY recorded_at DESC, run_id DESC
LIMIT $2
"""
LATEST_RUN = "SELECT run_id FROM runs ORDER BY recorded_at DESC, run_id DESC LIMIT 1"
# One step through the key for each account, instead of all portfolios of a run.
_PORTFOLIOS = """
WITH RECURSIVE accounts AS (
    (SELECT account_id FROM portfolios WHERE run_id = $1 AND account_id > $2
     ORDER BY account_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT account_id FROM portfolios
        WHERE run_id = $1 AND account_id > accounts.account_id
        ORDER BY account_id LIMIT 1
    ) FROM accounts WHERE account_id IS NOT NULL
)
SELECT $1 AS run_id, latest.beat, latest.payload FROM accounts CROSS JOIN LATERAL (
    SELECT beat, payload FROM portfolios
    WHERE run_id = $1 AND portfolios.account_id = accounts.account_id
    ORDER BY beat DESC LIMIT 1
) AS latest
LIMIT $3
"""
_PORTFOLIOS_OF = """
SELECT $1 AS run_id, latest.beat, latest.payload
FROM unnest($2::text[]) WITH ORDINALITY AS wanted (account_id, place) CROSS JOIN LATERAL (
    SELECT beat, payload FROM portfolios
    WHERE run_id = $1 AND portfolios.account_id = wanted.account_id
    ORDER BY beat DESC LIMIT 1
) AS latest
ORDER BY wanted.place LIMIT $3
"""
_PORTFOLIO = """
SELECT run_id, beat, payload FROM portfolios WHERE run_id = $1 AND account_id = $2
ORDER BY beat DESC LIMIT 1
"""
_REFERENCE_DAY = """
SELECT trade_date FROM instruments WHERE run_id = $1 AND trade_date <= $2
ORDER BY trade_date DESC LIMIT 1
"""
_REFERENCE = """
SELECT instrument, trade_date, beat, symbol, board, limit_state, is_st, is_suspended,
       prev_close_e4, limit_up_e4, limit_down_e4, sector
FROM instruments WHERE run_id = $1 AND trade_date = $2 AND instrument = $3
"""
_SPEC = "SELECT spec FROM runs WHERE run_id = $1"
# One step through the key for each pair, instead of all that was ever said.
_LATEST_SCORES = """
WITH RECURSIVE pairs AS (
    (SELECT strategy, instrument FROM scores
     WHERE run_id = $1 AND strategy = $2 AND instrument BETWEEN $3 AND $4
     ORDER BY strategy, instrument LIMIT 1)
    UNION ALL
    SELECT following.strategy, following.instrument FROM pairs CROSS JOIN LATERAL (
        SELECT strategy, instrument FROM scores
        WHERE run_id = $1 AND strategy = $2
          AND instrument > pairs.instrument AND instrument <= $4
        ORDER BY strategy, instrument LIMIT 1
    ) AS following
)
SELECT pairs.strategy, pairs.instrument, latest.* FROM pairs CROSS JOIN LATERAL (
    SELECT beat, trade_date, score_e6, is_ranked, ts_event_ns FROM scores
    WHERE run_id = $1 AND scores.strategy = pairs.strategy
      AND scores.instrument = pairs.instrument AND ts_event_ns <= $5
    ORDER BY beat DESC LIMIT 1
) AS latest
LIMIT $6
"""


class History:
    """Reads what the recorder wrote.

    Every method raises TransientError if PostgreSQL does not answer in time.
    """

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    @property
    def is_on_replica(self) -> bool | None:
        """Whether reads are of the replica now; None where there is none."""
        return self._reads.is_on_replica

    async def ping(self) -> None:
        """Raise TransientError if PostgreSQL does not answer in time."""
        await self._reads.ping()

    async def runs(self, *, after: str | None, limit: int) -> Page[RunView]:
        """Return runs, the last recorded first."""
        rows = await self._reads.run(lambda one: one.fetch(_RUNS, after, limit + 1))
        items = [RunView(**dict(row)) for row in rows[:limit]]
        return Page(run_id=None, items=items, next=items[-1].run_id if len(rows) > limit else None)

    async def spec(self, run_id: str | None) -> tuple[str, RunSpec] | None:
        """Return a run, the latest if None, and its settings; None where there is none."""

        async def read(connection: Connection) -> tuple[str, str] | None:
            found = run_id or await connection.fetchval(LATEST_RUN)
            spec = await connection.fetchval(_SPEC, found) if found else None
            return None if spec is None else (found, spec)

        row = await self._reads.run(read)
        return None if row is None else (row[0], decode_event(RunSpec, row[1].encode()))

    async def decisions(self, query: PageQuery) -> bytes:
        """Return the JSON of a page of risk's verdicts, by (beat, account, sequence)."""
        return await self._page_json(DECISIONS, query, stored_decision)

    async def orders(self, query: PageQuery) -> bytes:
        """Return that of orders with their latest states, by (beat, account, sequence)."""
        return await self._page_json(ORDERS, query, stored_order)

    async def fills(self, query: PageQuery) -> bytes:
        """Return that of trades, by (beat, account, order's beat, sequence, number)."""
        return await self._page_json(FILLS, query, stored_fill)

    async def equity(self, query: PageQuery, interval: EquityInterval) -> Page[EquityView]:
        """Return what accounts were worth, by (account, beat)."""
        return await self._page(EQUITY_LISTINGS[interval], query, EquityView.of)

    async def bookings(self, query: PageQuery) -> Page[BookingView]:
        """Return what changed books and is no trade, by (account, beat, sequence)."""
        return await self._page(
            BOOKINGS,
            query,
            lambda row: BookingView.of(decode_event(Booking, row["payload"])),
        )

    async def bars(self, query: PageQuery) -> Page[BarView]:
        """Return an instrument's bars of a period, by their end."""
        return await self._page(BARS, query, BarView.of)

    async def score_changes(self, query: PageQuery) -> Page[ScoreView]:
        """Return scores where they are another than before, by (strategy, instrument, beat)."""
        return await self._page(SCORES, query, ScoreView.of)

    async def latest_scores(
        self,
        *,
        run_id: str,
        strategy: str,
        instruments: tuple[int, int],
        at_ns: int,
        limit: int,
    ) -> list[ScoreView]:
        """Return the last score of each instrument up to a time, by instrument.

        instruments : the first and the last that count, both included.
        """
        values = (run_id, strategy, *instruments, at_ns, limit)
        rows = await self._reads.run(lambda one: one.fetch(_LATEST_SCORES, *values))
        return [ScoreView.of(row) for row in rows]

    async def instruments(self, query: PageQuery, trade_date: int) -> Page[InstrumentView]:
        """Return reference data of a run's last day up to a date, by instrument."""

        async def read(connection: Connection) -> _Found:
            run_id = query.run_id or await connection.fetchval(LATEST_RUN)
            day = await connection.fetchval(_REFERENCE_DAY, run_id, trade_date)
            if day is None:
                return run_id, []
            dated = replace(query, filters={**query.filters, "trade_date": day})
            return await _rows(connection, INSTRUMENTS, dated, run_id)

        return _shown(INSTRUMENTS, query, await self._reads.run(read), InstrumentView.of)

    async def reference(
        self,
        *,
        run_id: str | None,
        instrument: int,
        trade_date: int,
    ) -> InstrumentView | None:
        """Return reference data of an instrument on a run's last day up to a date."""

        async def read(connection: Connection) -> asyncpg.Record | None:
            run = run_id or await connection.fetchval(LATEST_RUN)
            day = await connection.fetchval(_REFERENCE_DAY, run, trade_date)
            return await connection.fetchrow(_REFERENCE, run, day, instrument)

        row = await self._reads.run(read)
        return InstrumentView.of(row) if row else None

    async def portfolios(
        self,
        accounts: Sequence[str] | None = None,
        *,
        after: str = "",
        limit: int = PORTFOLIOS_MAX,
    ) -> list[CachedPortfolio]:
        """Return the last recorded portfolio of each account in the latest run, by account.

        accounts : only of these, sorted; None for all.
        """

        async def read(connection: Connection) -> list[asyncpg.Record]:
            run_id = await connection.fetchval(LATEST_RUN)
            if accounts is None:
                return await connection.fetch(_PORTFOLIOS, run_id, after, limit)
            wanted = [account for account in accounts if account > after]
            return await connection.fetch(_PORTFOLIOS_OF, run_id, wanted, limit)

        return [_cached(row) for row in await self._reads.run(read)]

    async def portfolio(self, account_id: str) -> CachedPortfolio | None:
        """Return the last recorded portfolio of an account in the latest run."""

        async def read(connection: Connection) -> asyncpg.Record | None:
            run_id = await connection.fetchval(LATEST_RUN)
            return await connection.fetchrow(_PORTFOLIO, run_id, account_id)

        row = await self._reads.run(read)
        return _cached(row) if row else None

    async def _page(
        self,
        listing: Listing,
        query: PageQuery,
        view: Callable[[asyncpg.Record], Shown],
    ) -> Page[Shown]:
        return _shown(listing, query, await self._found(listing, query), view)

    async def _page_json(
        self,
        listing: Listing,
        query: PageQuery,
        row_of: Callable[[asyncpg.Record], Row],
    ) -> bytes:
        run_id, rows = await self._found(listing, query)
        shown = [row_of(row) for row in rows[: query.limit]]
        return page_json(run_id, shown, _following(listing, query, rows))

    async def _found(self, listing: Listing, query: PageQuery) -> _Found:
        async def read(connection: Connection) -> _Found:
            run_id = query.run_id or await connection.fetchval(LATEST_RUN)
            return await _rows(connection, listing, query, run_id)

        return await self._reads.run(read)


async def _rows(
    connection: Connection,
    listing: Listing,
    query: PageQuery,
    run_id: str | None,
) -> _Found:
    if run_id is None:
        return None, []
    sql, values = page_sql(listing, query)
    return run_id, await connection.fetch(sql, run_id, *values)


def _shown(
    listing: Listing,
    query: PageQuery,
    found: _Found,
    view: Callable[[asyncpg.Record], Shown],
) -> Page[Shown]:
    run_id, rows = found
    items = [view(row) for row in rows[: query.limit]]
    return Page(run_id=run_id, items=items, next=_following(listing, query, rows))


def _following(listing: Listing, query: PageQuery, rows: Sequence[asyncpg.Record]) -> str | None:
    """Return where the next page begins; None where these rows are all."""
    if len(rows) <= query.limit:
        return None
    last = rows[query.limit - 1]
    return cursor_after(listing, query, [last[column] for column in listing.key])


def stored_decision(row: asyncpg.Record) -> Row:
    """Return what is said of a row of decisions."""
    return decision_row(decode_recorded(Decision, row["payload"]))


def stored_order(row: asyncpg.Record) -> Row:
    """Return what is said of a row of orders and their states."""
    return order_row(
        decode_recorded(SubmitOrder, row["payload"]),
        status=row["status"],
        status_reason=row["status_reason"],
        status_beat=row["status_beat"],
        cumulative_shares=row["cumulative_shares"],
        leaves_shares=row["leaves_shares"],
    )


def stored_fill(row: asyncpg.Record) -> Row:
    """Return what is said of a row of fills."""
    return fill_row(decode_recorded(Fill, row["payload"]))


def _cached(row: asyncpg.Record) -> CachedPortfolio:
    portfolio = decode_event(PortfolioState, row["payload"])
    return CachedPortfolio(row["run_id"], row["beat"], portfolio)
