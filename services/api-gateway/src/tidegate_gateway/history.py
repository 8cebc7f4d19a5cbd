"""What was: reads of the recorder's tables, bounded in time and in rows."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg

from tidegate_common.codec import decode_event
from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.events.execution import Fill
from tidegate_common.events.orders import SubmitOrder
from tidegate_common.events.portfolio import PortfolioState
from tidegate_common.events.risk import Decision
from tidegate_common.store.postgres import Pool, errors_translated
from tidegate_common.store.redis import CachedPortfolio
from tidegate_gateway.schemas.base import Page
from tidegate_gateway.schemas.orders import DecisionView, FillView, OrderView
from tidegate_gateway.schemas.portfolios import EquityView
from tidegate_gateway.schemas.runs import RunView
from tidegate_gateway.schemas.texts import money_text

Value = str | int


@dataclass(frozen=True, slots=True)
class Listing:
    """A table that is read page by page.

    key : columns that give the order and name a place in it; `account_id` is the only text.
    """

    table: str
    columns: str
    key: tuple[str, ...]


DECISIONS = Listing("decisions", "payload", ("beat", "account_id", "sequence"))
ORDERS = Listing(
    "order_states",
    "payload, status, status_reason, status_beat, cumulative_shares, leaves_shares",
    ("beat", "account_id", "sequence"),
)
FILLS = Listing("fills", "payload", ("beat", "account_id", "order_beat", "sequence", "fill_index"))
EQUITY = Listing("equity", "ts_event_ns, cash_fen, nav_fen", ("beat", "account_id"))

_RUNS = """
SELECT run_id, trade_date, is_complete,
       (SELECT max(beat) FROM beats WHERE beats.run_id = runs.run_id) AS last_beat
FROM runs
WHERE $1::text IS NULL
   OR (recorded_at, run_id) < (SELECT recorded_at, run_id FROM runs WHERE run_id = $1)
