"""What people tell risk to do with accounts, obeyed in the order in which they said it.

A command takes effect in the beat at which it enters, before that beat's orders. Each account that
it concerns answers for itself, so outcomes do not depend on which engine holds which accounts.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from tidegate_common.domain.enums import AccountState, ControlCommand, Outcome, Reason
from tidegate_common.domain.ids import AccountId, risk_partition_of
from tidegate_common.events.orders import ControlRequest, RequestEnvelope
from tidegate_common.events.risk import ControlOutcome
from tidegate_common.events.run import RISK_LIMIT_RANGES, RiskLimits
from tidegate_common.frames.frame import BeatStamp
from tidegate_risk.engine.portfolio import Account

_TIGHTENED = {
    ControlCommand.HALT: AccountState.HALTED,
    ControlCommand.REDUCE: AccountState.REDUCING,
}


def obey_controls(
    accounts: Mapping[AccountId, Account],
    envelopes: Iterable[RequestEnvelope],
    stamp: BeatStamp,
) -> tuple[ControlOutcome, ...]:
    """Obey the commands among the requests of a beat.

    Parameters
    ----------
    accounts : of the engine, marked in this beat.

    Returns
    -------
    outcomes : sorted by (account_id, sequence).
    """
    outcomes: dict[AccountId, list[ControlOutcome]] = {}
    for envelope in envelopes:
        request = envelope.control
        if request is None:
            continue
        for name in _addressees(request, accounts):
            answered = outcomes.setdefault(name, [])
            answered.append(_obey(request, name, accounts.get(name), stamp, len(answered)))
    return tuple(outcome for name in sorted(outcomes) for outcome in outcomes[name])


def _addressees(
    request: ControlRequest,
    accounts: Mapping[AccountId, Account],
) -> Iterator[AccountId]:
    if request.account_id is not None:
        yield request.account_id
        return
    for name in accounts:
        if risk_partition_of(name, request.risk_partition_count) == request.risk_partition:
            yield name


def _obey(
    request: ControlRequest,
    name: AccountId,
    account: Account | None,
    stamp: BeatStamp,
    sequence: int,
) -> ControlOutcome:
    """Change an account as told, or say why not; one that is not ours may do nothing anyway."""
    before = account.standing.state if account else AccountState.HALTED
    limits_before = account.limits if account else None
    reason = _refusal(request, account) if account else Reason.UNKNOWN_ACCOUNT
    is_accepted = account is not None and reason is Reason.NONE
    if account is not None and is_accepted:
        _apply(request, account)
    has_limits = is_accepted and request.command is ControlCommand.SET_LIMITS
    return ControlOutcome(
        request_id=request.request_id,
        beat=stamp.beat,
        account_id=name,
        sequence=sequence,
        command=request.command,
        is_for_all=request.account_id is None,
        outcome=Outcome.ACCEPTED if is_accepted else Outcome.REJECTED,
        reason=reason,
        state_before=before,
        state_after=account.standing.state if account else before,
        limits_before=limits_before if has_limits else None,
        limits_after=request.limits if has_limits else None,
        ts_event_ns=stamp.ts_event_ns,
    )


def _refusal(request: ControlRequest, account: Account) -> Reason:
    if not account.remember_request(request.request_id):
        return Reason.DUPLICATE_REQUEST
    if request.command is ControlCommand.SET_LIMITS and not _is_in_range(request.limits):
        return Reason.BAD_LIMITS
    return Reason.NONE


def _apply(request: ControlRequest, account: Account) -> None:
    is_for_all = request.account_id is None
    if request.command is ControlCommand.SET_LIMITS:
        # Without limits it was refused.
        account.limits = request.limits or account.limits
    elif request.command is ControlCommand.RESUME:
        account.standing.resume(is_for_all=is_for_all)
    else:
        account.standing.tighten(_TIGHTENED[request.command], is_for_all=is_for_all)
    # Who still breaches a limit, or now does, goes on reducing from this very beat.
    account.latch_breaches()
    account.is_changed = True


def _is_in_range(limits: RiskLimits | None) -> bool:
    if limits is None:
        return False
    values = asdict(limits)
    return all(
        least <= values[name] <= greatest for name, (least, greatest) in RISK_LIMIT_RANGES.items()
    )
