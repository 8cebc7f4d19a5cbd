"""The local stack's own servers: real processes, started, killed and started again."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis.asyncio as redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tidegate_cli.servers import (
    EmbeddedBroker,
    EmbeddedPostgres,
    EmbeddedServer,
    EmbeddedValkey,
    ServerConfigError,
    ServerStartError,
    is_port_free,
    running,
)
from tidegate_cli.servers.loopback import LoopbackServer
from tidegate_cli.servers.watchdog import Spec
from tidegate_common.errors import ConfigError

ServerType = type[EmbeddedBroker] | type[EmbeddedValkey] | type[EmbeddedPostgres]
SERVER_TYPES: list[ServerType] = [EmbeddedBroker, EmbeddedValkey, EmbeddedPostgres]
PATIENCE_S = 15.0

# Starts all three as `tidegate up` does, says where they are, and waits to be killed.
STACK_PROGRAM = """
import asyncio, json, sys
from pathlib import Path
from tidegate_cli.servers import EmbeddedBroker, EmbeddedPostgres, EmbeddedValkey, running

async def main():
    kinds = (EmbeddedBroker, EmbeddedValkey, EmbeddedPostgres)
    servers = [kind(Path(sys.argv[1])) for kind in kinds]
    async with running(servers):
        print(json.dumps([server.port for server in servers]), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


class ShellServer(LoopbackServer):
    """A server made of one shell command; it never answers."""

    name = "shell"
    port_preferred = 19_999
    port_option = "--shell-port"
    command = "exit 3"
    is_ready = False

    @property
    def url(self) -> str:
        return self.address

    def _spec(self, port: int) -> Spec:
        return Spec(
            command=("/bin/sh", "-c", self.command),
            directory=str(self._home),
            stop_signal=signal.SIGTERM,
            grace_s=0.2,
        )

    async def _is_answering(self, port: int) -> bool:
        return self.is_ready


# Children that were there before the test.
_OTHERS: list[psutil.Process] = []


@pytest.fixture(autouse=True)
def _others() -> None:
    _OTHERS[:] = psutil.Process().children()


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Hold a listening loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder.getsockname()[1]


async def test_broker_started_carries_a_record_with_key_and_headers(tmp_path: Path) -> None:
    """What the bus needs of a broker works from the first moment."""
    broker = EmbeddedBroker(tmp_path)
    async with running([broker]):
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.url)
        await admin.start()
        await admin.create_topics([NewTopic("beats", num_partitions=2, replication_factor=1)])
        await admin.close()
        async with AIOKafkaProducer(bootstrap_servers=broker.url) as producer:
            await producer.send_and_wait(
                "beats", b"value", key=b"key", partition=1, headers=[("ce_id", b"1")]
            )
        consumer = AIOKafkaConsumer(
            "beats", bootstrap_servers=broker.url, auto_offset_reset="earliest"
        )
        async with consumer:
            record = await asyncio.wait_for(consumer.getone(), PATIENCE_S)

    assert (record.partition, record.key, record.value) == (1, b"key", b"value")
    assert record.headers == (("ce_id", b"1"),)
    assert is_port_free(broker.port)


async def test_valkey_started_keeps_a_value(tmp_path: Path) -> None:
    """A client that has the address with its password can write and read."""
    valkey = EmbeddedValkey(tmp_path)
    async with running([valkey]), redis.Redis.from_url(valkey.url) as client:
        await client.set("key", "value")
        value = await client.get("key")

    assert value == b"value"
    assert is_port_free(valkey.port)


async def test_valkey_without_password_refuses(tmp_path: Path) -> None:
    """Another user of the machine reaches loopback, but not our data."""
    valkey = EmbeddedValkey(tmp_path)
    without_retries = Retry(NoBackoff(), 0)
    async with running([valkey]), redis.Redis(port=valkey.port, retry=without_retries) as client:
        with pytest.raises(redis.AuthenticationError):
            await client.get("key")


async def test_postgres_restarted_keeps_its_rows(tmp_path: Path) -> None:
    """The cluster is made once and outlives the process."""
    postgres = EmbeddedPostgres(tmp_path)
    async with running([postgres]):
        await _execute(postgres, "CREATE TABLE fills AS SELECT 7 AS quantity_shares")
    again = EmbeddedPostgres(tmp_path)
    async with running([again]):
        rows = await _fetch(again, "SELECT quantity_shares, current_database() FROM fills")

    assert rows == [(7, "tidegate")]


