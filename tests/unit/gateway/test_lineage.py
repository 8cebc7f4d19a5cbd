"""The parts of an order's chain."""

import msgspec
import pytest
from tests.unit.gateway.desk import SCRIPT, Desk, assert_problem

from tidegate_common.domain.enums import CauseKind, Layer, Outcome, Reason, Side, Unit
from tidegate_common.events.portfolio import LimitUsage
from tidegate_gateway.lineage import OrderKey, _frame_beat
from tidegate_gateway.schemas.lineage import LayerStatus, layers_of

USAGE = (LimitUsage(Layer.POSITION_SIZE, 1_250, 2_000), LimitUsage(Layer.LEVERAGE, 10, 10_000))
PASSED, FAILED = LayerStatus.PASSED, LayerStatus.FAILED
NOT_REACHED, NOT_APPLIED = LayerStatus.NOT_REACHED, LayerStatus.NOT_APPLIED


def test_layers_of_an_accepted_buy_have_all_passed() -> None:
    """What each saw is the account's use of the limit, where that was recorded."""
    layers = layers_of(SCRIPT.decision("A1", 3, is_accepted=True), USAGE)

    assert [one.layer for one in layers] == list(Layer)
    assert {one.status for one in layers} == {PASSED}
    told = {one.layer: (one.observed, one.limit, one.unit) for one in layers}
    assert told[Layer.POSITION_SIZE] == (1_250, 2_000, Unit.BPS)
    assert told[Layer.LEVERAGE] == (10, 10_000, Unit.BPS)
    assert told[Layer.DRAWDOWN] == (None, None, None)


def test_layers_of_a_rejected_buy_end_with_the_one_that_failed() -> None:
    """Its numbers are the check's own, not the account's."""
    layers = layers_of(SCRIPT.decision("A1", 3, is_accepted=False), USAGE)

    assert [one.status for one in layers] == [PASSED, PASSED, FAILED, *[NOT_REACHED] * 4]
    assert (layers[2].observed, layers[2].limit, layers[2].unit) == (2_500, 2_000, Unit.BPS)
    assert layers[6].observed is None


def test_layers_of_a_sell_end_with_market_hours() -> None:
    """A sell only reduces risk."""
    buy = SCRIPT.decision("A1", 3, is_accepted=True)
    sell = msgspec.structs.replace(buy, side=Side.SELL)
    refused = msgspec.structs.replace(
        sell,
        outcome=Outcome.REJECTED,
        reason=Reason.NOT_SELLABLE,
    )

    assert [one.status for one in layers_of(sell, USAGE)] == [PASSED, PASSED, *[NOT_APPLIED] * 5]
    assert [one.status for one in layers_of(refused, ())] == [FAILED, *[NOT_REACHED] * 6]


def test_frame_of_a_score_is_that_of_its_beat_and_of_a_request_the_decisions() -> None:
    """What made risk look."""
    said = msgspec.structs.replace(
        SCRIPT.decision("A1", 3, is_accepted=True), score_beat=2, cause_kind=CauseKind.SCORE
    )
    asked = msgspec.structs.replace(said, cause_kind=CauseKind.REQUEST)

    assert [_frame_beat(one) for one in (said, asked)] == [2, 3]


def test_order_key_is_the_id() -> None:
    """And back."""
    key = OrderKey.parse("2023-run_1.12.A_1.3")

    assert key == OrderKey("2023-run_1", 12, "A_1", 3)
    assert str(key) == "2023-run_1.12.A_1.3"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "r.1.A1",
        "r.1.A1.0.0",
        "r.x.A1.0",
        "r.1.A1.x",
        "r.1.A1.",
        f"r.{'9' * 19}.A1.0",
        "r.1.A\0.0",
        "r.²1.A1.0",
    ],
)
def test_order_key_of_something_else_is_refused(text: str) -> None:
    """PostgreSQL would refuse the statement later, or find nothing."""
    with pytest.raises(ValueError, match=r"order_id must be run\.beat\.account\.sequence"):
        OrderKey.parse(text)


async def test_lineage_of_an_unknown_order_is_404(desk: Desk) -> None:
    """It may be recorded in a moment."""
    response = await desk.client.get("/v1/lineage/run-1.3.A1.0")

    assert "run-1.3.A1.0, or it is not recorded yet" in assert_problem(response, 404)
    assert desk.lineages.keys == [OrderKey("run-1", 3, "A1", 0)]
