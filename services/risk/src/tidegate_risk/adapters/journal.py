"""Writes risk's journal and reads it back, ahead of the beats.

An entry covers a span of beats whose frames have come: one where beats are slow, so that a request
enters at the next beat; more where they are fast, so that the round trip to the log costs nothing.
Until an entry is read back it does not count, and if another process wrote first, that one's entry
counts. In a run with `max_wait_ms` every beat has an entry of its own, which says what was late.

A request that comes after a run's last frame is not covered by that run: it enters the next one.
"""

from collections import deque
from itertools import islice

from msgspec.structs import replace

from tidegate_common.bus.base import Bus, TopicPartition
from tidegate_common.bus.beats import StageCore, dead_letter
from tidegate_common.bus.journal import JournalFold
from tidegate_common.clock import Clock
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import ControlCommand
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ContractError
from tidegate_common.events.message import DeadLetter, Message
from tidegate_common.events.orders import ControlRequest, RequestEnvelope
from tidegate_common.events.risk import JournalEntry, LateInput
from tidegate_common.events.topics import JOURNAL, REQUESTS
from tidegate_risk.adapters.patience import Patience, late_inputs

# A span covers about so much time, which is how late a request may enter at full speed.
SPAN_SECONDS = 0.2
SPAN_BEATS_MAX = 64
ENTRY_REQUESTS_MAX = 500
# Of the three kinds of request, an envelope leaves so many out.
_OTHERS = 2
# A clock may stand still between two entries; the span is capped long before.
_ELAPSED_SECONDS_MIN = 1e-6


