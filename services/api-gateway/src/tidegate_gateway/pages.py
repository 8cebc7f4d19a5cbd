"""Pages of a listing: which rows, in which order, and where the next page begins.

A page begins after a row's key, never after a number of rows, so rows that are added meanwhile
neither repeat nor hide others, and the thousandth page costs what the first does.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from tidegate_gateway.schemas.portfolios import EquityInterval

Value = str | int
# A value that a column has, or texts of which it has one.
Wanted = Value | tuple[str, ...]

# A condition's place of its value is `{}`, and rows of the listing are `listed`.
CONDITION_OF = {
    "strategy": (
        "EXISTS (SELECT 1 FROM decisions WHERE decisions.run_id = listed.run_id "
        "AND decisions.beat = listed.{beat} AND decisions.account_id = listed.account_id "
        "AND decisions.sequence = listed.sequence AND decisions.cause = {place} "
        "AND decisions.cause_kind = 'score')"
    ),
    "strategy_name": "listed.strategy = {place}",
    "symbol_prefix": "starts_with(listed.symbol, {place})",
    # Of a view's column, and 1 is its only value.
    "is_open": (
        "listed.status NOT IN ('filled', 'canceled', 'rejected', 'expired') AND {place}::int = 1"
    ),
}
# The first beat at or after a time; the index `beats_by_time` knows it.
_BEAT_AT = (
    "coalesce((SELECT beat FROM beats WHERE run_id = $1 AND ts_event_ns >= {place} "
    "ORDER BY ts_event_ns, beat LIMIT 1), 9223372036854775807)"
)


@dataclass(frozen=True, slots=True)
class Listing:
    """A table that is read page by page.

    key : columns that give the order and name a place in it; those in `texts` are texts.
    order_beat : the column that has the beat of the row's order, for a filter by strategy.
    """

    table: str
    columns: str
    key: tuple[str, ...]
    order_beat: str = "beat"
    time: str = ""

    @property
    def texts(self) -> frozenset[str]:
        """Columns of the key that are texts."""
        return frozenset(self.key) & _TEXTS

    @property
    def has_accounts(self) -> bool:
        """Whether its rows are of accounts."""
        return "account_id" in self.key


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which rows, and which of them.

    run_id : None for the latest run.
    filters : column and what rows must have there; those of `CONDITION_OF` mean what stands there.
    from_ns, to_ns : rows of this market time and later, and before that; UTC epoch.
    after : the key of the row before the page, in the order of the page.
    """

    run_id: str | None = None
    filters: Mapping[str, Wanted] = field(default_factory=dict)
    from_ns: int | None = None
    to_ns: int | None = None
    after: tuple[Value, ...] | None = None
    limit: int = 100
    is_newest_first: bool = False


DECISIONS = Listing("decisions", "payload", ("beat", "account_id", "sequence"))
ORDERS = Listing(
    "order_states",
    "payload, status, status_reason, status_beat, cumulative_shares, leaves_shares",
    ("beat", "account_id", "sequence"),
)
FILLS = Listing(
    "fills",
    "payload",
    ("beat", "account_id", "order_beat", "sequence", "fill_index"),
    order_beat="order_beat",
)
# In the order of their primary keys: an account's points are together.
EQUITY = Listing("equity", "ts_event_ns, trade_date, cash_fen, nav_fen", ("account_id", "beat"))
EQUITY_MINUTES = Listing(
    "equity_minutes",
    "beat, minute_ns AS ts_event_ns, trade_date, cash_fen, nav_fen",
    ("account_id", "minute_ns"),
)
EQUITY_DAYS = Listing(
    "equity_days",
    "beat, NULL::bigint AS ts_event_ns, cash_fen, nav_fen",
    ("account_id", "trade_date"),
)
BOOKINGS = Listing("bookings", "payload", ("account_id", "beat", "sequence"))
EQUITY_LISTINGS = {
    EquityInterval.BEAT: EQUITY,
    EquityInterval.MINUTE: EQUITY_MINUTES,
    EquityInterval.DAY: EQUITY_DAYS,
}
BARS = Listing(
    "bars",
    "beat, trade_date, open_e4, high_e4, low_e4, close_e4, volume_shares, amount_fen",
    ("instrument", "period_seconds", "ts_end_ns"),
    time="ts_end_ns",
)
SCORES = Listing(
    "scores",
    "trade_date, score_e6, is_ranked, ts_event_ns",
    ("strategy", "instrument", "beat"),
)
INSTRUMENTS = Listing(
    "instruments",
    "trade_date, beat, symbol, board, limit_state, is_st, is_suspended, prev_close_e4, "
    "limit_up_e4, limit_down_e4, sector",
    ("instrument",),
)

_TEXTS = frozenset({"account_id", "strategy"})


def page_sql(listing: Listing, query: PageQuery) -> tuple[str, list[Wanted]]:
    """Return the statement that reads one row more than a page, and its values from $2 on.

    Names come from this program alone; what a caller says is a value.
    """
    values: list[Wanted] = []

    def place_of(value: Wanted) -> str:
        values.append(value)
        return f"${len(values) + 1}"

    conditions = ["listed.run_id = $1"]
    conditions += [
        CONDITION_OF.get(name, _equality(name, value)).format(
            place=place_of(value),
            beat=listing.order_beat,
        )
        for name, value in query.filters.items()
    ]
    for moment, comparison in ((query.from_ns, ">="), (query.to_ns, "<")):
        if moment is not None:
            place = place_of(moment)
            bound = place if listing.time else _BEAT_AT.format(place=place)
            conditions.append(f"listed.{listing.time or 'beat'} {comparison} {bound}")
    if query.after is not None:
        places = ", ".join([place_of(value) for value in query.after])
        comparison = "<" if query.is_newest_first else ">"
        conditions.append(f"({_key(listing)}) {comparison} ({places})")
    sql = (
        f"SELECT {_key(listing)}, {listing.columns} "  # noqa: S608  # see above
        f"FROM {listing.table} AS listed WHERE {' AND '.join(conditions)} "
        f"ORDER BY {_key(listing, ' DESC' if query.is_newest_first else '')} "
        f"LIMIT {place_of(query.limit + 1)}"
    )
    return sql, values


def cursor_after(listing: Listing, query: PageQuery, key: Sequence[Value]) -> str:
    """Return the text that names the place after a row of that key."""
    place = [listing.table, query.is_newest_first, *key]
    return urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def parse_cursor(listing: Listing, text: str, *, is_newest_first: bool) -> tuple[Value, ...]:
    """Return the key that a cursor names.

    Raises
    ------
    ValueError
        If the text is no cursor of this listing in this order.
    """
    try:
        found = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        found = None
    match found:
        case [listing.table, bool(direction), *key] if direction is is_newest_first:
            if _is_key(listing, key):
                return tuple(key)
        case _:
            pass
    message = f"after must be the `next` of the page before, with the same order, was {text!r}"
    raise ValueError(message)


# Beyond what 64 bits hold, PostgreSQL would refuse the statement.
_INT64_END = 2**63


def _is_key(listing: Listing, key: Sequence[object]) -> bool:
    if len(key) != len(listing.key):
        return False
    return all(
        isinstance(value, str) and "\0" not in value
        if column in listing.texts
        else type(value) is int and 0 <= value < _INT64_END
        for column, value in zip(listing.key, key, strict=True)
    )


def _equality(column: str, value: Wanted) -> str:
    return f"listed.{column} = " + ("ANY({place})" if isinstance(value, tuple) else "{place}")


def _key(listing: Listing, suffix: str = "") -> str:
    return ", ".join(f"listed.{column}{suffix}" for column in listing.key)
