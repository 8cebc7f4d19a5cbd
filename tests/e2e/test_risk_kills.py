"""kill -9 at random beats, Redis in trouble on the way: byte for byte the same run."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError
from tests.e2e.conftest import (
    TWO_STOCK_DAY,
    Finished,
    Stack,
    archived_days,
    assert_lively,
    number_of,
    outcome_of,
    stack,
    table_hashes,
    tidegate,
)

from tidegate_common.testing.fixtures import APACHE_KAFKA

RUN = ("--speed", "max", "--exit-when-done", "--json")
# Often enough that a restart repeats little, and kills fall into the writing of snapshots.
QUICK = {
    "TIDEGATE_SNAPSHOT_EVERY_BEATS": "60",
    # Killing is no fault of the services: the stack must not give up.
    "TIDEGATE_ENDS_PER_MINUTE_MAX": "600",
}
OTHERS = ("execution-0", "signals", "recorder", "recommendations")
EXCHANGES = ("execution-0", "execution-1")
REDIS_PAUSE_MS = 400
NEWER_VERSION = b'\x1d\x00\x00\x00\x00\x00\x00\x00{"format_version":2147483647}'
# A kill in the middle of the start: imports, connections, recovery. No longer than a start takes,
# or the run might be over.
START_SECONDS_MAX = 1.0
TROUBLES = ("flushed", "paused", "broken")


@dataclass(frozen=True, slots=True)
class Blow:
    """What happens to a run at a beat.

    services : killed together.
    redis : what happens to Redis first, if anything.
    again_after_seconds : the first service is killed again so long after its restart, if at all.
    """

    beat: int
    services: tuple[str, ...]
    redis: str
    again_after_seconds: float | None


def random_blows(seed: int, *, count: int, beat_count: int, risks: int) -> Iterator[Blow]:
    """Yield blows in the order of their beats: to risk, and to two others at the same moment."""
    dice = random.Random(seed)
    # The run must not be over when the last one falls.
    beats = sorted(dice.sample(range(20, beat_count * 4 // 5), count))
    for number, beat in enumerate(beats):
        risk = f"risk-{dice.randrange(risks)}"
        is_again = number % 8 == 2
        yield Blow(
            beat=beat,
            services=(risk, *dice.sample(OTHERS, 2)),
            redis=("", *TROUBLES)[number % 4],
            again_after_seconds=dice.uniform(0, START_SECONDS_MAX) if is_again else None,
        )


def trouble_redis(url: str, how: str) -> None:
    """Empty Redis, let it say nothing for a while, or break all that it holds."""
    with suppress(RedisError), Redis.from_url(url) as redis:
        match how:
            case "flushed":
                redis.flushall()
            case "paused":
                redis.client_pause(REDIS_PAUSE_MS)
            case "broken":
                for key in redis.scan_iter("tidegate:*"):
                    if key.startswith(b"tidegate:snapshot:"):
                        redis.hset(key, "value", NEWER_VERSION)
                    else:
                        redis.delete(key)
                        redis.set(key, b"\xff no portfolio")


def strike(running: Stack, blows: Iterator[Blow]) -> dict[str, int]:
    """Carry out the blows; return how often each service was killed, and Redis troubled."""
    counts: dict[str, int] = {}

    def count(what: str) -> None:
        counts[what] = counts.get(what, 0) + 1

    redis = running.address("redis")
    # Early, because the feed has soon said all.
    running.wait_for_beat(10)
    if running.kill("ingest"):
        count("ingest")
    for blow in blows:
        running.wait_for_beat(blow.beat)
        if blow.redis:
            trouble_redis(redis, blow.redis)
            count(blow.redis)
        for service in blow.services:
            assert running.kill(service)
            count(service)
        if blow.again_after_seconds is not None:
            running.wait_for_new_life(blow.services[0])
            time.sleep(blow.again_after_seconds)
            assert running.kill(blow.services[0])
            count(blow.services[0])
    return counts


def run_with_blows(
    data_dir: Path,
    dsn: str,
    options: tuple[object, ...],
    blows: Iterator[Blow],
) -> tuple[Finished, dict[str, int]]:
    """Return what a run says that all of it happens to, and how often what happened."""
    with stack(data_dir, *options, *RUN, **QUICK, TIDEGATE_POSTGRES__URL=dsn) as running:
        counts = strike(running, blows)
        return running.finish(), counts


def kills_in(counts: dict[str, int]) -> int:
    """Return how often any service was killed."""
    return sum(times for what, times in counts.items() if what not in TROUBLES)


@pytest.fixture
def reference_broker(topic_prefix: str) -> dict[str, str]:
    """Return the settings of an Apache Kafka; none where there is no such server."""
    address = os.environ.get(APACHE_KAFKA)
    if not address:
        return {}
    return {
        "TIDEGATE_KAFKA__BOOTSTRAP_SERVERS": address,
        "TIDEGATE_KAFKA__TOPIC_PREFIX": topic_prefix,
    }


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_stack_real_day_of_fifty_kills_equals_undisturbed_run(
    tmp_path: Path,
    postgres_dsns: tuple[str, str],
    reference_broker: dict[str, str],
    record_property: Callable[[str, object], None],
) -> None:
    """A recorded day of two exchanges; every table, the outcome and the proof of it agree.

    The undisturbed run is on Apache Kafka, the reference, where there is one.
    """
    quiet_dsn, shaken_dsn = postgres_dsns
    options = ("--run-id", "day", "--replay", *TWO_STOCK_DAY)
    blows = random_blows(20230201, count=17, beat_count=5_462, risks=1)

    quiet = tidegate(
        *("up", "--data-dir", tmp_path / "quiet", *options, *RUN),
        TIDEGATE_POSTGRES__URL=quiet_dsn,
        **reference_broker,
    ).summary
    shaken, counts = run_with_blows(tmp_path / "shaken", shaken_dsn, options, blows)
    # The engines in one process, over the day and the journal: what a backtest would say as well.
    verified = tidegate("verify", "day", "--postgres-url", shaken_dsn)

    broker = "Apache Kafka" if reference_broker else "the embedded broker"
    record_property("seen", f"{kills_in(counts)} kills of a real day: {counts}; quiet on {broker}")
    assert outcome_of(shaken.summary) == outcome_of(quiet)
    shaken_tables, quiet_tables = (table_hashes(dsn, "day") for dsn in (shaken_dsn, quiet_dsn))
    if reference_broker:
        # How far each partition has come: only on the embedded broker do topics have stripes.
        del shaken_tables["streams"], quiet_tables["streams"]
    assert shaken_tables == quiet_tables
    assert archived_days(tmp_path / "shaken") == archived_days(tmp_path / "quiet")
    assert verified.exit_code == 0, verified.stdout + verified.stderr
    assert_lively(quiet)
    assert kills_in(counts) >= 50
    assert counts.keys() >= {"risk-0", *OTHERS, *TROUBLES}


def with_exchanges(blows: Iterator[Blow], *, between: int) -> Iterator[Blow]:
    """Yield blows, and so many beats after each one to the exchanges of both shards at once."""
    for blow in blows:
        yield blow
        yield Blow(blow.beat + between, EXCHANGES, redis="", again_after_seconds=None)


# Runs of the whole stack: on a busy machine they outlast the limit of an ordinary test.
@pytest.mark.timeout(900)
def test_stack_kills_on_two_shards_and_partitions_equal_undisturbed_run(
    tmp_path: Path,
    postgres_dsns: tuple[str, str],
) -> None:
    """Each risk partition and exchange comes back to where the others wait for it.

    An exchange with every working order, its place in the queue and what it had taken.
    """
    dsn, _ = postgres_dsns
    market = ("--instruments", 20, "--seed", 6, "--days", 2, "--beats", 150)
    run = ("--run-id", "day", *market, "--accounts", 4)
    options = (*run, "--shards", 2, "--risk-partitions", 2)
    blows = with_exchanges(random_blows(11, count=4, beat_count=304, risks=2), between=8)

    shaken, counts = run_with_blows(tmp_path, dsn, options, blows)
    shadow = tidegate("backtest", *run, "--json").summary
    verified = tidegate("verify", "day", "--postgres-url", dsn)

    assert outcome_of(shaken.summary) == outcome_of(shadow)
    assert verified.exit_code == 0, verified.stdout + verified.stderr
    assert number_of(shadow, "fills") > 0
    assert len(archived_days(tmp_path)) == 2 * 2
    assert counts.keys() >= {"risk-0", "risk-1", *EXCHANGES}
    assert sum(counts[name] for name in EXCHANGES) >= 10
