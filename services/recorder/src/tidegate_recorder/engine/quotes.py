"""The newest quote of each instrument, frame after frame."""

from dataclasses import fields, replace

import numpy as np

from tidegate_common.domain.enums import BeatKind
from tidegate_common.frames.frame import Frame, empty_rows
from tidegate_common.frames.rows import QuoteRows


class NewestQuotes:
    """What a shard's frames of one run said last of each instrument.

    A frame of another run begins anew; one of a beat that was taken changes nothing.
    """

    def __init__(self) -> None:
        self._last: Frame | None = None

    def take(self, frame: Frame) -> None:
        """Take a frame of any kind: it moves the beat as of which the quotes are newest."""
        stamp, last = frame.stamp, self._last
        is_same_run = last is not None and last.stamp.run_id == stamp.run_id
        if is_same_run and last is not None and stamp.beat <= last.stamp.beat:
            return
        known = last.rows if is_same_run and last is not None else empty_rows(BeatKind.TICK)
        assert isinstance(known, QuoteRows), "only quotes are kept"
        rows = _newer(known, frame.rows) if isinstance(frame.rows, QuoteRows) else known
        self._last = Frame(replace(stamp, kind=BeatKind.TICK), frame.shard, rows)

    def newest(self) -> Frame | None:
        """Return a frame of the newest quotes as of the last beat; None before the first.

        Frames that are taken later do not change it.
        """
        return self._last


def _newer(known: QuoteRows, told: QuoteRows) -> QuoteRows:
    """Return rows with those that were told in the place of those that were known."""
    if len(known) == len(told) and np.array_equal(known.instrument, told.instrument):
        # Most instruments speak in most beats: often all do.
        return told
    place = np.searchsorted(known.instrument, told.instrument)
    inside = place < len(known)
    is_known = np.zeros(len(told), np.bool_)
    is_known[inside] = known.instrument[place[inside]] == told.instrument[inside]
    merged = {}
    for field in fields(QuoteRows):
        column = getattr(known, field.name).copy()
        column[place[is_known]] = getattr(told, field.name)[is_known]
        merged[field.name] = column
    kept = QuoteRows(**merged)
    if is_known.all():
        return kept
    return QuoteRows.concat([kept, told.take(~is_known)])
