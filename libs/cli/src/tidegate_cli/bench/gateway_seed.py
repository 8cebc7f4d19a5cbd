"""A large recorded day for the gateway: orders in PostgreSQL, books, lists and quotes in Redis."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import asyncpg

from tidegate_cli.bench.codec import make_frame
from tidegate_common.codec import encode_event
from tidegate_common.domain.enums import (
    AccountState,
    OrderReason,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from tidegate_common.domain.ids import AccountId, RunId, decision_id, order_id
from tidegate_common.events.execution import OrderUpdate
from tidegate_common.events.orders import SubmitOrder
from tidegate_common.events.portfolio import AccountBooks, PortfolioState, PositionState
from tidegate_common.events.recommendations import RecommendationEntry, StrategyRecommendations
from tidegate_common.store.quotes import QuoteCache
from tidegate_common.store.redis import (
    CachedRecommendations,
    PortfolioCache,
    RecommendationCache,
)

RUN: Final = RunId("bench")
ORDERS_PER_ACCOUNT: Final = 1_000
_TRADE_DATE: Final = 20230201
_TS_NS: Final = 1_675_215_000_000_000_000
_BEAT_NS: Final = 3_000_000_000
_INSTRUMENT: Final = 1_600_000
_INSTRUMENTS: Final = 300
_POSITIONS: Final = 50
_SHARES: Final = 200
_PRICE_E4: Final = 180_000
_LISTED: Final = 20
_CASH_FEN: Final = 100_000_000
_COPY_SECONDS_MAX: Final = 1_800
_STRATEGIES: Final = ("ma_cross", "rsi")
# Redis answers a benchmark in less, but 1,000 books at once are work.
_PUT_SECONDS_MAX: Final = 30.0
_KEY_COLUMNS: Final = ("run_id", "trade_date", "beat", "account_id", "sequence", "order_id")
_END_COLUMNS: Final = ("ts_event_ns", "payload")
_ORDER_COLUMNS: Final = (
    *_KEY_COLUMNS,
    *("instrument", "side", "order_type", "price_e4", "quantity_shares"),
    *_END_COLUMNS,
)
_UPDATE_COLUMNS: Final = (
    *_KEY_COLUMNS,
    *("instrument", "status", "reason", "cumulative_shares", "leaves_shares"),
    *_END_COLUMNS,
)


@dataclass(frozen=True, slots=True)
class Day:
    """How large the day is: every account has an order in each beat."""

    account_count: int
    beat_count: int

    @classmethod
    def of(cls, order_count: int) -> "Day":
        """Return a day of so many orders, at most 1,000 an account."""
        accounts = max(1, order_count // ORDERS_PER_ACCOUNT)
        return cls(accounts, max(1, order_count // accounts))

    @property
    def accounts(self) -> list[AccountId]:
        """The accounts, sorted."""
        return [AccountId(f"A{number:04d}") for number in range(self.account_count)]


async def seed_postgres(dsn: str, day: Day) -> None:
    """Record a day; the schema is there."""
    connection = await asyncpg.connect(dsn, command_timeout=_COPY_SECONDS_MAX)
    try:
        for table in ("orders", "order_updates"):
            await connection.execute("SELECT add_partition($1, $2)", table, _TRADE_DATE // 100)
        run = (RUN, "{}", _TRADE_DATE, _TS_NS, True)
        columns = ["run_id", "spec", "trade_date", "ts_event_ns", "is_complete"]
        await connection.copy_records_to_table("runs", columns=columns, records=[run])
        await connection.copy_records_to_table(
            "orders", columns=_ORDER_COLUMNS, records=_order_rows(day)
        )
        await connection.copy_records_to_table(
            "order_updates", columns=_UPDATE_COLUMNS, records=_update_rows(day)
        )
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def seed_redis(url: str, key_prefix: str, day: Day) -> None:
    """Store every account's books, and recommendations."""
    portfolios = PortfolioCache(url, key_prefix=key_prefix, put_timeout_seconds=_PUT_SECONDS_MAX)
    lists = RecommendationCache(url, key_prefix=key_prefix, put_timeout_seconds=_PUT_SECONDS_MAX)
    beat = day.beat_count - 1
    told = tuple(_recommended(strategy, beat) for strategy in _STRATEGIES)
    try:
        await portfolios.put(RUN, (_books(account, beat) for account in day.accounts))
        await lists.put(CachedRecommendations(RUN, beat, _STRATEGIES, told))
    finally:
        await portfolios.close()
        await lists.close()


