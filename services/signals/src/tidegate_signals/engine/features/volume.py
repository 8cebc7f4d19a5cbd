"""What traded: volume-weighted prices, on-balance volume, turnover.

Volumes stay as they were traded over an ex-rights day; amounts are scaled with the prices, so that
an amount over a volume is a price in today's shares.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from tidegate_common.domain.units import Float64Array
from tidegate_signals.engine.features.observations import Observations, RowIndex
from tidegate_signals.engine.features.row_state import Argument, RowState, window_lines
from tidegate_signals.engine.features.spec import Field, IndicatorSpec
from tidegate_signals.engine.features.tally import Tally
from tidegate_signals.engine.features.windows import push_sum, sum_of
from tidegate_signals.engine.kernels import average_price_e4, quotient


class DayVwap(RowState):
    """VWAP: the day's amount over its volume so far, 1/10,000 CNY; NaN while either is 0."""

    ARGUMENTS: ClassVar[tuple[Argument, ...]] = ()
    TAKES_FIELD: ClassVar[bool] = False
    FIELDS: ClassVar[tuple[Field, ...]] = (Field.VOLUME, Field.AMOUNT)
    POWERS: ClassVar[Mapping[str, int]] = {"volume_shares": 0}
    IS_DAILY: ClassVar[bool] = True

    def __init__(self, spec: IndicatorSpec, tally: Tally) -> None:
        super().__init__(spec, tally, {"volume_shares": 0, "amount_fen": 0}, needed=0)

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows."""
        state, rows, columns = self._arrays, observations.rows, observations.columns
        state["volume_shares"][rows] += columns[Field.VOLUME]
        state["amount_fen"][rows] += columns[Field.AMOUNT]

    def _values(self, rows: RowIndex, _: str) -> Float64Array:
        state = self._arrays
        return average_price_e4(
            amount_fen=state["amount_fen"][rows],
            volume_shares=state["volume_shares"][rows],
        )


class RollingVwap(RowState):
    """VWAP(n): amount over volume of the last n observations, 1/10,000 CNY; NaN if either is 0."""

    TAKES_FIELD: ClassVar[bool] = False
    FIELDS: ClassVar[tuple[Field, ...]] = (Field.VOLUME, Field.AMOUNT)
    POWERS: ClassVar[Mapping[str, int]] = {"volume_ring": 0, "volume_head": 0}

    def __init__(self, spec: IndicatorSpec, tally: Tally) -> None:
        (count,) = spec.parameters
        lines = window_lines("volume", count) | window_lines("amount", count)
        super().__init__(spec, tally, lines, needed=count)

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows."""
        rows, columns = observations.rows, observations.columns
        seen = self._seen(rows)
        push_sum(self._window("volume"), rows, seen, columns[Field.VOLUME])
        push_sum(self._window("amount"), rows, seen, columns[Field.AMOUNT])

    def _values(self, rows: RowIndex, _: str) -> Float64Array:
        seen = self._seen(rows)
        return average_price_e4(
            amount_fen=sum_of(self._window("amount"), rows, seen),
            volume_shares=sum_of(self._window("volume"), rows, seen),
        )


class OnBalanceVolume(RowState):
    """OBV: volume of rises less volume of falls since the row was first seen, shares.

    As in TA-Lib, it begins with the first observation's own volume.
    """

    ARGUMENTS: ClassVar[tuple[Argument, ...]] = ()
    TAKES_FIELD: ClassVar[bool] = False
    FIELDS: ClassVar[tuple[Field, ...]] = (Field.CLOSE, Field.VOLUME)
    POWERS: ClassVar[Mapping[str, int]] = {"volume_shares": 0}

    def __init__(self, spec: IndicatorSpec, tally: Tally) -> None:
        super().__init__(spec, tally, {"previous": 0, "volume_shares": 0}, needed=1)

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows; after nothing, a price is a rise."""
        state, rows, columns = self._arrays, observations.rows, observations.columns
        close = columns[Field.CLOSE]
        direction = np.sign(close - state["previous"][rows])
        direction *= columns[Field.VOLUME]
        state["volume_shares"][rows] += direction
        state["previous"][rows] = close

    def _values(self, rows: RowIndex, _: str) -> Float64Array:
        return self._copy("volume_shares", rows)


class Turnover(RowState):
    """TURNOVER: the day's volume so far over the shares that float, a fraction.

    An observation with unknown floating shares is not counted; NaN until one was, each day.
    """

    ARGUMENTS: ClassVar[tuple[Argument, ...]] = ()
    TAKES_FIELD: ClassVar[bool] = False
    FIELDS: ClassVar[tuple[Field, ...]] = (Field.VOLUME, Field.FLOAT_SHARES)
    POWERS: ClassVar[Mapping[str, int]] = {"volume_shares": 0, "float_shares": 0}
    IS_DAILY: ClassVar[bool] = True

    def __init__(self, spec: IndicatorSpec, tally: Tally) -> None:
        super().__init__(spec, tally, {"volume_shares": 0, "float_shares": 0}, needed=0)

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows."""
        state, rows, columns = self._arrays, observations.rows, observations.columns
        state["volume_shares"][rows] += columns[Field.VOLUME]
        state["float_shares"][rows] = columns[Field.FLOAT_SHARES]

    def _values(self, rows: RowIndex, _: str) -> Float64Array:
        state = self._arrays
        return quotient(
            dividend=state["volume_shares"][rows],
            divisor=state["float_shares"][rows],
        )
