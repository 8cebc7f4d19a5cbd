"""The market's rules as risk's slow oracle knows them, written from the rule book's document.

Money and prices are `Decimal` yuan, dates YYYYMMDD from `FIRST_DAY` on. Nothing here asks the rule
book in `tidegate_common`: where the two differ, one of them is wrong.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from tidegate_common.domain.enums import Board, Exchange, LimitState, OrderType, Phase
from tidegate_common.events.run import CommissionSpec, ProgrammeTradingSpec

# The transfer fee is 0.001% from here on; what was before is not written down below.
FIRST_DAY = 2022_04_29
REGISTRATION_DAY = 2023_04_10
HALF_DUTY_DAY = 2023_08_28
HIGH_FREQUENCY_DAY = 2025_07_07
RULES_OF_2026_DAY = 2026_07_06
BSE_CAP_DAY = 2026_08_31

FEN = Decimal("0.01")
FUNDS = frozenset({Board.ETF, Board.ETF_GROWTH})
# Where a board is listed; anything else has no sessions.
VENUES = {
    Board.MAIN: {Exchange.SH, Exchange.SZ},
    Board.CHINEXT: {Exchange.SZ},
    Board.STAR: {Exchange.SH},
    Board.BSE: {Exchange.BJ},
    Board.ETF: {Exchange.SH, Exchange.SZ},
    Board.ETF_GROWTH: {Exchange.SH, Exchange.SZ},
}


@dataclass(frozen=True)
class Lot:
    """Quantities of a board, in shares; nothing is let in where the most is 0."""

    least: int
    step: int
    most: int
    most_at_market: int

    def is_whole(self, quantity: int) -> bool:
        """Tell whether a quantity is nothing, or the least and so many steps."""
        return quantity == 0 or (
            quantity >= self.least and (quantity - self.least) % self.step == 0
        )

    def odd_part(self, held: int) -> int:
        """Return the part of a holding that has to go in one order."""
        return next(part for part in range(self.least) if self.is_whole(held - part))

    def is_sale(self, quantity: int, held: int) -> bool:
        """Tell whether so much of a holding may be sold, the order's maximum aside."""
        rest = quantity - self.odd_part(held)
        return quantity > 0 and (self.is_whole(quantity) or (rest >= 0 and self.is_whole(rest)))


LOTS = {
    Board.MAIN: Lot(100, 100, 1_000_000, 1_000_000),
    Board.CHINEXT: Lot(100, 100, 300_000, 150_000),
    Board.STAR: Lot(200, 1, 100_000, 50_000),
    # Nobody says how large a market order may be there.
    Board.BSE: Lot(100, 1, 1_000_000, 0),
    Board.ETF: Lot(100, 100, 1_000_000, 1_000_000),
    Board.ETF_GROWTH: Lot(100, 100, 1_000_000, 1_000_000),
    Board.UNKNOWN: Lot(100, 100, 0, 0),
}


def most_after_hours(board: Board, day: int) -> int:
    """Return the most shares of an order at the fixed price after hours, 0 where there is none."""
    is_early = board in {Board.STAR, Board.CHINEXT}
    is_known = board not in {Board.BSE, Board.UNKNOWN}
    return 1_000_000 if is_early or (is_known and day >= RULES_OF_2026_DAY) else 0


def takes_fixed_price(exchange: Exchange, board: Board, *, day: int, second: int) -> bool:
    """Tell whether orders at the fixed price are taken: from the morning on, but not over lunch."""
    if exchange not in VENUES.get(board, ()) or not most_after_hours(board, day):
        return False
    clock = clock_at(second)
    return 930 - 15 * (exchange is Exchange.SZ) <= clock < 1130 or 1300 <= clock < 1530


def takes_at_market(
    order_type: OrderType,
    *,
    is_fill_or_kill: bool,
    exchange: Exchange,
    board: Board,
    day: int,
) -> bool:
    """Tell whether a board takes a kind of market order."""
    is_best = order_type in {OrderType.COUNTERPARTY_BEST, OrderType.OWN_BEST}
    if exchange not in VENUES.get(board, ()) or exchange is Exchange.BJ:
        return False
    if exchange is Exchange.SZ:
        return order_type is OrderType.MARKET or (is_best and not is_fill_or_kill)
    is_allowed = not is_best or board is Board.STAR or day >= REGISTRATION_DAY
    return is_allowed and not is_fill_or_kill


def clock_at(second: int) -> int:
    """Return a second of the day as HHMM."""
    return second // 3_600 * 100 + second // 60 % 60


@dataclass(frozen=True)
class Cage:
    """How far from a reference a limit order may be priced; a dormant one refuses nothing."""

    rate: Decimal
    ticks: int = 0
    is_dormant: bool = False


NARROW = Cage(Decimal("0.02"), 10)


def yuan(fen: int) -> Decimal:
    """Return fen as yuan."""
    return Decimal(fen).scaleb(-2)


def price(price_e4: int) -> Decimal:
    """Return 1/10,000 yuan as yuan."""
    return Decimal(price_e4).scaleb(-4)


def to_fen(amount: Decimal) -> Decimal:
    """Round half up to the fen."""
    return amount.quantize(FEN, ROUND_HALF_UP)


def tick(board: Board) -> Decimal:
    """Return the price step."""
    return Decimal("0.001") if board in FUNDS else Decimal("0.01")


