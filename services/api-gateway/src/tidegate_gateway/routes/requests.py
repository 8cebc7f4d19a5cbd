"""Requests of people and programs, handed to risk; nothing is decided here."""

import ipaddress
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Request

from tidegate_common.codec import encode_event
from tidegate_common.domain.ids import (
    AccountId,
    OrderId,
    RequestId,
    is_account_id,
    risk_partition_of,
)
from tidegate_common.events.message import Message
from tidegate_common.events.orders import CancelRequest, RequestEnvelope
from tidegate_common.events.topics import REQUESTS
from tidegate_gateway.problems import ProblemError
from tidegate_gateway.resources import Given, Resources
from tidegate_gateway.schemas import OrderBody, RequestText, RequestView

# Required: it makes a repeated request one request, and no web page of another origin can send
# it to this address, because a header of its own needs a consent that we never give.
IdempotencyKey = Annotated[
    RequestText,
    Header(description="the caller's name for the request; a repeat has the same"),
]
OrderPath = Annotated[str, Path(max_length=150, examples=["20230201-a1b2.12.A1.0"])]

_ORDER_ID_PARTS = 4


async def _check_allowed(request: Request, given: Given) -> None:
    """Raise ProblemError unless requests are on and the caller is on this machine."""
    if not given.allow_requests:
        raise ProblemError(HTTPStatus.FORBIDDEN, "order requests are switched off here")
    if not _is_loopback(request.client.host if request.client else ""):
        raise ProblemError(HTTPStatus.FORBIDDEN, "order requests are taken from this machine only")


router = APIRouter(prefix="/v1", tags=["requests"], dependencies=[Depends(_check_allowed)])


@router.post("/orders", status_code=HTTPStatus.ACCEPTED)
async def request_order(
    body: OrderBody,
    idempotency_key: IdempotencyKey,
    given: Given,
) -> RequestView:
    """Ask risk for an order; its decision names the request as its cause."""
    envelope = RequestEnvelope(order=body.request(idempotency_key))
    await _publish(given, body.account_id, idempotency_key, envelope)
    return RequestView(request_id=idempotency_key)


@router.post("/orders/{order_id}/cancel", status_code=HTTPStatus.ACCEPTED)
async def request_cancel(
    order_id: OrderPath,
    idempotency_key: IdempotencyKey,
    given: Given,
) -> RequestView:
    """Ask risk to cancel a working order."""
    account_id = _account_of(order_id)
    cancel = CancelRequest(RequestId(idempotency_key), account_id, OrderId(order_id))
    await _publish(given, account_id, idempotency_key, RequestEnvelope(cancel=cancel))
    return RequestView(request_id=idempotency_key)


async def _publish(
    given: Resources,
    account_id: str,
    request_id: str,
    envelope: RequestEnvelope,
) -> None:
    message = Message(
        topic=REQUESTS.name,
        partition=risk_partition_of(account_id, given.risk_partition_count),
        key=account_id.encode(),
        value=encode_event(envelope),
        headers=(
            ("ce_specversion", b"1.0"),
            ("ce_id", request_id.encode()),
            ("ce_source", b"/tidegate/gateway"),
            ("ce_type", f"tidegate.{REQUESTS.name}".encode()),
            ("content-type", REQUESTS.content_type.encode()),
        ),
    )
    await given.publisher.publish([message])


def _account_of(order_id: str) -> AccountId:
    """Return the account in an order's id, which is run.beat.account.sequence."""
    parts = order_id.split(".")
    if len(parts) != _ORDER_ID_PARTS or not is_account_id(parts[2]):
        detail = f"order_id must be run.beat.account.sequence, was {order_id!r}"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return AccountId(parts[2])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
