"""Runs the local stack as a user does, in a process of its own, and kills parts of it."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest

from tidegate_cli.stack_file import StackFile, read_stack_file

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY.parent / "shared" / "data"
TWO_STOCK_DAY = (
    DATA / "l2" / "sse_600519_snapshot_20230201.parquet",
    DATA / "l2" / "szse_000333_snapshot_20230201.parquet",
)
# A day of 5,500 beats takes well under a minute on a quiet machine; CI's may be four times slower.
RUN_SECONDS_MAX = 400
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

    def __init__(self, process: subprocess.Popen[str], data_dir: Path) -> None:
        self._process = process
        self._data_dir = data_dir

    def kill(self, service: str) -> None:
        """SIGKILL a service, once it runs."""
        pid = self._wait_for(lambda file: file.services[service].pid)
        os.kill(pid, signal.SIGKILL)

    def wait_for_beat(self, beat: int) -> None:
        """Return when risk is about to take that beat or a later one."""

        def has_come(file: StackFile) -> int:
            port = file.services["risk-0"].http_port
            try:
                status = httpx.get(f"http://127.0.0.1:{port}/status", timeout=2).json()
            except (httpx.HTTPError, ValueError):
                return 0
            is_over = file.services["ingest"].is_finished and status["run"] is None
            return int(status["next_beat"] >= beat or is_over)

        self._wait_for(has_come)

    def wait_for_restart(self, *services: str) -> None:
        """Return when each of some killed services was started again."""
        self._wait_for(
            lambda file: int(all(file.services[name].start_count > 1 for name in services)),
        )

    def _wait_for(self, look: Callable[[StackFile], int]) -> int:
        deadline = time.monotonic() + RUN_SECONDS_MAX
        while time.monotonic() < deadline:
            assert self._process.poll() is None, "the stack ended early"
            file = read_stack_file(self._data_dir)
            found = look(file) if file and file.services else 0
            if found:
                return int(found)
            time.sleep(_LOOK_SECONDS)
        pytest.fail(f"the stack did not come so far within {RUN_SECONDS_MAX} s")

    def start_counts(self) -> dict[str, int]:
        """Return how often each service was started so far, once all run again."""

        def counted(file: StackFile) -> int:
            return int(all(entry.pid or entry.is_finished for entry in file.services.values()))

        self._wait_for(counted)
        file = read_stack_file(self._data_dir)
        assert file is not None
        return {name: entry.start_count for name, entry in file.services.items()}

    def kafka_address(self) -> str:
        """Return where the broker answers, once the services run."""
        self._wait_for(lambda file: file.services["risk-0"].http_port)
        file = read_stack_file(self._data_dir)
        assert file is not None
        return file.addresses["kafka"]

    def finish(self) -> Finished:
        """Wait for the end."""
        stdout, stderr = self._process.communicate(timeout=RUN_SECONDS_MAX)
        return Finished(self._process.returncode, stdout, stderr)


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
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "tidegate_cli", *map(str, arguments)],
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
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tidegate_cli", "up", "--data-dir", str(data_dir)),
            *map(str, arguments),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env=environment(**extra),
    )
    try:
        yield Stack(process, data_dir)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=30)
            process.kill()
            process.communicate()
