"""Quotes as observations of a beat."""

from collections.abc import Callable, Collection
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Phase
from tidegate_common.domain.units import BoolArray, Float64Array, Int64Array
from tidegate_common.frames.rows import QuoteRows
from tidegate_signals.engine.features.observations import RowIndex
from tidegate_signals.engine.features.spec import Field
from tidegate_signals.engine.kernels import book_imbalance, microprice_e4

_BOOK_COLUMNS: dict[Field, Callable[[QuoteRows], Float64Array]] = {
    Field.IMBALANCE: lambda quotes: book_imbalance(
        bid_shares=quotes.bid_shares,
        ask_shares=quotes.ask_shares,
    ),
    Field.MICROPRICE: lambda quotes: microprice_e4(
        bid_price_e4=quotes.bid_price_e4[:, 0],
        bid_shares=quotes.bid_shares[:, 0],
        ask_price_e4=quotes.ask_price_e4[:, 0],
        ask_shares=quotes.ask_shares[:, 0],
    ),
}


def is_observed(quotes: QuoteRows) -> BoolArray:
    """Return which quotes are observations: in continuous trading, once something traded."""
    is_continuous: BoolArray = quotes.phase == Phase.CONTINUOUS
    return is_continuous & (quotes.last_e4 > 0)


class QuoteTape:
    """Remembers each row's turnover so far, to tell what a beat traded.

    What traded before the first observation of a day, the opening auction above all, counts to it.
    """

    def __init__(self) -> None:
        self._volume_shares: Int64Array = np.zeros(0, np.int64)
        self._amount_fen: Int64Array = np.zeros(0, np.int64)

    def grow(self, count: int) -> None:
        """Add rows at the end."""
        self._volume_shares = np.concatenate([self._volume_shares, np.zeros(count, np.int64)])
        self._amount_fen = np.concatenate([self._amount_fen, np.zeros(count, np.int64)])

    def begin_day(self) -> None:
        """Forget the turnover of yesterday."""
        self._volume_shares.fill(0)
        self._amount_fen.fill(0)

    def observe(
        self,
        rows: RowIndex,
        quotes: QuoteRows,
        wanted: Collection[Field],
    ) -> dict[Field, Float64Array]:
        """Return the wanted columns of some quotes; unknown fields are left to others.

        A total that falls is taken as unknown, as for bars: it counts for nothing until it is above
        its old height.
        """
        last = quotes.last_e4.astype(np.float64)
        columns = dict.fromkeys((Field.OPEN, Field.HIGH, Field.LOW, Field.CLOSE), last)
        for field, totals, now in (
            (Field.VOLUME, self._volume_shares, quotes.volume_shares),
            (Field.AMOUNT, self._amount_fen, quotes.amount_fen),
        ):
            columns[field] = np.maximum(now - totals[rows], 0).astype(np.float64)
            totals[rows] = np.maximum(totals[rows], now)
        for field, column_of in _BOOK_COLUMNS.items():
            if field in wanted:
                columns[field] = column_of(quotes)
        return columns

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the state itself, by name."""
        return {"volume_shares": self._volume_shares, "amount_fen": self._amount_fen}

    def load(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take over the state."""
        self._volume_shares = cast("Int64Array", arrays["volume_shares"])
        self._amount_fen = cast("Int64Array", arrays["amount_fen"])