async def test_postgres_with_a_wrong_password_refuses(tmp_path: Path) -> None:
    """A superuser may run programs, so loopback alone is no protection."""
    postgres = EmbeddedPostgres(tmp_path)
    async with running([postgres]):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(postgres.url.replace("tidegate:", "tidegate:x"), ssl=False)


async def test_postgres_killed_with_stale_pid_file_starts_again(tmp_path: Path) -> None:
    """After SIGKILL the pid file stays, and its number may belong to anybody by then."""
    postgres = EmbeddedPostgres(tmp_path)
    await postgres.start()
    await _execute(postgres, "CREATE TABLE fills AS SELECT 7 AS quantity_shares")
    pid_file = tmp_path / "postgres" / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    os.kill(int(lines[0]), signal.SIGKILL)
    exit_code = await asyncio.wait_for(postgres.wait(), PATIENCE_S)
    await postgres.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))

    async with running([postgres]):
        rows = await _fetch(postgres, "SELECT quantity_shares FROM fills")

    assert exit_code == 128 + signal.SIGKILL
    assert rows == [(7,)]


async def test_postgres_interrupted_initdb_begins_again(tmp_path: Path) -> None:
    """Half a cluster is never taken for one."""
    unfinished = tmp_path / "postgres" / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    postgres = EmbeddedPostgres(tmp_path)

    async with running([postgres]):
        rows = await _fetch(postgres, "SELECT 1")

    assert rows == [(1,)]


@pytest.mark.parametrize("server_type", SERVER_TYPES)
async def test_server_wanted_port_in_use_names_the_option(
    server_type: ServerType, taken_port: int, tmp_path: Path
) -> None:
    """A port in use is the user's to mend, in one line."""
    server = server_type(tmp_path, port=taken_port)

    with pytest.raises(ConfigError) as caught:
        await server.start()

    assert str(caught.value) == (
        f"port {taken_port} is in use: choose another with {server_type.port_option} "
        "or stop the program that holds it"
    )


