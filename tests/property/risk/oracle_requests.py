"""What people ask of risk in the random worlds of its slow oracle: much of it just at a limit.

The asker reads the oracle's books to aim: at the last share that cash, a limit, a lot, a cage or
T+1 lets in, and at the first that it does not.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, Decimal
from random import Random

from tests.property.risk.oracle import Oracle
from tests.property.risk.oracle_books import MARKET_TYPES, OracleAccount
from tests.property.risk.oracle_market import NOTHING, Instrument
from tests.property.risk.oracle_rules import FEN, LOTS, st_cap, tick
from tests.property.risk.oracle_worlds import NEVER_LISTED, SHARES, ST_SHARES
from tests.unit.risk.scenario import control_request, order_request

from tidegate_common.domain.enums import (
    AccountState,
    ControlCommand,
    LimitState,
    OrderType,
    Phase,
    Side,
    TimeInForce,
)
from tidegate_common.domain.ids import AccountId, OrderId, RequestId
from tidegate_common.events.orders import CancelRequest, RequestEnvelope
from tidegate_common.events.run import RiskLimits

COMMANDS = (
    ControlCommand.HALT,
    ControlCommand.REDUCE,
    ControlCommand.RESUME,
    *[ControlCommand.SET_LIMITS] * 5,
)
STRANGER = "zeta"


@dataclass
class Asker:
    """People with one die."""

    dice: Random
    oracle: Oracle
    count: int = 0
    known: list[tuple[str, str]] = field(default_factory=list)

    def requests(self, order_count: int) -> list[RequestEnvelope]:
        """Return a beat's requests, of which so many are orders."""
        asked = [self.order() for _ in range(order_count)]
        for _ in range(order_count // 12):
            asked.insert(self.dice.randrange(len(asked) + 1), self.cancel())
        if self.dice.random() < 0.5:
            asked.insert(self.dice.randrange(len(asked) + 1), self.command())
        return asked

    def command(self) -> RequestEnvelope:
        """Return what a person tells risk to do.

        Often a RESUME of who may not buy: nothing is learnt from accounts that stand still.
        """
        accounts = self.oracle.accounts.items()
        barred = [name for name, each in accounts if each.state is not AccountState.ACTIVE]
        if barred and self.dice.random() < 0.6:
            name = self.dice.choice([*barred, None])
            return control_request(ControlCommand.RESUME, name, request=self.request_id())
        command = self.dice.choice(COMMANDS)
        is_setting = command is ControlCommand.SET_LIMITS
        names = [*self.oracle.accounts, STRANGER]
        return control_request(
            command,
            None if not is_setting and self.dice.random() < 0.1 else self.dice.choice(names),
            request=self.request_id(),
            limits=self.limits() if is_setting else None,
        )

    def limits(self) -> RiskLimits | None:
        """Return limits, round ones mostly; sometimes none, or some that cannot be."""
        dice = self.dice
        limits = RiskLimits(
            position_bps_max=dice.choice((0, 1_000, 2_000, 5_000, 10_000, 10_000)),
            daily_loss_bps_max=dice.choice((0, 20, 300, 10_000, 10_000, 10_000)),
            drawdown_bps_max=dice.choice((0, 50, 1_000, 10_000, 10_000, 10_000)),
            sector_bps_max=dice.choice((500, 1_000, 4_000, 10_000)),
            leverage_bps_max=dice.choice((1_000, 2_500, 5_000, 8_000, 20_000)),
            stale_beats_max=dice.choice((0, 1, 3, 100)),
            adv_bps_max=dice.choice((0, 0, 50, 1_000)),
        )
        if dice.random() < 0.1:
            return replace(limits, sector_bps_max=dice.choice((-1, 100_001)))
        return None if dice.random() < 0.05 else limits

    def cancel(self) -> RequestEnvelope:
        """Return a wish to cancel an order that was once accepted."""
        known = self.known[-12:] or [("alpha", "run.0.alpha.99")]
        name, order_id = self.dice.choice(known)
        account = AccountId(name if self.dice.random() < 0.95 else STRANGER)
        request_id = RequestId(self.request_id())
        return RequestEnvelope(cancel=CancelRequest(request_id, account, OrderId(order_id)))

    def order(self) -> RequestEnvelope:
        """Return a wish for an order, likely to be good but for one thing."""
        name = self.dice.choice([*self.oracle.accounts])
        account = self.oracle.accounts[name]
        is_buy = not account.lots or self.dice.random() < 0.6
        listing = self.oracle.market.find(self._instrument(account, is_buy=is_buy))
        order_type, time_in_force = self._kind(listing)
        is_market = order_type in MARKET_TYPES
        paid = self._price(listing, is_buy=is_buy)
        worst = listing.up if is_market and is_buy else paid
        if is_buy:
            paid, quantity = self._buy(account, listing, worst or tick(listing.board))
        else:
            quantity = self._sale(account, listing)
        price_e4 = 0 if is_market and self.dice.random() < 0.97 else int(paid * 10_000)
        return order_request(
            request_id=RequestId(self.request_id()),
            account_id=AccountId(name if self.dice.random() < 0.995 else STRANGER),
            instrument=listing.number,
            side=Side.BUY if is_buy else Side.SELL,
            order_type=order_type,
            time_in_force=time_in_force,
            price_e4=price_e4,
            quantity_shares=quantity,
        )

    def request_id(self) -> str:
        """Return a fresh name, rarely the one of before."""
        self.count += self.dice.random() < 0.985
        return f"request{self.count}"

    # --- aims -----------------------------------------------------------------------------------

    def _kind(self, listing: Instrument) -> tuple[OrderType, TimeInForce]:
        """Return a kind of order; after hours mostly the one that is for then."""
        dice, is_late = self.dice, self.oracle.market.session(listing) is Phase.AFTER_HOURS
        time_in_force = dice.choice(list(TimeInForce))
        chance = dice.random()
        if chance < 0.1:
            return dice.choice([OrderType.MARKET] * 4 + sorted(MARKET_TYPES)), time_in_force
        if chance < (0.8 if is_late else 0.13):
            return OrderType.FIXED_PRICE, dice.choice([TimeInForce.DAY] * 9 + [time_in_force])
        return OrderType.LIMIT, time_in_force

    def _instrument(self, account: OracleAccount, *, is_buy: bool) -> int:
        chance = self.dice.random()
        if chance < 0.01:
            return NEVER_LISTED
        if is_buy and chance < 0.08:
            return self.dice.choice(sorted(ST_SHARES))
        if account.orders and chance < 0.2:
            return self.dice.choice([*account.orders.values()]).wish.instrument
        if not is_buy and chance < 0.97:
            return self.dice.choice(sorted(account.lots))
        return self.dice.choice(list(SHARES))

    def _price(self, listing: Instrument, *, is_buy: bool) -> Decimal:
        step = tick(listing.board)
        edge = self.oracle.market.cage_edge(listing, is_buy=is_buy)
        best = listing.ask if is_buy else listing.bid
        aims = [best or listing.mark, listing.mark]
        aims += [] if isinstance(edge, LimitState) else [edge]
        if listing.limit_state is LimitState.LIMITED:
            aims.append(listing.up if is_buy else listing.down)
            aims = [min(max(aim, listing.down), listing.up) for aim in aims]
        outwards = step if is_buy else -step
        aim = self.dice.choice(aims) + outwards * self.dice.choice((0, 0, 0, 0, -1, -2, -5, 1))
        chance = self.dice.random()
        if chance < 0.02:
            return aim + step / 2
        if chance < 0.03:
            return self.dice.choice((NOTHING, -step, aim * 2))
        return aim

    def _sale(self, account: OracleAccount, listing: Instrument) -> int:
        held = account.sellable(
            listing.number,
            is_for_tomorrow=self.oracle.market.is_after_close,
        )
        lot = LOTS[listing.board]
        odd = lot.odd_part(max(held, 0))
        aims = (held, held, held + 1, odd, held - odd, lot.least, held - 1, held // 200 * 100, -100)
        return self.dice.choice(aims) + self.dice.choice((0, 0, 0, 0, 0, lot.step, 50))

    def _buy(
        self,
        account: OracleAccount,
        listing: Instrument,
        paid: Decimal,
    ) -> tuple[Decimal, int]:
        """Return a price and a quantity; to aim at a limit to the fen may move the price."""
        dice, lot = self.dice, LOTS[listing.board]
        if dice.random() < 0.3:
            whole = lot.least + lot.step * dice.randrange(max(1, 1_000 // lot.step))
            spoilt = dice.choice((whole + 1, lot.least - 1, 0, -lot.least))
            return paid, spoilt if dice.random() < 0.1 else whole
        if dice.random() < 0.06:
            return paid, dice.choice((lot.most, lot.most_at_market)) + dice.choice((0, lot.step))
        if listing.is_st and dice.random() < 0.5:
            return paid, self._st_quantity(account, listing) + dice.choice((0, 0, lot.step))
        average = listing.average_volume
        if average and account.limits.adv_bps_max and dice.random() < 0.3:
            most = average * account.limits.adv_bps_max // 10_000
            is_open = (order.left for order in account.open_in(listing.number, Side.BUY))
            return paid, most - sum(is_open) - lot.odd_part(most) + dice.choice((0, 0, lot.step))
        room = dice.choice(self._rooms(account, listing))()
        if dice.random() < 0.5:
            # To the fen, or just one beyond.
            room = room.quantize(FEN, ROUND_FLOOR) + dice.choice((NOTHING, FEN))
            prices = (paid - below * tick(listing.board) for below in range(60))
            exact = [
                each
                for each in prices
                if each > 0 and room % each == 0 and lot.is_whole(int(room / each))
            ]
            if exact and room > 0:
                paid = dice.choice(exact)
                return paid, int(room / paid)
        # Whole lots below what the room lets in, and a step beyond.
        quantity = int(max(room, NOTHING) / paid) if paid > 0 else 0
        quantity += dice.choice((0, 0, lot.step)) - lot.odd_part(quantity)
        return paid, min(max(quantity, lot.least), lot.most or lot.least)

    def _st_quantity(self, account: OracleAccount, listing: Instrument) -> int:
        cap = st_cap(listing.board, self.oracle.market.stamp.trade_date) or 0
        is_open = (order.left for order in account.open_in(listing.number, Side.BUY))
        return cap - account.bought[listing.number] - sum(is_open)

    def _rooms(
        self,
        account: OracleAccount,
        listing: Instrument,
    ) -> tuple[Callable[[], Decimal], ...]:
        """Return what tells how much money a buy may take, limit by limit."""
        market, limits = self.oracle.market, account.limits
        exposures = account.exposures(market)
        nav = account.nav

        def room(limit_bps: int, used: Decimal) -> Decimal:
            return nav * limit_bps / 10_000 - used

        return (
            lambda: account.available,
            lambda: account.available * Decimal("0.9997"),
            lambda: room(limits.position_bps_max, exposures.get(listing.number, NOTHING)),
            lambda: room(limits.sector_bps_max, account.in_sector(listing.sector, market)),
            lambda: room(limits.leverage_bps_max, sum(exposures.values(), NOTHING)),
        )
