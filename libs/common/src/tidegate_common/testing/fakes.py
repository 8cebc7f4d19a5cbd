"""Hand-written fakes: a stage whose output shows every difference, and a bus that breaks."""

import hashlib
from collections.abc import Awaitable, Mapping, Sequence

import numpy as np

from tidegate_common.bus.base import Bus, NewTopic, Reader, TopicPartition
from tidegate_common.bus.headers import beat_message
from tidegate_common.bus.processor import BeatInputs, Slot
from tidegate_common.codec import encode_event
from tidegate_common.engine import EngineState
from tidegate_common.errors import ContractError, TransientError
from tidegate_common.events.message import Message, Origin
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import DECISIONS, ORDERS, SCORES, TICKS, Topic
from tidegate_common.frames.codec import decode_frame
from tidegate_common.frames.frame import Frame
from tidegate_common.testing.builders import FEED

BAD_VALUE = b"\xff bad"


class ToyProcessor:
    """A stage that hashes all that it ever saw, and says the hash at every beat.

    The hash goes to two partitions of `output`.

    Two shards of ticks, one of scores, and orders of two producers on one partition with lag 1.

    Parameters
    ----------
    slots : other inputs instead.
    """

    producer = "toy-0"

    def __init__(self, output: Topic = DECISIONS, slots: tuple[Slot, ...] = ()) -> None:
        self._output = output
        self.slots = slots or (
            Slot(TICKS, 0, FEED),
            Slot(TICKS, 1, FEED),
            Slot(SCORES, 0, "signals-0"),
            Slot(ORDERS, 0, "risk-0", lag=1),
            Slot(ORDERS, 0, "risk-1", lag=1),
        )
        self.inputs: list[BeatInputs] = []
        self.counts: Mapping[str, int] = {}
        self._digest = b""
        self._beat_count = 0

    def decode(self, slot: Slot, message: Message) -> object:
        """Return the frame's shard, or the text."""
        if message.value.startswith(BAD_VALUE):
            reason = f"expected a text, found {message.value[:10]!r} on {slot.topic.name}"
            raise ContractError(reason)
        if slot.topic is TICKS:
            return decode_frame(message.value)
        return message.value.decode()

    def start_run(self, spec: RunSpec) -> None:
        """Begin a new hash with the run's settings."""
        self._digest = hashlib.sha256(encode_event(spec)).digest()
        self._beat_count = 0

    def on_beat(self, inputs: BeatInputs) -> Sequence[Message]:
        """Take the beat into the hash and say it on two partitions."""
        self.inputs.append(inputs)
        self._beat_count += 1
        self.counts = {"beats": self._beat_count}
        seen = [
            f"frame {part.stamp} {part.shard}" if isinstance(part, Frame) else part
            for part in inputs.payloads
        ]
        text = repr((inputs.stamp, seen, inputs.requests, inputs.overdue))
        self._digest = hashlib.sha256(self._digest + text.encode()).digest()
        origin = Origin(inputs.stamp.run_id, inputs.stamp.beat, self.producer)
        value = f"{self._beat_count} {self._digest.hex()}".encode()
        return [beat_message(self._output, partition, origin, value) for partition in range(2)]

    def snapshot(self) -> EngineState:
        """Return the hash and the count."""
        digest = np.frombuffer(self._digest, np.uint8).copy()
        return EngineState({"beat_count": self._beat_count}, {"digest": digest})

    def restore(self, spec: RunSpec, state: EngineState) -> None:
        """Take up the hash and the count; the run is in the hash already."""
        del spec
        count = state.values["beat_count"]
        assert isinstance(count, int)
        self._beat_count = count
        self._digest = state.arrays["digest"].tobytes()


class FailingBus:
    """A bus whose writing breaks once, at a given call, before or after it has taken effect.

    Parameters
    ----------
    bus : does the work.
    fail_at_call : number of the publish or post, from 0, that raises; -1 for none.
    is_kept : whether the failing call's messages are kept all the same.
    """

    def __init__(self, bus: Bus, *, fail_at_call: int = -1, is_kept: bool = False) -> None:
        self._bus = bus
        self._fail_at = fail_at_call
        self._is_kept = is_kept
        self.call_count = 0

    async def start(self) -> None:
        """Connect."""
        await self._bus.start()

    async def close(self) -> None:
        """Let go."""
        await self._bus.close()

    async def create_topics(self, topics: Sequence[NewTopic]) -> None:
        """Create topics."""
        await self._bus.create_topics(topics)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish, or break."""
        await (await self.post(messages))

    async def post(self, messages: Sequence[Message]) -> Awaitable[None]:
        """Hand over, or break."""
        number, self.call_count = self.call_count, self.call_count + 1
        if number == self._fail_at:
            if self._is_kept:
                await self._bus.publish(messages)
            reason = f"call {number} was told to fail"
            raise TransientError(reason)
        return await self._bus.post(messages)

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset that the next message of each partition will get."""
        return await self._bus.end_offsets(partitions)

    async def open_reader(
        self,
        positions: Mapping[TopicPartition, int],
        *,
        is_urgent: bool = False,
    ) -> Reader:
        """Return a reader that starts at the given offsets."""
        return await self._bus.open_reader(positions, is_urgent=is_urgent)
