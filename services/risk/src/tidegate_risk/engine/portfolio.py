"""One account: its ledger, its open orders and the memory that its decisions need.

- The ledger holds all money and shares. An accepted order freezes what it may need there: a buy
  what it can cost at most, fees included; a sell its shares, and the cash that its fees can exceed
  its proceeds by (a minimum commission on a tiny fill).
- What the exchange says and the books cannot follow (a fill of no open order, shares that do not
  add up, a buy dearer than its bound) halts the account: from there on its state is in doubt.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import NamedTuple, TypedDict, cast

import numpy as np
from msgspec import UNSET, Struct
from msgspec.structs import astuple

from tidegate_common.domain.enums import Side
from tidegate_common.domain.ids import AccountId, OrderId, RequestId
from tidegate_common.domain.units import Int64Array, notional_fen
from tidegate_common.engine import JsonDict
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.events.portfolio import (
    EquityPoint,
    LimitUsage,
    OpenOrderState,
    PortfolioState,
    PositionState,
)
from tidegate_common.events.run import RiskLimits
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.ledger import Booked, Ledger, LedgerError, Reservation
from tidegate_common.market.fees import Fees
from tidegate_common.market.settlement import is_t_plus_one
from tidegate_risk.engine.activity import Activity
from tidegate_risk.engine.layout import MARK, SECTOR
from tidegate_risk.engine.ratios import exceeds_bps
from tidegate_risk.engine.sleeves import Sleeves
from tidegate_risk.engine.standing import Standing
from tidegate_risk.engine.state import Market

# By name, because to ask an enum's class for a member takes as long as to make an order.
_BUY, _SELL = Side.BUY, Side.SELL
# A repeat of a request comes within seconds; so many ids of one account reach back far longer.
REQUEST_IDS_MAX = 10_000


class OpenOrder(Struct, gc=False):
    """An order that the exchange has, or will have with the next beat.

    bound_price_e4 : worst price that it can trade at; values what is still open.
    strategy : which made it, "" where a request did.
    cancel_beat : beat of the last cancel sent for it, -1 before the first.
    """

    order_id: OrderId
    beat: int
    instrument: int
    side: Side
    bound_price_e4: int
    quantity_shares: int
    strategy: str
    filled_shares: int = 0
    cancel_beat: int = -1

    @property
    def is_from_score(self) -> bool:
        """Whether a strategy made it, not a request."""
        return self.strategy != ""

    @property
    def leaves_shares(self) -> int:
        """Shares that may still trade."""
        return self.quantity_shares - self.filled_shares

    @property
    def exposure_fen(self) -> int:
        """What it may still add to the portfolio; nothing where it sells.

        A fen at least as long as it may trade: a few shares of a fund are worth less, but their
        order is open.
        """
        if self.side is _SELL or not self.leaves_shares:
            return 0
        return max(1, notional_fen(self.bound_price_e4, self.leaves_shares))

    @property
    def state(self) -> OpenOrderState:
        """What readers are told of it."""
        return OpenOrderState(
            order_id=self.order_id,
            beat=self.beat,
            instrument=self.instrument,
            side=self.side,
            bound_price_e4=self.bound_price_e4,
            quantity_shares=self.quantity_shares,
            filled_shares=self.filled_shares,
            strategy=self.strategy,
            cancel_beat=self.cancel_beat,
        )


class Stake(NamedTuple):
    """What an account has in one instrument, before an order of one side.

    sellable_shares : what an order of the beat may sell.
    buying_fen, buying_shares : what its open buys may still add.
    opposite_e4 : nearest price of its own open orders of the other side, 0 without one.
    bought_shares : filled buys of the day.
    """

    held_shares: int
    sellable_shares: int
    buying_fen: int
    opposite_e4: int
    buying_shares: int
    bought_shares: int


_NO_STAKE = Stake(0, 0, 0, 0, 0, 0)


class _Dump(TypedDict):
    ledger: JsonDict
    limits: dict[str, int]
    standing: JsonDict
    orders: list[list[object]]
    decided: list[tuple[str, int, int]]
    requests: list[RequestId]
    activity: JsonDict
    sleeves: JsonDict


class Account:
    """The ledger of one account, and what risk remembers besides.

    limits : those in force; a command may have changed what the run began with.
    decided : beat of each strategy's last decision on an instrument.
    requests : ids seen, oldest first.
    buying_fen : exposure of open buys by instrument.
    activity : what the account did today.
    sleeves : which part is which strategy's.
    is_changed : books changed in this beat.
    booked : what was booked in this beat that is no trade.
    """

    def __init__(self, account_id: AccountId, cash_fen: int, limits: RiskLimits) -> None:
        self.account_id = account_id
        self.limits = limits
        self.ledger = Ledger(account_id, cash_fen=cash_fen)
        self.standing = Standing()
        self.orders: dict[OrderId, OpenOrder] = {}
        self.buying_fen: dict[int, int] = {}
        self.decided: dict[str, dict[int, int]] = {}
        self.requests: dict[RequestId, None] = {}
        self.activity = Activity()
        self.sleeves = Sleeves()
        self.is_changed = False
        self.booked: tuple[Booked, ...] = ()
        nothing = np.zeros(0, np.int64)
        self._held: Int64Array = nothing
        self._universe: Int64Array = nothing
        self._rows: Int64Array = nothing
        # Of which values, and since which beat's sectors, the sums by sector are.
        self._sectors_fen: Int64Array = nothing
        self._counted_fen: Int64Array | None = None
        self._counted_beat = -1

    def roll_day(self, trade_date: int) -> None:
        """Begin a trading day: yesterday's buys may be sold, the day's loss starts anew."""
        self.booked = self.ledger.roll_day(trade_date)
        self.standing.is_loss_latched = False
        self.activity = Activity()
        self.sleeves.roll_day()

    def book_fill(self, fill: Fill) -> None:
        """Book a trade of an open order; one that the books cannot follow halts the account.

        What no open order explains and what the ledger cannot carry is not booked: from there on
        the books are in doubt. A buy that costs more than it froze is booked where available cash
        pays for the rest, because it happened; that it could happen is a contradiction.
        """
        self.is_changed = True
        order = self.orders.get(fill.order_id)
        if order is None or not _can_fill(order, fill):
            self.standing.is_in_doubt = True
            return
        frozen_fen = self.ledger.frozen_fen
        try:
            self.ledger.fill(
                order.order_id,
                quantity_shares=fill.quantity_shares,
                amount_fen=fill.amount_fen,
                fees=_fees_of(fill),
            )
        except LedgerError:
            self.standing.is_in_doubt = True
            return
        spent_fen = frozen_fen - self.ledger.frozen_fen
        if order.side is _BUY and fill.amount_fen + fill.fee_fen > spent_fen:
            self.standing.is_in_doubt = True
        exposure_fen = order.exposure_fen
        order.filled_shares += fill.quantity_shares
        self.sleeves.book_fill(
            (order.strategy, order.instrument),
            order.side,
            quantity_shares=fill.quantity_shares,
            held_shares=self.ledger.quantity_shares(order.instrument),
        )
        self._add_buying(order.instrument, order.exposure_fen - exposure_fen)
        if order.side is _BUY:
            self.activity.count_buy(order.instrument, fill.quantity_shares)

    def take_update(self, update: OrderUpdate) -> None:
        """Follow an order's state; its end releases what it held back."""
        order = self.orders.get(update.order_id)
        if order is None:
            return
        if update.cumulative_shares != order.filled_shares:
            self.standing.is_in_doubt = True
            self.is_changed = True
        if update.status.is_terminal:
            self._release(order)

    def reserve(
        self,
        accepted: Sequence[tuple[OpenOrder, int, int]],
        *,
        is_for_next_day: bool,
    ) -> None:
        """Hold back what accepted orders may need.

        Parameters
        ----------
        accepted : orders, each with its value at its worst price, and the most that it can cost: a
            buy with its fees, a sell beyond its proceeds; fen.
        is_for_next_day : accepted after the close.

        Raises
        ------
        LedgerError
            If the checks let in what the ledger cannot hold back: our bug.
        """
        reservations = [
            Reservation(
                order.order_id,
                order.instrument,
                order.side,
                order.quantity_shares,
                needed_fen,
                is_for_next_day and order.side is _SELL,
                order.side is _BUY and not is_t_plus_one(order.instrument),
            )
            for order, _, needed_fen in accepted
        ]
        self.ledger.freeze_many(reservations)
        for order, value_fen, _ in accepted:
            self._take_up(order, value_fen if order.side is _BUY else 0)
        self.is_changed = True

    def resting(self, strategy: str, *, beat: int, cooldown_beats: int) -> set[int]:
        """Return where a strategy may not act: an order works, or its cooldown is not over."""
        decided = self.decided.get(strategy, {})
        cooling = (each for each, at in decided.items() if beat - at < cooldown_beats)
        return {*self.buying_fen, *self.ledger.frozen_instruments, *cooling}

    def stake(self, instrument: int, side: Side, *, is_for_next_day: bool) -> Stake:
        """Return what the account has in an instrument, before an order of a side."""
        ledger = self.ledger
        is_buying, bought = instrument in self.buying_fen, self.activity.bought_shares
        if (
            not is_buying
            and instrument not in bought
            and instrument not in ledger.known_instruments
        ):
            return _NO_STAKE
        is_selling = ledger.frozen_shares(instrument) > 0
        # Asked first, because to look through all open orders for each intent costs too much.
        orders = [
            order
            for order in (self.orders.values() if is_selling or is_buying else ())
            if order.instrument == instrument
        ]
        # What is filled in full and not yet ended trades no more: its side has to hold back some.
        is_met = is_selling if side is _BUY else is_buying
        nearest = min if side is _BUY else max
        return Stake(
            held_shares=ledger.quantity_shares(instrument),
            sellable_shares=ledger.sellable_shares(instrument, is_for_next_day=is_for_next_day),
            buying_fen=self.buying_fen.get(instrument, 0),
            opposite_e4=(
                nearest(order.bound_price_e4 for order in orders if order.side is not side)
                if is_met
                else 0
            ),
            buying_shares=sum(order.leaves_shares for order in orders if order.side is _BUY),
            bought_shares=bought.get(instrument, 0),
        )

    def stakes(
        self,
        instruments: Sequence[int],
        sides: Sequence[Side],
        *,
        is_for_next_day: bool,
    ) -> Iterator[tuple[int, Stake]]:
        """Yield place and stake, before an order of its side, of the instruments that have one."""
        own = {
            *self.ledger.known_instruments,
            *self.buying_fen,
            *self.activity.bought_shares,
        }
        if own.isdisjoint(instruments):
            return
        for place, instrument in enumerate(instruments):
            if instrument in own:
                side = sides[place]
                yield place, self.stake(instrument, side, is_for_next_day=is_for_next_day)

    def remember_request(self, request_id: RequestId) -> bool:
        """Return whether a request is new, and remember it."""
        if request_id in self.requests:
            return False
        self.requests[request_id] = None
        if len(self.requests) > REQUEST_IDS_MAX:
            del self.requests[next(iter(self.requests))]
        return True

    def forget_decisions_before(self, beat: int) -> None:
        """Drop what no cooldown asks for any more."""
        kept = {
            name: {instrument: at for instrument, at in own.items() if at >= beat}
            for name, own in self.decided.items()
        }
        self.decided = {name: own for name, own in kept.items() if own}

    def mark(self, market: Market) -> None:
        """Value the holdings at the market's marks, and latch the limits that are breached."""
        self.ledger.mark(market.table[self._rows_in(market), MARK])
        self.latch_breaches()

    def latch_breaches(self) -> None:
        """Move on to REDUCING where the loss or the drawdown limit is breached."""
        ledger, limits, standing = self.ledger, self.limits, self.standing
        nav_fen, opening_fen, high_fen = (
            *(ledger.nav_fen, ledger.opening_nav_fen, ledger.high_water_fen),
        )
        has_lost = exceeds_bps(opening_fen - nav_fen, opening_fen, limits.daily_loss_bps_max)
        has_fallen = exceeds_bps(high_fen - nav_fen, high_fen, limits.drawdown_bps_max)
        if not (has_lost or has_fallen):
            return
        state = standing.state
        standing.is_loss_latched |= has_lost
        standing.is_drawdown_latched |= has_fallen
        # Readers of the portfolio see its state.
        if standing.state is not state:
            self.is_changed = True

    def sectors_fen(self, market: Market) -> Int64Array:
        """Return holdings and open buys by sector, (k,) int64; 0 is of no known sector.

        Whoever reserves for a buy adds its value to what this returned; all else is counted here.
        """
        values_fen = self.ledger.values_fen
        # Values never change in place.
        if values_fen is not self._counted_fen or self._counted_beat != market.sectors_beat:
            self._counted_fen, self._counted_beat = values_fen, market.sectors_beat
            self._sectors_fen = np.zeros(market.sector_count, np.int64)
            sectors = market.table[self._rows_in(market), SECTOR]
            np.add.at(self._sectors_fen, sectors, values_fen)
            if self.buying_fen:
                sectors = market.table[market.rows_of(self.buying_fen), SECTOR]
                np.add.at(self._sectors_fen, sectors, list(self.buying_fen.values()))
        return self._sectors_fen

    def equity(self) -> EquityPoint:
        """Return cash and NAV at the last mark."""
        return EquityPoint(self.account_id, self.ledger.cash_fen, self.ledger.nav_fen)

    def portfolio(self, stamp: BeatStamp, usage: tuple[LimitUsage, ...]) -> PortfolioState:
        """Return the books at the last mark."""
        ledger = self.ledger
        return PortfolioState(
            account_id=self.account_id,
            beat=stamp.beat,
            trade_date=stamp.trade_date,
            ts_event_ns=stamp.ts_event_ns,
            state=self.standing.state,
            cash_fen=ledger.cash_fen,
            frozen_fen=ledger.frozen_fen,
            nav_fen=ledger.nav_fen,
            opening_nav_fen=ledger.opening_nav_fen,
            high_water_fen=ledger.high_water_fen,
            day_pnl_fen=ledger.day_pnl_fen,
            realised_pnl_fen=ledger.realised_pnl_fen,
            fees_fen=ledger.fees.total_fen,
            positions=tuple(map(PositionState, *ledger.holding_columns())),
            usage=usage,
            open_order_count=len(self.orders),
            receivable_fen=ledger.receivable_fen or UNSET,
        )

    def dump(self) -> JsonDict:
        """Return the memory as JSON-ready values."""
        return {
            "ledger": self.ledger.dump(),
            "limits": asdict(self.limits),
            "standing": self.standing.dump(),
            "orders": [
                [str(value) if isinstance(value, Side) else value for value in astuple(o)]
                for o in self.orders.values()
            ],
            "decided": [
                [name, instrument, beat]
                for name, own in self.decided.items()
                for instrument, beat in own.items()
            ],
            "requests": list(self.requests),
            "activity": self.activity.dump(),
            "sleeves": self.sleeves.dump(),
        }

    def load(self, values: object) -> None:
        """Take up what `dump` returned.

        Raises
        ------
        LedgerError
            If its ledger breaks an invariant.
        """
        dump = cast("_Dump", values)
        self.ledger = Ledger.load(dump["ledger"])
        self.limits = RiskLimits(**dump["limits"])
        self.standing = Standing.load(dump["standing"])
        # As dumped.
        orders = [OpenOrder(*order) for order in dump["orders"]]  # type: ignore[arg-type]
        self.orders, self.buying_fen, self._counted_fen = {}, {}, None
        for order in orders:
            order.side = Side(order.side)
            self._take_up(order, order.exposure_fen)
        self.decided = {}
        for name, number, beat in dump["decided"]:
            self.decided.setdefault(name, {})[number] = beat
        self.requests = dict.fromkeys(dump["requests"])
        self.activity = Activity.load(dump["activity"])
        self.sleeves = Sleeves.load(dump["sleeves"])

    def _release(self, order: OpenOrder) -> None:
        del self.orders[order.order_id]
        self.is_changed = True
        self.ledger.unfreeze(order.order_id)
        self._add_buying(order.instrument, -order.exposure_fen)

    def _take_up(self, order: OpenOrder, exposure_fen: int) -> None:
        instrument = order.instrument
        self.orders[order.order_id] = order
        if exposure_fen:
            self.buying_fen[instrument] = self.buying_fen.get(instrument, 0) + exposure_fen

    def _add_buying(self, instrument: int, change_fen: int) -> None:
        self._counted_fen = None
        exposure_fen = self.buying_fen.get(instrument, 0) + change_fen
        if exposure_fen:
            self.buying_fen[instrument] = exposure_fen
        else:
            self.buying_fen.pop(instrument, None)

    def _rows_in(self, market: Market) -> Int64Array:
        """Return the market's rows of what is held, aligned with the ledger's instruments."""
        held, universe = self.ledger.instruments, market.instruments
        # Neither array changes in place: the same two have the same rows.
        if held is not self._held or universe is not self._universe:
            self._rows = market.rows_of(held.tolist())
            self._held, self._universe = held, universe
        return self._rows


def _can_fill(order: OpenOrder, fill: Fill) -> bool:
    is_same = order.instrument == fill.instrument and order.side is fill.side
    return is_same and 0 < fill.quantity_shares <= order.leaves_shares


def _fees_of(fill: Fill) -> Fees:
    return Fees(
        commission_fen=fill.commission_fen,
        stamp_duty_fen=fill.stamp_duty_fen,
        transfer_fee_fen=fill.transfer_fee_fen,
        handling_fee_fen=fill.handling_fee_fen,
        regulatory_fee_fen=fill.regulatory_fee_fen,
    )
