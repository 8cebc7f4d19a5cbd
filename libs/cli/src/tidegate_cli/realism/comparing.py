"""All recorded days beside the simulator."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tidegate_cli.realism.calls import CallName, RecordedCall, calls_of
from tidegate_cli.realism.children import CallKind, ChildKind
from tidegate_cli.realism.day import RecordedDay, replay
from tidegate_cli.realism.figures import Figures, figures_of
from tidegate_cli.realism.quoted_days import read_quoted_calls
from tidegate_cli.realism.rebuilding import rebuild
from tidegate_cli.realism.simulation import Compared, simulate
from tidegate_cli.realism.streams import Stream, read_streams
from tidegate_cli.realism.trades import read_trades_and_cancels, without_orders
from tidegate_common.domain.enums import QueueCancels
from tidegate_common.domain.units import BPS
from tidegate_common.events.run import ExecutionSpec

DEFAULT: Final = "default"
# The settings that decide passive fills, at their default and away from it.
SPECS: Final = {
    DEFAULT: ExecutionSpec(),
    "no participation cap": ExecutionSpec(participation_bps_max=BPS),
    "no cap, proportional cancels": ExecutionSpec(
        participation_bps_max=BPS,
        queue_cancels=QueueCancels.PROPORTIONAL,
    ),
}


@dataclass(frozen=True, slots=True)
class ComparedDay:
    """A recorded day, and its children by the record and by the simulator."""

    day: RecordedDay
    children: Sequence[Compared]

    def figures(self, kind: ChildKind | CallKind) -> Figures:
        """Return the figures of one kind of children."""
        return self._figures(each for each in self.children if each.child.kind is kind)

    def passive_figures(self) -> Figures:
        """Return the figures of all passive children."""
        passive = {kind for kind in ChildKind if kind.is_passive}
        return self._figures(each for each in self.children if each.child.kind in passive)

    def _figures(self, children: Iterable[Compared]) -> Figures:
        return figures_of(list(children), tick_e4=self.day.tick_e4)


@dataclass(frozen=True, slots=True)
class ComparedCall:
    """A call auction, and its children by the record and by the simulator."""

    name: CallName
    compared: ComparedDay


@dataclass(frozen=True, slots=True)
class Realism:
    """Everything that was compared.

    days : Shanghai's, by the name of the settings.
    shenzhen : of trades and cancels alone, by the name of the settings.
    thinned : Shanghai's days in their order, as if they were Shenzhen's; default settings.
    held_calls, quoted_calls : auctions held again order by order, and those of which only the
        outcome is known; default settings.
    """

    days: dict[str, tuple[ComparedDay, ...]]
    shenzhen: dict[str, ComparedDay]
    thinned: tuple[ComparedDay, ...]
    held_calls: tuple[ComparedCall, ...]
    quoted_calls: tuple[ComparedCall, ...]


def compare_days(data: Path) -> Realism:
    """Send children through every recorded day of a directory of data.

    Raises
    ------
    ConfigError
        If a recorded day is missing or cannot be read.
    """
    streams = read_streams(data / "l2")
    days = [replay(stream) for stream in streams]
    record = rebuild(read_trades_and_cancels(data / "l2"))
    shenzhen = replay(record)
    quoted = [*calls_of(record, is_whole=False), *read_quoted_calls(data / "l2")]
    return Realism(
        days={name: tuple(_compare(day, spec) for day in days) for name, spec in SPECS.items()},
        shenzhen={name: _compare(shenzhen, spec) for name, spec in SPECS.items()},
        thinned=tuple(_compare(replay(thinned), SPECS[DEFAULT]) for thinned in _thinned(streams)),
        held_calls=_compare_calls(
            call for stream in streams for call in calls_of(stream, is_whole=True)
        ),
        quoted_calls=_compare_calls(quoted),
    )


def _thinned(streams: Iterable[Stream]) -> Iterator[Stream]:
    for stream in streams:
        yield rebuild(without_orders(stream))


def _compare(day: RecordedDay, spec: ExecutionSpec) -> ComparedDay:
    return ComparedDay(day, simulate(day, spec))


def _compare_calls(calls: Iterable[RecordedCall]) -> tuple[ComparedCall, ...]:
    return tuple(ComparedCall(call.name, _compare(call.day, SPECS[DEFAULT])) for call in calls)
