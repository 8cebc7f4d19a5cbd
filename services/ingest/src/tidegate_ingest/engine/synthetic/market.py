"""The whole market as beats: OPEN, TICKs and CLOSE of day after day."""

from collections.abc import Iterator
from typing import Final

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.events.run import SyntheticSpec
from tidegate_common.frames.frame import BeatStamp, Frame, FrameRows
from tidegate_common.market.sessions import NS_PER_SECOND, shanghai_ns
from tidegate_ingest.engine.synthetic.chance import Chance, Purpose
from tidegate_ingest.engine.synthetic.plan import DayPlan, Planner
from tidegate_ingest.engine.synthetic.ticks import DayTicks
from tidegate_ingest.engine.synthetic.timetable import (
    CLOSE_SECONDS,
    OPEN_SECONDS,
    make_timetable,
)

# OPEN and CLOSE come on top of a day's ticks.
_ENDS: Final = 2


class SyntheticMarket:
    """A market by its spec; every reading begins anew and gives the same."""

    def __init__(self, spec: SyntheticSpec) -> None:
        self._spec = spec
        self._timetable = make_timetable(spec.beats_per_day)

    @property
    def beat_count(self) -> int:
        """Beats of all days."""
        return self._spec.day_count * self._beats_per_day

    @property
    def _beats_per_day(self) -> int:
        return self._spec.beats_per_day + _ENDS

    def plans(self) -> Iterator[DayPlan]:
        """Yield the plans of the days."""
        planner = Planner(self._spec)
        for _ in range(self._spec.day_count):
            yield planner.next_day()

    def frames(self, run_id: RunId, *, first_day: int = 0) -> Iterator[Frame]:
        """Yield one frame a beat, whole market, shard 0; `is_last` on the final one.

        Parameters
        ----------
        first_day : from 0; of the days before it only the plans are made.
        """
        last_beat = self.beat_count - 1
        for plan in self.plans():
            if plan.number < first_day:
                continue
            number = plan.number * self._beats_per_day
            for beat, (kind, ts_event_ns, rows) in enumerate(self._day(plan), start=number):
                stamp = BeatStamp(
                    run_id, beat, kind, plan.trade_date, ts_event_ns, beat == last_beat
                )
                yield Frame(stamp, 0, rows)

    def _day(self, plan: DayPlan) -> Iterator[tuple[BeatKind, int, FrameRows]]:
        midnight_ns = shanghai_ns(plan.trade_date, 0)
        yield BeatKind.OPEN, midnight_ns + OPEN_SECONDS * NS_PER_SECOND, plan.reference
        chance = Chance(self._spec.seed, Purpose.TICKS, plan.number)
        ticks = DayTicks(plan.ticks, self._timetable, chance, midnight_ns=midnight_ns)
        times_ns = (midnight_ns + self._timetable.seconds_ns).tolist()
        for ts_event_ns, rows in zip(times_ns, ticks.rows(), strict=True):
            yield BeatKind.TICK, ts_event_ns, rows
        close_ns = midnight_ns + CLOSE_SECONDS * NS_PER_SECOND
        yield BeatKind.CLOSE, close_ns, ticks.bars(plan.reference)
