"""Statistics of daily bars, of a recorded or of a synthetic market alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np

from tidegate_common.domain.enums import LimitState
from tidegate_common.domain.units import BoolArray, Float64Array, Int64Array
from tidegate_common.frames.rows import BarRows, ReferenceRows

# Autocorrelations of so many days are told.
LAGS: Final = (1, 5, 20)
# A share with fewer traded days says little about memories of twenty.
DAYS_MIN: Final = 200
# A correlation of two shares needs days on which both traded: almost all.
_FULL_PERCENT: Final = 90


@dataclass(frozen=True, slots=True)
class DayFigures:
    """What the days of many shares are like; returns are close to close, ex-rights.

    share_count, day_count : shares with enough days, and days.
    deviation, overnight_deviation : of a share's returns, the median over shares; of close to open.
    kurtosis : median over shares; 3 for a normal bell.
    return_memory : autocorrelation of returns from one day to the next, mean over shares.
    move_memory : of absolute returns, by lag in days, mean over shares.
    up_part, down_part : of all closes, those at the upper and at the lower limit.
    within_sector, across_sectors : mean correlation of two shares' returns.
    volume_deviation, volume_memory : of the logarithm of a share's volume, medians over shares.
    volume_and_move : its correlation with the absolute return, median over shares.
    """

    share_count: int
    day_count: int
    deviation: float
    overnight_deviation: float
    kurtosis: float
    return_memory: float
    move_memory: dict[int, float]
    up_part: float
    down_part: float
    within_sector: float
    across_sectors: float
    volume_deviation: float
    volume_memory: float
    volume_and_move: float


class DayTable:
    """Collects days into one table, (days, shares); NaN where a share did not trade.

    Days without a price limit are left out: their returns are of another kind.
    """

    def __init__(self) -> None:
        self._days: list[tuple[Int64Array, Float64Array]] = []
        self._closes_count = 0
        self._up_count = 0
        self._down_count = 0

    def add(self, reference: ReferenceRows, bars: BarRows) -> None:
        """Take up a day; both have the same instruments."""
        is_taken = (reference.limit_state == LimitState.LIMITED) & (bars.volume_shares > 0)
        day, traded = reference.take(is_taken), bars.take(is_taken)
        self._closes_count += len(traded)
        self._up_count += int((traded.close_e4 == day.limit_up_e4).sum())
        self._down_count += int((traded.close_e4 == day.limit_down_e4).sum())
        columns = (
            traded.close_e4 / day.prev_close_e4 - 1,
            traded.open_e4 / day.prev_close_e4 - 1,
            np.log(traded.volume_shares),
        )
        self._days.append((traded.instrument, np.array(columns)))

    def figures(self, sectors: Mapping[int, str]) -> DayFigures:
        """Return what the days are like.

        Parameters
        ----------
        sectors : by instrument; who has none is in no pair.
        """
        instrument = np.unique(np.concatenate([each for each, _ in self._days]))
        table = np.full((3, len(self._days), len(instrument)), np.nan)
        for number, (row, columns) in enumerate(self._days):
            table[:, number, np.searchsorted(instrument, row)] = columns
        returns = table[0]
        is_full = (~np.isnan(returns)).sum(axis=0) >= DAYS_MIN
        shares = [
            _share_figures(*(column[~np.isnan(returns[:, at]), at] for column in table))
            for at in np.flatnonzero(is_full).tolist()
        ]
        middle = {name: float(np.median([each[name] for each in shares])) for name in shares[0]}
        mean = {name: float(np.mean([each[name] for each in shares])) for name in shares[0]}
        names = np.array([sectors.get(each, "") for each in instrument.tolist()], dtype=np.object_)
        within, across = _pair_correlations(returns, names)
        return DayFigures(
            share_count=len(shares),
            day_count=len(self._days),
            deviation=middle["deviation"],
            overnight_deviation=middle["overnight"],
            kurtosis=middle["kurtosis"],
            return_memory=mean["return_memory"],
            move_memory={lag: mean[f"memory_{lag}"] for lag in LAGS},
            up_part=self._up_count / self._closes_count,
            down_part=self._down_count / self._closes_count,
            within_sector=within,
            across_sectors=across,
            volume_deviation=middle["volume_deviation"],
            volume_memory=middle["volume_memory"],
            volume_and_move=middle["volume_and_move"],
        )


def autocorrelation(values: Float64Array, lag: int) -> float:
    """Return how a row of numbers goes with itself `lag` places later; it varies, and is longer."""
    centred = values - values.mean()
    return float((centred[lag:] * centred[:-lag]).sum() / (centred**2).sum())


def _share_figures(
    returns: Float64Array,
    overnight: Float64Array,
    volumes: Float64Array,
) -> dict[str, float]:
    deviation = float(returns.std())
    moves = np.abs(returns)
    return {
        "deviation": deviation,
        "overnight": float(overnight.std()),
        "kurtosis": float(((returns - returns.mean()) ** 4).mean() / deviation**4),
        "return_memory": autocorrelation(returns, 1),
        **{f"memory_{lag}": autocorrelation(moves, lag) for lag in LAGS},
        "volume_deviation": float(volumes.std()),
        "volume_memory": autocorrelation(volumes, 1),
        "volume_and_move": float(np.corrcoef(volumes, moves)[0, 1]),
    }


def _pair_correlations(
    returns: Float64Array,
    sectors: np.ndarray[tuple[int], np.dtype[np.object_]],
) -> tuple[float, float]:
    """Return the mean correlation of two shares of one sector, and of two sectors."""
    is_there = ~np.isnan(returns)
    is_full: BoolArray = is_there.mean(axis=0) * 100 >= _FULL_PERCENT
    is_full &= sectors != ""
    chosen = returns[:, is_full]
    # A missing day counts as the share's mean: it says nothing.
    filled = np.where(np.isnan(chosen), np.nanmean(chosen, axis=0), chosen)
    pairs = np.corrcoef(filled, rowvar=False)
    upper = np.triu(np.ones(pairs.shape, dtype=np.bool_), 1)
    is_same = sectors[is_full][:, None] == sectors[is_full][None, :]
    return _mean(pairs[upper & is_same]), _mean(pairs[upper & ~is_same])


def _mean(values: Float64Array) -> float:
    return float(values.mean()) if values.size else nan
