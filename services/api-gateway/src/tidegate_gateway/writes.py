"""Writes on their way to the log: who may, what was asked before, and the messages."""

import hashlib
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header, Request

from tidegate_common.codec import encode_event
from tidegate_common.domain.ids import risk_partition_of
from tidegate_common.events.audit import AuditRecord
from tidegate_common.events.backtests import BacktestJob
from tidegate_common.events.message import Message
from tidegate_common.events.orders import RequestEnvelope
from tidegate_common.events.topics import AUDITS, BACKTESTS, REQUESTS, Topic
from tidegate_common.events.trace import parse_traceparent
from tidegate_common.runtime.tracing import RequestTracer
from tidegate_gateway.problems import ProblemError
from tidegate_gateway.resources import Given, Resources
from tidegate_gateway.schemas.texts import RequestText
from tidegate_gateway.security import Caller, Role, check_account, require
from tidegate_gateway.security.memory import Known, digest_of

# Required: it makes a repeated request one request, and no web page of another origin can send
# it to this address, because a header of its own needs a consent that we never give.
IdempotencyKey = Annotated[
    RequestText,
    Header(
        description="the caller's name for the request; a repeat has the same",
        examples=["my-order-1"],
    ),
]

# Of a backtest's id; 80 bits.
_JOB_ID_DIGITS = 20


class Write:
    """One write of a caller of role TRADE or more."""

    def __init__(
        self,
        given: Resources,
        caller: Caller,
        tracer: RequestTracer,
        request_id: str,
    ) -> None:
        self._given = given
        self._tracer = tracer
        self.caller = caller
        self.request_id = request_id

    def check_admin(self, what: str) -> None:
        """Refuse what needs role ADMIN."""
        if not self.caller.role.covers(Role.ADMIN):
            detail = f"{what} needs a key of role admin, {self.caller.name} has {self.caller.role}"
            raise ProblemError(HTTPStatus.FORBIDDEN, detail)

    async def send(self, envelope: RequestEnvelope, account_id: str | None) -> None:
        """Hand a request to the risk partition of its account; one for all accounts to each.

        Raises
        ------
        ProblemError
            403 where the key is not for the account, 409 where its name stands for another request.
        TransientError
            If the broker does not keep it.
        """
        check_account(self.caller, account_id)
        value = encode_event(envelope)
        count = self._given.risk_partition_count
        # ADR 11: a command for all accounts is one for each partition.
        partitions = range(count) if account_id is None else [risk_partition_of(account_id, count)]
        key = (account_id or "").encode()
        messages = [
            _message(REQUESTS, partition, self.request_id, value, key) for partition in partitions
        ]
        # Risk remembers ids by account, and so do we.
        name = f"{account_id or '*'}:{self.request_id}"
        if await self._publish(name, value, self._tracer.carry(envelope, messages)):
            self._tracer.tell(envelope, message_count=len(messages))

    async def send_job(self, job: BacktestJob, content: bytes) -> None:
        """Hand a backtest to its worker.

        Parameters
        ----------
        content : what makes two jobs of one name the same.
        """
        message = _message(BACKTESTS, 0, job.job_id, encode_event(job), job.job_id.encode())
        if await self._publish(f"backtest:{job.job_id}", content, [message]):
            await self._given.memory.keep_job(job)

    @property
    def job_id(self) -> str:
        """The id of a backtest: the same for the same caller and name, and of nobody else."""
        text = f"{self.caller.name}\n{self.request_id}"
        return "bt-" + hashlib.sha256(text.encode()).hexdigest()[:_JOB_ID_DIGITS]

    async def _publish(self, name: str, content: bytes, messages: Sequence[Message]) -> bool:
        """Publish what is not known already; tell whether it was not."""
        memory = self._given.memory
        digest = digest_of(self.caller.name.encode(), content)
        known = await memory.begin(name, digest)
        if known is Known.OTHER:
            detail = f"Idempotency-Key {self.request_id} was used for another request"
            raise ProblemError(HTTPStatus.CONFLICT, detail)
        if known is Known.NEW:
            await self._given.publisher.publish(messages)
            await memory.keep(name, digest)
        return known is Known.NEW


async def _write_of(
    request: Request,
    given: Given,
    caller: Annotated[Caller, Depends(require(Role.TRADE))],
    idempotency_key: IdempotencyKey,
) -> Write:
    if not given.allow_requests:
        raise ProblemError(HTTPStatus.FORBIDDEN, "writes are switched off here")
    tracer = RequestTracer(
        given.tracer,
        given.clock,
        route=f"{request.method} {request.scope['route'].path}",
        caller=parse_traceparent(request.headers.get("traceparent", "").encode()),
    )
    return Write(given, caller, tracer, idempotency_key)


Writing = Annotated[Write, Depends(_write_of)]


def audit_message(record: AuditRecord) -> Message:
    """Return the message that keeps a record."""
    return _message(AUDITS, 0, record.audit_id, encode_event(record), record.caller.encode())


def _message(topic: Topic, partition: int, event_id: str, value: bytes, key: bytes) -> Message:
    return Message(
        topic=topic.name,
        partition=partition,
        key=key,
        value=value,
        headers=(
            ("ce_specversion", b"1.0"),
            ("ce_id", event_id.encode()),
            ("ce_source", b"/tidegate/gateway"),
            ("ce_type", f"tidegate.{topic.name}".encode()),
            ("content-type", topic.content_type.encode()),
        ),
    )
