"""The log of refused rows: bounded messages, numbered, so that a repeat is known as one."""

import asyncio
from collections.abc import Iterator, Sequence

from tidegate_common.bus.base import Bus, TopicPartition
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ContractError
from tidegate_common.events.ingest import RejectBatch, RejectedRow
from tidegate_common.events.message import Message
from tidegate_common.events.topics import REJECTS
from tidegate_ingest.engine.rejects import WaitingRejects, in_batches

PLACE = TopicPartition(REJECTS.name, 0)
# Whoever feeds a replay says the same batches: the rows of all files, from the first.
REPLAY_EPOCH = 0
# The end of the log, where the last batch of a sequencer that is gone stands.
_LOOK_BACK = 64
_POLL_SECONDS = 0.5
_LOOK_BACK_SECONDS_MAX = 30.0


class RejectLog:
    """Says what a run refused, one message at a time."""

    def __init__(self, bus: Bus, run_id: RunId) -> None:
        self._bus = bus
        self._run_id = run_id
        self._epoch = 0
        self._sequence = 0

    async def say_replayed(self, pieces: Iterator[Sequence[RejectedRow]]) -> None:
        """Say the rows that a replay refuses, but for the batches that the log has.

        Parameters
        ----------
        pieces : the rows, some at a time; reads files.

        Raises
        ------
        ConfigError
            If a file cannot be read again.
        """
        batches = in_batches(pieces)
        first, sequence = None, 0
        # Files are read for it: not on the event loop.
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            if not batch:
                continue
            # A run without faults does not look.
            first = await self.first_missing() if first is None else first
            if sequence >= first:
                await self._say(RejectBatch(self._run_id, REPLAY_EPOCH, sequence, 0, batch))
            sequence += 1

    async def say_waiting(self, waiting: WaitingRejects, *, epoch: int, ts_event_ns: int) -> None:
        """Say what a live run refused since it was last said."""
        if epoch != self._epoch:
            self._epoch, self._sequence = epoch, 0
        while batch := waiting.take():
            lost_count = waiting.take_lost()
            said = RejectBatch(
                self._run_id, epoch, self._sequence, ts_event_ns, batch, lost_count=lost_count
            )
            # Counted at once: whoever cancels this may have cancelled it too late.
            self._sequence += 1
            await self._say(said)

    async def first_missing(self) -> int:
        """Return the number of the first batch of a replay that is not in the log."""
        end = (await self._bus.end_offsets([PLACE]))[PLACE]
        place = max(0, end - _LOOK_BACK)
        first = 0
        reader = await self._bus.open_reader({PLACE: place})
        try:
            async with asyncio.timeout(_LOOK_BACK_SECONDS_MAX):
                while place < end:
                    for message in await reader.poll(_POLL_SECONDS):
                        place = message.offset + 1
                        first = max(first, self._sequence_of(message) + 1)
        finally:
            await reader.close()
        return first

    async def _say(self, batch: RejectBatch) -> None:
        message = Message(PLACE.topic, 0, encode_event(batch), self._run_id.encode())
        await self._bus.publish([message])

    def _sequence_of(self, message: Message) -> int:
        try:
            batch = decode_event(RejectBatch, message.value)
        except ContractError:
            return -1
        is_ours = batch.run_id == self._run_id and batch.epoch == REPLAY_EPOCH
        return batch.sequence if is_ours else -1
