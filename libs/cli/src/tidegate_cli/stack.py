"""`tidegate up`: servers, topics, tables, services, one run, and the way back down."""

import asyncio
import math
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Never

from tidegate_cli.recorded import summarise_recorded
from tidegate_cli.screen import Screen
from tidegate_cli.servers import (
    EmbeddedBroker,
    EmbeddedPostgres,
    EmbeddedServer,
    EmbeddedValkey,
    ServerStartError,
    choose_port,
    require_port,
    running,
)
from tidegate_cli.servers.ports import LOOPBACK
from tidegate_cli.services import (
    BACKTESTS,
    FEEDS,
    GATEWAY,
    INGEST,
    RECOMMENDATIONS,
    RECORDER,
    Addresses,
    PlannedService,
    StackPlan,
    Topology,
    is_open,
    plan_services,
    stack_ports,
)
from tidegate_cli.settings import CliSettings, process_environment
from tidegate_cli.stack_file import (
    ServiceEntry,
    StackFile,
    remove_stack_file,
    write_stack_file,
)
from tidegate_cli.supervisor import Supervisor
from tidegate_cli.topics import create_topics
from tidegate_cli.watch import STALL_SECONDS_MAX, Probes, Recorded, RunWatch, Status, StatusClient
from tidegate_common.clock import Clock
from tidegate_common.codec import encode_event
from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.events.outcome import RunSummary
from tidegate_common.events.run import RunSpec
from tidegate_common.store.postgres import Pool, migrate, open_pool
from tidegate_recorder.queries import recorded_run, run_summary

GATEWAY_PORT: Final = 8_000
GATEWAY_OPTION: Final = "--gateway-port"
NOBODY: Final = "nobody"
# A stage loads a snapshot within 60 s; a machine under load needs a while to import.
# The embedded broker scans a whole partition for each fetch that finds something, 0.47 µs a record.
# Sixteen stripes keep that under 0.2 ms in a run of 5,000 beats; more would cost each empty fetch.
EMBEDDED_STRIPES = 16
READY_SECONDS_MAX: Final = 120.0
_READY_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class StackOptions:
    """How a stack is to run.

    gateway_port : None for the usual one, or any free one; 0 for any free one.
    """

    data_dir: Path
    topology: Topology
    speed: str
    gateway_port: int | None
    log_level: str


