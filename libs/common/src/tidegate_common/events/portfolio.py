"""Portfolios: what an account holds and is worth."""

from msgspec import UNSET, Struct, UnsetType

from tidegate_common.domain.enums import AccountState, BookingKind, Layer, Side
from tidegate_common.domain.ids import AccountId, OrderId, RunId


class PositionState(Struct, frozen=True, gc=False):
    """One holding.

    sellable_shares : may be sold today (T+1), less what open sell orders hold.
    cost_fen : what the shares amounted to, first in, first out; fees are apart, in fees_fen.
    """

    instrument: int
    quantity_shares: int
    sellable_shares: int
    cost_fen: int
    mark_e4: int
    value_fen: int


class LimitUsage(Struct, frozen=True):
    """How much of a layer's limit is used; open buys count as if filled at their worst price.

    observed_bps : the largest position's or sector's share of NAV, the day's loss, the fall from
        the high-water mark, or gross exposure; rounded up, 0 where there is none.
    """

    layer: Layer
    observed_bps: int
    limit_bps: int


class PortfolioState(Struct, frozen=True):
    """An account's books after a beat.

    cash_fen : all cash; frozen_fen of it is held for what open orders can cost.
    day_pnl_fen : NAV less the day's opening NAV.
    realised_pnl_fen : proceeds of all sells less the cost of what they sold, before fees.
    fees_fen : fees of all fills so far, of buys and sells; paid from the cash, in no cost.
    positions : sorted by instrument, none of zero quantity.
    usage : of every layer that has a limit in bps, in the order of the layers; none in books of
        before it was told. open_order_count : orders that may still trade.
    receivable_fen : dividends between ex-date and pay date, part of nav_fen; not told where there
        are none.
    """

    account_id: AccountId
    beat: int
    trade_date: int
    ts_event_ns: int
    state: AccountState
    cash_fen: int
    frozen_fen: int
    nav_fen: int
    opening_nav_fen: int
    high_water_fen: int
    day_pnl_fen: int
    realised_pnl_fen: int
    fees_fen: int
    positions: tuple[PositionState, ...] = ()
    usage: tuple[LimitUsage, ...] = ()
    open_order_count: int = 0
    receivable_fen: int | UnsetType = UNSET


class OpenOrderState(Struct, frozen=True):
    """An order that may still trade.

    beat : that risk sent it in.
    bound_price_e4 : worst price that it can trade at; of a limit order, its price.
    strategy : which made it, "" where a request did.
    cancel_beat : of the last cancel sent for it, -1 before the first.
    """

    order_id: OrderId
    beat: int
    instrument: int
    side: Side
    bound_price_e4: int
    quantity_shares: int
    filled_shares: int
    strategy: str
    cancel_beat: int


class AccountBooks(Struct, frozen=True):
    """What readers are told of an account now: its portfolio, and the orders that are open.

    open_orders : in the order in which they were sent.
    """

    portfolio: PortfolioState
    open_orders: tuple[OpenOrderState, ...] = ()


class EquityPoint(Struct, frozen=True, gc=False):
    """An account's worth after a beat."""

    account_id: AccountId
    cash_fen: int
    nav_fen: int


class Booking(Struct, frozen=True):
    """What changed an account's books and is no trade.

    sequence : within the account and beat, from 0.
    cash_fen : of a claim its amount, of a payment what came, of a tax what is owed, negative.
    quantity_shares : new ones, or rights that lapsed.
    held_shares : on which a corporate action gave them; 0 of payments and taxes.
    effective_date : when a claim is paid or new shares may be sold, YYYYMMDD; 0 of all else.
    """

    account_id: AccountId
    beat: int
    sequence: int
    trade_date: int
    ts_event_ns: int
    kind: BookingKind
    instrument: int
    cash_fen: int
    quantity_shares: int
    held_shares: int
    effective_date: int


class PortfolioBatch(Struct, frozen=True):
    """Portfolios of one risk partition after one beat.

    equity : every account of the partition, sorted by account_id.
    portfolios : accounts whose books changed in the beat, and all of them at OPEN, CLOSE and the
        run's last beat; sorted by account_id.
    tick_count, score_count : quote or bar rows and scores that this beat carried, of all shards.
    is_last : whether the run ends here.
    bookings : of the beat, sorted by (account_id, sequence).
    """

    run_id: RunId
    beat: int
    risk_partition: int
    trade_date: int
    ts_event_ns: int
    tick_count: int
    score_count: int
    is_last: bool
    equity: tuple[EquityPoint, ...] = ()
    portfolios: tuple[PortfolioState, ...] = ()
    bookings: tuple[Booking, ...] = ()