@pytest.mark.parametrize("server_type", SERVER_TYPES)
async def test_server_usual_port_in_use_takes_another(
    server_type: ServerType, taken_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a wish for a port, a second stack just works."""
    monkeypatch.setattr(server_type, "port_preferred", taken_port)
    server = server_type(tmp_path)

    async with running([server]):
        port = server.port

    assert port != taken_port


@pytest.mark.parametrize("server_type", SERVER_TYPES)
async def test_server_lost_race_for_its_port_takes_another(
    server_type: ServerType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server of the same kind on our port answers, but it is not ours."""
    first, second = server_type(tmp_path / "1"), server_type(tmp_path / "2")
    async with running([first]):
        ports = iter([first.port, 0])
        monkeypatch.setattr(
            "tidegate_cli.servers.loopback.choose_port", lambda _: next(ports) or _free_port()
        )
        async with running([second]):
            assert second.port != first.port


@pytest.mark.parametrize("server_type", SERVER_TYPES)
async def test_server_started_listens_on_loopback_only(
    server_type: ServerType, tmp_path: Path
) -> None:
    """Nothing of the local stack is to be reached from another machine."""
    server = server_type(tmp_path)
    async with running([server]):
        listeners = {address for process in _own_servers() for address in _listeners(process)}

    assert listeners == {"127.0.0.1"}


@pytest.mark.parametrize("server_type", SERVER_TYPES)
async def test_server_started_has_a_session_of_its_own(
    server_type: ServerType, tmp_path: Path
) -> None:
    """The terminal's Ctrl-C is for us; the servers stop when we say so, in order."""
    async with running([server_type(tmp_path)]):
        sessions = {os.getsid(process.pid) for process in _own_servers()}

    assert os.getsid(0) not in sessions


async def test_server_directory_in_use_is_refused(tmp_path: Path) -> None:
    """Two clusters on one directory would ruin it."""
    first, second = EmbeddedPostgres(tmp_path), EmbeddedPostgres(tmp_path)
    async with running([first]):
        with pytest.raises(ServerConfigError, match=f"in use by process {os.getpid()}"):
            await second.start()


async def test_server_directory_not_to_be_made_is_the_users_error(tmp_path: Path) -> None:
    """A file where the data directory should be is told in one line."""
    (tmp_path / "data").write_text("not a directory")

    with pytest.raises(ServerConfigError, match="cannot start kafka in"):
        await EmbeddedBroker(tmp_path / "data").start()


async def test_server_ending_while_it_starts_shows_its_last_words(tmp_path: Path) -> None:
    """The reason is in the message, not only in some file."""
    server = ShellServer(tmp_path)
    server.command = "echo first; echo boom >&2; exit 3"

    with pytest.raises(ServerStartError, match=r"exit code 3 while it started: first \| boom"):
        await server.start()


async def test_server_never_answering_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start is bounded, and leaves no process behind."""
    monkeypatch.setattr("tidegate_cli.servers.loopback.START_TIMEOUT_S", 0.3)
    server = ShellServer(tmp_path)
    server.command = "exec sleep 60"

    with pytest.raises(ServerStartError, match="did not answer"):
        await server.start()

    assert not _own_servers()


async def test_server_deaf_to_its_stop_signal_is_killed(tmp_path: Path) -> None:
    """A stop is bounded too."""
    server = ShellServer(tmp_path)
    server.command = "trap '' TERM; while :; do sleep 0.05; done"
    server.is_ready = True
    await server.start()

    await server.stop()

    assert not _own_servers()


async def test_running_one_failure_stops_the_others(taken_port: int, tmp_path: Path) -> None:
    """A stack is whole or not at all; the user gets one error."""
    servers: list[EmbeddedServer] = [
        EmbeddedValkey(tmp_path),
        EmbeddedPostgres(tmp_path),
        EmbeddedBroker(tmp_path, port=taken_port),
    ]

    with pytest.raises(ServerConfigError, match="--kafka-port"):
        async with running(servers):
            pytest.fail("the stack must not run")

    assert not _own_servers()


def test_servers_starter_killed_end_and_leave_a_sound_directory(tmp_path: Path) -> None:
    """Even SIGKILL of `tidegate up` leaves no server behind, nor a broken cluster."""
    with StackProgram(tmp_path) as (starter, ports):
        servers = psutil.Process(starter.pid).children(recursive=True)
        starter.kill()
        starter.wait()

        assert len(servers) >= 6
        _poll_until(lambda: not any(map(_is_alive, servers)))
        assert all(is_port_free(port) for port in ports)
    assert "database system is shut down" in (tmp_path / "logs" / "postgres.log").read_text()


def test_servers_starter_killed_can_be_followed_at_once(tmp_path: Path) -> None:
    """The next start waits for the last one's servers instead of failing."""
    with StackProgram(tmp_path) as (starter, _):
        starter.kill()
        starter.wait()

    with StackProgram(tmp_path) as (_, ports):
        assert len(ports) == len(SERVER_TYPES)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of this")
def test_servers_watchdogs_killed_end_as_well(tmp_path: Path) -> None:
    """A killed watchdog takes its server with it."""
    with StackProgram(tmp_path) as (starter, ports):
        watchdogs = psutil.Process(starter.pid).children()
        servers = psutil.Process(starter.pid).children(recursive=True)
        for watchdog in watchdogs:
            watchdog.kill()

        _poll_until(lambda: not any(map(_is_alive, servers)))
        assert all(is_port_free(port) for port in ports)


class StackProgram:
    """A program that runs all three servers, and their ports."""

    def __init__(self, data_dir: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", STACK_PROGRAM, str(data_dir)], stdout=subprocess.PIPE
        )

    def __enter__(self) -> tuple[subprocess.Popen[bytes], list[int]]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the stack did not start"
        return self._process, json.loads(line)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def _own_servers() -> list[psutil.Process]:
    """Return the test's own servers: not those that serve the whole session."""
    mine = [child for child in psutil.Process().children() if child not in _OTHERS]
    return [process for child in mine for process in (child, *child.children(recursive=True))]


def _is_alive(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that nobody has reaped yet does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _listeners(process: psutil.Process) -> set[str]:
    try:
        connections = process.net_connections()
    except psutil.NoSuchProcess:
        # A session of PostgreSQL that has just ended.
        return set()
    return {found.laddr.ip for found in connections if found.status == psutil.CONN_LISTEN}


def _poll_until(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as holder:
        return int(holder.getsockname()[1])


async def _execute(postgres: EmbeddedPostgres, statement: str) -> None:
    connection = await asyncpg.connect(postgres.url, ssl=False)
    await connection.execute(statement)
    await connection.close()


async def _fetch(postgres: EmbeddedPostgres, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(postgres.url, ssl=False)
    rows = await connection.fetch(query)
    await connection.close()
    return [tuple(row) for row in rows]
