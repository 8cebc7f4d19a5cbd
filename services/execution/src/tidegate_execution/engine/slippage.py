"""By how much a fill at an opening price is worse than that price."""

from dataclasses import dataclass
from math import isqrt

from tidegate_common.domain.enums import Side
from tidegate_common.domain.units import BPS
from tidegate_common.events.orders import SubmitOrder
from tidegate_common.events.run import ExecutionSpec
from tidegate_common.market.board import board_of
from tidegate_common.market.lots import price_tick_e4


@dataclass(frozen=True, slots=True)
class Slippage:
    """Three parts, each against us, which add up.

    bps, ticks : fixed, basis points of the price and price ticks.
    impact_bps : of an order as large as the volume; of a part of it by the square root.
    """

    bps: int
    ticks: int
    impact_bps: int

    @classmethod
    def of(cls, spec: ExecutionSpec) -> "Slippage":
        """Return the slippage of a run."""
        return cls(spec.slippage_bps, spec.slippage_ticks, spec.impact_bps)

    def worse_e4(
        self,
        open_e4: int,
        submit: SubmitOrder,
        *,
        limit_e4: int,
        quantity_shares: int,
        volume_shares: int,
    ) -> int:
        """Return the price of a part of an order at an opening price, never beyond its limit.

        Parameters
        ----------
        limit_e4 : the worst price that the order may trade at.
        volume_shares : > 0, in which the part trades.
        """
        tick_e4 = price_tick_e4(board_of(submit.instrument))
        slip_e4 = self.slip_e4(
            open_e4,
            tick_e4=tick_e4,
            quantity_shares=quantity_shares,
            volume_shares=volume_shares,
        )
        if submit.side is Side.BUY:
            return min(open_e4 + slip_e4, limit_e4)
        return max(open_e4 - slip_e4, limit_e4, tick_e4)

    def slip_e4(
        self,
        price_e4: int,
        *,
        tick_e4: int,
        quantity_shares: int,
        volume_shares: int,
    ) -> int:
        """Return the slippage, rounded up to whole ticks.

        Parameters
        ----------
        volume_shares : > 0, in which the quantity trades.
        """
        # impact = price x impact_bps x sqrt(quantity / volume), rounded up, as an integer.
        square = (price_e4 * self.impact_bps) ** 2 * quantity_shares
        impact = isqrt(-(-square // volume_shares) - 1) + 1 if square else 0
        cost = price_e4 * self.bps + impact
        return (-(-cost // (BPS * tick_e4)) + self.ticks) * tick_e4
