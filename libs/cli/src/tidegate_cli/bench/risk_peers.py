"""Other programs' checks before an order, for bench `risk`, over the same instruments and prices.

Neither is a dependency: each is measured where it is installed. Each has its own types of
instruments, orders and books, made before the time runs, and a stub counts what it lets through.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Protocol

from tidegate_cli.bench.risk_paths import LOT_SHARES, ORDER_SHARES_MAX
from tidegate_common.clock import Clock
from tidegate_common.errors import InvariantError

_ORDER_SHARES: Final = 10 * LOT_SHARES
_CASH_CNY: Final = 1_000_000_000
_PRICE_DIGITS: Final = 2
_TICK: Final = "0.01"
_CURRENCY: Final = "CNY"
_VENUE: Final = "XSHG"
_NAUTILUS_ID: Final = "BENCH-001"
_NAUTILUS_ACCOUNT: Final = f"{_VENUE}-001"
_GATEWAY: Final = "bench"
# More than any count in a bench.
_MANY: Final = 1_000_000_000
_NS: Final = 1e9


class Peer(Protocol):
    """Another program's risk engine with a batch of orders, all of which it lets through."""

    @property
    def passed_count(self) -> int:
        """Orders let through so far."""

    def submit(self) -> None:
        """Check the orders of the batch, one after another."""


@dataclass(frozen=True, slots=True)
class PeerMarket:
    """What a peer is told of: codes of Shanghai, and the price of each in CNY.

    position_count : the first instruments are held.
    batch_count : each of so many instruments after them is bought once.
    """

    codes: Sequence[str]
    prices: Sequence[Decimal]
    position_count: int
    batch_count: int

    @property
    def wanted(self) -> Sequence[int]:
        """Places of what is bought."""
        return range(self.position_count, self.position_count + self.batch_count)


class NautilusPeer:
    """NautilusTrader's `RiskEngine` with its own cache, portfolio, message bus and cash account.

    It checks each order's precision, sign and size, and its value against the free cash. The rate
    is throttled, here by more than there is. Nothing is reserved: its books change when the
    exchange accepts the order.
    """

    def __init__(self, market: PeerMarket) -> None:
        from nautilus_trader.cache.cache import Cache
        from nautilus_trader.common.component import MessageBus, TestClock
        from nautilus_trader.core.uuid import UUID4
        from nautilus_trader.execution.messages import SubmitOrder
        from nautilus_trader.model.enums import OmsType
        from nautilus_trader.model.identifiers import StrategyId, TraderId
        from nautilus_trader.portfolio.portfolio import Portfolio
        from nautilus_trader.risk.config import RiskEngineConfig
        from nautilus_trader.risk.engine import RiskEngine

        clock = TestClock()
        bus = MessageBus(trader_id=TraderId(_NAUTILUS_ID), clock=clock)
        cache = Cache(database=None)
        portfolio = Portfolio(msgbus=bus, cache=cache, clock=clock)
        rate = f"{_MANY}/00:00:01"
        self._engine = RiskEngine(
            portfolio=portfolio,
            msgbus=bus,
            cache=cache,
            clock=clock,
            config=RiskEngineConfig(max_order_submit_rate=rate, max_order_modify_rate=rate),
        )
        self._passed: list[object] = []
        bus.register("ExecEngine.execute", self._passed.append)
        # A denial would come here; nobody counts it, so it would be missed.
        bus.register("ExecEngine.process", lambda _: None)
        instruments = [_nautilus_equity(code) for code in market.codes]
        for each in instruments:
            cache.add_instrument(each)
        portfolio.update_account(_nautilus_cash())
        for place in range(market.position_count):
            held = _nautilus_position(instruments[place], market.prices[place])
            cache.add_position(held, OmsType.NETTING)
        self._commands = [
            SubmitOrder(
                TraderId(_NAUTILUS_ID),
                StrategyId(_NAUTILUS_ID),
                _nautilus_buy(instruments[place], market.prices[place]),
                UUID4(),
                0,
            )
            for place in market.wanted
        ]

    @property
    def passed_count(self) -> int:
        """Orders let through so far."""
        return len(self._passed)

    def submit(self) -> None:
        """Check the orders of the batch, one after another."""
        execute = self._engine.execute
        for command in self._commands:
            execute(command)


