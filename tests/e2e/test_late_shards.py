"""Stages that stand still in a live run on a real broker."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from tests.e2e.conftest import stack, tidegate

from tidegate_cli.compose import RunOptions, compose_run
from tidegate_common.bus.kafka import KafkaBus, KafkaConfig
from tidegate_common.clock import ManualClock
from tidegate_common.codec import encode_event
from tidegate_common.domain.enums import OrderType, Reason, Side
from tidegate_common.domain.ids import AccountId, RequestId, shard_of
from tidegate_common.events.message import Message
from tidegate_common.events.orders import OrderRequest, RequestEnvelope
from tidegate_common.events.topics import REQUESTS
from tidegate_common.frames.rows import ReferenceRows
from tidegate_ingest.adapters.feed import open_feed

SHARDS = 2
SEED = 6
INSTRUMENTS = 20
BEATS = 240
# A beat of the synthetic market is 15,360 s / 240 = 64 s, of which 60 are waited for: 200 ms.
SPEED = "300x"
MAX_WAIT_MS = 80
BEATS_WITHOUT = 40


# A run of the whole stack: on a busy machine it outlasts the limit of an ordinary test.
@pytest.mark.timeout(900)
def test_stack_goes_on_without_stages_that_stand_still_and_verifies(
    tmp_path: Path,
    postgres_dsns: tuple[str, str],
) -> None:
    """Live mode does not hang: orders in a shard that nobody speaks of are refused meanwhile."""
    dsn, _ = postgres_dsns
    options = (
        *("--run-id", "day", "--instruments", INSTRUMENTS, "--seed", SEED),
        *("--accounts", 2, "--shards", SHARDS, "--beats", BEATS),
        *("--speed", SPEED, "--max-wait-ms", MAX_WAIT_MS, "--exit-when-done", "--json"),
    )

    with stack(tmp_path, *options, TIDEGATE_POSTGRES__URL=dsn) as running:
        address = running.address("kafka")
        running.wait_for_beat(60)
        for shard, service in enumerate(("signals", "execution-1")):
            running.freeze(service)
            # It cannot have spoken of beats that ingest had not said by then.
            beat = running.next_beat("ingest")
            running.wait_for_beat(beat + 1)
            asyncio.run(_publish(address, shard))
            running.wait_for_beat(beat + BEATS_WITHOUT)
            running.thaw(service)
        finished = running.finish()
    verified = tidegate("verify", "day", "--postgres-url", dsn)

    assert finished.exit_code == 0, finished.stderr
    assert verified.exit_code == 0, verified.stdout + verified.stderr
    assert asyncio.run(_verdicts(dsn)) == {f"shard-{n}": Reason.STALE_MARK for n in range(SHARDS)}


async def _publish(address: str, shard: int) -> None:
    """Ask for an instrument of a shard, within its limits."""
    spec = compose_run(RunOptions(seed=SEED, instruments=INSTRUMENTS), ManualClock())
    rows = next(open_feed(spec).frames()).rows
    assert isinstance(rows, ReferenceRows)
    prices = dict(zip(rows.instrument.tolist(), rows.prev_close_e4.tolist(), strict=True))
    instrument = next(number for number in prices if shard_of(number, SHARDS) == shard)
    order = OrderRequest(
        RequestId(f"shard-{shard}"),
        AccountId("A001"),
        instrument,
        Side.BUY,
        OrderType.LIMIT,
        prices[instrument],
        1_000,
    )
    bus = KafkaBus(KafkaConfig(address))
    await bus.start()
    try:
        await bus.publish([Message(REQUESTS.name, 0, encode_event(RequestEnvelope(order=order)))])
    finally:
        await bus.close()


async def _verdicts(dsn: str) -> dict[str, str]:
    """Return the reason why each request became an order or not."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT cause, reason FROM decisions WHERE cause_kind = 'request'"
        )
    finally:
        await connection.close()
    return {row["cause"]: row["reason"] for row in rows}
