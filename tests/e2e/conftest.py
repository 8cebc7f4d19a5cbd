"""Runs the local stack as a user does, in a process of its own, and kills parts of it."""

import asyncio
import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest

from tidegate_cli.stack_file import StackFile, read_stack_file
from tidegate_common.store.postgres import open_pool
from tidegate_recorder.queries import recording_sha256

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY.parent / "shared" / "data"
TWO_STOCK_DAY = (
    DATA / "l2" / "sse_600519_snapshot_20230201.parquet",
    DATA / "l2" / "szse_000333_snapshot_20230201.parquet",
)
# A day of 5,500 beats takes a minute on a quiet machine, and four where it is killed fifty times;
# CI's may be four times slower. This ends what hangs; nobody waits for it otherwise.
RUN_SECONDS_MAX = 900
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command left behind."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def summary(self) -> dict[str, object]:
        """The JSON object on the last line of standard output."""
        assert self.exit_code == 0, self.stderr[-4_000:]
        found = json.loads(self.stdout.splitlines()[-1])
        assert isinstance(found, dict)
        return found


class Stack:
    """A running `tidegate up`."""

    def __init__(
        self,
        process: subprocess.Popen[str],
        data_dir: Path,
        *,
        stderr: IO[str],
        client: httpx.Client,
    ) -> None:
        self._process = process
        self._data_dir = data_dir
        self._stderr = stderr
        self._client = client
        self._killed_starts: dict[str, int] = {}

    def kill(self, service: str, number: signal.Signals = signal.SIGKILL) -> bool:
        """Send a service a signal, once it runs again; tell whether it did not finish instead."""
        self.wait_for_new_life(service)
        file = read_stack_file(self._data_dir)
        assert file is not None
        entry = file.services[service]
        if entry.is_finished:
            return False
        self._killed_starts[service] = entry.start_count
        os.kill(entry.pid, number)
        return True

    def wait_for_new_life(self, service: str) -> None:
        """Return when a service runs that we have not killed, or has finished."""
        killed_start = self._killed_starts.get(service, 0)

        def lives(file: StackFile) -> int:
            entry = file.services[service]
            return int(entry.is_finished or (entry.pid > 0 and entry.start_count > killed_start))

        self._wait_for(lives)

    def freeze(self, service: str) -> None:
        """SIGSTOP a service, once it runs: it is there, and says nothing."""
        pid = self._wait_for(lambda file: file.services[service].pid)
        os.kill(pid, signal.SIGSTOP)

    def thaw(self, service: str) -> None:
        """Let a service that was stopped go on."""
        pid = self._wait_for(lambda file: file.services[service].pid)
        os.kill(pid, signal.SIGCONT)

    def wait_for_beat(self, beat: int) -> None:
        """Return when risk is about to take that beat or a later one."""

        def has_come(file: StackFile) -> int:
            status = self._status(file, "risk-0")
            if "next_beat" not in status:
                # It has only just started.
                return 0
            is_over = file.services["ingest"].is_finished and status["run"] is None
            return int(status["next_beat"] >= beat or is_over)

        self._wait_for(has_come)

    def next_beat(self, service: str) -> int:
        """Return the beat that a service is about to take or to say, once it tells."""
        return self._wait_for(lambda file: self._status(file, service).get("next_beat", 0))

    def active_feed(self) -> str:
        """Return which of two sequencers feeds the run, once one does."""
        names = ("ingest", "ingest-standby")

        def feeding(file: StackFile) -> int:
            roles = [self._status(file, name).get("role") for name in names]
            return roles.index("active") + 1 if "active" in roles else 0

        return names[self._wait_for(feeding) - 1]

    def wait_for_restart(self, *services: str) -> None:
        """Return when each of some killed services was started again."""
        self._wait_for(
            lambda file: int(all(file.services[name].start_count > 1 for name in services)),
        )

    def _wait_for(self, look: Callable[[StackFile], int]) -> int:
        deadline = time.monotonic() + RUN_SECONDS_MAX
        while time.monotonic() < deadline:
            assert self._process.poll() is None, f"the stack ended early: {self._said()}"
            file = read_stack_file(self._data_dir)
            found = look(file) if file and file.services else 0
            if found:
                return int(found)
            time.sleep(_LOOK_SECONDS)
        pytest.fail(f"the stack did not come so far within {RUN_SECONDS_MAX} s: {self._said()}")

    def _status(self, file: StackFile, service: str) -> dict[str, Any]:
        """Return what a service says of itself; nothing where it does not answer."""
        port = file.services[service].http_port
        try:
            status: dict[str, Any] = self._client.get(f"http://127.0.0.1:{port}/status").json()
        except (httpx.HTTPError, ValueError):
            return {}
        return status

    def _said(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read()[-4_000:]

    def start_counts(self) -> dict[str, int]:
        """Return how often each service was started so far, once all run again."""

        def counted(file: StackFile) -> int:
            return int(all(entry.pid or entry.is_finished for entry in file.services.values()))

        self._wait_for(counted)
        file = read_stack_file(self._data_dir)
        assert file is not None
        return {name: entry.start_count for name, entry in file.services.items()}

    def address(self, server: str) -> str:
        """Return where a server of the stack answers, once the services run."""
        self._wait_for(lambda file: file.services["risk-0"].http_port)
        file = read_stack_file(self._data_dir)
        assert file is not None
        return file.addresses[server]

    def stop(self) -> Finished:
        """Ask the stack to end, and wait for that."""
        self._process.send_signal(signal.SIGTERM)
        return self.finish()

    def finish(self) -> Finished:
        """Wait for the end."""
        stdout, _ = self._process.communicate(timeout=RUN_SECONDS_MAX)
        self._stderr.seek(0)
        return Finished(self._process.returncode, stdout, self._stderr.read())


@pytest.fixture
def postgres_dsns(postgres_server: str) -> Iterator[tuple[str, str]]:
    """Addresses of two empty databases."""
    names = tuple(f"tidegate_e2e_{secrets.token_hex(6)}" for _ in range(2))
    asyncio.run(_execute(postgres_server, [f"CREATE DATABASE {name}" for name in names]))
    first, second = (urlunsplit(urlsplit(postgres_server)._replace(path=f"/{n}")) for n in names)
    yield first, second
    drops = [f"DROP DATABASE {name} WITH (FORCE)" for name in names]
    asyncio.run(_execute(postgres_server, drops))


async def _execute(dsn: str, statements: list[str]) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def environment(**extra: str) -> dict[str, str]:
    """Return this environment without any setting of the platform, plus some."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("TIDEGATE_")}
    return clean | extra


def tidegate(*arguments: object, **extra: str) -> Finished:
    """Run a command to its end; a stack of it takes a free port, as others may run beside it."""
    port = ("--gateway-port", 0) if arguments[0] == "up" else ()
    done = subprocess.run(
        # What the caller says comes later, and wins.
        [sys.executable, "-m", "tidegate_cli", *map(str, (arguments[0], *port, *arguments[1:]))],
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_SECONDS_MAX,
        cwd=REPOSITORY,
        env=environment(**extra),
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@contextmanager
def stack(data_dir: Path, *arguments: object, **extra: str) -> Iterator[Stack]:
    """Have `tidegate up` running; what is left of it at the end is stopped."""
    # A file: nobody reads a pipe while the stack runs, and a full one would stop it.
    # One client, because each new one reads all certificates.
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as stderr,
        httpx.Client(timeout=2, trust_env=False) as client,
    ):
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tidegate_cli", "up", "--data-dir", str(data_dir)),
                *("--gateway-port", "0"),
                *map(str, arguments),
            ],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=REPOSITORY,
            env=environment(**extra),
        )
        try:
            yield Stack(process, data_dir, stderr=stderr, client=client)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=30)
                process.kill()
                process.communicate()


def outcome_of(summary: dict[str, object]) -> dict[str, object]:
    """Return what two runs of the same settings must agree on."""
    timing = {"run_id", "wall_s", "beats_per_s"}
    return {key: value for key, value in summary.items() if key not in timing}


def number_of(summary: dict[str, object], key: str) -> int:
    """Return a figure of a summary."""
    value = summary[key]
    assert isinstance(value, int)
    return value


def assert_lively(summary: dict[str, object]) -> None:
    """Check that a run tried the platform: trades, refusals, nothing lost."""
    assert number_of(summary, "fills") > 0
    assert summary["decisions_rejected"]
    assert summary["dead_letters"] == 0


def table_hashes(dsn: str, run_id: str) -> dict[str, str]:
    """Return a hash of each table; the journal's spans follow the pace of a run, so not of it."""

    async def read() -> dict[str, str]:
        pool = await open_pool(dsn, service="test")
        async with pool:
            return await recording_sha256(pool, run_id)

    hashes = asyncio.run(read())
    del hashes["journal"]
    return hashes


def archived_days(data_dir: Path) -> dict[str, str]:
    """Return a hash of each file of a stack's archive, hidden ones left out."""
    files = sorted((data_dir / "archive").glob("*/*/[!.]*"))
    return {
        str(path.relative_to(data_dir)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
