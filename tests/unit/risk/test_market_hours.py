"""What risk makes of the phases that only the session table tells, and of boards."""

import numpy as np
import pytest
from tests.unit.risk.scenario import BANK, LIQUOR, STAR, Quote, Reference, Stage

from tidegate_common.domain.enums import Layer, OrderType, Phase, Reason
from tidegate_common.events.run import ConstructionSpec

# 09:15, 09:20, 15:05.
OPEN_CALL, OPEN_CALL_LOCKED, AFTER_HOURS = 33_300, 33_600, 54_300
BUY = {"cross": {BANK: 300_000}}


@pytest.mark.parametrize("seconds", [OPEN_CALL, OPEN_CALL_LOCKED])
def test_limit_order_in_the_opening_call_is_taken(seconds: int) -> None:
    """Locked orders cannot be cancelled, but new ones come in until 09:25."""
    stage = Stage()
    stage.open()

    output = stage.ask(Quote(phase=Phase.OPEN_CALL), seconds=seconds)

    assert len(output.submits) == 1


@pytest.mark.parametrize("seconds", [OPEN_CALL, OPEN_CALL_LOCKED])
def test_market_order_in_the_opening_call_is_refused_in_words_of_the_feed(seconds: int) -> None:
    """Readers of decisions know the opening call as one phase, as feeds do."""
    stage = Stage()
    stage.open()

    decision = stage.ask(
        Quote(phase=Phase.OPEN_CALL),
        seconds=seconds,
        order_type=OrderType.MARKET,
        price_e4=0,
    ).decisions[0]

    assert (decision.layer, decision.reason) == (Layer.MARKET_HOURS, Reason.MARKET_CLOSED)
    assert decision.observed == Phase.OPEN_CALL


@pytest.mark.parametrize("instrument", [STAR, LIQUOR])
def test_order_after_hours_finds_the_market_closed(instrument: int) -> None:
    """Fixed-price trading takes its own orders only, which nobody here sends."""
    stage = Stage()
    stage.open(Reference(instrument))
    quote = Quote(instrument, phase=Phase.AFTER_HOURS)

    decision = stage.ask(
        quote,
        seconds=AFTER_HOURS,
        instrument=instrument,
        quantity_shares=200,
    ).decisions[0]

    assert (decision.layer, decision.reason) == (Layer.MARKET_HOURS, Reason.MARKET_CLOSED)
    assert decision.observed == Phase.CLOSED


def test_order_while_the_feed_says_after_hours_finds_the_market_closed() -> None:
    """The table may say that trading goes on: the feed's own word counts too."""
    stage = Stage()
    stage.open()

    decision = stage.ask(Quote(phase=Phase.AFTER_HOURS)).decisions[0]

    assert (decision.reason, decision.observed) == (Reason.MARKET_CLOSED, Phase.CLOSED)


@pytest.mark.parametrize(("seconds", "count"), [(OPEN_CALL_LOCKED - 1, 1), (OPEN_CALL_LOCKED, 0)])
def test_old_order_is_not_cancelled_in_the_locked_opening_call(seconds: int, count: int) -> None:
    """From 09:20 the exchange would refuse the cancel, whatever phase the feed says."""
    stage = Stage(construction=ConstructionSpec(cooldown_beats=0))
    stage.open()
    stage.tick(Quote(phase=Phase.OPEN_CALL), seconds=OPEN_CALL, scores=BUY)

    output = stage.tick(Quote(phase=Phase.OPEN_CALL), seconds=seconds)

    assert len(output.cancels) == count


def test_session_of_an_unknown_board_is_closed() -> None:
    """No board, no rule: even with a price limit from the feed no order goes out."""
    stage = Stage()
    unknown = 1_511_880
    stage.open(Reference(unknown))
    stage.tick(Quote(unknown))

    assert not stage.engine._market.has_continuous_trading(np.array([unknown]))


def test_session_changes_within_a_day_for_instruments_of_every_exchange() -> None:
    """The session of a beat is kept for as long as the table says, not for a second longer."""
    stage = Stage()
    stage.open(Reference(), Reference(STAR))
    seconds = (OPEN_CALL, 41_399, 41_400, 46_799, 46_800, 54_000)

    outputs = [
        stage.ask(Quote(instrument), seconds=each, instrument=instrument, quantity_shares=200)
        for each in seconds
        for instrument in (BANK, STAR)
    ]

    reasons = [output.decisions[0].reason for output in outputs]
    taken, refused = [Reason.NONE] * 2, [Reason.MARKET_CLOSED] * 2
    assert reasons == taken + taken + refused + refused + taken + refused
