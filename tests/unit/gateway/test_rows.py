"""Rows of pages and of the stream, and the models that the document shows of them."""

from collections.abc import Callable

import msgspec
import pytest

from tidegate_common.codec import decode_event
from tidegate_common.domain.enums import OrderType
from tidegate_common.domain.ids import OrderId
from tidegate_common.events.execution import FillBatch
from tidegate_common.events.orders import CancelOrder, SubmitOrder
from tidegate_common.events.topics import FILLS
from tidegate_common.testing.scripted_run import ScriptedRun
from tidegate_gateway.schemas.base import Model, Page, Row, json_of, json_of_row, page_json
from tidegate_gateway.schemas.orders import (
    DecisionView,
    FillView,
    OrderView,
    decision_row,
    fill_row,
    order_row,
)
from tidegate_gateway.schemas.stream import (
    CancelView,
    OrderUpdateView,
    cancel_row,
    order_update_row,
)

SCRIPT = ScriptedRun()


def fill_batch() -> FillBatch:
    """Return what the exchange said of an order."""
    (message,) = [one for one in SCRIPT.beat_messages(4) if one.topic == FILLS.name]
    return decode_event(FillBatch, message.value)


def accepted_row() -> Row:
    """Return a verdict that made an order."""
    return decision_row(SCRIPT.decision("A1", 3, is_accepted=True))


def rejected_row() -> Row:
    """Return a verdict that made none, about a market order."""
    decision = SCRIPT.decision("A1", 3, is_accepted=False)
    return decision_row(msgspec.structs.replace(decision, order_type=OrderType.MARKET))


def submitted_row(order: SubmitOrder) -> Row:
    """Return an order that nothing was heard of."""
    return order_row(
        order,
        status="pending_new",
        status_reason="none",
        status_beat=order.beat,
        cumulative_shares=0,
        leaves_shares=order.quantity_shares,
    )


def market_row() -> Row:
    """Return a market order, which has no price."""
    order = SCRIPT.order("A1", 3)
    return submitted_row(msgspec.structs.replace(order, order_type=OrderType.MARKET, price_e4=0))


def cancelled_row() -> Row:
    """Return a cancel."""
    order = SCRIPT.order("A1", 3)
    return cancel_row(
        CancelOrder(OrderId(order.order_id), 4, order.account_id, 0, order.instrument, 7)
    )


@pytest.mark.parametrize(
    ("model", "make"),
    [
        (DecisionView, accepted_row),
        (DecisionView, rejected_row),
        (OrderView, lambda: submitted_row(SCRIPT.order("A1", 3))),
        (OrderView, market_row),
        (FillView, lambda: fill_row(fill_batch().fills[0])),
        (OrderUpdateView, lambda: order_update_row(fill_batch().updates[0])),
        (CancelView, cancelled_row),
    ],
)
def test_row_is_what_its_model_says_byte_for_byte(
    model: type[Model],
    make: Callable[[], Row],
) -> None:
    """No model checks it on its way out, so the document could say anything else."""
    text = json_of_row(make())

    checked = model.model_validate_json(text, extra="forbid")

    assert json_of(checked) == text


def test_row_of_a_market_order_has_no_price() -> None:
    """What stands for none on the wire is null here."""
    prices = [make()["price_cny"] for make in (market_row, rejected_row, accepted_row)]

    assert prices == [None, None, "1800.00"]


@pytest.mark.parametrize(("run_id", "following"), [("run-1", "abc"), (None, None)])
def test_page_of_rows_is_what_the_page_of_models_says(
    run_id: str | None,
    following: str | None,
) -> None:
    """Both kinds of listings look alike."""
    rows = [accepted_row(), rejected_row()]
    views = [DecisionView.model_validate(row) for row in rows]

    text = page_json(run_id, rows, following)

    assert text == json_of(Page[DecisionView](run_id=run_id, items=views, next=following))
