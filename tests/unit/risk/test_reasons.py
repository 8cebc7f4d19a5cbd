"""Every reason at its boundary: one unit below passes, one above is rejected."""

from dataclasses import replace

import pytest
from tests.unit.risk.boundaries import BOUNDARIES
from tests.unit.risk.conduct_boundaries import CONDUCT_BOUNDARIES
from tests.unit.risk.scenario import (
    BANK,
    LIQUOR,
    LOOSE,
    Quote,
    Reference,
    Stage,
    cancel_request,
    fill_of,
    order_request,
    update_of,
)
from tests.unit.risk.scenes import Boundary

from tidegate_common.domain.enums import (
    AccountState,
    Layer,
    OrderStatus,
    Outcome,
    Reason,
    Side,
)
from tidegate_common.domain.ids import AccountId
from tidegate_common.events.run import RiskLimits
from tidegate_risk.engine.ratios import exceeds_bps, ratio_bps_up

ALL_BOUNDARIES = (*BOUNDARIES, *CONDUCT_BOUNDARIES)
# Reasons that take more than one request; each has a test below. Those of commands alone have
# theirs beside the commands', those of construction alone in `test_rebalance.py`.
TOLD_APART = {
    Reason.DUPLICATE_REQUEST,
    Reason.UNKNOWN_ORDER,
    Reason.ACCOUNT_HALTED,
    Reason.ACCOUNT_REDUCING,
    Reason.BAD_LIMITS,
    Reason.UNKNOWN_VOLATILITY,
    Reason.INSIDE_BAND,
    Reason.TURNOVER_LIMIT,
}


@pytest.mark.parametrize("boundary", ALL_BOUNDARIES, ids=lambda boundary: str(boundary.reason))
def test_request_one_unit_within_the_boundary_is_accepted(boundary: Boundary) -> None:
    """A limit that bites early costs trades that nobody can explain."""
    decision = boundary.good.decide()

    assert (decision.outcome, decision.reason) == (Outcome.ACCEPTED, Reason.NONE)
    assert (decision.layer, decision.observed, decision.limit) == (Layer.VALIDITY, 0, 0)
    assert decision.order_id == f"run.{decision.beat}.alpha.{decision.sequence}"


@pytest.mark.parametrize("boundary", ALL_BOUNDARIES, ids=lambda boundary: str(boundary.reason))
def test_request_one_unit_beyond_the_boundary_is_rejected(boundary: Boundary) -> None:
    """A limit that bites late is no limit, and a rejection without numbers teaches nothing."""
    decision = boundary.bad.decide()

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, boundary.reason)
    assert (decision.layer, decision.observed) == (boundary.layer, boundary.observed)
    assert (decision.limit, decision.unit) == (boundary.limit, boundary.unit)
    assert decision.order_id == ""


def test_every_reason_has_its_boundary() -> None:
    """A reason that is added has to be tested."""
    covered = {boundary.reason for boundary in ALL_BOUNDARIES} | TOLD_APART

    assert covered == set(Reason) - {Reason.NONE}


def test_request_with_an_id_seen_before_is_a_duplicate() -> None:
    """The gateway may say a thing twice; it must not be bought twice."""
    stage = Stage()
    stage.open()

    output = stage.tick(Quote(), requests=(order_request(), order_request()))

    reasons = [decision.reason for decision in output.decisions]
    assert reasons == [Reason.NONE, Reason.DUPLICATE_REQUEST]
    assert [decision.sequence for decision in output.decisions] == [0, 1]


def test_cancel_request_of_a_working_order_becomes_a_cancel_without_a_decision() -> None:
    """A cancel only reduces risk: there is nothing to decide."""
    stage = Stage()
    stage.open()
    order = stage.ask(Quote()).submits[0]

    output = stage.tick(requests=(cancel_request(order.order_id),))

    assert [cancel.order_id for cancel in output.cancels] == [order.order_id]
    assert output.decisions == ()


@pytest.mark.parametrize(
    ("order_id", "reason"),
    [("run.1.alpha.0", Reason.NONE), ("run.1.alpha.1", Reason.UNKNOWN_ORDER)],
)
def test_cancel_request_is_refused_only_for_an_order_that_does_not_work(
    order_id: str,
    reason: Reason,
) -> None:
    """Who cancels what is not there has to hear of it."""
    stage = Stage()
    stage.open()
    stage.ask(Quote())

    output = stage.tick(requests=(cancel_request(order_id),))

    found = [decision.reason for decision in output.decisions] or [Reason.NONE]
    assert found == [reason]
    assert len(output.cancels) + len(output.decisions) == 1


def test_cancel_request_said_twice_makes_one_cancel() -> None:
    """By the same id, or by another one while the first is on its way."""
    stage = Stage()
    stage.open()
    order = stage.ask(Quote()).submits[0]
    twice = tuple(cancel_request(order.order_id, request=name) for name in ("one", "one", "two"))

    output = stage.tick(requests=twice)

    assert len(output.cancels) == 1
    reasons = [decision.reason for decision in output.decisions]
    assert reasons == [Reason.DUPLICATE_REQUEST] * 2
    assert {decision.instrument for decision in output.decisions} == {BANK}


