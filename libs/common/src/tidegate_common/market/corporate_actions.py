"""What a dividend, a bonus, a transfer of reserves or a rights issue does to prices and holdings.

Amounts are per existing share: cash in 1/1,000,000 CNY, new shares in 1/1,000,000 share. So "10 to
3 with 2.5 CNY" is bonus 300,000 and cash 250,000. All that goes ex on one day is one action.
"""

from dataclasses import dataclass

import numpy as np

from tidegate_common.domain.units import PRICE_E4_PER_FEN, Int64Array, divide_half_up
from tidegate_common.errors import InvariantError

# Per-share amounts and share counts are millionths.
ACTION_SCALE = 1_000_000
# 1/1,000,000 CNY is so many times finer than 1/10,000 CNY, and than a fen.
_E6_PER_E4 = 100
_E6_PER_FEN = 10_000
# Reference prices are whole fen unless a product has a finer tick.
_TICK_E4 = PRICE_E4_PER_FEN


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """What an instrument's holders get for each share, and what that does to its price.

    ex_date : YYYYMMDD, the first day that trades without the claim.
    cash_e6 : cash dividend before tax, 1/1,000,000 CNY a share.
    bonus_e6 : bonus shares out of profit (taxed), 1/1,000,000 share a share.
    transfer_e6 : shares out of the capital reserve (not taxed), as `bonus_e6`.
    rights_e6 : shares that may be subscribed, as `bonus_e6`.
    rights_price_e4 : price of one such share, 1/10,000 CNY.
    pay_date, listing_date : when the cash comes and when the new shares may be sold; 0: ex_date.
    record_date : the last day whose holders have the claim, 0 where unknown.

    Raises
    ------
    InvariantError
        If an amount is negative, or only one of the rights' ratio and price is given.
    """

    instrument: int
    ex_date: int
    cash_e6: int = 0
    bonus_e6: int = 0
    transfer_e6: int = 0
    rights_e6: int = 0
    rights_price_e4: int = 0
    pay_date: int = 0
    listing_date: int = 0
    record_date: int = 0

    def __post_init__(self) -> None:
        """Refuse what no notice can say."""
        amounts = (
            self.cash_e6,
            self.bonus_e6,
            self.transfer_e6,
            self.rights_e6,
            self.rights_price_e4,
        )
        if min(amounts) < 0:
            message = (
                "cash_e6, bonus_e6, transfer_e6, rights_e6 and rights_price_e4 must be >= 0, "
                f"were {amounts} (instrument={self.instrument}, ex_date={self.ex_date})"
            )
            raise InvariantError(message)
        if (self.rights_e6 > 0) != (self.rights_price_e4 > 0):
            message = (
                "rights_e6 and rights_price_e4 must come together, were "
                f"{self.rights_e6} and {self.rights_price_e4} "
                f"(instrument={self.instrument}, ex_date={self.ex_date})"
            )
            raise InvariantError(message)

    @property
    def paid_on(self) -> int:
        """The day on which the cash comes."""
        return self.pay_date or self.ex_date

    @property
    def listed_on(self) -> int:
        """The day from which the new shares may be sold."""
        return self.listing_date or self.ex_date

    @property
    def dividend_date(self) -> int:
        """The day that decides which tax rates hold: the record date, else the ex-date."""
        return self.record_date or self.ex_date


@dataclass(frozen=True, slots=True)
class HoldingEffect:
    """What an action gives to one holding.

    cash_fen : cash before tax, rounded half up.
    bonus_shares, transfer_shares : new shares, whole ones.
    rights_shares_max : shares that the holder may subscribe, whole ones.
    dropped_shares_e6 : fractions of bonus and transferred shares that were refused, in
        1/1,000,000 share.
    """

    cash_fen: int
    bonus_shares: int
    transfer_shares: int
    rights_shares_max: int
    dropped_shares_e6: int


def holding_effect(action: CorporateAction, quantity_shares: int) -> HoldingEffect:
    """Return what a holding gets from an action.

    Fractions of a share are refused, not invented: bonus and transferred shares are each cut to
    whole shares. (The depository lets the largest fractions of all holders have the shares that
    are left over, which no holder can foresee; none is the conservative reading.)

    Parameters
    ----------
    quantity_shares : shares held at the end of the record date, >= 0.

    Raises
    ------
    InvariantError
        If the quantity is negative.

    Source: rulebook section 9, read 2026-11-21 (B).
    """
    if quantity_shares < 0:
        message = (
            f"quantity_shares must be >= 0, was {quantity_shares} "
            f"(instrument={action.instrument}, ex_date={action.ex_date})"
        )
        raise InvariantError(message)
    bonus_shares, bonus_rest_e6 = divmod(quantity_shares * action.bonus_e6, ACTION_SCALE)
    transfer_shares, transfer_rest_e6 = divmod(quantity_shares * action.transfer_e6, ACTION_SCALE)
    return HoldingEffect(
        cash_fen=divide_half_up(quantity_shares * action.cash_e6, _E6_PER_FEN),
        bonus_shares=bonus_shares,
        transfer_shares=transfer_shares,
        rights_shares_max=quantity_shares * action.rights_e6 // ACTION_SCALE,
        dropped_shares_e6=bonus_rest_e6 + transfer_rest_e6,
    )


