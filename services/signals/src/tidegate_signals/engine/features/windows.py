"""Rolling windows that forget exactly: sums, weighted sums, squares and extremes.

A window of `w` observations is a ring of `w` lines, one column a row of state. A row's ring is cut
into blocks of `w` observations. Once a block is whole, each of its lines is replaced by the sum
from that line to the block's end; meanwhile a `head` adds up the block that is being written, so

    sum of the window = line of the ring that will be written next + head

Nothing is ever subtracted: what left the window left no trace, however large it was, and after any
number of observations the error is that of adding `w` numbers once. The cost is two additions an
observation, half of them once a block. The same works for extremes. Where a row's blocks begin
depends on its own observations alone, so any split of rows over engines gives the same bits.

`seen` is what the rows have seen before a push, and with it when a window is read; what is read of
rows that have not seen a whole window yet means nothing.

Source: the queue of two stacks; for extremes M. van Herk, Pattern Recognition Letters 13, 1992.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tidegate_common.domain.units import Float64Array
from tidegate_signals.engine.features.observations import RowIndex
from tidegate_signals.engine.features.tally import Seen

# What folds two numbers into one: np.add, np.maximum or np.minimum.
Fold = Callable[..., Float64Array]


class Window(NamedTuple):
    """The state of a window: ring (w, n), head (n,)."""

    ring: Float64Array
    head: Float64Array


def put(*, ring: Float64Array, rows: RowIndex, seen: Seen, values: Float64Array) -> None:
    """Write the newest observations over the oldest ones."""
    _write(ring, rows, _place(ring, rows, seen), values)


def line_of(ring: Float64Array, rows: RowIndex, seen: Seen) -> Float64Array:
    """Return, of each row, the line that will be written next; possibly a view of the state."""
    return _read(ring, rows, _place(ring, rows, seen))


def push_sum(window: Window, rows: RowIndex, seen: Seen, values: Float64Array) -> None:
    """Take one observation of each row into a sum."""
    ring, head = window
    place = _place(ring, rows, seen)
    _write(ring, rows, place, values)
    head[rows] += values
    ended = _ended(ring, rows, place)
    if ended is not None:
        block = ring[:, ended]
        _fold_backwards(np.add, block)
        _write_back(ring=ring, rows=ended, block=block)
        head[ended] = 0.0


def sum_of(window: Window, rows: RowIndex, seen: Seen) -> Float64Array:
    """Return the sums of what `push_sum` took."""
    total: Float64Array = line_of(window.ring, rows, seen) + window.head[rows]
    return total


def push_extreme(
    fold: Fold,
    window: Window,
    rows: RowIndex,
    seen: Seen,
    values: Float64Array,
) -> None:
    """Take one observation of each row into an extreme; `fold` says which."""
    ring, head = window
    place = _place(ring, rows, seen)
    _write(ring, rows, place, values)
    head[rows] = fold(head[rows], values)
    ended = _ended(ring, rows, place)
    if ended is not None:
        block = ring[:, ended]
        _fold_backwards(fold, block)
        _write_back(ring=ring, rows=ended, block=block)
        # The newest stays in the window as long as the next block is written: it may lead it.
        head[ended] = block[-1]


def extreme_of(fold: Fold, window: Window, rows: RowIndex, seen: Seen) -> Float64Array:
    """Return the extremes of what `push_extreme` took."""
    return fold(line_of(window.ring, rows, seen), window.head[rows])


def push_weighted(
    *,
    plain: Window,
    weighted: Window,
    rows: RowIndex,
    seen: Seen,
    values: Float64Array,
) -> None:
    """Take one observation of each row into a sum with the weights 1 (oldest) to w (newest).

    Parameters
    ----------
    plain : the sums.
    weighted : its ring has sums of those sums, its head counts the block that is being written 1,
        2, 3, ... times.
    """
    weighted.head[rows] += values * (_line(plain.ring, seen) + 1)
    push_sum(plain, rows, seen, values)
    ended = _ended(plain.ring, rows, _place(plain.ring, rows, seen))
    if ended is not None:
        block = plain.ring[:, ended].copy()
        _fold_backwards(np.add, block)
        weighted.ring[:, ended] = block
        weighted.head[ended] = 0.0


def weighted_sum_of(*, plain: Window, weighted: Window, rows: RowIndex, seen: Seen) -> Float64Array:
    """Return the weighted sums of what `push_weighted` took."""
    ahead = len(plain.ring) - _line(plain.ring, seen)
    total: Float64Array = plain.head[rows] * ahead
    total += sum_of(weighted, rows, seen)
    return total


def push_moments(
    *,
    distances: Window,
    squares: Window,
    base: Float64Array,
    rows: RowIndex,
    seen: Seen,
    values: Float64Array,
) -> None:
    """Take one observation of each row into a mean and a variance.

    Both are of distances from a base, the last observation of the last whole block. It is in the
    window as long as it is used, so the square of its distance from the mean is at most w times
    the variance, and subtracting one from the other loses no more than that factor: the variance
    is good to about w * w * 1e-16, whatever the prices, also after an outlier has left.

    Parameters
    ----------
    distances : the lines of its ring in the block that is being written are the observations.
    squares : the squares of the distances.
    base : (n,)
    """
    place = _place(distances.ring, rows, seen)
    _write(distances.ring, rows, place, values)
    distance = values - base[rows]
    distances.head[rows] += distance
    distance *= distance
    squares.head[rows] += distance
    ended = _ended(distances.ring, rows, place)
    if ended is not None:
        block = distances.ring[:, ended]
        base[ended] = block[-1]
        block -= base[ended]
        squared = block * block
        _fold_backwards(np.add, block)
        _fold_backwards(np.add, squared)
        _write_back(ring=distances.ring, rows=ended, block=block)
        squares.ring[:, ended] = squared
        distances.head[ended] = 0.0
        squares.head[ended] = 0.0


def moments_of(
    *,
    distances: Window,
    squares: Window,
    base: Float64Array,
    rows: RowIndex,
    seen: Seen,
) -> tuple[Float64Array, Float64Array]:
    """Return mean and standard deviation (of a population) of what `push_moments` took."""
    count = len(distances.ring)
    place = _place(distances.ring, rows, seen)
    mean = _read(distances.ring, rows, place) + distances.head[rows]
    mean /= count
    variance = _read(squares.ring, rows, place) + squares.head[rows]
    variance /= count
    variance -= mean * mean
    np.maximum(variance, 0.0, out=variance)
    mean += base[rows]
    return mean, np.sqrt(variance, out=variance)


def _line(ring: Float64Array, seen: Seen) -> Seen:
    """Return each row's own line, `seen` modulo the ring's length."""
    count = len(ring)
    # A quotient by one number takes a third of the time of a remainder.
    return seen - seen // count * count


def _place(ring: Float64Array, rows: RowIndex, seen: Seen) -> Seen:
    """Return where the rows' own lines are: one line, or each row's cell in the flat ring.

    To index by line and row at once is much slower.
    """
    line = _line(ring, seen)
    if isinstance(line, int):
        return line
    line *= ring.shape[1]
    line += np.arange(ring.shape[1]) if isinstance(rows, slice) else rows
    return line


def _write(ring: Float64Array, rows: RowIndex, place: Seen, values: Float64Array) -> None:
    if isinstance(place, int):
        ring[place][rows] = values
    else:
        ring.reshape(-1, copy=False)[place] = values


def _read(ring: Float64Array, rows: RowIndex, place: Seen) -> Float64Array:
    """Return what is at a place; possibly a view of the state."""
    if isinstance(place, int):
        line: Float64Array = ring[place][rows]
        return line
    return ring.reshape(-1, copy=False).take(place)


def _ended(ring: Float64Array, rows: RowIndex, place: Seen) -> RowIndex | None:
    """Return the rows that have just written the last line of a block, None if there are none."""
    last = len(ring) - 1
    if isinstance(place, int):
        return rows if place == last else None
    ended = np.flatnonzero(place >= last * ring.shape[1])
    if not len(ended):
        return None
    return ended if isinstance(rows, slice) else rows[ended]


def _write_back(*, ring: Float64Array, rows: RowIndex, block: Float64Array) -> None:
    """Keep the changes of some rows' rings; a slice of a ring was the ring itself."""
    if not isinstance(rows, slice):
        ring[:, rows] = block


def _fold_backwards(fold: Fold, block: Float64Array) -> None:
    """Replace each line of a block by the fold from it to the last one."""
    for line in range(len(block) - 2, -1, -1):
        fold(block[line], block[line + 1], out=block[line])
