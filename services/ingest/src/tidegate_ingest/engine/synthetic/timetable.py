"""When a day's beats are, and how much of a day happens in each."""

from dataclasses import dataclass
from datetime import date, timedelta
from math import isqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Phase
from tidegate_common.domain.units import Int64Array
from tidegate_common.market.sessions import NS_PER_SECOND

_FIRST_DAY: Final = date(2026, 3, 2)
_DAYS_PER_WEEK, _WEEKDAYS = 7, 5
OPEN_SECONDS: Final = 9 * 3_600
# Snapshots of the day's end come until a minute after the closing call.
CLOSE_SECONDS: Final = 15 * 3_600 + 60

# Beats are spread evenly over these spans: start and end, in seconds of the day, and phase.
_SPANS: Final = (
    (33_300, 33_900, Phase.OPEN_CALL),  # 09:15 to 09:25
    (33_900, 34_200, Phase.PAUSE),  # 09:25 to 09:30
    (34_200, 41_400, Phase.CONTINUOUS),  # 09:30 to 11:30
    (46_800, 53_820, Phase.CONTINUOUS),  # 13:00 to 14:57
    (53_820, 54_000, Phase.CLOSE_CALL),  # 14:57 to 15:00
    (54_000, 54_060, Phase.CLOSED),
)

# Of a day's volume and of its variance in each quarter of an hour of continuous trading, in
# 1/10,000, calls apart: measured on 15-minute bars of 115 shares, 2025 to 2026.
_QUARTER_SECONDS: Final = 900
_MORNING_QUARTERS: Final = 8
_VOLUME_PROFILE: Final = np.array(
    [1580, 976, 770, 610, 534, 460, 430, 404, 554, 442, 444, 429, 461, 452, 566, 650]
)
_VARIANCE_PROFILE: Final = np.array(
    [3420, 1121, 762, 522, 474, 375, 346, 331, 663, 341, 344, 301, 337, 219, 227, 217]
)
# The last quarter has only twelve minutes of continuous trading.
_LAST_QUARTER_SECONDS: Final = 720
# Of a day's volume in the opening and in the closing call, in the same units.
CALL_WEIGHTS: Final = (100, 120)
# And of its variance, in the closing one.
_CALL_VARIANCE: Final = 50

# Parts of what is left of a day, in 1/2^20.
PART_BITS: Final = 20
_WEIGHT_SCALE: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class Timetable:
    """The beats of any day, (beats,) each.

    seconds_ns : from midnight.   phase : uint8, `Phase`.
    volume_part : of the volume that is left before a beat, what is expected in it, in 1/2^20.
    pull_part : of the way that is left to the closing price, what a beat goes, in 1/2^20.
    swing_part : a beat's deviation around that way, of the day's deviation, in 1/2^20.
    call_part : of a call that runs, how much is over, in 1/2^20.
    quarter : of an hour of trading, from 0.
    """

    seconds_ns: Int64Array
    phase: NDArray[np.uint8]
    volume_part: Int64Array
    pull_part: Int64Array
    swing_part: Int64Array
    call_part: Int64Array
    quarter: Int64Array

    def __len__(self) -> int:
        """Return the number of beats."""
        return len(self.phase)


def synthetic_date(number: int) -> int:
    """Return the date YYYYMMDD of day `number`; day 0 is 2026-03-02, weekdays only."""
    weeks, weekday = divmod(number, _WEEKDAYS)
    day = _FIRST_DAY + timedelta(days=weeks * _DAYS_PER_WEEK + weekday)
    return day.year * 10_000 + day.month * 100 + day.day


def make_timetable(count: int) -> Timetable:
    """Return `count` beats, each in the middle of an equal part of the trading time."""
    starts, ends, phases = (
        np.array(column, dtype=np.int64) for column in zip(*_SPANS, strict=True)
    )
    lengths_ns = (ends - starts) * NS_PER_SECOND
    total_ns = int(lengths_ns.sum())
    offset_ns = np.array([(2 * k + 1) * total_ns // (2 * count) for k in range(count)])
    span_ends_ns = np.cumsum(lengths_ns)
    span = np.searchsorted(span_ends_ns, offset_ns, side="right")
    into_ns = offset_ns - (span_ends_ns - lengths_ns)[span]
    phase = phases[span].astype(np.uint8)
    is_trading = phase == Phase.CONTINUOUS
    traded_seconds = into_ns // NS_PER_SECOND + np.where(starts[span] == starts[3], 7_200, 0)
    quarter = np.where(is_trading, traded_seconds // _QUARTER_SECONDS, 0)
    volume = _weights(_VOLUME_PROFILE, quarter, is_trading, ending=CALL_WEIGHTS[1])
    variance = _weights(_VARIANCE_PROFILE, quarter, is_trading, ending=_CALL_VARIANCE)
    volume_left = volume[::-1].cumsum()[::-1][:-1]
    left = np.maximum(variance[::-1].cumsum()[::-1][:-1], 1)
    total = int(variance.sum())
    swings = [
        isqrt((here * (rest - here) << 2 * PART_BITS) // (rest * total))
        for here, rest in zip(variance[:-1].tolist(), left.tolist(), strict=True)
    ]
    return Timetable(
        seconds_ns=starts[span] * NS_PER_SECOND + into_ns,
        phase=phase,
        volume_part=(volume[:-1] << PART_BITS) // volume_left,
        pull_part=(variance[:-1] << PART_BITS) // left,
        swing_part=np.array(swings, dtype=np.int64),
        call_part=(into_ns << PART_BITS) // lengths_ns[span],
        quarter=quarter,
    )


def _weights(
    profile: Int64Array,
    quarter: Int64Array,
    is_trading: NDArray[np.bool_],
    *,
    ending: int,
) -> Int64Array:
    """Return each beat's weight, and as the last one what comes after the beats."""
    seconds = np.full(len(profile), _QUARTER_SECONDS)
    seconds[-1] = _LAST_QUARTER_SECONDS
    density = profile * _WEIGHT_SCALE // seconds
    weight = np.where(is_trading, density[quarter], 0)
    # Of the beats together as much as the profile says, so that the call keeps its part.
    ending_weight = ending * int(weight.sum()) // int(profile.sum())
    return np.append(weight, ending_weight)
