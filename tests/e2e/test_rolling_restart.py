"""An upgrade under way: every service is told to stop, and started again, while a run goes on."""

import signal
from pathlib import Path

import pytest
from tests.e2e.conftest import (
    archived_days,
    number_of,
    outcome_of,
    stack,
    tidegate,
)

# Often enough that the new ones go on from a snapshot, not from the start.
SNAPSHOTS = {"TIDEGATE_SNAPSHOT_EVERY_BEATS": "50"}
# In each step one that the run waits for, so that it is not over before the others are back; but
# for the two that feed, one of which goes on while the other is away.
STEPS = (
    ("ingest", "gateway"),
    ("ingest-standby", "recommendations"),
    ("signals", "recorder"),
    ("execution-0",),
    ("risk-0",),
)
BEATS_BETWEEN = 20


# A run of the whole stack: on a busy machine it outlasts the limit of an ordinary test.
@pytest.mark.timeout(900)
def test_stack_restarted_service_by_service_loses_no_beat(
    tmp_path: Path,
    postgres_dsns: tuple[str, str],
) -> None:
    """SIGTERM ends each with what it had to say said; the next one goes on, byte for byte."""
    dsn, _ = postgres_dsns
    run = ("--run-id", "day", "--instruments", 20, "--seed", 6, "--accounts", 2)
    options = (*run, "--ingest-standby", "--speed", "max", "--exit-when-done", "--json")
    # So that the feed does not end before anything can happen to it.
    near = {"TIDEGATE_INGEST_AHEAD_BEATS_MAX": "32"}

    with stack(tmp_path, *options, **SNAPSHOTS, **near, TIDEGATE_POSTGRES__URL=dsn) as running:
        for step in STEPS:
            running.wait_for_beat(running.next_beat("risk-0") + BEATS_BETWEEN)
            for service in step:
                assert running.kill(service, signal.SIGTERM)
            for service in step:
                running.wait_for_new_life(service)
        starts = running.start_counts()
        finished = running.finish()
    shadow = tidegate("backtest", *run, "--json").summary
    verified = tidegate("verify", "day", "--postgres-url", dsn)

    assert set(starts.values()) == {2}
    assert outcome_of(finished.summary) == outcome_of(shadow)
    assert verified.exit_code == 0, verified.stdout + verified.stderr
    assert number_of(shadow, "fills") > 0
    assert len(archived_days(tmp_path)) == 1
