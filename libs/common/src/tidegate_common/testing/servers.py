"""PostgreSQL and Redis for tests: addresses in the environment first, else the embedded servers.

One server a session; a new database a test. Of Redis a test uses its own key prefix.
"""

import asyncio
import os
import secrets
import tempfile
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

POSTGRES = "TIDEGATE_TEST_POSTGRES"
REDIS = "TIDEGATE_TEST_REDIS"

_START_SECONDS_MAX = 90.0


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a PostgreSQL server where databases may be created."""
    with _address(POSTGRES, "EmbeddedPostgres") as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """Address of a Redis server."""
    with _address(REDIS, "EmbeddedValkey") as url:
        yield url


@pytest.fixture
async def postgres_dsn(postgres_server: str) -> AsyncIterator[str]:
    """Address of an empty database of the test's own."""
    async with new_database(postgres_server) as dsn:
        yield dsn


@asynccontextmanager
async def new_database(server: str) -> AsyncIterator[str]:
    """Make an empty database on a server, and drop it afterwards; yields its address."""
    name = f"tidegate_test_{secrets.token_hex(6)}"
    admin = await asyncpg.connect(server)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """Address of Redis; whoever uses it brings a key prefix of its own."""
    return redis_server


@contextmanager
def _address(variable: str, embedded: str) -> Iterator[str]:
    address = os.environ.get(variable)  # noqa: TID251  # the settings of tests are read here
    if address:
        yield address
        return
    # Only the command line knows how to start a server; a fixture may ask it, by name, because
    # libraries never run this.
    servers = import_module("tidegate_cli.servers")
    with tempfile.TemporaryDirectory(prefix="tidegate-test-") as folder, _loop() as call:
        server = getattr(servers, embedded)(Path(folder))
        call(server.start())
        try:
            yield server.url
        finally:
            call(server.stop())


@contextmanager
def _loop() -> Iterator["_Call"]:
    """Run an event loop beside the tests' own, for as long as a server lives."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="test-servers", daemon=True)
    thread.start()
    try:
        yield _Call(loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_START_SECONDS_MAX)
        loop.close()


class _Call:
    """Runs a coroutine on the servers' loop and waits for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __call__(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_SECONDS_MAX)
