"""By how much a fill at an opening price is worse than that price."""

from dataclasses import dataclass
from math import isqrt

from tidegate_common.domain.units import BPS


@dataclass(frozen=True, slots=True)
class Slippage:
    """Three parts, each against us, which add up.

    bps, ticks : fixed, basis points of the price and price ticks.
    impact_bps : of an order as large as the volume; of a part of it by the square root.
    """

    bps: int
    ticks: int
    impact_bps: int

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
