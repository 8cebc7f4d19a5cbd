"""The services of a stack: their names, programs and environments."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tidegate_cli.servers import choose_port
from tidegate_cli.supervisor import Program

INGEST: Final = "ingest"
INGEST_STANDBY: Final = "ingest-standby"
FEEDS: Final = frozenset({INGEST, INGEST_STANDBY})
RECORDER: Final = "recorder"
RECOMMENDATIONS: Final = "recommendations"
GATEWAY: Final = "gateway"
BACKTESTS: Final = "backtests"
# A service whose module has another name than its package.
_MODULES: Final = {BACKTESTS: "tidegate_cli.backtest_jobs"}
_AUTH: Final = "TIDEGATE_GATEWAY_AUTH"
_ADDRESS_FILES: Final = frozenset({"TIDEGATE_REDIS__URL_FILE", "TIDEGATE_POSTGRES__URL_FILE"})
# Between the servers' usual ports and the range from which systems take the ports of outgoing
# connections (32768 up): 600 stacks of up to 20 services, so that two do not meet.
_PORTS_FIRST: Final = 20_000
_PORTS_PER_STACK: Final = 20
_PORTS_STACKS: Final = 600


@dataclass(frozen=True, slots=True)
class Topology:
    """How many processes share the work.

    has_standby : whether a second ingest stands by.
    has_backtests : whether backtests that the gateway is asked for are run.
    """

    shard_count: int = 1
    risk_partition_count: int = 1
    stripe_count: int = 1
    has_standby: bool = False
    has_backtests: bool = False


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the three servers answer.

    log_name : names the broker's log for the recorder.
    """

    kafka: str
    redis: str
    postgres: str
    log_name: str
    is_kafka_embedded: bool


@dataclass(frozen=True, slots=True)
class StackPlan:
    """What the services are told.

    run_spec_file : of the run to feed; None feeds nothing.
    base : the environment that all of them inherit.
    directory : where they run. archive : of tick frames.
    first_port : their own ports count from here, as far as they are free.
    """

    topology: Topology
    addresses: Addresses
    run_spec_file: Path | None
    speed: str
    gateway_port: int
    log_level: str
    base: Mapping[str, str]
    directory: Path
    archive: Path
    first_port: int


@dataclass(frozen=True, slots=True)
class PlannedService:
    """A service with the port on which it tells how it is."""

    program: Program
    http_port: int


def stack_ports(process_id: int) -> int:
    """Return the first of the ports that a stack takes for its services."""
    return _PORTS_FIRST + process_id % _PORTS_STACKS * _PORTS_PER_STACK


def plan_services(plan: StackPlan) -> list[PlannedService]:
    """Return the services in the order in which they stop: upstream first."""
    shared = _shared_environment(plan)
    services: list[PlannedService] = []
    for index, (name, package, own) in enumerate(_services(plan)):
        port = choose_port(plan.first_port + index)
        prefix = f"TIDEGATE_{package.upper()}_"
        environment = shared | {f"{prefix}{key}": value for key, value in own.items()}
        environment[f"{prefix}HTTP_PORT"] = str(port)
        program = Program(
            name=name,
            command=(sys.executable, "-m", _MODULES.get(package, f"tidegate_{package}")),
            environment=environment,
            directory=plan.directory,
            is_feed=name in FEEDS,
        )
        services.append(PlannedService(program, port))
    return services


def is_open(services: Sequence[PlannedService]) -> bool:
    """Tell whether the gateway asks for no API key."""
    return any(
        service.program.name == GATEWAY and service.program.environment[_AUTH] == "off"
        for service in services
    )


def _services(plan: StackPlan) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield name, package and own variables of each service, upstream first."""
    if plan.run_spec_file is not None:
        # The standby stops first: it is not to go on where the other one is told to stop.
        for name in (INGEST_STANDBY, INGEST) if plan.topology.has_standby else (INGEST,):
            yield name, "ingest", _feeding(plan.run_spec_file, plan.speed, instance=name)
    yield "signals", "signals", {}
    for shard in range(plan.topology.shard_count):
        yield f"execution-{shard}", "execution", {"SHARD": str(shard)}
    for partition in range(plan.topology.risk_partition_count):
        yield f"risk-{partition}", "risk", {"PARTITION": str(partition)}
    yield RECOMMENDATIONS, "signals", {"ROLE": RECOMMENDATIONS}
    own = {"LOG_NAME": plan.addresses.log_name, "ARCHIVE_DIR": str(plan.archive)}
    yield RECORDER, "recorder", own
    if plan.topology.has_backtests:
        yield BACKTESTS, BACKTESTS, {}
    own = {
        "API_PORT": str(plan.gateway_port),
        "ARCHIVE_DIR": str(plan.archive),
        # On loopback no key is asked for, unless the user says so.
        "AUTH": plan.base.get(_AUTH, "off"),
    }
    yield GATEWAY, "gateway", own


def _feeding(run_spec_file: Path, speed: str, *, instance: str) -> dict[str, str]:
    return {"RUN_SPEC_FILE": str(run_spec_file), "SPEED": speed, "INSTANCE": instance}


def _shared_environment(plan: StackPlan) -> dict[str, str]:
    addresses, topology = plan.addresses, plan.topology
    # The addresses below are whole: what they were made of is not said a second time.
    base = {name: value for name, value in plan.base.items() if name not in _ADDRESS_FILES}
    environment = base | {
        "TIDEGATE_KAFKA__BOOTSTRAP_SERVERS": addresses.kafka,
        "TIDEGATE_REDIS__URL": addresses.redis,
        "TIDEGATE_POSTGRES__URL": addresses.postgres,
        "TIDEGATE_SHARD_COUNT": str(topology.shard_count),
        "TIDEGATE_RISK_PARTITION_COUNT": str(topology.risk_partition_count),
        "TIDEGATE_STRIPE_COUNT": str(topology.stripe_count),
        "TIDEGATE_LOG_LEVEL": plan.log_level,
        # Lines come through a pipe; a service must not keep them to itself.
        "PYTHONUNBUFFERED": "1",
    }
    if addresses.is_kafka_embedded:
        # A fetch that finds nothing sleeps half of it there, and every hop would wait so long.
        environment.setdefault("TIDEGATE_KAFKA__FETCH_MAX_WAIT_MS", "20")
        environment.setdefault("TIDEGATE_KAFKA__URGENT_FETCH_MAX_WAIT_MS", "2")
    return environment