ORDER BY recorded_at DESC, run_id DESC
LIMIT $2
"""
_LATEST_RUN = "SELECT run_id FROM runs ORDER BY recorded_at DESC, run_id DESC LIMIT 1"
_PORTFOLIOS = """
SELECT DISTINCT ON (account_id) run_id, beat, payload FROM portfolios
WHERE run_id = $1 AND ($2::text IS NULL OR account_id = $2)
ORDER BY account_id, beat DESC
LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which rows, and which of them.

    run_id : None for the latest run.
    filters : column and value that rows must have.
    after : the cursor of the row before the page, in the order of the page.
    """

    run_id: str | None = None
    filters: Mapping[str, Value] = field(default_factory=dict)
    after: tuple[Value, ...] | None = None
    limit: int = 100
    is_newest_first: bool = False


class History:
    """Reads what the recorder wrote.

    Every method raises TransientError if PostgreSQL does not answer in time.
    """

    def __init__(self, pool: Pool, *, timeout_seconds: float) -> None:
        self._pool = pool
        self._timeout_seconds = timeout_seconds

    async def ping(self) -> None:
        """Raise TransientError if PostgreSQL does not answer in time."""
        async with self._bounded():
            await self._pool.fetchval("SELECT 1")

    async def runs(self, *, after: str | None, limit: int) -> Page[RunView]:
        """Return runs, the last recorded first."""
        async with self._bounded():
            rows = await self._pool.fetch(_RUNS, after, limit + 1)
        items = [RunView(**dict(row)) for row in rows[:limit]]
        return Page(run_id=None, items=items, next=items[-1].run_id if len(rows) > limit else None)

    async def decisions(self, query: PageQuery) -> Page[DecisionView]:
        """Return verdicts of risk, by (beat, account, sequence)."""
        run_id, rows, following = await self._page(DECISIONS, query)
        items = [DecisionView.of(decode_event(Decision, row["payload"])) for row in rows]
        return Page(run_id=run_id, items=items, next=following)

    async def orders(self, query: PageQuery) -> Page[OrderView]:
        """Return orders with their latest state, by (beat, account, sequence)."""
        run_id, rows, following = await self._page(ORDERS, query)
        items = [
            OrderView.of(
                decode_event(SubmitOrder, row["payload"]),
                status=row["status"],
                status_reason=row["status_reason"],
                status_beat=row["status_beat"],
                cumulative_shares=row["cumulative_shares"],
                leaves_shares=row["leaves_shares"],
            )
            for row in rows
        ]
        return Page(run_id=run_id, items=items, next=following)

    async def fills(self, query: PageQuery) -> Page[FillView]:
        """Return trades, by (beat, account, order's beat, sequence, number)."""
        run_id, rows, following = await self._page(FILLS, query)
        items = [FillView.of(decode_event(Fill, row["payload"])) for row in rows]
        return Page(run_id=run_id, items=items, next=following)

    async def equity(self, query: PageQuery) -> Page[EquityView]:
        """Return what accounts were worth, by (beat, account)."""
        run_id, rows, following = await self._page(EQUITY, query)
        items = [
            EquityView(
                beat=row["beat"],
                ts_event_ns=row["ts_event_ns"],
                account_id=row["account_id"],
                cash_cny=money_text(row["cash_fen"]),
                nav_cny=money_text(row["nav_fen"]),
            )
            for row in rows
        ]
        return Page(run_id=run_id, items=items, next=following)

    async def portfolios(self, account_id: str | None = None) -> list[CachedPortfolio]:
        """Return the last recorded portfolio of each account, or of one, in the latest run."""
        async with self._bounded():
            run_id = await self._pool.fetchval(_LATEST_RUN)
            rows = await self._pool.fetch(_PORTFOLIOS, run_id, account_id) if run_id else []
        return [
            CachedPortfolio(
                row["run_id"],
                row["beat"],
                decode_event(PortfolioState, row["payload"]),
            )
            for row in rows
        ]

    async def _page(
        self,
        listing: Listing,
        query: PageQuery,
    ) -> tuple[str | None, Sequence[asyncpg.Record], str | None]:
        """Return the run, the rows of a page, and the cursor of the next one."""
        async with self._bounded():
            run_id = query.run_id or await self._pool.fetchval(_LATEST_RUN)
            if run_id is None:
                return None, [], None
            sql, values = page_sql(listing, query)
            rows = await self._pool.fetch(sql, run_id, *values)
        shown = rows[: query.limit]
        following = None
        if len(rows) > query.limit:
            following = ".".join(str(shown[-1][column]) for column in listing.key)
        return run_id, shown, following

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        try:
            with errors_translated():
                async with asyncio.timeout(self._timeout_seconds):
                    yield
        except ConfigError as error:
            # Others make the database; a gateway that runs waits for it and does not die of it.
            raise TransientError(str(error)) from error


def page_sql(listing: Listing, query: PageQuery) -> tuple[str, list[Value]]:
    """Return the statement that reads one row more than a page, and its values from $2 on.

    Column names come from this program alone; what a caller says is a value.
    """
    values: list[Value] = []
    conditions = ["run_id = $1"]
    for column, value in query.filters.items():
        values.append(value)
        conditions.append(f"{column} = ${len(values) + 1}")
    if query.after is not None:
        places = [f"${len(values) + 2 + i}" for i in range(len(listing.key))]
        values.extend(query.after)
        comparison = "<" if query.is_newest_first else ">"
        conditions.append(f"({', '.join(listing.key)}) {comparison} ({', '.join(places)})")
    direction = " DESC" if query.is_newest_first else ""
    order = ", ".join(column + direction for column in listing.key)
    values.append(query.limit + 1)
    sql = (
        f"SELECT {', '.join(listing.key)}, {listing.columns} "  # noqa: S608  # see above
        f"FROM {listing.table} "
        f"WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT ${len(values) + 1}"
    )
    return sql, values


def parse_cursor(listing: Listing, text: str) -> tuple[Value, ...]:
    """Return the place that a cursor names.

    Raises
    ------
    ValueError
        If the text is no cursor of this listing.
    """
    parts = text.split(".")
    if len(parts) == len(listing.key):
        pairs = list(zip(listing.key, parts, strict=True))
        if all(_fits(column, part) for column, part in pairs):
            return tuple(part if column == "account_id" else int(part) for column, part in pairs)
    message = f"after must be {'.'.join(listing.key)}, as `next` gave it, was {text!r}"
    raise ValueError(message)


# More digits than any number of a cursor has, fewer than 64 bits hold.
_DIGITS_MAX = 18


def _fits(column: str, part: str) -> bool:
    if column == "account_id":
        return "\0" not in part
    return part.isascii() and part.isdigit() and len(part) <= _DIGITS_MAX
