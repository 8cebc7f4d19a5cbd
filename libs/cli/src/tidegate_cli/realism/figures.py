"""What the comparison of many children comes to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev

from tidegate_cli.realism.simulation import Compared
from tidegate_common.domain.enums import Side
from tidegate_common.market.sessions import NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class FilledFigures:
    """Children that filled on both sides; errors are simulated less recorded.

    price_error_ticks : positive where the simulator pays more or gets less.
    delay_seconds, delay_seconds_median : of the first fill.
    """

    price_error_ticks: float
    delay_seconds: float
    delay_seconds_median: float


@dataclass(frozen=True, slots=True)
class Figures:
    """A group of children; rates are shares filled by shares wanted, averaged over the children.

    unknown_rate : of which the record does not tell whether they filled, not in `recorded_rate`.
    rate_error, rate_error_deviation : simulated less recorded, and the standard error of that mean.
    only_simulated, only_recorded : part of the children that filled on one side only.
    filled : of those that filled on both sides, None where none did.
    """

    count: int
    recorded_rate: float
    unknown_rate: float
    simulated_rate: float
    rate_error: float
    rate_error_deviation: float
    only_simulated: float
    only_recorded: float
    filled: FilledFigures | None


def figures_of(children: Sequence[Compared], *, tick_e4: int) -> Figures:
    """Return the figures of a group of two or more.

    Parameters
    ----------
    tick_e4 : price step, > 0.
    """
    both = [each for each in children if _has_filled(each) == (True, True)]
    errors = [_rate(each, each.simulated.filled_shares) - _recorded(each) for each in children]
    return Figures(
        count=len(children),
        recorded_rate=fmean(_recorded(each) for each in children),
        unknown_rate=fmean(_rate(each, each.unknown_shares) for each in children),
        simulated_rate=fmean(_rate(each, each.simulated.filled_shares) for each in children),
        rate_error=fmean(errors),
        rate_error_deviation=stdev(errors) / len(errors) ** 0.5,
        only_simulated=_part(_has_filled(each) == (False, True) for each in children),
        only_recorded=_part(_has_filled(each) == (True, False) for each in children),
        filled=_filled_figures(both, tick_e4) if both else None,
    )


def _filled_figures(both: Sequence[Compared], tick_e4: int) -> FilledFigures:
    delays = [(each.simulated.first_ns - each.reference.first_ns) / NS_PER_SECOND for each in both]
    return FilledFigures(
        price_error_ticks=fmean(_price_error_e4(each) / tick_e4 for each in both),
        delay_seconds=fmean(delays),
        delay_seconds_median=median(delays),
    )


def _has_filled(each: Compared) -> tuple[bool, bool]:
    return each.reference.filled_shares > 0, each.simulated.filled_shares > 0


def _rate(each: Compared, filled_shares: int) -> float:
    return filled_shares / each.child.quantity_shares


def _recorded(each: Compared) -> float:
    return _rate(each, each.reference.filled_shares)


def _price_error_e4(each: Compared) -> float:
    error_e4 = each.simulated.price_e4 - each.reference.price_e4
    return error_e4 if each.child.side is Side.BUY else -error_e4


def _part(flags: Iterable[bool]) -> float:
    return fmean(float(flag) for flag in flags)
