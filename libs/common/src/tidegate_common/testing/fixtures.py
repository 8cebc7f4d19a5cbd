"""Fixtures for every test: one server a session, a topic prefix of its own for each test.

A Kafka broker is looked for in the environment, then in a container engine, then started from
its PyPI wheel; a test is never skipped for want of one.
"""

import asyncio
import gc
import os
import secrets
import tempfile
import warnings
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import docker  # type: ignore[import-untyped]  # it has none, and we use two names of it
import pytest
from docker.errors import DockerException  # type: ignore[import-untyped]  # as above
from hypothesis import settings

from tidegate_common.testing.servers import (
    postgres_dsn,
    postgres_server,
    redis_server,
    redis_url,
)

__all__ = [
    "apache_kafka_address",
    "kafka_address",
    "postgres_dsn",
    "postgres_server",
    "redis_server",
    "redis_url",
    "topic_prefix",
]

# The first example pays for imports and compilers, and machines differ: time decides nothing.
settings.register_profile("tidegate", settings.default, deadline=None)
settings.load_profile("tidegate")

KAFKA = "TIDEGATE_TEST_KAFKA"
APACHE_KAFKA = "TIDEGATE_TEST_APACHE_KAFKA"

# A local engine answers a ping in milliseconds; this only bounds a stuck one.
_ENGINE_SECONDS_MAX = 2


@pytest.fixture(scope="session")
def kafka_address() -> Iterator[str]:
    """`host:port` of a broker of the Kafka protocol."""
    with ExitStack() as stack:
        yield _named(KAFKA) or _contained_kafka(stack) or _embedded_kafka(stack)


@pytest.fixture(scope="session")
def apache_kafka_address() -> str:
    """`host:port` of an Apache Kafka; tests that want one are marked `apache_kafka`."""
    return _named(APACHE_KAFKA) or pytest.fail(f"{APACHE_KAFKA} must be set, was not")


@pytest.fixture
def topic_prefix() -> str:
    """Return what to put before the names of a test's topics, so that tests do not meet."""
    return f"test-{secrets.token_hex(6)}."


def has_container_engine() -> bool:
    """Tell, within seconds, whether a container engine answers here."""
    with warnings.catch_warnings():
        # The client of an engine that does not answer leaves its socket to the collector.
        warnings.simplefilter("ignore", ResourceWarning)
        answers = _is_engine_answering()
        gc.collect()
    return answers


def _is_engine_answering() -> bool:
    try:
        client = docker.from_env(timeout=_ENGINE_SECONDS_MAX)
        try:
            return bool(client.ping())
        finally:
            client.close()
    except DockerException:
        return False


def _named(variable: str) -> str | None:
    return os.environ.get(variable) or None  # noqa: TID251  # the settings of tests are read here


def _contained_kafka(stack: ExitStack) -> str | None:
    if not has_container_engine():
        return None
    kafka = import_module("testcontainers.community.kafka")
    try:
        container = stack.enter_context(kafka.KafkaContainer().with_kraft())
    except DockerException:
        # An engine without a way to the image is as good as none.
        return None
    return str(container.get_bootstrap_server())


def _embedded_kafka(stack: ExitStack) -> str:
    # Only the command line knows how to start a server; a fixture may ask it, by name, because
    # libraries never run this.
    servers = import_module("tidegate_cli.servers")
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tidegate-test-"))
    broker = servers.EmbeddedBroker(Path(folder))
    _run_aside(broker.start())
    stack.callback(lambda: _run_aside(broker.stop()))
    return str(broker.url)


def _run_aside(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end on a loop of its own: the test that asks may be on one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()
