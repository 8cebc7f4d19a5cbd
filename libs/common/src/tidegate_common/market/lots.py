"""Order quantities and price ticks by board."""

from dataclasses import dataclass

from tidegate_common.domain.enums import Board
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence, DatedRow


@dataclass(frozen=True, slots=True)
class LotRule:
    """What quantities an order may have, in shares.

    A buy is `min_shares` plus a multiple of `step_shares`, at most `max_limit_shares` in a limit
    order and `max_market_shares` in a market order. A maximum of 0 refuses every quantity.
    """

    min_shares: int
    step_shares: int
    max_limit_shares: int
    max_market_shares: int


_MAIN = DatedRow(
    FIRST_DATE,
    LAST_DATE,
    LotRule(100, 100, 1_000_000, 1_000_000),
    "SSE Trading Rules 3.3.8, 3.3.9; SZSE Trading Rules 3.3.8, 3.3.10 (2023)",
    Confidence.B,
)
_CHINEXT = DatedRow(
    2009_10_30,
    LAST_DATE,
    # The maxima of 2020-08-24; earlier ones are not verified.
    LotRule(100, 100, 300_000, 150_000),
    "SZSE ChiNext Trading Special Rules 2.8, effective 2020-08-24",
    Confidence.B,
)
_STAR = DatedRow(
    2019_07_22,
    LAST_DATE,
    LotRule(200, 1, 100_000, 50_000),
    "SSE STAR Market Trading Rules, effective 2019-07-22",
    Confidence.B,
)
_BSE = DatedRow(
    2021_11_15,
    LAST_DATE,
    # 100 and 1 are A, the limit order's maximum is D. No source gives the market order's
    # maximum: the conservative reading refuses market orders.
    LotRule(100, 1, 1_000_000, 0),
    "BSE Trading Rules, trial 2021-11-15; BSE 2026 No. 17, effective 2026-07-06",
    Confidence.D,
)
_UNKNOWN = DatedRow(
    FIRST_DATE,
    LAST_DATE,
    LotRule(100, 100, 0, 0),
    "no board, no rule: every quantity is refused",
    Confidence.D,
)

# The rules in force at the end of 2026; a date joins the interface with the full rule book.
LOT_ROWS: dict[Board, DatedRow[LotRule]] = {
    Board.UNKNOWN: _UNKNOWN,
    Board.MAIN: _MAIN,
    Board.CHINEXT: _CHINEXT,
    Board.STAR: _STAR,
    Board.BSE: _BSE,
}

_SHARE_TICK = DatedRow(
    FIRST_DATE,
    LAST_DATE,
    100,
    "SSE, SZSE and BSE Trading Rules: 0.01 CNY for A shares, read 2026-11-21",
    Confidence.B,
)

# UNKNOWN has the coarse tick too: a fund's 0.001 is refused until funds are known.
TICK_ROWS: dict[Board, DatedRow[int]] = dict.fromkeys(Board, _SHARE_TICK)


def lot_rule(board: Board) -> LotRule:
    """Return the quantities that orders on a board may have; none on `Board.UNKNOWN`.

    Source: trading rules of the exchanges, row by row in `LOT_ROWS`, read 2026-11-21 (B; BSE D).
    """
    return LOT_ROWS[board].value


def price_tick_e4(board: Board) -> int:
    """Return the price step on a board: 100, which is 0.01 CNY, for every share.

    Source: trading rules of the exchanges, read 2026-11-21 (B).
    """
    return TICK_ROWS[board].value


def round_down_buy(quantity_shares: int, board: Board) -> int:
    """Return the largest valid quantity of a limit buy that is not above the one given.

    0 where none is. A quantity above the board's maximum comes back as the maximum.

    Source: as `lot_rule`.
    """
    rule = lot_rule(board)
    return _whole_part(min(quantity_shares, rule.max_limit_shares), rule)


def is_valid_buy(quantity_shares: int, board: Board) -> bool:
    """Tell whether a limit buy may have this quantity.

    Source: as `lot_rule`.
    """
    return quantity_shares > 0 and round_down_buy(quantity_shares, board) == quantity_shares


def is_valid_sell(quantity_shares: int, sellable_shares: int, board: Board) -> bool:
    """Tell whether a limit sell may have this quantity, given what can be sold.

    What is left of a holding after its whole lots (on the main board and ChiNext under 100
    shares, elsewhere a holding under the minimum) goes in one order: all of it or none. It may
    go alone or with whole lots: of 250 shares on the main board 50, 100, 150, 200 and 250 are
    valid.

    Source: SSE Trading Rules 3.3.8, SZSE 3.3.8 (2023), STAR and BSE rules; read 2026-11-21 (B).
    """
    rule = lot_rule(board)
    if not 0 < quantity_shares <= min(sellable_shares, rule.max_limit_shares):
        return False
    odd_shares = sellable_shares - _whole_part(sellable_shares, rule)
    return any(
        _whole_part(whole_shares, rule) == whole_shares
        for whole_shares in (quantity_shares, quantity_shares - odd_shares)
        if whole_shares >= 0
    )


def _whole_part(quantity_shares: int, rule: LotRule) -> int:
    """Return the largest minimum-plus-steps not above a quantity, 0 where none is."""
    if quantity_shares < rule.min_shares:
        return 0
    steps = (quantity_shares - rule.min_shares) // rule.step_shares
    return rule.min_shares + steps * rule.step_shares
