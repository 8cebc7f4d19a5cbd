"""Whatever happens: no accepted order leaves the cage, meets an own one, or is one too many.

The oracle keeps its own list of open orders and its own counts, and reckons in fractions.
"""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.risk.closed_loop import ACCOUNTS, SPEC, Beat, play

from tidegate_common.domain.enums import BeatKind, OrderType, Outcome, Reason, Side
from tidegate_common.domain.ids import AccountId
from tidegate_common.events.risk import Decision
from tidegate_common.frames.rows import QuoteRows

SEEDS = st.integers(0, 2**32 - 1)
EXAMPLES = settings(max_examples=40, deadline=None)
TICK_E4 = 100


@dataclass(frozen=True)
class Working:
    """An open order; a price of 0 is a market order's."""

    instrument: int
    side: Side
    price_e4: int


@dataclass
class Conduct:
    """What one account has at the exchange, and how often it spoke on the day."""

    working: dict[str, Working] = field(default_factory=dict)
    day_count: int = 0

    def follow(self, account: AccountId, beat: Beat) -> None:
        """Forget what ended."""
        if beat.stamp.kind is BeatKind.OPEN:
            self.day_count = 0
        for update in beat.updates:
            if update.account_id == account and update.status.is_terminal:
                del self.working[update.order_id]

    def is_meeting(self, decision: Decision) -> bool:
        """Tell whether an order could trade with one of its own account."""
        return any(
            each.instrument == decision.instrument
            and each.side is not decision.side
            and (
                0 in {each.price_e4, decision.price_e4}
                or (decision.price_e4 - each.price_e4) * (1 if _is_buy(decision) else -1) >= 0
            )
            for each in self.working.values()
        )


def _is_buy(decision: Decision) -> bool:
    return decision.side is Side.BUY


def _is_outside_cage(decision: Decision, rows: QuoteRows) -> bool:
    """Tell whether a limit price is beyond 2% and beyond ten ticks of the best opposite price."""
    row = rows.instrument.tolist().index(decision.instrument)
    bid_e4, ask_e4 = int(rows.bid_price_e4[row, 0]), int(rows.ask_price_e4[row, 0])
    reference_e4 = ask_e4 if _is_buy(decision) else bid_e4
    sign = 1 if _is_buy(decision) else -1
    edge = Fraction(reference_e4 * (100 + 2 * sign), 100 * TICK_E4)
    edge_e4 = int(edge + Fraction(1, 2)) * TICK_E4
    farthest_e4 = max(sign * edge_e4, sign * (reference_e4 + sign * 10 * TICK_E4))
    return sign * decision.price_e4 > farthest_e4


def _check(decision: Decision, conduct: Conduct, beat: Beat) -> None:
    is_limit = decision.order_type is OrderType.LIMIT
    if isinstance(beat.rows, QuoteRows) and is_limit:
        is_outside = _is_outside_cage
        if decision.outcome is Outcome.ACCEPTED:
            assert not is_outside(decision, beat.rows)
        if decision.reason is Reason.OUTSIDE_PRICE_CAGE:
            assert is_outside(decision, beat.rows)
    if decision.outcome is Outcome.ACCEPTED:
        assert not conduct.is_meeting(decision)
    if decision.reason is Reason.SELF_TRADE:
        assert conduct.is_meeting(decision)


@EXAMPLES
@given(seed=SEEDS)
def test_accepted_orders_are_in_the_cage_and_meet_no_own_order(seed: int) -> None:
    """By an account's whole day, and what is refused for it deserves it."""
    conducts = {name: Conduct() for name in ACCOUNTS}
    for beat in play(seed):
        for name, conduct in conducts.items():
            conduct.follow(name, beat)
        for decision in beat.output.decisions:
            conduct = conducts[decision.account_id]
            _check(decision, conduct, beat)
            if decision.outcome is Outcome.ACCEPTED:
                conduct.working[decision.order_id] = Working(
                    decision.instrument,
                    decision.side,
                    decision.price_e4,
                )


@EXAMPLES
@given(seed=SEEDS)
def test_no_account_comes_to_the_thresholds_by_its_orders(seed: int) -> None:
    """Each beat of this world is a second of its own; cancels count, but pass all the same."""
    thresholds = SPEC.programme_trading
    assert thresholds is not None
    day_counts: Counter[AccountId] = Counter()
    for beat in play(seed):
        if beat.stamp.kind is BeatKind.OPEN:
            day_counts.clear()
        for name in ACCOUNTS:
            submits = sum(each.account_id == name for each in beat.output.submits)
            cancels = sum(each.account_id == name for each in beat.output.cancels)
            day_counts[name] += submits + cancels
            reasons = {each.reason for each in beat.output.decisions if each.account_id == name}
            assert submits < thresholds.messages_per_second
            if submits and not cancels:
                assert day_counts[name] < thresholds.messages_per_day
            if Reason.ORDER_RATE_LIMIT in reasons:
                assert submits + cancels >= thresholds.messages_per_second - 1
            if Reason.DAILY_ORDER_LIMIT in reasons:
                assert day_counts[name] >= thresholds.messages_per_day - 1
