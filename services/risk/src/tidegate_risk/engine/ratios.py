"""Shares of a whole in basis points, exactly."""

from tidegate_common.domain.units import BPS


def exceeds_bps(part_fen: int, whole_fen: int, limit_bps: int) -> bool:
    """Tell exactly whether a part is more than so many basis points of a whole.

    Any positive part is too much of a whole that is not positive.
    """
    return part_fen * BPS > limit_bps * whole_fen


def ratio_bps_up(part_fen: int, whole_fen: int) -> int:
    """Return a part in basis points of a whole, rounded up; 0 of a whole that is not positive."""
    return -(-part_fen * BPS // whole_fen) if whole_fen > 0 else 0
