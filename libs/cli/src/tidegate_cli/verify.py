"""`tidegate verify`: a recorded run against the in-process loop, byte for byte."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tidegate_backtest.journaled import Journaled
from tidegate_backtest.loop import BeatOutcome, run_loop
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.errors import ConfigError, ContractError, TidegateError
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.events.orders import CancelOrder, SubmitOrder
from tidegate_common.events.portfolio import Booking, PortfolioState
from tidegate_common.events.risk import ControlOutcome, Decision, JournalEntry
from tidegate_common.events.run import RunSpec
from tidegate_common.store.postgres import Pool
from tidegate_ingest.adapters.archive import open_run
from tidegate_ingest.adapters.feed import Feed, open_feed
from tidegate_recorder.queries import (
    RecordedRun,
    booking_payloads,
    cancel_payloads,
    control_payloads,
    decision_payloads,
    fill_payloads,
    journal_payloads,
    latest_run_id,
    order_payloads,
    order_update_payloads,
    portfolio_payloads,
    recorded_run,
)
from tidegate_signals.adapters.plugins import load_kinds

LATEST: Final = "latest"
NOTHING: Final = "nothing"
# A transaction and its cursor for each stream, and one for the questions in between.
CONNECTIONS_MAX: Final = 9

Event = (
    Decision
    | ControlOutcome
    | SubmitOrder
    | CancelOrder
    | OrderUpdate
    | Fill
    | PortfolioState
    | Booking
)
Key = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where the recording and the loop part.

    key : beat, account, and what else names the event.
    recorded, recomputed : JSON; `nothing` where one side has no event.
    """

    stream: str
    key: str
    recorded: str
    recomputed: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison found.

    counts : events that are equal, by stream.
    """

    run_id: str
    beats: int
    counts: dict[str, int]
    difference: Difference | None = None

    def __str__(self) -> str:
        """Return one line for an equal run; four lines that show the difference."""
        if self.difference is None:
            parts = [f"{count:,} {stream}" for stream, count in self.counts.items()]
            return f"identical: {self.beats:,} beats, {', '.join(parts)}"
        found = self.difference
        return (
            f"different: run {self.run_id}, first in {found.stream}\n"
            f"  at         {found.key}\n"
            f"  recorded   {found.recorded}\n"
            f"  recomputed {found.recomputed}"
        )


class RunIncompleteError(TidegateError):
    """A run is not recorded to its end."""


@dataclass(frozen=True, slots=True)
class _Stream:
    """One kind of event: where its recording is, and what the loop says of a beat.

    key : order of the recording.
    """

    name: str
    payloads: Callable[[Pool, str], AsyncIterator[str]]
    events: Callable[[BeatOutcome], Sequence[Event]]
    key: Callable[[Event], Key]


@dataclass(slots=True)
class _Comparison:
    """Walks the recording and the loop side by side."""

    recorded: Mapping[str, AsyncIterator[str]]
    counts: Counter[str] = field(default_factory=Counter)

    async def compare_beat(self, beat: BeatOutcome) -> Difference | None:
        """Compare what a beat came to."""
        for stream in _STREAMS:
            for event in sorted(stream.events(beat), key=stream.key):
                recomputed = encode_event(event).decode()
                recorded = await anext(self.recorded[stream.name], NOTHING)
                if recorded != recomputed:
                    key = " ".join(str(part) for part in stream.key(event))
                    return Difference(stream.name, key, recorded, recomputed)
                self.counts[stream.name] += 1
        return None

    async def find_rest(self) -> Difference | None:
        """Return what the recording has beyond the loop's end."""
        for stream in _STREAMS:
            recorded = await anext(self.recorded[stream.name], None)
            if recorded is not None:
                return Difference(stream.name, "after the last beat", recorded, NOTHING)
        return None


