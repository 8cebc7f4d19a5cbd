"""Which services a stack has, and what each is told."""

import sys
from pathlib import Path

import pytest

from tidegate_cli.services import (
    Addresses,
    PlannedService,
    StackPlan,
    Topology,
    is_open,
    plan_services,
)

ADDRESSES = Addresses(
    kafka="kafka:9092",
    redis="redis://redis:6379/0",
    postgres="postgresql://postgres/tidegate",
    log_name="main",
    is_kafka_embedded=False,
)


def planned(
    topology: Topology,
    run_spec_file: Path | None,
    **base: str,
) -> dict[str, PlannedService]:
    """Return the services of a stack by name."""
    plan = StackPlan(
        topology=topology,
        addresses=ADDRESSES,
        run_spec_file=run_spec_file,
        speed="max",
        gateway_port=8_000,
        log_level="info",
        base={"HOME": "/home/somebody"} | base,
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


@pytest.mark.parametrize(
    ("base", "auth"),
    [({}, "off"), ({"TIDEGATE_GATEWAY_AUTH": "on"}, "on")],
)
def test_gateway_of_a_stack_asks_for_keys_only_where_the_user_says_so(
    base: dict[str, str],
    auth: str,
) -> None:
    """It listens on loopback, and says that it is open."""
    found = planned(Topology(), None, **base)

    assert found["gateway"].program.environment["TIDEGATE_GATEWAY_AUTH"] == auth
    assert is_open(list(found.values())) is (auth == "off")


def test_backtests_have_a_worker_where_they_are_asked_for() -> None:
    """It stops before the gateway that asks it."""
    found = planned(Topology(has_backtests=True), None)

    assert list(found)[-2:] == ["backtests", "gateway"]
    worker = found["backtests"].program
    assert worker.command == (sys.executable, "-m", "tidegate_cli.backtest_jobs")
    assert "TIDEGATE_BACKTESTS_HTTP_PORT" in worker.environment
    assert "backtests" not in planned(Topology(), None)


def test_services_are_told_whole_addresses_once() -> None:
    """A file that made one is not named beside it, or no service would start."""
    files = {
        "TIDEGATE_REDIS__URL_FILE": "/secrets/redis",
        "TIDEGATE_POSTGRES__URL_FILE": "/secrets/postgres",
        "TIDEGATE_KAFKA__SASL_PASSWORD_FILE": "/secrets/kafka",
    }

    environment = planned(Topology(), None, **files)["recorder"].program.environment

    assert set(files) & set(environment) == {"TIDEGATE_KAFKA__SASL_PASSWORD_FILE"}
    assert environment["TIDEGATE_POSTGRES__URL"] == ADDRESSES.postgres
