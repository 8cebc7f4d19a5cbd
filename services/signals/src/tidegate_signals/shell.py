"""Recommendations between decode and encode: the scores of all shards, one engine.

Ticks are read for their headers alone: they say which runs and beats there are. Scores that could
not be used stand for none; what was said of that shard's instruments before still holds.
"""

from collections.abc import Mapping, Sequence

from tidegate_common.bus.headers import beat_message, origin_of, stamp_of
from tidegate_common.bus.processor import BeatInputs, Slot
from tidegate_common.codec import encode_event
from tidegate_common.domain.ids import RunId, shards_of
from tidegate_common.engine import EngineState
from tidegate_common.errors import ContractError, InvariantError
from tidegate_common.events.message import Message, Origin
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import RECOMMENDATIONS, SCORES, TICKS
from tidegate_common.frames.codec import decode_scores
from tidegate_common.frames.frame import BeatStamp, ScoreBatch, merge_scores
from tidegate_common.store.redis import CachedRecommendations
from tidegate_signals.engine.recommendations import RecommendationEngine


class RecommendationProcessor:
    """The recommendations of a deployment of so many shards.

    A message leaves only in beats that change a list.
    """

    producer = "recommendations-0"

    def __init__(self, shard_count: int) -> None:
        self._shard_count = shard_count
        self._engine: RecommendationEngine | None = None
        self._run_id: RunId | None = None
        self.counts: Mapping[str, int] = {}
        shards = range(shard_count)
        self.slots: tuple[Slot, ...] = (
            *(Slot(TICKS, shard, "ingest-0") for shard in shards),
            *(Slot(SCORES, shard, f"signals-{shard}") for shard in shards),
        )

    def decode(self, slot: Slot, message: Message) -> object:
        """Return the scores of a message, or the stamp that a frame's headers carry.

        Raises
        ------
        ContractError
            If it breaks its contract, or says another run, beat or shard than its headers and
            slot.
        """
        if slot.topic is TICKS:
            return stamp_of(message)
        scores = decode_scores(message.value)
        origin = origin_of(message)
        found = (scores.stamp.run_id, scores.stamp.beat, scores.shard)
        expected = (origin.run_id, origin.beat, slot.partition)
        if found != expected:
            reason = f"run, beat and shard of scores must be {expected}, were {found}"
            raise ContractError(reason)
        foreign = scores.instrument[
            shards_of(scores.instrument, self._shard_count) != slot.partition
        ]
        if len(foreign):
            reason = f"instruments must be of shard {slot.partition}, one was {foreign[0]}"
            raise ContractError(reason)
        return scores

    def start_run(self, spec: RunSpec) -> None:
        """Forget everything and begin a run."""
        self._engine = RecommendationEngine(spec)
        self._run_id = spec.run_id

    def on_beat(self, inputs: BeatInputs) -> Sequence[Message]:
        """Return the recommendations that a beat has changed; mostly one message, or none."""
        engine = self._running()
        scores = [each for each in inputs.payloads if isinstance(each, ScoreBatch) and len(each)]
        batch = engine.on_beat(merge_scores(scores)) if scores else None
        self.counts = {"scores": sum(map(len, scores))}
        if batch is None:
            return ()
        origin = Origin(inputs.stamp.run_id, inputs.stamp.beat, self.producer)
        return (beat_message(RECOMMENDATIONS, 0, origin, encode_event(batch)),)

    def snapshot(self) -> EngineState:
        """Return the engine's memory."""
        return self._running().snapshot()

    def restore(self, spec: RunSpec, state: EngineState) -> None:
        """Take up a run from the engine's memory."""
        self.start_run(spec)
        self._running().restore(state)

    def newest(self, stamp: BeatStamp) -> CachedRecommendations | None:
        """Return a run's recommendations as of a beat that was taken; None if the run is over."""
        if self._engine is None or self._run_id != stamp.run_id:
            return None
        return CachedRecommendations(
            run_id=stamp.run_id,
            beat=stamp.beat,
            strategies=self._engine.strategies,
            recommendations=self._engine.current(),
        )

    def _running(self) -> RecommendationEngine:
        if self._engine is None:
            message = f"{self.producer} was asked before a run began"
            raise InvariantError(message)
        return self._engine
