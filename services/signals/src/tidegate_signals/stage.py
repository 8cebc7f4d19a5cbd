"""The signals stage of one shard: frames decoded, the engine stepped, scores and bars encoded."""

from collections.abc import Mapping, Sequence

from tidegate_common.bus.headers import beat_message, stamp_of
from tidegate_common.bus.processor import BeatInputs, Slot
from tidegate_common.engine import EngineState
from tidegate_common.errors import ContractError, InvariantError
from tidegate_common.events.message import Message, Origin
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import BARS, SCORES, TICKS
from tidegate_common.frames.codec import decode_frame, encode_bars, encode_scores
from tidegate_common.frames.frame import Frame, empty_rows
from tidegate_signals.adapters.plugins import load_kinds
from tidegate_signals.engine import SignalsEngine

INGEST_PRODUCER = "ingest-0"


class SignalsProcessor:
    """The processor of one shard; one score batch leaves for every frame that comes.

    Bars leave only in beats that complete some: nobody aligns by them.
    """

    def __init__(self, shard: int) -> None:
        self.producer = f"signals-{shard}"
        self.slots: tuple[Slot, ...] = (Slot(TICKS, shard, INGEST_PRODUCER),)
        self.counts: Mapping[str, int] = {}
        self._shard = shard
        self._engine: SignalsEngine | None = None

    def decode(self, slot: Slot, message: Message) -> Frame:
        """Return the frame of a message; raise ContractError if it is not its headers' frame."""
        frame = decode_frame(message.value)
        said = stamp_of(message)
        if frame.stamp != said:
            reason = f"the frame must be of {said} as its headers say, was of {frame.stamp}"
            raise ContractError(reason)
        if frame.shard != slot.partition:
            reason = f"shard must be {slot.partition}, was {frame.shard}"
            raise ContractError(reason)
        return frame

    def start_run(self, spec: RunSpec) -> None:
        """Forget everything and begin a run."""
        self._engine = SignalsEngine(spec, load_kinds(spec.strategies))

    def on_beat(self, inputs: BeatInputs) -> Sequence[Message]:
        """Return the one score batch of a beat, and its bars; of an unusable frame, no opinions."""
        stamp = inputs.stamp
        (frame,) = inputs.payloads
        if not isinstance(frame, Frame):
            frame = Frame(stamp, self._shard, empty_rows(stamp.kind))
        output = self._running().on_beat(frame)
        self.counts = {"rows": len(frame.rows), "scores": len(output.scores)}
        origin = Origin(stamp.run_id, stamp.beat, self.producer)
        scores = beat_message(SCORES, self._shard, origin, encode_scores(output.scores))
        if output.bars is None:
            return (scores,)
        return scores, beat_message(BARS, self._shard, origin, encode_bars(output.bars))

    def snapshot(self) -> EngineState:
        """Return the memory after the last beat."""
        return self._running().snapshot()

    def restore(self, spec: RunSpec, state: EngineState) -> None:
        """Take up a run from a memory."""
        self._engine = SignalsEngine(spec, load_kinds(spec.strategies))
        self._engine.restore(state)

    def _running(self) -> SignalsEngine:
        if self._engine is None:
            message = f"{self.producer} was asked before a run began"
            raise InvariantError(message)
        return self._engine