async def verify_run(pool: Pool, run_id: str, archive: Path) -> Verdict:
    """Return whether a recorded run is what the engines make of its input and journal.

    Parameters
    ----------
    archive : of the recorder; where the frames of a run are that was fed live.

    Raises
    ------
    ConfigError
        If the run was never recorded, or its input files are not there as they were.
    RunIncompleteError
        If it is not recorded to its end.
    """
    run = await _find(pool, run_id)
    spec = _decode_spec(run)
    feed = _open_input(spec, run, archive)
    journal = await _read_journal(pool, run.run_id)
    comparison = _Comparison(
        {stream.name: stream.payloads(pool, run.run_id) for stream in _STREAMS},
    )
    try:
        beats = run_loop(
            spec,
            feed.frames(),
            journal.requests,
            kinds=load_kinds(spec.strategies),
            late=journal.late(),
        )
        beat_count, difference = await _compare(comparison, beats)
    finally:
        for payloads in comparison.recorded.values():
            await payloads.aclose()  # type: ignore[attr-defined]  # they are generators
    if difference is None and beat_count != run.last_beat + 1:
        recorded = f"{run.last_beat + 1} beats"
        difference = Difference("beats", "count", recorded, f"{beat_count} beats")
    counts = {stream.name: comparison.counts[stream.name] for stream in _STREAMS}
    return Verdict(run.run_id, beat_count, counts, difference)


def _open_input(spec: RunSpec, run: RecordedRun, archive: Path) -> Feed:
    """Return what a run was fed with; a live one cannot be asked again, so what it came to."""
    if spec.feed.live is None:
        return open_feed(spec)
    feed = open_run(spec, archive / run.run_id)
    if feed.beat_count != run.last_beat + 1:
        message = (
            f"run {run.run_id} has {run.last_beat + 1} beats, "
            f"and its archive {feed.beat_count} of them"
        )
        raise RunIncompleteError(message)
    return feed


async def _compare(
    comparison: _Comparison,
    beats: Iterable[BeatOutcome],
) -> tuple[int, Difference | None]:
    beat_count = 0
    for beat in beats:
        difference = await comparison.compare_beat(beat)
        if difference is not None:
            return beat_count, difference
        beat_count += 1
    return beat_count, await comparison.find_rest()


async def _find(pool: Pool, run_id: str) -> RecordedRun:
    latest = await latest_run_id(pool)
    wanted = latest if run_id == LATEST else run_id
    run = await recorded_run(pool, wanted) if wanted else None
    if run is None:
        message = f"run {run_id} is not recorded here; the latest is {latest or 'none'}"
        raise ConfigError(message)
    if not run.is_complete:
        message = f"run {run.run_id} is recorded to beat {run.last_beat} only, not to its end"
        raise RunIncompleteError(message)
    return run


def _decode_spec(run: RecordedRun) -> RunSpec:
    try:
        return decode_event(RunSpec, run.spec)
    except ContractError as error:
        message = f"the settings of run {run.run_id} cannot be read: {error}"
        raise ConfigError(message) from error


async def _read_journal(pool: Pool, run_id: str) -> Journaled:
    """Return what a run's journals say."""
    journal = Journaled()
    async for payload in journal_payloads(pool, run_id):
        journal.add(decode_event(JournalEntry, payload))
    return journal


def _key(event: Event) -> Key:
    """Return the place of an event in the order of its table."""
    match event:
        case Decision() | ControlOutcome() | SubmitOrder() | Booking():
            return (event.beat, event.account_id, event.sequence)
        case CancelOrder():
            return (event.beat, event.account_id, event.sequence, event.order_id)
        case OrderUpdate():
            return (event.beat, event.account_id, event.order_id)
        case Fill():
            number = int(event.fill_id.rpartition(".")[2])
            return (event.beat, event.account_id, event.order_beat, event.sequence, number)
        case PortfolioState():
            return (event.beat, event.account_id)


_STREAMS: Final = (
    _Stream("decisions", decision_payloads, lambda beat: beat.decisions, _key),
    _Stream("controls", control_payloads, lambda beat: beat.controls, _key),
    _Stream("orders", order_payloads, lambda beat: beat.submits, _key),
    _Stream("cancels", cancel_payloads, lambda beat: beat.cancels, _key),
    _Stream("order updates", order_update_payloads, lambda beat: beat.updates, _key),
    _Stream("fills", fill_payloads, lambda beat: beat.fills, _key),
    _Stream("portfolios", portfolio_payloads, lambda beat: beat.portfolios, _key),
    _Stream("bookings", booking_payloads, lambda beat: beat.bookings, _key),
)