class LocalStack:
    """One stack, made for one run."""

    def __init__(
        self,
        spec: RunSpec,
        options: StackOptions,
        *,
        settings: CliSettings,
        clock: Clock,
        screen: Screen,
    ) -> None:
        self._spec = spec
        self._options = options
        self._settings = settings
        self._clock = clock
        self._screen = screen

    @asynccontextmanager
    async def up(self) -> AsyncIterator["RunningStack"]:
        """Bring everything up inside the block, and down on the way out.

        Raises
        ------
        ConfigError
            If a port, directory, address or setting is wrong.
        TidegateError
            If a server does not start, or a service keeps ending.
        """
        port = _gateway_port(self._options.gateway_port)
        servers = self._embedded_servers()
        if servers:
            names = ", ".join(server.name for server in servers)
            self._screen.say(f"starting {names}")
        async with running(servers):
            addresses = self._addresses(servers)
            await self._prepare(addresses)
            pool = await open_pool(addresses.postgres, service="cli", size_max=2)
            try:
                async with self._services(addresses, port, servers, pool) as stack:
                    yield stack
            finally:
                await pool.close()
        self._screen.say("everything is stopped")

    @asynccontextmanager
    async def _services(
        self,
        addresses: Addresses,
        gateway_port: int,
        servers: Sequence[EmbeddedServer],
        pool: Pool,
    ) -> AsyncIterator["RunningStack"]:
        await self._refuse_known_run(pool)
        planned = plan_services(self._plan(addresses, gateway_port))
        urls = _urls(gateway_port)
        supervisor = Supervisor(
            [service.program for service in planned],
            clock=self._clock,
            take_line=self._screen.take_line,
            changed=lambda: self._write_file(supervisor, addresses, planned, urls),
            ends_max=self._settings.ends_per_minute_max,
        )
        client = StatusClient({each.program.name: each.http_port for each in planned})
        stack = RunningStack(
            spec=self._spec,
            pool=pool,
            client=client,
            stages=tuple(each.program.name for each in planned if _is_stage(each)),
            clock=self._clock,
            screen=self._screen,
            dead_letters_before=(await run_summary(pool, NOBODY)).dead_letters,
        )
        try:
            async with supervisor.running(), _watching(servers):
                await self._until_ready(client, [each.program.name for each in planned])
                supervisor.start_feed()
                self._screen.say(f"gateway {urls['gateway']}, API documentation {urls['docs']}")
                if is_open(planned):
                    self._screen.say("the gateway asks for no API key: it serves this machine only")
                yield stack
                self._screen.end_progress()
        finally:
            self._screen.end_progress()
            await client.close()
            remove_stack_file(self._options.data_dir)

    async def _until_ready(self, client: StatusClient, names: Sequence[str]) -> None:
        """Wait until every service but the feed has recovered."""
        waiting = [name for name in names if name not in FEEDS]
        deadline = self._clock.monotonic_seconds() + READY_SECONDS_MAX
        while waiting:
            waiting = [name for name in waiting if await client.text(name, "/readyz") is None]
            if waiting and self._clock.monotonic_seconds() > deadline:
                message = f"not ready within {READY_SECONDS_MAX:.0f} s: {', '.join(waiting)}"
                raise ServerStartError(message)
            await self._clock.sleep(_READY_POLL_SECONDS)

    async def _prepare(self, addresses: Addresses) -> None:
        kafka = replace(self._settings.kafka.config(), bootstrap_servers=addresses.kafka)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(create_topics(kafka, self._topology()))
                group.create_task(migrate(addresses.postgres))
        except BaseExceptionGroup as failures:
            # One line about one server; the other was only told to give up.
            raise failures.exceptions[0] from None

    async def _refuse_known_run(self, pool: Pool) -> None:
        if await recorded_run(pool, self._spec.run_id) is not None:
            message = f"--run-id {self._spec.run_id} is recorded already: choose another"
            raise ConfigError(message)

    def _embedded_servers(self) -> list[EmbeddedServer]:
        """Return the servers for which the environment names no real one."""
        data_dir, settings = self._options.data_dir, self._settings
        servers: list[EmbeddedServer] = []
        if settings.kafka_servers is None:
            servers.append(EmbeddedBroker(data_dir))
        if settings.redis_url is None:
            servers.append(EmbeddedValkey(data_dir))
        if settings.postgres_url is None:
            servers.append(EmbeddedPostgres(data_dir))
        return servers

    def _addresses(self, servers: Sequence[EmbeddedServer]) -> Addresses:
        urls = {server.name: server.url for server in servers}
        settings = self._settings
        is_kafka_embedded = settings.kafka_servers is None
        return Addresses(
            kafka=settings.kafka_servers or urls["kafka"],
            redis=settings.redis_url or urls["valkey"],
            postgres=settings.postgres_url or urls["postgres"],
            # The embedded broker forgets everything at its end: each start is another log.
            log_name=f"embedded-{self._clock.now_ns():x}" if is_kafka_embedded else "main",
            is_kafka_embedded=is_kafka_embedded,
        )

    def _topology(self) -> Topology:
        settings = self._settings
        is_kafka_embedded = settings.kafka_servers is None
        stripes = EMBEDDED_STRIPES if is_kafka_embedded else settings.stripe_count
        return replace(self._options.topology, stripe_count=stripes)

    def _plan(self, addresses: Addresses, gateway_port: int) -> StackPlan:
        options = self._options
        return StackPlan(
            topology=self._topology(),
            addresses=addresses,
            run_spec_file=self._write_spec(),
            speed=options.speed,
            gateway_port=gateway_port,
            log_level=options.log_level,
            base=process_environment(),
            directory=Path.cwd(),
            archive=options.data_dir.absolute() / "archive",
            first_port=stack_ports(os.getpid()),
        )

    def _write_spec(self) -> Path:
        directory = self._options.data_dir.absolute() / "runs"
        path = directory / f"{self._spec.run_id}.json"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_event(self._spec))
        except OSError as error:
            message = f"--data-dir {self._options.data_dir} cannot be written: {error.strerror}"
            raise ConfigError(message) from error
        return path

    def _write_file(
        self,
        supervisor: Supervisor,
        addresses: Addresses,
        planned: Sequence[PlannedService],
        urls: dict[str, str],
    ) -> None:
        states = supervisor.states()
        entries = {
            each.program.name: ServiceEntry(
                pid=states[each.program.name].pid,
                http_port=each.http_port,
                start_count=states[each.program.name].start_count,
                is_finished=states[each.program.name].is_finished,
            )
            for each in planned
        }
        stack = StackFile(
            pid=os.getpid(),
            run_id=self._spec.run_id,
            addresses={
                "kafka": addresses.kafka,
                "redis": addresses.redis,
                "postgres": addresses.postgres,
            },
            urls=urls,
            services=entries,
        )
        write_stack_file(self._options.data_dir, stack)


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A stack that is up."""

    spec: RunSpec
    pool: Pool
    client: StatusClient
    stages: tuple[str, ...]
    clock: Clock
    screen: Screen
    dead_letters_before: int

    async def until_recorded(self) -> RunSummary:
        """Return the run's figures once it is recorded whole.

        Raises
        ------
        RunStalledError
            If nothing moved for 120 s.
        """
        watch = RunWatch(
            probes=Probes(
                recorded=self._recorded,
                ingest=partial(self.client.status, INGEST),
                statuses=self._statuses,
            ),
            clock=self.clock,
            show=self.screen.show_progress,
            # A night without beats is no stand-still.
            stall_seconds_max=STALL_SECONDS_MAX if self.spec.feed.live is None else math.inf,
        )
        wall_s = await watch.until_complete()
        self.screen.end_progress()
        return await summarise_recorded(
            self.pool,
            self.spec.run_id,
            wall_s=wall_s,
            dead_letters_before=self.dead_letters_before,
        )

    async def _recorded(self) -> Recorded:
        try:
            run = await recorded_run(self.pool, self.spec.run_id)
        except TransientError:
            # PostgreSQL may be away for a while; the recorder waits for it too.
            return Recorded(0, is_complete=False)
        if run is None:
            return Recorded(0, is_complete=False)
        return Recorded(run.last_beat + 1, run.is_complete)

    async def _statuses(self) -> Mapping[str, Status | None]:
        return {name: await self.client.status(name) for name in self.stages}


async def run_stack(
    stack: LocalStack,
    *,
    show: Callable[[RunSummary], None],
    is_exiting: bool,
) -> None:
    """Bring a stack up, show what its run came to, and serve on until cancelled.

    Parameters
    ----------
    show : called once the run is recorded whole; after the way down when `is_exiting`.
    is_exiting : whether the stack goes down with the end of the run.
    """
    async with stack.up() as up:
        summary = await up.until_recorded()
        if not is_exiting:
            show(summary)
            up.screen.say("the run is complete; serving until Ctrl-C")
            await asyncio.get_running_loop().create_future()
    show(summary)


@asynccontextmanager
async def _watching(servers: Sequence[EmbeddedServer]) -> AsyncIterator[None]:
    """Fail inside the block when a server ends by itself."""
    try:
        async with asyncio.TaskGroup() as group:
            watchers = [group.create_task(_until_ended(server)) for server in servers]
            try:
                yield
            finally:
                for watcher in watchers:
                    watcher.cancel()
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _until_ended(server: EmbeddedServer) -> Never:
    code = await server.wait()
    message = f"{server.name} at {server.address} ended by itself with exit code {code}"
    raise ServerStartError(message)


def _gateway_port(wanted: int | None) -> int:
    match wanted:
        case None:
            return choose_port(GATEWAY_PORT)
        case 0:
            return choose_port(stack_ports(os.getpid()) - 1)
        case _:
            return require_port(wanted, option=GATEWAY_OPTION)


def _is_stage(service: PlannedService) -> bool:
    """Tell whether a run waits for a service besides ingest and recorder."""
    others = {*FEEDS, RECOMMENDATIONS, RECORDER, BACKTESTS, GATEWAY}
    return service.program.name not in others


def _urls(gateway_port: int) -> dict[str, str]:
    gateway = f"http://{LOOPBACK}:{gateway_port}"
    return {"gateway": gateway, "docs": f"{gateway}/docs"}