class JournalKeeper:
    """The journal of one risk partition, as its owner keeps it.

    Parameters
    ----------
    partition : which, in 0..partition_count - 1.
    """

    def __init__(
        self,
        bus: Bus,
        fold: JournalFold,
        clock: Clock,
        *,
        partition: int,
        partition_count: int,
    ) -> None:
        self._bus = bus
        self._fold = fold
        self._partition = partition
        self._partition_count = partition_count
        self._clock = clock
        self._pending: deque[tuple[int, RequestEnvelope | None]] = deque()
        self._patience = Patience(clock)
        self._written: tuple[RunId, int, int] | None = None
        self._dead_letters: list[DeadLetter] = []
        self._span = 1
        self._beats_since_write = 0
        self._written_at = clock.monotonic_seconds()

    @property
    def journal_place(self) -> TopicPartition:
        """Where the journal is."""
        return TopicPartition(JOURNAL.name, self._partition)

    @property
    def requests_place(self) -> TopicPartition:
        """Where requests come from."""
        return TopicPartition(REQUESTS.name, self._partition)

    @property
    def waiting_count(self) -> int:
        """How many requests were read and are in no entry yet."""
        return len(self._pending)

    def positions(self) -> dict[TopicPartition, int]:
        """Return where to read both."""
        return {
            self.journal_place: self._fold.next_offset,
            self.requests_place: self._fold.requests_through_offset,
        }

    def take_entry(self, message: Message) -> None:
        """Take the next message of the journal."""
        if message.offset < self._fold.next_offset:
            return
        try:
            entry = decode_event(JournalEntry, message.value)
        except ContractError as error:
            self._fold.skip(message.offset)
            self._dead_letters.append(dead_letter(message, self._name, str(error)))
            return
        self._fold.offer(entry, message.offset)
        through = self._fold.requests_through_offset
        while self._pending and self._pending[0][0] < through:
            self._pending.popleft()

    def take_request(self, message: Message) -> None:
        """Take the next message of the request topic; it waits for an entry."""
        if message.offset < self._fold.requests_through_offset:
            return
        if self._pending and message.offset <= self._pending[-1][0]:
            return
        try:
            request = self._checked(decode_event(RequestEnvelope, message.value))
        except ContractError as error:
            self._dead_letters.append(dead_letter(message, self._name, str(error)))
            request = None
        self._pending.append((message.offset, request))

    def take_dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters since the last call."""
        letters, self._dead_letters = self._dead_letters, []
        return letters

    def beat_taken(self) -> None:
        """Note that a beat was taken, to know how fast they come."""
        self._beats_since_write += 1

    async def write_if_due(self, core: StageCore) -> float | None:
        """Write the next entry when the beats come close to the end of what is covered.

        Returns
        -------
        Seconds after which it may be due though no message comes; None where only a message helps.
        """
        if core.run is None:
            return None
        run_id = core.run.run_id
        covered_to = self._fold.covered_to(run_id)
        # Where both chains end: an entry that lost to another one moves either, and is due again.
        ends = (run_id, covered_to, self._fold.requests_through_offset)
        if self._written == ends:
            return None
        if core.run.max_wait_ms:
            return await self._write_beat_if_due(core, core.run.max_wait_ms, ends)
        if self._span == 1:
            is_due = core.needs_journal()
        else:
            is_close = covered_to - core.next_beat <= self._span // 2
            is_due = is_close and core.framed_to(covered_to + 1) > covered_to
        if is_due:
            self._measure()
            # Never ahead of the frames: a request would wait for beats that may be slow to come,
            # or never do.
            await self._write(ends, core.framed_to(covered_to + self._span))
        return None

    async def _write_beat_if_due(
        self, core: StageCore, max_wait_ms: int, ends: tuple[RunId, int, int]
    ) -> float | None:
        """Write the entry of the next beat once it is whole or was waited for long enough."""
        stamp = core.begun()
        if stamp is None or self._fold.covered_to(ends[0]) > core.next_beat:
            return None
        seconds_left = self._patience.seconds_left(stamp, max_wait_ms)
        is_whole = not core.missing()
        if seconds_left and not is_whole:
            return seconds_left
        late = late_inputs(core)
        if late or is_whole:
            await self._write(ends, core.next_beat + 1, late)
        return None

    def _measure(self) -> None:
        """Set the span by how fast beats came since the last entry.

        Not by a long average: at a run's start the journal itself holds the beats back, and a span
        that grows slowly would keep it so.
        """
        now = self._clock.monotonic_seconds()
        elapsed = max(now - self._written_at, _ELAPSED_SECONDS_MIN)
        if self._beats_since_write:
            beats = round(self._beats_since_write * SPAN_SECONDS / elapsed)
            self._span = max(1, min(SPAN_BEATS_MAX, beats))
        self._beats_since_write = 0
        self._written_at = now

    async def _write(
        self, ends: tuple[RunId, int, int], to_beat: int, late: tuple[LateInput, ...] = ()
    ) -> None:
        self._written = ends
        run_id, from_beat, start = ends
        taken = list(islice(self._pending, ENTRY_REQUESTS_MAX))
        entry = JournalEntry(
            run_id=run_id,
            risk_partition=self._partition,
            from_beat=from_beat,
            to_beat=to_beat,
            requests_from_offset=start,
            requests_through_offset=taken[-1][0] + 1 if taken else start,
            requests=tuple(request for _, request in taken if request is not None),
            late=late,
        )
        message = Message(JOURNAL.name, self._partition, encode_event(entry))
        # An entry that is lost would hold the beats back for ever, so its failure must show.
        await self._bus.publish([message])

    def _checked(self, envelope: RequestEnvelope) -> RequestEnvelope:
        """Return an envelope that holds exactly one request; a command knows for whom it counts."""
        control = envelope.control
        if [envelope.order, envelope.cancel, control].count(None) != _OTHERS:
            message = "expected exactly one of order, cancel and control, found several or none"
            raise ContractError(message)
        if control is None:
            return envelope
        _check_control(control)
        # Never taken from the sender: one that counts partitions wrongly would miss accounts.
        own = replace(
            control,
            risk_partition=self._partition,
            risk_partition_count=self._partition_count,
        )
        return RequestEnvelope(control=own)

    @property
    def _name(self) -> str:
        return f"risk-{self._partition}"


def _check_control(control: ControlRequest) -> None:
    """Raise ContractError unless limits come with SET_LIMITS, which names an account."""
    is_setting = control.command is ControlCommand.SET_LIMITS
    if is_setting and control.account_id is None:
        message = "expected set_limits to name an account, found none"
        raise ContractError(message)
    if is_setting != (control.limits is not None):
        found = "limits" if control.limits else "no limits"
        message = f"expected limits with set_limits alone, found {control.command} with {found}"
        raise ContractError(message)
