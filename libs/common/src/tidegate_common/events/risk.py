"""Risk's verdicts, and the journal of what is not a function of the inputs."""

from msgspec import Struct

from tidegate_common.domain.enums import (
    AccountState,
    CauseKind,
    ControlCommand,
    Layer,
    OrderType,
    Outcome,
    Reason,
    Side,
    Unit,
)
from tidegate_common.domain.ids import AccountId, DecisionId, RequestId, RunId
from tidegate_common.events.orders import RequestEnvelope
from tidegate_common.events.run import RiskLimits


class Decision(Struct, frozen=True, gc=False):
    """Why an order was (not) sent.

    sequence : number of the decision in its account and beat, from 0.
    layer, reason, observed, limit, unit : the check that decided; VALIDITY and NONE with zeros
        when accepted.
    cause_kind, cause : SCORE and the strategy's name with its score and the beat of the score,
        or REQUEST and the request's id.
    order_id : the order it made, "" when rejected.
    """

    decision_id: DecisionId
    beat: int
    account_id: AccountId
    sequence: int
    instrument: int
    side: Side
    order_type: OrderType
    price_e4: int
    quantity_shares: int
    outcome: Outcome
    layer: Layer
    reason: Reason
    observed: int
    limit: int
    unit: Unit
    nav_fen: int
    cause_kind: CauseKind
    cause: str
    score_e6: int
    score_beat: int
    order_id: str
    ts_event_ns: int


class ControlOutcome(Struct, frozen=True):
    """What a control command did to one account; one for all has an outcome in each account.

    sequence : number of the command in its account and beat, from 0.
    is_for_all : whether the command named no account.
    reason : NONE when accepted.
    limits_before, limits_after : of an accepted SET_LIMITS, else None.
    """

    request_id: RequestId
    beat: int
    account_id: AccountId
    sequence: int
    command: ControlCommand
    is_for_all: bool
    outcome: Outcome
    reason: Reason
    state_before: AccountState
    state_after: AccountState
    limits_before: RiskLimits | None
    limits_after: RiskLimits | None
    ts_event_ns: int


class DecisionBatch(Struct, frozen=True):
    """Decisions of one risk partition in one beat, and what control commands did before them.

    Both are sorted by (account_id, sequence).
    """

    run_id: RunId
    beat: int
    risk_partition: int
    decisions: tuple[Decision, ...] = ()
    controls: tuple[ControlOutcome, ...] = ()


class LateInput(Struct, frozen=True):
    """What risk went on without: one topic's word on one shard.

    shard, shard_count : which instruments, whatever the deployment that replays it.
    from_beat : first beat of it that had not come. Frames and scores of the beat are dropped when
        they come later; fills of `from_beat` and after enter with a later beat.
    """

    topic: str
    shard: int
    shard_count: int
    from_beat: int


class JournalEntry(Struct, frozen=True):
    """A span of beats, the requests that enter at its first beat, and what that one goes without.

    The entries of a run and partition form a chain: an entry counts only if `from_beat` is where
    the run's chain ends so far, and `requests_from_offset` where the partition's does. So the
    first entry for a beat wins, whoever wrote it, every beat is covered by exactly one, with or
    without requests, and no request enters twice.

    from_beat, to_beat : the span, half open.
    requests_from_offset, requests_through_offset : the part of the request topic that enters with
        this entry, half open.
    requests : its requests in that order, without those that could not be decoded.
    late : what had not come within the run's `max_wait_ms`; then the span is one beat.
    """

    run_id: RunId
    risk_partition: int
    from_beat: int
    to_beat: int
    requests_from_offset: int
    requests_through_offset: int
    requests: tuple[RequestEnvelope, ...] = ()
    late: tuple[LateInput, ...] = ()
