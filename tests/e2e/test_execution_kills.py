"""kill -9 of execution at random beats: byte for byte the fills of an undisturbed run."""

import asyncio
import random
from itertools import chain
from pathlib import Path

import pytest
from tests.e2e.conftest import stack

from tidegate_backtest.loop import run_loop
from tidegate_cli.compose import RunOptions, compose_run
from tidegate_common.clock import ManualClock
from tidegate_common.codec import encode_event
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.store.postgres import open_pool
from tidegate_ingest.adapters.feed import open_feed
from tidegate_recorder.queries import fill_payloads, order_update_payloads

SEED = 6
INSTRUMENTS = 20
ACCOUNTS = 2
DAYS = 1
BEATS_A_DAY = 200
BEATS = BEATS_A_DAY + 2
KILLS = 10
SERVICES = ("execution-0", "execution-1")
SETTINGS = {
    # Often enough that a restart repeats little, and kills fall into the writing of snapshots.
    "TIDEGATE_SNAPSHOT_EVERY_BEATS": "60",
    # Killing is no fault of the services: the stack must not give up.
    "TIDEGATE_ENDS_PER_MINUTE_MAX": "600",
}


# A run of the whole stack: on a busy machine it outlasts the limit of an ordinary test.
@pytest.mark.timeout(900)
def test_stack_kills_of_execution_leave_fills_and_order_states_as_they_are(
    tmp_path: Path,
    postgres_dsns: tuple[str, str],
) -> None:
    """It comes back with every working order, its place in the queue and what it had taken."""
    dsn, _ = postgres_dsns
    options = (
        *("--run-id", "day", "--instruments", INSTRUMENTS, "--seed", SEED),
        *("--accounts", ACCOUNTS, "--days", DAYS, "--beats", BEATS_A_DAY),
        *("--shards", len(SERVICES), "--speed", "max", "--exit-when-done", "--json"),
    )
    dice = random.Random(SEED)
    # The run must not be over when the last kill falls.
    beats = sorted(dice.sample(range(20, BEATS * 4 // 5), KILLS // len(SERVICES)))

    with stack(tmp_path, *options, **SETTINGS, TIDEGATE_POSTGRES__URL=dsn) as running:
        for beat in beats:
            running.wait_for_beat(beat)
            for service in dice.sample(SERVICES, len(SERVICES)):
                assert running.kill(service)
        finished = running.finish()
    fills, updates = undisturbed()

    assert finished.exit_code == 0, finished.stderr[-4_000:]
    assert fills
    assert asyncio.run(recorded(dsn)) == (fills, updates)


def undisturbed() -> tuple[list[str], list[str]]:
    """Return the fills and order states of the same run in one process, sorted, as JSON."""
    asked = RunOptions(
        run_id="day",
        instruments=INSTRUMENTS,
        seed=SEED,
        accounts=ACCOUNTS,
        days=DAYS,
        beats=BEATS_A_DAY,
    )
    spec = compose_run(asked, ManualClock())
    outcomes = list(run_loop(spec, open_feed(spec).frames()))
    assert len(outcomes) == BEATS
    fills = chain.from_iterable(outcome.fills for outcome in outcomes)
    updates = chain.from_iterable(outcome.updates for outcome in outcomes)
    return _texts(fills), _texts(updates)


def _texts(events: chain[Fill] | chain[OrderUpdate]) -> list[str]:
    return sorted(encode_event(event).decode() for event in events)


async def recorded(dsn: str) -> tuple[list[str], list[str]]:
    """Return the fills and order states that came out, sorted, as JSON."""
    async with await open_pool(dsn, service="test") as pool:
        fills = [payload async for payload in fill_payloads(pool, "day")]
        updates = [payload async for payload in order_update_payloads(pool, "day")]
    return sorted(fills), sorted(updates)
