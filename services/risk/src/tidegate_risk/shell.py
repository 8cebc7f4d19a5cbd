"""Risk between decode and encode: one partition's accounts, all shards' beats.

A shard of which any message could not be used stands for an empty one, and its instruments are
stale for the beat: risk rejects orders in them. So does one that the beat was taken without. Fills
are money: those that were late are booked as soon as they enter, beat by beat.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TypeGuard, TypeVar

import numpy as np

from tidegate_common.bus.headers import beat_message, origin_of, stamp_of
from tidegate_common.bus.processor import BeatInputs, Slot
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.ids import risk_partition_of, shard_of, shards_of
from tidegate_common.domain.units import Int64Array
from tidegate_common.engine import EngineState
from tidegate_common.errors import ContractError, InvariantError
from tidegate_common.events.execution import Fill, FillBatch, OrderUpdate
from tidegate_common.events.message import Message, Origin
from tidegate_common.events.orders import CancelOrder, OrderBatch, SubmitOrder
from tidegate_common.events.portfolio import AccountBooks, PortfolioBatch
from tidegate_common.events.risk import Decision, DecisionBatch
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import DECISIONS, FILLS, ORDERS, PORTFOLIOS, SCORES, TICKS
from tidegate_common.frames.codec import decode_frame, decode_scores
from tidegate_common.frames.frame import (
    BeatStamp,
    Frame,
    ScoreBatch,
    empty_rows,
    empty_scores,
    merge_frames,
    merge_scores,
)
from tidegate_risk.engine.engine import RiskEngine, RiskInputs, RiskOutput
from tidegate_risk.engine.figures import AccountFigures

_Order = TypeVar("_Order", SubmitOrder, CancelOrder)


class RiskProcessor:
    """The risk engine of one partition, as the beat machinery sees it.

    Parameters
    ----------
    partition : which risk partition, in 0..risk_partition_count - 1.
    shard_count, risk_partition_count : of the deployment.
    decided : the decisions of the last beat.
    """

    def __init__(self, partition: int, *, shard_count: int, risk_partition_count: int) -> None:
        self._partition = partition
        self._shard_count = shard_count
        self._risk_partition_count = risk_partition_count
        self._engine: RiskEngine | None = None
        self._run_id = ""
        self.decided: tuple[Decision, ...] = ()
        shards = range(shard_count)
        self.counts: Mapping[str, int] = {}
        self.producer = f"risk-{partition}"
        self.slots = (
            *(Slot(TICKS, shard, "ingest-0", shard=shard) for shard in shards),
            *(Slot(SCORES, shard, f"signals-{shard}", shard=shard) for shard in shards),
            *(
                Slot(FILLS, partition, f"execution-{shard}", shard=shard, is_owed=True)
                for shard in shards
            ),
        )

    def decode(self, slot: Slot, message: Message) -> object:
        """Return the frame, the scores or the fills that a message holds.

        Raises
        ------
        ContractError
            If it breaks its contract, or says another run, beat, shard or partition than its
            headers and slot.
        """
        if slot.topic is TICKS:
            frame = decode_frame(message.value)
            _check_equal("stamp", frame.stamp, stamp_of(message))
            self._check_shard(slot, frame.shard, frame.rows.instrument)
            return frame
        origin = origin_of(message)
        if slot.topic is SCORES:
            scores = decode_scores(message.value)
            _check_equal("run", scores.stamp.run_id, origin.run_id)
            _check_equal("beat", scores.stamp.beat, origin.beat)
            self._check_shard(slot, scores.shard, scores.instrument)
            return scores
        batch = decode_event(FillBatch, message.value)
        _check_equal("run_id", batch.run_id, origin.run_id)
        _check_equal("beat", batch.beat, origin.beat)
        _check_equal("producer", f"execution-{batch.shard}", slot.producer)
        _check_equal("risk_partition", batch.risk_partition, self._partition)
        self._check_owners(batch)
        return batch

    def start_run(self, spec: RunSpec) -> None:
        """Forget everything and begin a run."""
        count = self._risk_partition_count
        names = (account.account_id for account in spec.accounts)
        own = (name for name in names if risk_partition_of(name, count) == self._partition)
        self._engine = RiskEngine(spec, tuple(own))
        self._run_id = spec.run_id

    def on_beat(self, inputs: BeatInputs) -> Sequence[Message]:
        """Step the engine; return the orders of each shard, then decisions and portfolios."""
        engine = self._running()
        shards = self._shard_count
        frames = [each for each in inputs.payloads[:shards] if isinstance(each, Frame)]
        scores = [each for each in inputs.payloads[shards : 2 * shards] if _is_scores(each)]
        told = (*inputs.overdue, *inputs.payloads[2 * shards :])
        batches = [each for each in told if isinstance(each, FillBatch)]
        output = engine.on_beat(
            RiskInputs(
                frame=_merge_frames(inputs.stamp, frames),
                scores=merge_scores(scores) if scores else empty_scores(inputs.stamp, 0),
                updates=tuple(chain.from_iterable(batch.updates for batch in batches)),
                fills=tuple(chain.from_iterable(batch.fills for batch in batches)),
                requests=inputs.requests,
                stale=self._stale(inputs, engine),
            ),
        )
        self.decided = output.decisions
        self.counts = {
            "rows": output.tick_count,
            "fills": sum(len(batch.fills) for batch in batches),
            "decisions": len(output.decisions),
            "orders": len(output.submits),
        }
        return self._messages(inputs.stamp, output)

    def snapshot(self) -> EngineState:
        """Return the engine's memory."""
        return self._running().snapshot()

    def restore(self, spec: RunSpec, state: EngineState) -> None:
        """Take up a run from the engine's memory."""
        self.start_run(spec)
        self._running().restore(state)

    def current_books(self) -> tuple[str, Iterable[AccountBooks]]:
        """Return the run and every account's books, each as of its last beat when it is taken."""
        return self._run_id, self._engine.books() if self._engine else ()

    def figures(self) -> Iterable[AccountFigures]:
        """Return what operators are told of every account, as of its last beat when it is taken."""
        return self._engine.figures() if self._engine else ()

    def _running(self) -> RiskEngine:
        if self._engine is None:
            message = f"{self.producer} must be told start_run or restore first, was told neither"
            raise InvariantError(message)
        return self._engine

    def _check_shard(self, slot: Slot, shard: int, instruments: Int64Array) -> None:
        _check_equal("shard", shard, slot.partition)
        foreign = instruments[shards_of(instruments, self._shard_count) != shard]
        if len(foreign):
            message = f"instruments must be of shard {shard}, one was {foreign[0]}"
            raise ContractError(message)

    def _check_owners(self, batch: FillBatch) -> None:
        reports: tuple[OrderUpdate | Fill, ...] = (*batch.updates, *batch.fills)
        for told in reports:
            owner = risk_partition_of(told.account_id, self._risk_partition_count)
            _check_equal(f"risk partition of {told.order_id}", owner, self._partition)

    def _stale(self, inputs: BeatInputs, engine: RiskEngine) -> Int64Array:
        """Return the instruments of shards of which a message is missing."""
        missing = {
            slot.shard
            for slot, payload in zip(self.slots, inputs.payloads, strict=True)
            if payload is None
        }
        universe = engine.universe
        if not missing:
            return universe[:0]
        return universe[np.isin(shards_of(universe, self._shard_count), sorted(missing))]

    def _messages(self, stamp: BeatStamp, output: RiskOutput) -> list[Message]:
        origin = Origin(stamp.run_id, stamp.beat, self.producer)
        decisions = DecisionBatch(
            run_id=stamp.run_id,
            beat=stamp.beat,
            risk_partition=self._partition,
            decisions=output.decisions,
            controls=output.controls,
        )
        portfolios = PortfolioBatch(
            run_id=stamp.run_id,
            beat=stamp.beat,
            risk_partition=self._partition,
            trade_date=stamp.trade_date,
            ts_event_ns=stamp.ts_event_ns,
            tick_count=output.tick_count,
            score_count=output.score_count,
            is_last=stamp.is_last,
            equity=output.equity,
            portfolios=output.portfolios,
            bookings=output.bookings,
        )
        submits = self._by_shard(output.submits)
        cancels = self._by_shard(output.cancels)
        orders = (
            OrderBatch(
                run_id=stamp.run_id,
                beat=stamp.beat,
                risk_partition=self._partition,
                shard=shard,
                submits=tuple(submits[shard]),
                cancels=tuple(cancels[shard]),
            )
            for shard in range(self._shard_count)
        )
        return [
            *(beat_message(ORDERS, each.shard, origin, encode_event(each)) for each in orders),
            beat_message(DECISIONS, self._partition, origin, encode_event(decisions)),
            beat_message(PORTFOLIOS, self._partition, origin, encode_event(portfolios)),
        ]

    def _by_shard(self, orders: Sequence[_Order]) -> list[list[_Order]]:
        """Return each shard's part of some orders, in their order."""
        parts: list[list[_Order]] = [[] for _ in range(self._shard_count)]
        if self._shard_count == 1:
            parts[0] += orders
        else:
            for order in orders:
                parts[shard_of(order.instrument, self._shard_count)].append(order)
        return parts


def _is_scores(payload: object | None) -> TypeGuard[ScoreBatch]:
    return isinstance(payload, ScoreBatch) and len(payload) > 0


def _merge_frames(stamp: BeatStamp, frames: list[Frame]) -> Frame:
    if not frames:
        return Frame(stamp, 0, empty_rows(stamp.kind))
    return merge_frames(frames)


def _check_equal(name: str, found: object, expected: object) -> None:
    if found != expected:
        message = f"{name} must be {expected}, was {found}"
        raise ContractError(message)