class VeighnaPeer:
    """VeighNa's `vnpy_riskmanager` before a main engine that only counts; no window, no settings.

    All its rules are on, with limits that nothing reaches: tick and size of the contract, size and
    value of the order, open orders, orders of the day, repeats. It knows no cash and no holdings.
    """

    def __init__(self, market: PeerMarket) -> None:
        self._main = _VeighnaMain()
        # It reads settings and rules from the folder that it starts in, else from the user's home.
        with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder, chdir(folder):
            Path(".vntrader").mkdir()
            from vnpy.trader.constant import Direction, Exchange, Offset, OrderType, Product
            from vnpy.trader.object import ContractData, OrderRequest
            from vnpy_riskmanager import RiskEngine

            # Else in the folder of the first import, which may be gone.
            RiskEngine.setting_filename = str(Path("settings.json").absolute())
            # It puts itself before the main engine's `send_order`.
            engine = RiskEngine(self._main, _VeighnaEvents())
        for rule in engine.rules.values():
            rule.update_setting(dict.fromkeys(rule.parameters, _MANY))
        for code in market.codes:
            contract = ContractData(
                gateway_name=_GATEWAY,
                symbol=code,
                exchange=Exchange.SSE,
                name=code,
                product=Product.EQUITY,
                size=1,
                pricetick=float(_TICK),
                min_volume=LOT_SHARES,
            )
            self._main.contracts[contract.vt_symbol] = contract
        self._requests = [
            OrderRequest(
                symbol=market.codes[place],
                exchange=Exchange.SSE,
                direction=Direction.LONG,
                type=OrderType.LIMIT,
                volume=_ORDER_SHARES,
                price=float(market.prices[place]),
                offset=Offset.OPEN,
            )
            for place in market.wanted
        ]

    @property
    def passed_count(self) -> int:
        """Orders let through so far."""
        return self._main.passed_count

    def submit(self) -> None:
        """Check the orders of the batch, one after another."""
        send_order = self._main.send_order
        for request in self._requests:
            send_order(request, _GATEWAY)


# By the name of its figures, with the distribution that it comes in.
Peers = Mapping[str, tuple[str, Callable[[PeerMarket], Peer]]]
PEERS: Final[Peers] = {
    "nautilus": ("nautilus_trader", NautilusPeer),
    "veighna": ("vnpy_riskmanager", VeighnaPeer),
}


def peer_versions(peers: Peers = PEERS) -> list[str]:
    """Return each peer with its version, or that it is not installed."""
    return [
        f"{name} {_version_of(distribution) or 'not installed'}"
        for name, (distribution, _) in peers.items()
    ]


def measure_peers(
    market: PeerMarket,
    *,
    clock: Clock,
    repeat_count: int,
    peers: Peers = PEERS,
) -> dict[str, float]:
    """Return what an order costs each peer that is installed, in its fastest batch, in ns.

    Raises
    ------
    InvariantError
        If one does not let all orders through: it would be another path than ours.
    """
    found = {}
    for name, (distribution, make_peer) in peers.items():
        if _version_of(distribution) is None:
            continue
        peer = make_peer(market)
        seconds = []
        for _ in range(repeat_count):
            started = clock.monotonic_seconds()
            peer.submit()
            seconds.append(clock.monotonic_seconds() - started)
        order_count = repeat_count * market.batch_count
        if peer.passed_count != order_count:
            message = f"{name} must let {order_count} orders through, let {peer.passed_count}"
            raise InvariantError(message)
        found[name] = min(seconds) / market.batch_count * _NS
    return found


