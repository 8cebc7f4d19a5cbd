"""The engine and the slow oracle say the same of 100,000 random orders, word for word."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from tests.property.risk.oracle import Oracle, answer_of, cancel_of, obeyed_of
from tests.property.risk.oracle_exchange import Exchange
from tests.property.risk.oracle_requests import Asker
from tests.property.risk.oracle_worlds import RHYTHMS, World

from tidegate_common.domain.enums import Reason
from tidegate_common.events.orders import CancelOrder
from tidegate_common.frames.frame import Frame, empty_scores
from tidegate_risk.engine.engine import RiskEngine, RiskInputs, RiskOutput

ORDER_COUNT = 100_000
# Each plays a world of every rhythm.
GROUP_COUNT = 10
ORDERS_A_WORLD = ORDER_COUNT // GROUP_COUNT // len(RHYTHMS)
# What becomes of cancels and commands, and of what strategies ask for before any check.
NEVER_OF_ORDERS = {
    Reason.UNKNOWN_ORDER,
    Reason.BAD_LIMITS,
    Reason.UNKNOWN_VOLATILITY,
    Reason.INSIDE_BAND,
    Reason.TURNOVER_LIMIT,
}


class Match:
    """The engine and the oracle in one world, beat by beat."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.world = world = World(seed)
        self.oracle = Oracle(world.spec)
        self.asker = Asker(world.dice, self.oracle)
        self.exchange = Exchange(world.dice, world.shares, world.spec.commission)
        self.engine = RiskEngine(
            world.spec,
            tuple(each.account_id for each in world.spec.accounts),
        )
        self.cancels: tuple[CancelOrder, ...] = ()
        self.order_count = 0

    def play(self, order_count: int) -> None:
        """Ask for so many orders, spread evenly over the beats; stop where the two differ."""
        beat_count = self.world.beat_count
        for number, frame in enumerate(self.world.frames(), start=1):
            self._play(frame, order_count * number // beat_count - self.order_count)

    def _play(self, frame: Frame, order_count: int) -> None:
        fills, updates = self.exchange.meet(frame.stamp, self.cancels)
        stale = np.array(sorted(self.world.silent), np.int64)
        scores = empty_scores(frame.stamp, 0)
        inputs = RiskInputs(frame, scores, updates, fills, stale=stale)
        # The asker aims by what the oracle knows of this beat.
        self.oracle.see(inputs)
        inputs = replace(inputs, requests=tuple(self.asker.requests(order_count)))
        output = self.engine.on_beat(inputs)
        self._compare(inputs, output)
        self.order_count += order_count
        self.cancels = output.cancels
        self.exchange.take(output.submits)
        self.asker.known += [(each.account_id, each.order_id) for each in output.submits]

    def _compare(self, inputs: RiskInputs, output: RiskOutput) -> None:
        oracle, where = self.oracle, (self.seed, inputs.frame.stamp)
        controls = [obeyed_of(outcome) for outcome in output.controls]
        assert controls == oracle.obey(inputs.requests), where
        first_cancels = oracle.cancels_of_halted()
        answers, more_cancels = oracle.answer(inputs.requests)
        for decision, answer in zip(output.decisions, answers, strict=True):
            assert answer_of(decision) == answer, (where, decision)
        cancels = sorted(first_cancels + more_cancels, key=lambda cancel: cancel.account)
        assert [cancel_of(cancel) for cancel in output.cancels] == cancels, where
        made = [each.order_id for each in answers if each.order_id]
        assert [submit.order_id for submit in output.submits] == made, where


@pytest.mark.parametrize("group", range(GROUP_COUNT))
def test_engine_and_oracle_agree_on_every_random_order(group: int) -> None:
    """Each a world's decisions with layer, reason, observed, limit and unit; cancels and states.

    And every reason that an order can have is among them: of what is never reached, a test would
    say nothing.
    """
    tally: Counter[Reason] = Counter()
    for rhythm in range(len(RHYTHMS)):
        match = Match(group * len(RHYTHMS) + rhythm)
        match.play(ORDERS_A_WORLD)
        tally += match.oracle.tally

    counts = ", ".join(f"{reason} {count}" for reason, count in tally.most_common())
    # Shown with -rP.
    print(f"{tally.total()} orders, all agreed: {counts}")  # noqa: T201
    assert tally.total() == ORDER_COUNT // GROUP_COUNT
    assert set(tally) == set(Reason) - NEVER_OF_ORDERS
