"""What an order costs: commission, stamp duty, transfer, handling and regulatory fees.

The rates and their sources are in `fee_rows.py`; the commission is the broker's contract.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Board, Exchange, Side
from tidegate_common.domain.units import FEN_PER_YUAN, BoolArray, Int64Array, divide_half_up
from tidegate_common.errors import InvariantError
from tidegate_common.market.fee_rows import (
    FUND_HANDLING_FEE_ROWS,
    FUND_STAMP_DUTY_ROWS,
    FUND_TRANSFER_FEE_ROWS,
    HANDLING_FEE_ROWS,
    RATE_SCALE,
    REGULATORY_FEE_ROWS,
    STAMP_DUTY_ROWS,
    TRANSFER_FEE_ROWS,
    FeeRows,
    StampDuty,
    TransferFee,
    fee_rows_on,
)

__all__ = [
    "FACE_VALUE_FEN",
    "FUND_HANDLING_FEE_ROWS",
    "FUND_STAMP_DUTY_ROWS",
    "FUND_TRANSFER_FEE_ROWS",
    "HANDLING_FEE_ROWS",
    "NO_FEES",
    "RATE_SCALE",
    "REGULATORY_FEE_ROWS",
    "STAMP_DUTY_ROWS",
    "TRANSFER_FEE_ROWS",
    "FeeColumns",
    "FeeContract",
    "FeeRates",
    "FeeRows",
    "FeeSchedule",
    "Fees",
    "StampDuty",
    "TransferFee",
    "fee_rows_on",
]

# The face value of a share is 1 CNY.
FACE_VALUE_FEN = FEN_PER_YUAN
# A commission rate in millionths is so many 1/100,000,000.
_E8_PER_E6 = 100
# All of the turnover.
_RATE_E6_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Fees:
    """Fees of an order or a fill, each item in whole fen."""

    commission_fen: int
    stamp_duty_fen: int
    transfer_fee_fen: int
    handling_fee_fen: int = 0
    regulatory_fee_fen: int = 0

    @property
    def total_fen(self) -> int:
        """Return the sum of all items."""
        return (
            self.commission_fen
            + self.stamp_duty_fen
            + self.transfer_fee_fen
            + self.handling_fee_fen
            + self.regulatory_fee_fen
        )

    def __add__(self, other: "Fees") -> "Fees":
        return Fees(
            self.commission_fen + other.commission_fen,
            self.stamp_duty_fen + other.stamp_duty_fen,
            self.transfer_fee_fen + other.transfer_fee_fen,
            self.handling_fee_fen + other.handling_fee_fen,
            self.regulatory_fee_fen + other.regulatory_fee_fen,
        )

    def __sub__(self, other: "Fees") -> "Fees":
        return Fees(
            self.commission_fen - other.commission_fen,
            self.stamp_duty_fen - other.stamp_duty_fen,
            self.transfer_fee_fen - other.transfer_fee_fen,
            self.handling_fee_fen - other.handling_fee_fen,
            self.regulatory_fee_fen - other.regulatory_fee_fen,
        )


NO_FEES = Fees(0, 0, 0)


@dataclass(frozen=True, slots=True)
class FeeColumns:
    """Fees of n orders, each item in whole fen, (n,) int64."""

    commission_fen: Int64Array
    stamp_duty_fen: Int64Array
    transfer_fee_fen: Int64Array
    handling_fee_fen: Int64Array
    regulatory_fee_fen: Int64Array

    @property
    def total_fen(self) -> Int64Array:
        """Return the sum of all items of each order."""
        total: Int64Array = (
            self.commission_fen
            + self.stamp_duty_fen
            + self.transfer_fee_fen
            + self.handling_fee_fen
            + self.regulatory_fee_fen
        )
        return total

    def at(self, row: int) -> Fees:
        """Return the fees of one order."""
        return Fees(
            int(self.commission_fen[row]),
            int(self.stamp_duty_fen[row]),
            int(self.transfer_fee_fen[row]),
            int(self.handling_fee_fen[row]),
            int(self.regulatory_fee_fen[row]),
        )


@dataclass(frozen=True, slots=True)
class FeeContract:
    """An account's contract with its broker.

    commission_rate_e6 : millionths of the turnover.
    commission_minimum_fen : least commission of an order that has a fill.
    is_bundled : whether handling and regulatory fees are inside the commission, and so charged as
        0; else they are charged beside it, and the minimum is the commission's alone.

    Raises
    ------
    InvariantError
        If the rate or the minimum is negative.
    """

    commission_rate_e6: int
    commission_minimum_fen: int
    is_bundled: bool = True

    def __post_init__(self) -> None:
        """Refuse a contract that pays the customer."""
        if self.commission_rate_e6 < 0 or self.commission_minimum_fen < 0:
            message = (
                "commission_rate_e6 and commission_minimum_fen must be >= 0, "
                f"were {self.commission_rate_e6} and {self.commission_minimum_fen}"
            )
            raise InvariantError(message)


class FeeRates(NamedTuple):
    """What an order's fees are made of, in 1/100,000,000 of its turnover.

    commission_minimum_fen : least commission, fen.
    transfer_e8 : of the face value, where `is_on_face_value`.
    handling_e8, regulatory_e8 : 0 where the commission includes them.
    """

    commission_e8: int
    commission_minimum_fen: int
    buy_duty_e8: int
    sell_duty_e8: int
    transfer_e8: int
    is_on_face_value: bool
    handling_e8: int
    regulatory_e8: int


class FeeSchedule:
    """Fees by side, turnover, shares, exchange, board and day, under one contract."""

    def __init__(self, contract: FeeContract) -> None:
        self._contract = contract

    def order_fees(
        self,
        *,
        side: Side,
        amount_fen: int,
        quantity_shares: int,
        exchange: Exchange,
        board: Board,
        trade_date: int,
    ) -> Fees:
        """Return the fees of an order whose fills so far amount to `amount_fen`.

        Each item is rounded half up to the fen for the order, not for the fill: a fill costs
        the order's fees after it less those before it, so the fills always add up and the
        minimum commission is charged once.

        Parameters
        ----------
        side : side of the order.
        amount_fen : turnover of its fills, >= 0.
        quantity_shares : shares of its fills, >= 0; 0, with a turnover of 0, costs nothing.
        board : an unknown one pays as a share.
        trade_date : YYYYMMDD, Shanghai.

        Raises
        ------
        InvariantError
            If the amount or the quantity is negative, shares are missing for a turnover, or the
            date is none.

        Source: rulebook section 8; MOF and STA 2023 No. 39 (A), ChinaClear 2022-04-29 (A), the
        other rows as marked; the minimum is per order (contract); read 2026-11-21.
        """
        if amount_fen < 0 or quantity_shares < (1 if amount_fen else 0):
            message = (
                "amount_fen and quantity_shares must be >= 0, and a turnover have shares, "
                f"were {amount_fen} and {quantity_shares}"
            )
            raise InvariantError(message)
        if quantity_shares == 0:
            return NO_FEES
        rows = fee_rows_on(exchange, board, trade_date)
        duty, transfer = rows.stamp_duty.value, rows.transfer_fee.value
        base_fen = quantity_shares * FACE_VALUE_FEN if transfer.is_on_face_value else amount_fen
        contract = self._contract
        commission_fen = _part_fen(amount_fen, contract.commission_rate_e6 * _E8_PER_E6)
        is_apart = not contract.is_bundled
        return Fees(
            commission_fen=max(commission_fen, contract.commission_minimum_fen),
            stamp_duty_fen=_part_fen(
                amount_fen,
                duty.buy_rate_e8 if side is Side.BUY else duty.sell_rate_e8,
            ),
            transfer_fee_fen=_part_fen(base_fen, transfer.rate_e8),
            handling_fee_fen=is_apart * _part_fen(amount_fen, rows.handling_fee.value),
            regulatory_fee_fen=is_apart * _part_fen(amount_fen, rows.regulatory_fee.value),
        )

    def rates(self, *, exchange: Exchange, board: Board, trade_date: int) -> FeeRates:
        """Return the numbers by which `order_fees` reckons.

        Raises
        ------
        InvariantError
            If the date is none, or the commission is more than the turnover.

        Source: as `order_fees`.
        """
        contract = self._contract
        if contract.commission_rate_e6 > _RATE_E6_MAX:
            message = (
                f"commission_rate_e6 must be at most {_RATE_E6_MAX}, "
                f"was {contract.commission_rate_e6}"
            )
            raise InvariantError(message)
        rows = fee_rows_on(exchange, board, trade_date)
        is_apart = not contract.is_bundled
        return FeeRates(
            commission_e8=contract.commission_rate_e6 * _E8_PER_E6,
            commission_minimum_fen=contract.commission_minimum_fen,
            buy_duty_e8=rows.stamp_duty.value.buy_rate_e8,
            sell_duty_e8=rows.stamp_duty.value.sell_rate_e8,
            transfer_e8=rows.transfer_fee.value.rate_e8,
            is_on_face_value=rows.transfer_fee.value.is_on_face_value,
            handling_e8=is_apart * rows.handling_fee.value,
            regulatory_e8=is_apart * rows.regulatory_fee.value,
        )

    def orders_fees(
        self,
        *,
        is_buy: BoolArray,
        amounts_fen: Int64Array,
        quantities_shares: Int64Array,
        exchanges: NDArray[np.uint8],
        boards: NDArray[np.uint8],
        trade_date: int,
    ) -> FeeColumns:
        """Return `order_fees` of n orders.

        Parameters
        ----------
        is_buy : (n,) bool.
        amounts_fen, quantities_shares : (n,) int64, >= 0, of one order each.
        exchanges, boards : (n,) uint8, `Exchange` and `Board` values.

        Raises
        ------
        InvariantError
            If shapes differ, an amount or a quantity is negative, shares are missing for a
            turnover, an exchange or a board is none, or the date is none.
        """
        shapes = {
            column.shape for column in (is_buy, amounts_fen, quantities_shares, exchanges, boards)
        }
        if len(shapes) > 1:
            message = f"the columns of the orders must have one shape, had {sorted(shapes)}"
            raise InvariantError(message)
        has_fill = quantities_shares > 0
        if (amounts_fen < 0).any() or (quantities_shares < 0).any() or amounts_fen[~has_fill].any():
            message = (
                "amounts_fen and quantities_shares must be >= 0, and a turnover have shares; "
                "one was not so"
            )
            raise InvariantError(message)
        rates = _rates_of(exchanges, boards, trade_date)
        bases_fen = np.where(
            rates.is_on_face_value,
            quantities_shares * FACE_VALUE_FEN,
            amounts_fen,
        )
        contract = self._contract
        commission_e8 = np.full_like(amounts_fen, contract.commission_rate_e6 * _E8_PER_E6)
        commissions_fen = np.maximum(
            _parts_fen(amounts_fen, commission_e8),
            contract.commission_minimum_fen,
        )
        duties_e8 = np.where(is_buy, rates.buy_duty_e8, rates.sell_duty_e8)
        is_apart = has_fill & (not contract.is_bundled)
        return FeeColumns(
            commission_fen=commissions_fen * has_fill,
            stamp_duty_fen=_parts_fen(amounts_fen, duties_e8) * has_fill,
            transfer_fee_fen=_parts_fen(bases_fen, rates.transfer_e8) * has_fill,
            handling_fee_fen=_parts_fen(amounts_fen, rates.handling_e8) * is_apart,
            regulatory_fee_fen=_parts_fen(amounts_fen, rates.regulatory_e8) * is_apart,
        )

    def buy_cost_bound_fen(
        self,
        *,
        amount_fen: int,
        quantity_shares: int,
        exchange: Exchange,
        board: Board,
        trade_date: int,
    ) -> int:
        """Return the cash that a buy can cost at most: the amount and its fees.

        Fees never fall as the amount or the shares grow, so this bounds every partial fill too.
        """
        fees = self.order_fees(
            side=Side.BUY,
            amount_fen=amount_fen,
            quantity_shares=quantity_shares,
            exchange=exchange,
            board=board,
            trade_date=trade_date,
        )
        return amount_fen + fees.total_fen


@dataclass(frozen=True, slots=True)
class _Rates:
    """Rates of n orders in 1/100,000,000, (n,) int64, and what the transfer fee is charged on."""

    buy_duty_e8: Int64Array
    sell_duty_e8: Int64Array
    transfer_e8: Int64Array
    is_on_face_value: BoolArray
    handling_e8: Int64Array
    regulatory_e8: Int64Array


# An exchange and a board make one key: boards are uint8.
_BOARD_VALUES = 256


def _rates_of(
    exchanges: NDArray[np.uint8],
    boards: NDArray[np.uint8],
    trade_date: int,
) -> _Rates:
    keys, places = np.unique(
        exchanges.astype(np.int64) * _BOARD_VALUES + boards,
        return_inverse=True,
    )
    segments = [_rate_row(key, trade_date) for key in keys.tolist()]
    table = np.array(segments, np.int64).reshape(-1, 6)[places]
    return _Rates(
        buy_duty_e8=table[:, 0],
        sell_duty_e8=table[:, 1],
        transfer_e8=table[:, 2],
        is_on_face_value=table[:, 3].astype(np.bool_),
        handling_e8=table[:, 4],
        regulatory_e8=table[:, 5],
    )


def _rate_row(key: int, trade_date: int) -> tuple[int, ...]:
    exchange, board = divmod(key, _BOARD_VALUES)
    try:
        rows = fee_rows_on(Exchange(exchange), Board(board), trade_date)
    except ValueError as error:
        message = f"exchange and board must be of their enums, were {exchange} and {board}"
        raise InvariantError(message) from error
    duty, transfer = rows.stamp_duty.value, rows.transfer_fee.value
    return (
        duty.buy_rate_e8,
        duty.sell_rate_e8,
        transfer.rate_e8,
        int(transfer.is_on_face_value),
        rows.handling_fee.value,
        rows.regulatory_fee.value,
    )


def _part_fen(amount_fen: int, rate_e8: int) -> int:
    return divide_half_up(amount_fen * rate_e8, RATE_SCALE)


def _parts_fen(amounts_fen: Int64Array, rates_e8: Int64Array) -> Int64Array:
    # The whole multiples apart: their product with a rate needs no division, the rest no 64 bits.
    wholes, rests = np.divmod(amounts_fen, RATE_SCALE)
    rounded: Int64Array = (2 * rests * rates_e8 + RATE_SCALE) // (2 * RATE_SCALE)
    return wholes * rates_e8 + rounded