async def seed_quotes(url: str, key_prefix: str, day: Day) -> None:
    """Store a quote of each instrument."""
    frame = make_frame(_INSTRUMENTS)
    stamp = replace(frame.stamp, run_id=RUN, beat=day.beat_count - 1)
    quotes = QuoteCache(url, key_prefix=key_prefix, put_timeout_seconds=_PUT_SECONDS_MAX)
    try:
        await quotes.put([replace(frame, stamp=stamp)])
    finally:
        await quotes.close()


def _orders(day: Day) -> Iterator[SubmitOrder]:
    accounts = day.accounts
    for beat in range(day.beat_count):
        for number, account in enumerate(accounts):
            yield SubmitOrder(
                order_id=order_id(RUN, beat, account, 0),
                decision_id=decision_id(RUN, beat, account, 0),
                beat=beat,
                account_id=account,
                sequence=0,
                instrument=_INSTRUMENT + (beat + number) % _INSTRUMENTS,
                side=Side.BUY,
                order_type=OrderType.LIMIT,
                time_in_force=TimeInForce.DAY,
                price_e4=_PRICE_E4,
                quantity_shares=_SHARES,
                ts_event_ns=_TS_NS + beat * _BEAT_NS,
            )


def _order_rows(day: Day) -> Iterator[tuple[object, ...]]:
    for one in _orders(day):
        yield (
            RUN,
            _TRADE_DATE,
            one.beat,
            one.account_id,
            one.sequence,
            one.order_id,
            one.instrument,
            one.side,
            one.order_type,
            one.price_e4,
            one.quantity_shares,
            one.ts_event_ns,
            encode_event(one).decode(),
        )


def _update_rows(day: Day) -> Iterator[tuple[object, ...]]:
    for order in _orders(day):
        one = OrderUpdate(
            order_id=order.order_id,
            beat=order.beat + 1,
            account_id=order.account_id,
            sequence=0,
            instrument=order.instrument,
            side=order.side,
            status=OrderStatus.FILLED,
            reason=OrderReason.NONE,
            cumulative_shares=_SHARES,
            leaves_shares=0,
            ts_event_ns=order.ts_event_ns + _BEAT_NS,
        )
        yield (
            RUN,
            _TRADE_DATE,
            one.beat,
            one.account_id,
            one.sequence,
            one.order_id,
            one.instrument,
            one.status,
            one.reason,
            one.cumulative_shares,
            one.leaves_shares,
            one.ts_event_ns,
            encode_event(one).decode(),
        )


def _books(account: AccountId, beat: int) -> AccountBooks:
    value_fen = _SHARES * _PRICE_E4 // 100
    held = tuple(
        PositionState(_INSTRUMENT + number, _SHARES, _SHARES, value_fen, _PRICE_E4, value_fen)
        for number in range(_POSITIONS)
    )
    nav_fen = _CASH_FEN + value_fen * _POSITIONS
    return AccountBooks(
        PortfolioState(
            account_id=account,
            beat=beat,
            trade_date=_TRADE_DATE,
            ts_event_ns=_TS_NS + beat * _BEAT_NS,
            state=AccountState.ACTIVE,
            cash_fen=_CASH_FEN,
            frozen_fen=0,
            nav_fen=nav_fen,
            opening_nav_fen=nav_fen,
            high_water_fen=nav_fen,
            day_pnl_fen=0,
            realised_pnl_fen=0,
            fees_fen=0,
            positions=held,
        ),
    )


def _recommended(strategy: str, beat: int) -> StrategyRecommendations:
    entries = tuple(
        RecommendationEntry(_INSTRUMENT + rank, 900_000 - rank * 1_000, rank + 1, rank + 2, beat)
        for rank in range(_LISTED)
    )
    ts_event_ns = _TS_NS + beat * _BEAT_NS
    return StrategyRecommendations(strategy, beat, _TRADE_DATE, ts_event_ns, 5_500, entries)
