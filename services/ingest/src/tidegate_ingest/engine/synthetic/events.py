"""What happens to shares from day to day: listing, risk warning, suspension, halts, ex-rights."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Board, ListingStatus, RiskWarning
from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.market.listing import FIRST_DAYS_MAX, LISTED_LONG_AGO, stages_of
from tidegate_ingest.engine.synthetic.chance import WORD, Chance
from tidegate_ingest.engine.synthetic.shares import DELISTING_DAYS, SyntheticShares
from tidegate_ingest.engine.synthetic.timetable import synthetic_date

# How often of 65,536 days of a share.
_ST_BEGINS: Final = 16
_ST_ENDS: Final = WORD // 100
_SUSPENSION_BEGINS: Final = WORD // 400
# The market begins with those that were suspended before.
_SUSPENDED_AT_FIRST: Final = WORD // 100
_HALTED: Final = WORD // 500
_GOES_EX: Final = WORD // 250
_HAS_TRANSFER: Final = WORD // 5

_SUSPENSION_DAYS: Final = (1, 10)
# A halt begins between 09:35 and 10:35 or 13:05 and 14:05, and lasts 10 to 30 minutes.
_HALT_BEGINS_SECONDS: Final = (34_500, 38_100)
_AFTERNOON_SECONDS: Final = 12_600
_HALT_SECONDS: Final = (600, 1_800)
# Cash in thousandths of the price, new shares in tenths of a share.
_CASH_E3: Final = (5, 30)
_TRANSFER_TENTHS: Final = (2, 6)
_TENTH_E6: Final = 100_000
_E6_PER_E4: Final = 100
# Dividends are whole tenths of a fen a share.
_CASH_STEP_E6: Final = 1_000


@dataclass(frozen=True, slots=True)
class DayEvents:
    """One day of all shares that a market ever has, (n,) each.

    is_listed : trades or is suspended; the others are not there.
    stage : uint8, `ListingStage`.
    listing_day : 1 on the first day of those that list in the market's time, else 0.
    delisting_day : likewise, of the delisting period.
    status_from : first date of a delisting period that runs, else 0.
    halt_from, halt_to : seconds of the day, 0 and 0 for no halt.
    listing_date : of those that list in the market's time, else 0.
    cash_e6, transfer_e6 : of an ex-rights day, else 0; as in `CorporateAction`.
    """

    is_listed: BoolArray
    is_st: BoolArray
    is_suspended: BoolArray
    stage: NDArray[np.uint8]
    listing_day: Int64Array
    delisting_day: Int64Array
    status_from: Int64Array
    halt_from: Int64Array
    halt_to: Int64Array
    listing_date: Int64Array
    cash_e6: Int64Array
    transfer_e6: Int64Array


class EventCalendar:
    """Makes the days one after another."""

    def __init__(self, shares: SyntheticShares) -> None:
        self._shares = shares
        self._is_st = shares.is_st.copy()
        self._suspended_days = np.zeros(len(shares), dtype=np.int64)
        self._listed = _dates(shares.listing_day, ~shares.is_old, otherwise=LISTED_LONG_AGO)
        self._delisted = _dates(shares.delisting_day, shares.is_leaver, otherwise=0)

    def day(self, number: int, prev_close_e4: Int64Array, chance: Chance) -> DayEvents:
        """Return the next day.

        Parameters
        ----------
        prev_close_e4 : (n,) int64, closes of the day before.
        """
        shares, count = self._shares, len(self._shares)
        listing_day = np.where(shares.is_old, 0, number - shares.listing_day + 1)
        delisting_day = np.maximum(number - shares.delisting_day + 1, 0)
        is_listed = (shares.is_old | (listing_day > 0)) & (delisting_day <= DELISTING_DAYS)
        # In its first and in its last days a share trades undisturbed.
        is_settled = is_listed & (delisting_day == 0)
        is_settled &= shares.is_old | (listing_day > FIRST_DAYS_MAX)
        self._change_st(number, is_settled, chance)
        self._suspend(number, is_settled, chance)
        is_suspended = (self._suspended_days > 0) & is_settled
        is_trading = is_settled & ~is_suspended
        goes_ex = is_trading & chance.happens(_GOES_EX, count) & (number > 0)
        transfers = goes_ex & chance.happens(_HAS_TRANSFER, count)
        cash_e6 = prev_close_e4 * _E6_PER_E4 * chance.between(*_CASH_E3, count) // 1_000
        transfer_e6 = chance.between(*_TRANSFER_TENTHS, count) * _TENTH_E6
        is_halted = is_trading & chance.happens(_HALTED, count)
        halt_from = chance.between(*_HALT_BEGINS_SECONDS, count)
        halt_from += chance.between(0, 2, count) * _AFTERNOON_SECONDS
        halt_to = halt_from + chance.between(*_HALT_SECONDS, count)
        return DayEvents(
            is_listed=is_listed,
            is_st=self._is_st.copy(),
            is_suspended=is_suspended,
            stage=self._stages(listing_day, delisting_day),
            listing_day=np.maximum(listing_day, 0),
            delisting_day=delisting_day,
            status_from=self._delisted * (delisting_day > 0),
            halt_from=halt_from * is_halted,
            halt_to=halt_to * is_halted,
            listing_date=np.where(shares.is_old, 0, self._listed),
            cash_e6=np.maximum(cash_e6 // _CASH_STEP_E6, 1) * _CASH_STEP_E6 * goes_ex,
            transfer_e6=transfer_e6 * transfers,
        )

    def _change_st(self, number: int, is_settled: BoolArray, chance: Chance) -> None:
        begins = chance.happens(_ST_BEGINS, len(self._shares)) & (self._shares.board != Board.BSE)
        # Who leaves the exchange is under risk warning until then.
        ends = chance.happens(_ST_ENDS, len(self._shares)) & ~self._shares.is_leaver
        if number > 0:
            self._is_st = np.where(self._is_st, ~(ends & is_settled), begins & is_settled)

    def _suspend(self, number: int, is_settled: BoolArray, chance: Chance) -> None:
        count = len(self._shares)
        often = _SUSPENSION_BEGINS if number else _SUSPENDED_AT_FIRST
        begins = chance.happens(often, count) & is_settled
        days = chance.between(*_SUSPENSION_DAYS, count)
        left = np.maximum(self._suspended_days - 1, 0)
        self._suspended_days = np.where(left > 0, left, days * begins)

    def _stages(self, listing_day: Int64Array, delisting_day: Int64Array) -> NDArray[np.uint8]:
        is_leaving = delisting_day > 0
        return stages_of(
            boards=self._shares.board,
            risk_warning=np.where(self._is_st, RiskWarning.YES, RiskWarning.NO).astype(np.uint8),
            status=np.where(is_leaving, ListingStatus.DELISTING, ListingStatus.LISTED).astype(
                np.uint8
            ),
            listed=self._listed,
            listing_day=listing_day,
            status_day=delisting_day,
        )


def _dates(day: Int64Array, chosen: BoolArray, *, otherwise: int) -> Int64Array:
    """Return the dates of the chosen days."""
    dates = np.full(len(day), otherwise, dtype=np.int64)
    dates[chosen] = [synthetic_date(number) for number in day[chosen].tolist()]
    return dates
