"""Requests of people and programs, handed to risk; nothing is decided here."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from tidegate_common.domain.enums import ControlCommand
from tidegate_common.domain.ids import AccountId, OrderId, RequestId
from tidegate_common.events.orders import CancelRequest, ControlRequest, RequestEnvelope
from tidegate_gateway.problems import ProblemError
from tidegate_gateway.resources import Given
from tidegate_gateway.schemas.requests import (
    KillSwitchBody,
    LimitsBody,
    OrderBody,
    RequestStatusView,
    RequestView,
)
from tidegate_gateway.schemas.texts import AccountText, OrderText, RequestText
from tidegate_gateway.security import Reader
from tidegate_gateway.writes import Writing

OrderPath = Annotated[OrderText, Path(max_length=150, examples=["run-1.0.A1.0"])]

router = APIRouter(prefix="/v1", tags=["requests"])


@router.post("/orders", status_code=HTTPStatus.ACCEPTED)
async def request_order(body: OrderBody, write: Writing) -> RequestView:
    """Ask risk for an order; its decision names the request as its cause."""
    envelope = RequestEnvelope(order=body.request(write.request_id))
    await write.send(envelope, body.account_id)
    return RequestView(request_id=write.request_id)


@router.post("/orders/{order_id}/cancel", status_code=HTTPStatus.ACCEPTED)
async def request_cancel(order_id: OrderPath, write: Writing) -> RequestView:
    """Ask risk to cancel a working order."""
    account_id = AccountId(order_id.split(".")[2])
    cancel = CancelRequest(RequestId(write.request_id), account_id, OrderId(order_id))
    await write.send(RequestEnvelope(cancel=cancel), account_id)
    return RequestView(request_id=write.request_id)


@router.put("/accounts/{account}/limits", status_code=HTTPStatus.ACCEPTED)
async def request_limits(
    account: Annotated[AccountText, Path(examples=["A1"])],
    body: LimitsBody,
    write: Writing,
) -> RequestView:
    """Replace all limits of an account, to the end of the run; needs role admin."""
    write.check_admin("setting limits")
    control = ControlRequest(
        RequestId(write.request_id),
        ControlCommand.SET_LIMITS,
        AccountId(account),
        body.limits(),
    )
    await write.send(RequestEnvelope(control=control), account)
    return RequestView(request_id=write.request_id)


@router.post("/kill-switch", status_code=HTTPStatus.ACCEPTED)
async def request_kill_switch(body: KillSwitchBody, write: Writing) -> RequestView:
    """Halt an account or all (open orders are cancelled), let only sells through, or resume.

    Stopping needs role trade, `resume` role admin.
    """
    if body.command == "resume":
        write.check_admin("resume")
    account_id = None if body.account_id is None else AccountId(body.account_id)
    control = ControlRequest(
        RequestId(write.request_id),
        ControlCommand(body.command),
        account_id,
    )
    await write.send(RequestEnvelope(control=control), account_id)
    return RequestView(request_id=write.request_id)


@router.get("/requests/{request_id}")
async def get_request(
    request_id: Annotated[RequestText, Path(examples=["my-order-1"])],
    given: Given,
    caller: Reader,
    run: Annotated[
        str | None,
        Query(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$",
            description="a run; the latest if none",
            examples=["run-1"],
        ),
    ] = None,
) -> RequestStatusView:
    """Tell what became of a request; 404 until anything of it is recorded that the caller may see.

    A key that is for some accounts sees what concerns these, and what was taken in its own name.
    """
    found = await given.records.request(request_id, run, caller)
    if found is None:
        detail = f"nothing is recorded of request {request_id}: it may be under way"
        raise ProblemError(HTTPStatus.NOT_FOUND, detail)
    return found