def test_cancel_request_of_an_unknown_account_is_refused() -> None:
    """A stranger cancels nothing."""
    stage = Stage(accounts=("beta",))
    stage.open()

    output = stage.tick(requests=(cancel_request("run.0.beta.0"),))

    assert [decision.reason for decision in output.decisions] == [Reason.UNKNOWN_ACCOUNT]
    assert output.decisions[0].nav_fen == 0


@pytest.mark.parametrize("filled_shares", [100, 99])
def test_account_is_halted_when_shares_do_not_add_up(filled_shares: int) -> None:
    """Books that contradict the exchange are in doubt, and in doubt nothing is traded."""
    stage = Stage()
    stage.open()
    order = stage.ask(Quote()).submits[0]
    update = update_of(order, OrderStatus.FILLED, filled_shares=filled_shares)
    stage.tick(fills=(fill_of(order),), updates=(update,))

    decision = stage.ask().decisions[0]

    is_halted = filled_shares != 100
    assert decision.reason is (Reason.ACCOUNT_HALTED if is_halted else Reason.NONE)


@pytest.mark.parametrize(
    ("last_e4", "reason"),
    [(37_000, Reason.NONE), (36_900, Reason.ACCOUNT_REDUCING)],
)
def test_account_that_breached_its_daily_loss_reduces_for_the_rest_of_the_day(
    last_e4: int,
    reason: Reason,
) -> None:
    """A recovery within the day does not undo the breach."""
    stage = Stage(cash_fen=100_000, limits=replace(LOOSE, daily_loss_bps_max=300))
    stage.hold(100)
    stage.open()
    stage.tick(Quote(last_e4=last_e4))

    buy = stage.ask(Quote()).decisions[0]
    # A tick above the buy, which may be open.
    sell = stage.ask(side=Side.SELL, price_e4=40_100).decisions[0]

    assert buy.reason is reason
    assert buy.layer is (Layer.VALIDITY if reason is Reason.NONE else Layer.DAILY_LOSS)
    assert buy.limit == (0 if reason is Reason.NONE else 300)
    assert sell.reason is Reason.NONE


def test_account_that_breached_its_daily_loss_is_free_the_next_day() -> None:
    """A day's loss is measured from that day's opening NAV."""
    stage = Stage(cash_fen=100_000, limits=replace(LOOSE, daily_loss_bps_max=300))
    stage.hold(100)
    stage.open()
    states = [stage.tick(Quote(last_e4=36_900), is_last=True).portfolios[0].state]
    stage.close({BANK: 36_900})

    states.append(stage.open(Reference(prev_close_e4=36_900)).portfolios[0].state)

    assert states == [AccountState.REDUCING, AccountState.ACTIVE]


def test_account_that_breached_its_drawdown_reduces_from_there_on() -> None:
    """A drawdown is not forgotten overnight: a person decides."""
    stage = Stage(cash_fen=100_000, limits=replace(LOOSE, drawdown_bps_max=300))
    stage.hold(100)
    stage.open()
    stage.tick(Quote(last_e4=36_900))
    stage.close({BANK: 40_000})
    stage.open()

    decision = stage.ask(Quote()).decisions[0]

    assert (decision.reason, decision.layer) == (Reason.ACCOUNT_REDUCING, Layer.DRAWDOWN)


def test_share_of_nothing_exceeds_every_limit() -> None:
    """Ratios to a NAV that is not positive mean nothing, so they never pass."""
    assert exceeds_bps(1, 0, 10_000)
    assert exceeds_bps(1, -1, 10_000)
    assert ratio_bps_up(1, 0) == 0


def test_market_without_any_sector_counts_as_one() -> None:
    """A feed that classifies nothing gets the conservative bound, not a free pass."""
    limits = replace(LOOSE, sector_bps_max=7_999)
    stage = Stage(cash_fen=100_000, limits=limits)
    references = Reference(sector=""), Reference(LIQUOR, sector="")
    stage.hold(100, *references)
    stage.open(*references)

    decision = stage.ask(Quote(), Quote(LIQUOR), instrument=LIQUOR).decisions[0]

    assert (decision.reason, decision.observed) == (Reason.SECTOR_LIMIT, 8_000)


def test_open_buys_count_in_position_sector_and_leverage() -> None:
    """Two orders on their way are as large as two positions."""
    for layer, name in (
        (Layer.POSITION_SIZE, "position_bps_max"),
        (Layer.SECTOR_CONCENTRATION, "sector_bps_max"),
        (Layer.LEVERAGE, "leverage_bps_max"),
    ):
        stage = Stage(cash_fen=100_000, limits=replace(LOOSE, **{name: 7_999}))
        stage.open()
        stage.ask(Quote())

        decision = stage.ask().decisions[0]

        assert (decision.layer, decision.observed) == (layer, 8_000)


def test_sell_passes_every_limit_that_a_buy_breaks() -> None:
    """What only reduces risk must always be possible."""
    stage = Stage(cash_fen=100_000)
    stage.hold(100)
    stage.open()
    nothing = RiskLimits(
        position_bps_max=0,
        daily_loss_bps_max=0,
        drawdown_bps_max=0,
        sector_bps_max=0,
        leverage_bps_max=0,
    )
    stage.engine._accounts[AccountId("alpha")].limits = nothing

    sale = stage.ask(Quote(last_e4=36_000), side=Side.SELL).decisions[0]

    assert sale.reason is Reason.NONE