def _version_of(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


class _VeighnaMain:
    """What a risk manager asks of VeighNa's main engine."""

    def __init__(self) -> None:
        self.contracts: dict[str, object] = {}
        self.passed_count = 0

    def send_order(self, _request: object, _gateway_name: str) -> str:
        """Count an order that was let through."""
        self.passed_count += 1
        return _GATEWAY

    def get_contract(self, vt_symbol: str) -> object | None:
        """Return a contract."""
        return self.contracts.get(vt_symbol)

    def write_log(self, msg: str, **_: object) -> None:
        """Say nothing."""


class _VeighnaEvents:
    """What a risk manager asks of VeighNa's event engine: others would read what is put."""

    def register(self, _type: str, _handler: object) -> None:
        """Nothing happens here."""

    def put(self, _event: object) -> None:
        """Nobody listens."""


class _NautilusInstrument(Protocol):
    """What is asked here of an instrument of NautilusTrader."""

    id: object
    quote_currency: object

    def make_price(self, value: Decimal) -> object:
        """Return a price of the instrument's precision."""


def _nautilus_equity(code: str) -> _NautilusInstrument:
    from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
    from nautilus_trader.model.instruments import Equity
    from nautilus_trader.model.objects import Currency, Price, Quantity

    equity: _NautilusInstrument = Equity(
        instrument_id=InstrumentId(Symbol(code), Venue(_VENUE)),
        raw_symbol=Symbol(code),
        currency=Currency.from_str(_CURRENCY),
        price_precision=_PRICE_DIGITS,
        price_increment=Price.from_str(_TICK),
        lot_size=Quantity.from_int(LOT_SHARES),
        ts_event=0,
        ts_init=0,
        max_quantity=Quantity.from_int(ORDER_SHARES_MAX),
        min_quantity=Quantity.from_int(LOT_SHARES),
    )
    return equity


def _nautilus_cash() -> object:
    from nautilus_trader.core.uuid import UUID4
    from nautilus_trader.model.enums import AccountType
    from nautilus_trader.model.events import AccountState
    from nautilus_trader.model.identifiers import AccountId
    from nautilus_trader.model.objects import AccountBalance, Currency, Money

    currency = Currency.from_str(_CURRENCY)
    cash, nothing = Money(_CASH_CNY, currency), Money(0, currency)
    state: object = AccountState(
        account_id=AccountId(_NAUTILUS_ACCOUNT),
        account_type=AccountType.CASH,
        base_currency=currency,
        reported=True,
        balances=[AccountBalance(cash, nothing, cash)],
        margins=[],
        info={},
        event_id=UUID4(),
        ts_event=0,
        ts_init=0,
    )
    return state


def _nautilus_buy(instrument: _NautilusInstrument, price: Decimal) -> object:
    from nautilus_trader.core.uuid import UUID4
    from nautilus_trader.model.enums import OrderSide
    from nautilus_trader.model.identifiers import ClientOrderId, StrategyId, TraderId
    from nautilus_trader.model.objects import Quantity
    from nautilus_trader.model.orders import LimitOrder

    order: object = LimitOrder(
        trader_id=TraderId(_NAUTILUS_ID),
        strategy_id=StrategyId(_NAUTILUS_ID),
        instrument_id=instrument.id,
        client_order_id=ClientOrderId(f"O-{instrument.id}"),
        order_side=OrderSide.BUY,
        quantity=Quantity.from_int(_ORDER_SHARES),
        price=instrument.make_price(price),
        init_id=UUID4(),
        ts_init=0,
    )
    return order


def _nautilus_position(instrument: _NautilusInstrument, price: Decimal) -> object:
    from nautilus_trader.core.uuid import UUID4
    from nautilus_trader.model import enums, identifiers
    from nautilus_trader.model.events import OrderFilled
    from nautilus_trader.model.objects import Money, Quantity
    from nautilus_trader.model.position import Position

    fill = OrderFilled(
        trader_id=identifiers.TraderId(_NAUTILUS_ID),
        strategy_id=identifiers.StrategyId(_NAUTILUS_ID),
        instrument_id=instrument.id,
        client_order_id=identifiers.ClientOrderId(f"H-{instrument.id}"),
        venue_order_id=identifiers.VenueOrderId(f"V-{instrument.id}"),
        account_id=identifiers.AccountId(_NAUTILUS_ACCOUNT),
        trade_id=identifiers.TradeId(f"T-{instrument.id}"),
        position_id=identifiers.PositionId(f"P-{instrument.id}"),
        order_side=enums.OrderSide.BUY,
        order_type=enums.OrderType.LIMIT,
        last_qty=Quantity.from_int(_ORDER_SHARES),
        last_px=instrument.make_price(price),
        currency=instrument.quote_currency,
        commission=Money(0, instrument.quote_currency),
        liquidity_side=enums.LiquiditySide.TAKER,
        event_id=UUID4(),
        ts_event=0,
        ts_init=0,
    )
    position: object = Position(instrument, fill)
    return position