def on_tick(amount: Decimal, board: Board, rounding: str = ROUND_HALF_UP) -> Decimal:
    """Return a price rounded to the board's step."""
    step = tick(board)
    return (amount / step).to_integral_value(rounding) * step


def st_cap(board: Board, day: int) -> int | None:
    """Return how much of an ST share an account may buy in a day."""
    if board is Board.MAIN:
        return 500_000
    return 200_000 if board is Board.BSE and day >= BSE_CAP_DAY else None


def phase_on(exchange: Exchange, board: Board, *, day: int, second: int) -> Phase:
    """Return the phase at a second of the day."""
    if exchange not in VENUES.get(board, ()):
        return Phase.CLOSED
    has_close_call = exchange is not Exchange.SH or board not in FUNDS or day >= RULES_OF_2026_DAY
    # Beginnings as HHMM; each phase lasts until the next one.
    plan = [
        (0, Phase.CLOSED),
        (915, Phase.OPEN_CALL),
        (920, Phase.OPEN_CALL_LOCKED),
        (925, Phase.PAUSE),
        (930, Phase.CONTINUOUS),
        (1130, Phase.LUNCH),
        (1300, Phase.CONTINUOUS),
        (1457, Phase.CLOSE_CALL if has_close_call else Phase.CONTINUOUS),
        (1500, Phase.CLOSED),
    ]
    if most_after_hours(board, day):
        plan += [(1505, Phase.AFTER_HOURS), (1530, Phase.CLOSED)]
    return [phase for begin, phase in plan if begin <= clock_at(second)][-1]


def cage_of(board: Board, day: int) -> Cage | LimitState:
    """Return a board's cage; UNLIMITED where no order is refused, UNKNOWN where nobody knows."""
    if board in FUNDS:
        return LimitState.UNLIMITED
    if board is Board.MAIN:
        return NARROW if day >= REGISTRATION_DAY else LimitState.UNLIMITED
    if board is Board.CHINEXT:
        return NARROW if day >= REGISTRATION_DAY else Cage(Decimal("0.02"), is_dormant=True)
    if board is Board.STAR:
        return Cage(Decimal("0.02"))
    return Cage(Decimal("0.05"), 10) if board is Board.BSE else LimitState.UNKNOWN


def limit_rate(board: Board, day: int, *, is_st: bool) -> Decimal | None:
    """Return how far an ordinary share may move in a day, None where nobody knows."""
    if board in FUNDS:
        growth = Decimal("0.2") if board is Board.ETF_GROWTH else Decimal("0.1")
        return None if is_st else growth
    if board is Board.MAIN:
        return Decimal("0.05") if is_st and day < RULES_OF_2026_DAY else Decimal("0.1")
    rates = {Board.CHINEXT: "0.2", Board.STAR: "0.2", Board.BSE: "0.3"}
    return Decimal(rates[board]) if board in rates else None


def limits_from(close: Decimal, rate: Decimal, board: Board) -> tuple[Decimal, Decimal]:
    """Return the highest and the lowest price of the day after a close."""
    is_cut = board is Board.BSE
    up = on_tick(close * (1 + rate), board, ROUND_FLOOR if is_cut else ROUND_HALF_UP)
    down = on_tick(close * (1 - rate), board, ROUND_CEILING if is_cut else ROUND_HALF_UP)
    step = tick(board)
    up = max(up, on_tick(close, board, ROUND_FLOOR) + step)
    down = min(down, on_tick(close, board, ROUND_CEILING) - step)
    return up, max(down, step)


def fees_of(
    amount: Decimal,
    *,
    is_buy: bool,
    exchange: Exchange,
    board: Board,
    day: int,
    contract: CommissionSpec,
) -> Decimal:
    """Return what an order with fills of so much costs."""
    is_fund = board in FUNDS
    rates = []
    if not is_fund:
        rates.append(Decimal("0.00001"))
        if not is_buy:
            rates.append(Decimal("0.0005") if day >= HALF_DUTY_DAY else Decimal("0.001"))
    if not contract.is_bundled:
        rates += [Decimal("0.00002"), _handling_rate(exchange, day, is_fund=is_fund)]
    commission = to_fen(amount * contract.rate_e6 / 1_000_000)
    statutory = sum((to_fen(amount * rate) for rate in rates), Decimal(0))
    return max(commission, yuan(contract.minimum_fen)) + statutory


def _handling_rate(exchange: Exchange, day: int, *, is_fund: bool) -> Decimal:
    # What BSE took before and what funds pay is not written anywhere: the dearest that was heard.
    if is_fund:
        return Decimal("0.0000487")
    if exchange is Exchange.BJ:
        return Decimal("0.000125") if day >= HALF_DUTY_DAY else Decimal("0.0005")
    return Decimal("0.0000341") if day >= HALF_DUTY_DAY else Decimal("0.0000487")


def thresholds_on(day: int, own: ProgrammeTradingSpec | None) -> tuple[int, int] | None:
    """Return from how many messages a second and a day on an account is a high-frequency one."""
    if own is not None and own.effective_from <= day <= own.effective_to:
        return own.messages_per_second, own.messages_per_day
    return (300, 20_000) if day >= HIGH_FREQUENCY_DAY else None
