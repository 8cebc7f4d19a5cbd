"""Risk goes on without late shards, and the loop says the same with what the journals say."""

from dataclasses import replace

import pytest
from tests.parity.shells import STALL_BEATS, Platform, loop_outcome
from tests.parity.test_memory_bus_parity import SYNTHETIC

from tidegate_backtest.journaled import Journaled
from tidegate_common.codec import decode_event
from tidegate_common.domain.enums import AccountState, ControlCommand
from tidegate_common.domain.ids import RunId, shard_of
from tidegate_common.events.execution import Fill
from tidegate_common.events.portfolio import PortfolioState
from tidegate_common.events.topics import FILLS, SCORES
from tidegate_ingest.adapters.feed import open_feed

# Short, so that a stage that stands still is late soon; others may be late as well.
LIVE = replace(SYNTHETIC, run_id=RunId("late"), max_wait_ms=200)


def late_beats(journaled: Journaled, topic: str, shard: int) -> set[int]:
    """Return the beats in which the first partition went without a topic of a shard."""
    return {
        beat
        for beat, late in journaled.late()[0].items()
        for each in late
        if (each.topic, each.shard) == (topic, shard)
    }


@pytest.mark.parametrize("patient", [frozenset[int](), frozenset({1})])
async def test_shells_with_late_shards_equal_loop(patient: frozenset[int]) -> None:
    """Signals and an exchange stand still in turn; partitions may differ in their patience."""
    platform = Platform(shard_count=2, risk_partition_count=2)
    platform.patient = patient
    platform.stall("signals-1", 60)
    platform.stall("execution-0", 100)
    platform.ask(62, ControlCommand.HALT, None)
    platform.ask(80, ControlCommand.RESUME, None)

    await platform.run(open_feed(LIVE).frames(), LIVE.run_id)

    journaled = platform.journaled()
    outcome = platform.outcome()
    assert outcome == loop_outcome(LIVE, open_feed(LIVE).frames(), journaled)
    assert set(range(60, 60 + STALL_BEATS)) <= late_beats(journaled, SCORES.name, 1)
    assert set(range(100, 100 + STALL_BEATS)) <= late_beats(journaled, FILLS.name, 0)
    assert len(outcome.fills) > 0
    assert outcome != loop_outcome(LIVE, open_feed(LIVE).frames())


async def test_shells_with_a_late_exchange_lose_no_fill() -> None:
    """What a shard's exchange traded while it was late is booked, and the books can follow it."""
    undisturbed = loop_outcome(LIVE, open_feed(LIVE).frames())
    traded = [decode_event(Fill, each) for each in undisturbed.fills]
    beat = min(each.beat for each in traded if shard_of(each.instrument, 2) == 1)
    platform = Platform(shard_count=2)
    platform.stall("execution-1", beat)

    await platform.run(open_feed(LIVE).frames(), LIVE.run_id)

    outcome, journaled = platform.outcome(), platform.journaled()
    fills = [decode_event(Fill, each) for each in outcome.fills]
    owed = {each.beat for each in fills if shard_of(each.instrument, 2) == 1}
    books = [decode_event(PortfolioState, each) for each in outcome.portfolios]
    assert beat in owed & late_beats(journaled, FILLS.name, 1)
    assert outcome == loop_outcome(LIVE, open_feed(LIVE).frames(), journaled)
    assert {each.state for each in books} == {AccountState.ACTIVE}
    assert sum(each.fees_fen for each in books) == sum(each.fee_fen for each in fills)
