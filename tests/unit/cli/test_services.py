"""Which services a stack has, and what each is told."""

import sys
from pathlib import Path

from tidegate_cli.services import Addresses, PlannedService, StackPlan, Topology, plan_services

ADDRESSES = Addresses(
    kafka="kafka:9092",
    redis="redis://redis:6379/0",
    postgres="postgresql://postgres/tidegate",
    log_name="main",
    is_kafka_embedded=False,
)


def planned(topology: Topology, run_spec_file: Path | None) -> dict[str, PlannedService]:
    """Return the services of a stack by name."""
    plan = StackPlan(
        topology=topology,
        addresses=ADDRESSES,
        run_spec_file=run_spec_file,
        speed="max",
        gateway_port=8_000,
        log_level="info",
        base={"HOME": "/home/somebody"},
        directory=Path(),
        archive=Path("/data/archive"),
        first_port=0,
    )
    return {each.program.name: each for each in plan_services(plan)}


def test_services_of_a_topology_have_one_process_each_upstream_first() -> None:
    """They are stopped in this order, so that nobody waits for who is gone."""
    found = planned(Topology(shard_count=2, risk_partition_count=2), Path("run.json"))

    assert list(found) == [
        "ingest",
        "signals",
        "execution-0",
        "execution-1",
        "risk-0",
        "risk-1",
        "recommendations",
        "recorder",
        "gateway",
    ]
    assert [name for name, each in found.items() if each.program.is_feed] == ["ingest"]


def test_services_with_a_standby_have_two_feeds_by_name() -> None:
    """The standby stops first, or it would go on where the other one is told to stop."""
    found = planned(Topology(has_standby=True), Path("run.json"))

    names = [name for name, each in found.items() if each.program.is_feed]
    environments = [found[name].program.environment for name in names]
    assert names == ["ingest-standby", "ingest"] == list(found)[:2]
    assert [each["TIDEGATE_INGEST_INSTANCE"] for each in environments] == names
    assert {each["TIDEGATE_INGEST_RUN_SPEC_FILE"] for each in environments} == {"run.json"}


def test_services_without_a_run_have_no_feed() -> None:
    """The stack then serves what was."""
    assert "ingest" not in planned(Topology(), None)


def test_recommendations_are_signals_in_their_other_role() -> None:
    """One program, two processes; the first has the usual role."""
    found = planned(Topology(shard_count=3), None)

    scores, recommendations = found["signals"].program, found["recommendations"].program
    assert scores.command == recommendations.command
    assert scores.command == (sys.executable, "-m", "tidegate_signals")
    assert recommendations.environment["TIDEGATE_SIGNALS_ROLE"] == "recommendations"
    assert "TIDEGATE_SIGNALS_ROLE" not in scores.environment
    assert recommendations.environment["TIDEGATE_SHARD_COUNT"] == "3"
    assert recommendations.environment["TIDEGATE_REDIS__URL"] == ADDRESSES.redis
