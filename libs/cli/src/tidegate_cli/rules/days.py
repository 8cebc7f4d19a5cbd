"""Rows of many days, a day at a time."""

from collections.abc import Iterator

import numpy as np

from tidegate_common.domain.units import Int64Array


def rows_by_date(trade_date: Int64Array) -> Iterator[tuple[int, Int64Array]]:
    """Yield each date in order with the places of its rows, which keep their order.

    Parameters
    ----------
    trade_date : (n,) int64, YYYYMMDD, in any order; n may be 0.
    """
    order = np.argsort(trade_date, kind="stable")
    dates, starts = np.unique(trade_date[order], return_index=True)
    ends = np.append(starts, len(order))[1:]
    for date, start, end in zip(dates.tolist(), starts, ends, strict=True):
        yield date, order[start:end]
