"""One risk partition in the loop, with what it had of each beat.

In a live run partitions may have gone on without different shards. Then each has an engine of its
own, which sees what its journal says that it saw.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.ids import AccountId, risk_partition_of, shard_of, shards_of
from tidegate_common.domain.units import Int64Array
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.events.orders import RequestEnvelope
from tidegate_common.events.risk import LateInput
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import FILLS, SCORES, TICKS, Topic
from tidegate_common.frames.frame import Frame, ScoreBatch, merge_scores
from tidegate_execution.engine.engine import ExecutionReport
from tidegate_risk.engine.engine import RiskEngine, RiskInputs, RiskOutput

# What was late, by beat; beats without it are left out.
Lateness = Mapping[int, tuple[LateInput, ...]]


class RiskPartition:
    """Risk's engine over the part of the market that was not late.

    Parameters
    ----------
    partition, partition_count : whose accounts, of those of the spec.
    late : what the partition's journal says.
    """

    def __init__(
        self, spec: RunSpec, partition: int, *, partition_count: int, late: Lateness
    ) -> None:
        self._partition = partition
        self._partition_count = partition_count
        self._late = late
        self._owed_updates: list[OrderUpdate] = []
        self._owed_fills: list[Fill] = []
        names = sorted(account.account_id for account in spec.accounts)
        self._engine = RiskEngine(spec, tuple(name for name in names if self._owns(name)))

    def on_beat(
        self,
        frame: Frame,
        scores: ScoreBatch,
        report: ExecutionReport,
        requests: tuple[RequestEnvelope, ...],
    ) -> RiskOutput:
        """Step the engine with what the partition had.

        Parameters
        ----------
        scores : of the whole market, not ranked yet.
        report : of the whole market and all accounts.
        requests : of all partitions.
        """
        late = self._late.get(frame.stamp.beat, ())
        updates = [*self._owed_updates, *filter(self._is_told, report.updates)]
        fills = [*self._owed_fills, *filter(self._is_told, report.fills)]
        self._owed_updates = [each for each in updates if _is_late(each, late)]
        self._owed_fills = [each for each in fills if _is_late(each, late)]
        return self._engine.on_beat(
            RiskInputs(
                frame=_frame_without(frame, late),
                scores=merge_scores([_scores_without(scores, late)]),
                updates=tuple(each for each in updates if not _is_late(each, late)),
                fills=tuple(each for each in fills if not _is_late(each, late)),
                requests=tuple(filter(self._is_asked, requests)),
                stale=_in_late_shards(self._engine.universe, late),
            ),
        )

    def _owns(self, account_id: AccountId) -> bool:
        return risk_partition_of(account_id, self._partition_count) == self._partition

    def _is_told(self, told: OrderUpdate | Fill) -> bool:
        return self._owns(told.account_id)

    def _is_asked(self, envelope: RequestEnvelope) -> bool:
        request = envelope.order or envelope.cancel or envelope.control
        # A command for all says itself for which accounts its copy counts.
        account_id = request.account_id if request else None
        return account_id is None or self._owns(account_id)


def _is_late(told: OrderUpdate | Fill, late: tuple[LateInput, ...]) -> bool:
    return any(
        each.topic == FILLS.name
        and told.beat >= each.from_beat
        and shard_of(told.instrument, each.shard_count) == each.shard
        for each in late
    )


def _frame_without(frame: Frame, late: tuple[LateInput, ...]) -> Frame:
    is_late = _are_late(frame.rows.instrument, late, TICKS)
    return replace(frame, rows=frame.rows.take(~is_late)) if is_late.any() else frame


def _scores_without(scores: ScoreBatch, late: tuple[LateInput, ...]) -> ScoreBatch:
    is_late = _are_late(scores.instrument, late, SCORES)
    if not is_late.any():
        return scores
    return replace(
        scores,
        strategy=scores.strategy[~is_late],
        instrument=scores.instrument[~is_late],
        score_e6=scores.score_e6[~is_late],
        reason_e6=scores.reason_e6[~is_late],
    )


def _in_late_shards(universe: Int64Array, late: tuple[LateInput, ...]) -> Int64Array:
    return universe[_are_late(universe, late, TICKS, SCORES, FILLS)]


def _are_late(
    instruments: Int64Array, late: tuple[LateInput, ...], *topics: Topic
) -> NDArray[np.bool_]:
    """Return which instruments are of a shard of which one of the topics was late."""
    are_late = np.zeros(len(instruments), np.bool_)
    names = {topic.name for topic in topics}
    for each in late:
        if each.topic in names:
            are_late |= shards_of(instruments, each.shard_count) == each.shard
    return are_late
