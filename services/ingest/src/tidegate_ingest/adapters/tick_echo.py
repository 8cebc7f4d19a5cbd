"""What the log made of what a live sequencer said: the first message of each beat counts.

Two sequencers of a live run may overlap for a moment, and say different quotes as one beat. What
shard 0 has first is the beat. So a sequencer reads it back: what is not its own tells it that
another one was there, and that it has to begin again from the log (ADR 18).
"""

import asyncio

from tidegate_common.bus.base import Bus, TopicPartition
from tidegate_common.bus.headers import origin_of
from tidegate_common.errors import ContractError, TransientError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import TICKS

PLACE = TopicPartition(TICKS.name, 0)
_POLL_SECONDS = 0.5


class OvertakenError(TransientError):
    """Another sequencer of the run has said a beat before this one."""


class TickEcho:
    """Reads shard 0 back while a live run is said.

    Parameters
    ----------
    next_beat : the first beat that this sequencer says.
    """

    def __init__(self, bus: Bus, *, run_id: str, producer: str) -> None:
        self._bus = bus
        self._run_id = run_id
        self._producer = producer
        self._next_beat = 0
        # Said and not read back yet: as many as may be under way.
        self._said: dict[int, bytes] = {}
        self._heard = asyncio.Event()

    async def follow(self, start: int, next_beat: int) -> None:
        """Read for ever.

        Parameters
        ----------
        start : offset of shard 0 at which the log of the run was not read yet.
        next_beat : the first beat that is not in what was read of it.

        Raises
        ------
        OvertakenError
            If the first message of a beat is not ours.
        """
        self._next_beat = next_beat
        reader = await self._bus.open_reader({PLACE: start}, is_urgent=True)
        try:
            while True:
                for message in await reader.poll(_POLL_SECONDS):
                    self._hear(message)
        finally:
            await reader.close()

    def expect(self, beat: int, message: Message) -> None:
        """Take note of what is about to be said on shard 0."""
        self._said[beat] = message.value

    async def until_heard(self, beat: int) -> None:
        """Return when the first message of a beat has been read back, and was ours."""
        while self._next_beat <= beat:
            self._heard.clear()
            await self._heard.wait()

    def _hear(self, message: Message) -> None:
        try:
            origin = origin_of(message)
        except ContractError:
            # Not ours to judge: the recorder puts it aside.
            return
        is_of_run = origin.run_id == self._run_id and origin.producer == self._producer
        if not is_of_run or origin.beat < self._next_beat:
            return
        if self._said.pop(origin.beat, None) != message.value:
            reason = f"beat {origin.beat} of run {self._run_id} was said by another sequencer"
            raise OvertakenError(reason)
        self._next_beat = origin.beat + 1
        self._heard.set()
