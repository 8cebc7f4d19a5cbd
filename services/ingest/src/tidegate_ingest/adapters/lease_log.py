"""The log of leases: says ours, reads everybody's."""

import asyncio
from collections.abc import Callable

from tidegate_common.bus.base import Bus, Reader, TopicPartition
from tidegate_common.clock import Clock
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import LeaseState
from tidegate_common.errors import ContractError
from tidegate_common.events.ingest import Lease
from tidegate_common.events.message import Message
from tidegate_common.events.topics import LEASES
from tidegate_common.runtime.logging import get_logger
from tidegate_ingest.engine.lease import Candidate

PLACE = TopicPartition(LEASES.name, 0)
# Ten minutes of two sequencers. A lease that stands further back is of nobody who is there.
LOOK_BACK = 2_000
POLL_SECONDS = 0.1
# The embedded broker sleeps half of it when there is nothing new; a real one answers at once.
LEASE_FETCH_MS = 200
_CATCH_UP_SECONDS_MAX = 30.0


class LeaseLog:
    """Keeps a candidate up to date with the log, and the log with the candidate.

    Parameters
    ----------
    bus : one that frames do not queue on.
    next_beat : tells the first beat that is not known to be kept.
    """

    def __init__(
        self,
        bus: Bus,
        candidate: Candidate,
        clock: Clock,
        *,
        next_beat: Callable[[], int],
    ) -> None:
        self._bus = bus
        self._candidate = candidate
        self._clock = clock
        self._next_beat = next_beat
        self._looked = asyncio.Event()
        self._log = get_logger()

    async def follow(self) -> None:
        """Read and say leases, until cancelled.

        Raises
        ------
        TransientError
            If the broker is away for longer than the bus waits.
        """
        end = (await self._bus.end_offsets([PLACE]))[PLACE]
        start = max(0, end - LOOK_BACK)
        reader = await self._bus.open_reader({PLACE: start})
        try:
            async with asyncio.timeout(_CATCH_UP_SECONDS_MAX):
                while start < end:
                    start = max(start, await self._read(reader))
            while True:
                await self._look()
                await self._read(reader)
        finally:
            await reader.close()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Return when something is so, which is asked after each look at the log."""
        while not is_so():
            await self._looked.wait()

    async def permit(self) -> None:
        """Return when this sequencer may act; at once, as a rule."""
        while not self._candidate.may_act(self._clock.monotonic_seconds()):
            await self._looked.wait()

    async def leave(self, state: LeaseState) -> None:
        """Say the last word, for others not to wait for us; only of a lease that we hold."""
        if self._candidate.is_active:
            await self._say(self._candidate.leave(state, next_beat=self._next_beat()))

    async def _read(self, reader: Reader) -> int:
        """Offer what has come; return the offset after it, 0 where nothing has."""
        messages = await reader.poll(POLL_SECONDS)
        for message in messages:
            try:
                self._candidate.offer(decode_event(Lease, message.value))
            except ContractError as error:
                self._log.warning("lease_ignored", offset=message.offset, reason=str(error))
        return messages[-1].offset + 1 if messages else 0

    async def _look(self) -> None:
        now_seconds = self._clock.monotonic_seconds()
        lease = self._candidate.look(now_seconds, next_beat=self._next_beat())
        if lease:
            await self._say(lease)
        looked, self._looked = self._looked, asyncio.Event()
        looked.set()

    async def _say(self, lease: Lease) -> None:
        message = Message(PLACE.topic, 0, encode_event(lease), lease.run_id.encode())
        await self._bus.publish([message])