def ex_rights_reference_e4(
    prev_close_e4: int,
    action: CorporateAction,
    *,
    tick_e4: int = _TICK_E4,
) -> int:
    """Return the reference price of the ex-date, which limits and returns are measured from.

    (previous close - cash + rights price x rights) / (1 + bonus + transfer + rights), half up.
    Where treasury shares get nothing, the exchange spreads the dividend over all shares: the
    caller then passes the amounts so spread. A rights issue counts by the ratio that the exchange
    takes: recorded days fit the announced one in Shanghai (600030, 2022-01-27) but not in Shenzhen
    (002142, 2021-12-02: one fen above it), which the rule book does not settle (D).

    Parameters
    ----------
    prev_close_e4 : close of the last day with the claim, > 0.
    tick_e4 : price tick, 100 for shares, 10 for funds.

    Raises
    ------
    InvariantError
        If the previous close is not positive, or no positive price is left.

    Source: SSE Trading Rules 4.3.2, SZSE Trading Rules 4.4.2 (A), read 2026-11-21.
    """
    numerator, denominator = _fraction(prev_close_e4, action)
    reference_e4 = divide_half_up(numerator, denominator * tick_e4) * tick_e4
    if prev_close_e4 <= 0 or reference_e4 <= 0:
        message = (
            f"prev_close_e4 and its ex-rights reference must be > 0, were {prev_close_e4} and "
            f"{reference_e4} (instrument={action.instrument}, ex_date={action.ex_date})"
        )
        raise InvariantError(message)
    return reference_e4


def ex_rights_references(
    *,
    prev_close_e4: Int64Array,
    cash_e6: Int64Array,
    bonus_e6: Int64Array,
    transfer_e6: Int64Array,
    rights_e6: Int64Array,
    rights_price_e4: Int64Array,
    tick_e4: int = _TICK_E4,
) -> Int64Array:
    """Return `ex_rights_reference_e4` of n instruments; all amounts 0: no action.

    Without an action the previous close comes back rounded to the tick, which it has already.

    Parameters
    ----------
    prev_close_e4 : (n,) int64, 1/10,000 CNY, > 0 and below 10^10 (a million CNY).
    cash_e6, bonus_e6, transfer_e6, rights_e6 : (n,) int64, per share, >= 0.
    rights_price_e4 : (n,) int64, >= 0.

    Raises
    ------
    InvariantError
        If shapes differ, a close or a reference is not positive, or an amount is negative.
    """
    amounts = (cash_e6, bonus_e6, transfer_e6, rights_e6, rights_price_e4)
    if any(column.shape != prev_close_e4.shape for column in amounts):
        shapes = [column.shape for column in (prev_close_e4, *amounts)]
        message = f"the columns of the actions must have one shape, had {shapes}"
        raise InvariantError(message)
    if any((column < 0).any() for column in amounts):
        message = "the amounts of an action must be >= 0, one was below"
        raise InvariantError(message)
    numerator = (
        prev_close_e4 * ACTION_SCALE
        - cash_e6 * (ACTION_SCALE // _E6_PER_E4)
        + rights_price_e4 * rights_e6
    )
    denominator = (ACTION_SCALE + bonus_e6 + transfer_e6 + rights_e6) * tick_e4
    reference_e4: Int64Array = (2 * numerator + denominator) // (2 * denominator) * tick_e4
    if (np.minimum(prev_close_e4, reference_e4) <= 0).any():
        message = "previous closes and their ex-rights references must be > 0, one was not"
        raise InvariantError(message)
    return reference_e4


def _fraction(prev_close_e4: int, action: CorporateAction) -> tuple[int, int]:
    """Return the exact reference price in 1/10,000 CNY as numerator and denominator."""
    numerator = (
        prev_close_e4 * ACTION_SCALE
        - action.cash_e6 * (ACTION_SCALE // _E6_PER_E4)
        + action.rights_price_e4 * action.rights_e6
    )
    return numerator, ACTION_SCALE + action.bonus_e6 + action.transfer_e6 + action.rights_e6
