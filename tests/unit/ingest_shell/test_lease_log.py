"""The log of leases between sequencers on one bus."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from tidegate_common.bus.base import NewTopic
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.clock import ManualClock
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import LeaseState
from tidegate_common.domain.ids import RunId
from tidegate_common.events.ingest import Lease
from tidegate_common.events.message import Message
from tidegate_common.events.topics import LEASES
from tidegate_common.testing.builders import RUN_ID
from tidegate_ingest.adapters.lease_log import LOOK_BACK, LeaseLog
from tidegate_ingest.engine.lease import LOOK_SECONDS_MAX, SILENCE_SECONDS_MAX, Candidate

OTHER_RUN = RunId("run-b")


async def make_bus(*leases: Lease) -> MemoryBus:
    """Return a bus with leases."""
    bus = MemoryBus()
    await bus.create_topics([NewTopic(LEASES.name, 1)])
    await bus.publish([Message(LEASES.name, 0, encode_event(lease)) for lease in leases])
    return bus


def make_lease(epoch: int, instance: str, *, run_id: RunId = RUN_ID) -> Lease:
    """Return a lease that is held."""
    return Lease(run_id, epoch, instance, 1, LeaseState.HELD, 0)


def leases_of(bus: MemoryBus) -> list[Lease]:
    """Return the log."""
    return [decode_event(Lease, message.value) for message in bus.log(LEASES.name)]


@asynccontextmanager
async def following(
    bus: MemoryBus, clock: ManualClock, instance: str
) -> AsyncIterator[tuple[Candidate, LeaseLog]]:
    """Have a sequencer that reads and says leases; it is at beat 4."""
    candidate = Candidate(RUN_ID, instance=instance, started_ns=2)
    log = LeaseLog(bus, candidate, clock, next_beat=lambda: 4)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(log.follow())
        yield candidate, log
        task.cancel()


async def test_lease_log_of_two_sequencers_has_one_holder() -> None:
    """Both claim; each reads who was first."""
    bus, clock = await make_bus(), ManualClock()

    async with following(bus, clock, "a") as (a, log_a), following(bus, clock, "b") as (b, log_b):
        await log_a.until(lambda: a.epoch == 1)
        await log_b.until(lambda: b.epoch == 1)
        await log_a.permit()
        holders = [a.is_active, b.is_active]

    assert holders == [True, False]
    assert {lease.epoch for lease in leases_of(bus)} == {1}


async def test_lease_log_standby_takes_over_when_the_holder_is_silent() -> None:
    """It listens in vain, also where somebody says what is no lease."""
    bus, clock = await make_bus(make_lease(1, "other")), ManualClock()

    async with following(bus, clock, "b") as (standby, log):
        await log.until(lambda: standby.epoch == 1)
        looks = 1 + round(SILENCE_SECONDS_MAX / LOOK_SECONDS_MAX)
        for _ in range(looks):
            clock.advance(LOOK_SECONDS_MAX)
            await bus.publish([Message(LEASES.name, 0, b"wakes who listens")])
            await next_look(log)
        await log.until(lambda: standby.is_active)

    assert decode_event(Lease, bus.log(LEASES.name)[-1].value).epoch == 2


async def next_look(log: LeaseLog) -> None:
    """Return after the next look at the log."""
    answers = iter((False, True))
    await log.until(lambda: next(answers))


async def test_lease_log_reads_what_was_said_before_it_claims() -> None:
    """The next epoch is one more than the last, of however many; other runs' do not matter."""
    others = [make_lease(1, "x", run_id=OTHER_RUN)] * (LOOK_BACK + 700)
    bus = await make_bus(*others, make_lease(6, "a"), make_lease(1, "x", run_id=OTHER_RUN))

    async with following(bus, ManualClock(), "a") as (candidate, log):
        await log.until(lambda: candidate.is_active)

    assert candidate.epoch == 7
    assert leases_of(bus)[-1] == Lease(RUN_ID, 7, "a", 2, LeaseState.HELD, 4)


async def test_lease_log_last_word_is_said_by_the_holder_only() -> None:
    """Who stands by has nothing to give up."""
    bus, clock = await make_bus(make_lease(1, "other")), ManualClock()

    async with following(bus, clock, "b") as (_, standby):
        await standby.leave(LeaseState.RESIGNED)
    async with following(bus, clock, "other") as (holder, log):
        await log.until(lambda: holder.is_active)
        await log.leave(LeaseState.DONE)

    assert [(each.epoch, each.state) for each in leases_of(bus)] == [
        (1, LeaseState.HELD),
        (2, LeaseState.HELD),
        (2, LeaseState.DONE),
    ]


async def test_lease_log_permits_who_holds_the_lease_as_soon_as_it_does() -> None:
    """Until then, who asks waits."""
    bus, clock = await make_bus(make_lease(1, "other")), ManualClock()

    async with following(bus, clock, "b") as (candidate, log), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(log.permit())
        await log.until(lambda: candidate.epoch == 1)
        was_permitted = waiting.done()
        resigned = replace(make_lease(1, "other"), state=LeaseState.RESIGNED)
        await bus.publish([Message(LEASES.name, 0, encode_event(resigned))])
        await waiting

    assert not was_permitted
    assert candidate.is_active
