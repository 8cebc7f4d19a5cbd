"""Bench `gateway`: how fast the gateway answers, beside FastAPI saying hello on the same server.

1,000 accounts with 50 holdings each and 1,000,000 orders with their last states (`--orders`) are
put into PostgreSQL and Valkey; the gateway runs as a process of its own, as in a stack, with one
worker. Another process sends the requests: oha, where it is installed, else a client of the
bench's own, as `notes` says. `*_p50_ms`, `*_p95_ms` and `*_p99_ms` are latencies at 500 requests a
second that are sent when they are due (open loop, 16 connections); of several rounds (`--repeats`),
in which the hello and the reads take turns, the one with the least p95 counts. `*_requests_per_s`
is what 16 connections get out of one process. `portfolio_errors` are answers other than 200, of
all portfolio requests. `portfolio_to_hello` is the ratio of the two p95.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from tidegate_cli.bench.frame import BenchReport, Better, Metric, with_goal
from tidegate_cli.bench.gateway_load import Answered, client_name, drive
from tidegate_cli.bench.gateway_seed import Day, seed_postgres, seed_quotes, seed_redis
from tidegate_cli.bench.options import BenchOptions
from tidegate_cli.servers import (
    EmbeddedBroker,
    EmbeddedPostgres,
    EmbeddedValkey,
    choose_port,
    running,
)
from tidegate_cli.services import stack_ports
from tidegate_cli.settings import process_environment
from tidegate_common.clock import Clock
from tidegate_common.errors import TransientError
from tidegate_common.store.postgres import migrate

ORDERS: Final = 1_000_000
REPEATS: Final = 3
RATE_PER_S: Final = 500
# Issue 8 sets these.
P95_MS_GOAL: Final = 2.3
HELLO_TIMES_GOAL: Final = 1.6
PORTFOLIO_REQUESTS: Final = 100_000

_ROUND_SECONDS: Final = 10
_THROUGHPUT_REQUESTS: Final = 10_000
_START_SECONDS_MAX: Final = 60.0
_STOP_SECONDS_MAX: Final = 15.0
_LOOK_SECONDS: Final = 0.1
_PREFIX: Final = "bench:"
_INHERITED: Final = frozenset({"PATH", "HOME"})
_HELLO: Final = "hello"
_PORTFOLIO: Final = "portfolio"


def bench_gateway(options: BenchOptions) -> BenchReport:
    """Seed, start, ask, and tell."""
    return asyncio.run(_bench(options))


async def _bench(options: BenchOptions) -> BenchReport:
    day = Day.of(options.order_count or ORDERS)
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as name:
        folder = Path(name)
        broker = EmbeddedBroker(folder / "broker")
        postgres = EmbeddedPostgres(folder / "postgres")
        valkey = EmbeddedValkey(folder / "valkey")
        async with running([broker, postgres, valkey]):
            await migrate(postgres.url)
            await seed_postgres(postgres.url, day)
            await seed_redis(valkey.url, _PREFIX, day)
            await seed_quotes(valkey.url, _PREFIX, day)
            addresses = {
                "TIDEGATE_KAFKA__BOOTSTRAP_SERVERS": broker.url,
                "TIDEGATE_POSTGRES__URL": postgres.url,
                "TIDEGATE_REDIS__URL": valkey.url,
            }
            return await _measure(options, day, addresses)


async def _measure(options: BenchOptions, day: Day, addresses: dict[str, str]) -> BenchReport:
    first_port = stack_ports(os.getpid())
    api, health = choose_port(first_port), choose_port(first_port + 1)
    hello = choose_port(first_port + 2)
    environment = addresses | {
        "TIDEGATE_REDIS__KEY_PREFIX": _PREFIX,
        "TIDEGATE_GATEWAY_API_PORT": str(api),
        "TIDEGATE_GATEWAY_HTTP_PORT": str(health),
        "TIDEGATE_GATEWAY_AUTH": "off",
        # The limit is counted, and never reached.
        "TIDEGATE_GATEWAY_RATE_PER_SECOND": "100000",
        "TIDEGATE_GATEWAY_RATE_BURST": "100000",
        "TIDEGATE_LOG_LEVEL": "warning",
    }
    gateway, world = ("tidegate_gateway",), ("tidegate_cli.bench.hello_world", str(hello))
    base = f"http://127.0.0.1:{api}/v1"
    urls = {
        _HELLO: f"http://127.0.0.1:{hello}/",
        _PORTFOLIO: f"{base}/portfolios/{day.accounts[-1]}",
        "orders": f"{base}/orders?account={day.accounts[0]}",
        "recommendations": f"{base}/recommendations",
        "quotes": f"{base}/quotes",
    }
    with _process(gateway, environment), _process(world, {}):
        for url in urls.values():
            await _await_answer(url, options.clock)
        return await asyncio.to_thread(_ask, options, urls)


def _ask(options: BenchOptions, urls: dict[str, str]) -> BenchReport:
    count = options.request_count or RATE_PER_S * _ROUND_SECONDS
    rounds: dict[str, list[Answered]] = {name: [] for name in urls}
    for _ in range(options.repeat_count or REPEATS):
        for name, url in urls.items():
            rounds[name].append(drive(url, count=count, rate_per_s=RATE_PER_S))
    most = options.request_count or _THROUGHPUT_REQUESTS
    fast = {name: drive(url, count=most) for name, url in urls.items()}
    asked = count * len(rounds[_PORTFOLIO]) + most
    rest = 0 if options.request_count else max(0, PORTFOLIO_REQUESTS - asked)
    errors = sum(one.error_count for one in (*rounds[_PORTFOLIO], fast[_PORTFOLIO]))
    if rest:
        errors += drive(urls[_PORTFOLIO], count=rest).error_count
    best = {name: min(found, key=lambda one: one.p95_ms) for name, found in rounds.items()}
    results = [metric for name in urls for metric in _metrics(name, best[name], fast[name])]
    results.append(
        with_goal("portfolio_errors", errors, "requests", goal=0, better=Better.LESS),
    )
    results.append(Metric("portfolio_requests", asked + rest, "requests"))
    times = round(best[_PORTFOLIO].p95_ms / best[_HELLO].p95_ms, 2)
    results.append(
        with_goal("portfolio_to_hello", times, "times", goal=HELLO_TIMES_GOAL, better=Better.LESS),
    )
    return BenchReport(
        "gateway",
        tuple(results),
        {"portfolio_to_hello": times},
        (f"requests by {client_name()}",),
    )


def _metrics(name: str, best: Answered, fast: Answered) -> Iterator[Metric]:
    yield Metric(f"{name}_p50_ms", best.p50_ms, "ms")
    if name == _PORTFOLIO:
        goal = P95_MS_GOAL
        yield with_goal(f"{name}_p95_ms", best.p95_ms, "ms", goal=goal, better=Better.LESS)
    else:
        yield Metric(f"{name}_p95_ms", best.p95_ms, "ms")
    yield Metric(f"{name}_p99_ms", best.p99_ms, "ms")
    yield Metric(f"{name}_requests_per_s", fast.requests_per_s, "requests/s")


@contextmanager
def _process(module: tuple[str, ...], environment: dict[str, str]) -> Iterator[None]:
    kept = {name: value for name, value in process_environment().items() if name in _INHERITED}
    process = subprocess.Popen(  # our own words
        [sys.executable, "-m", *module],
        env=kept | environment,
        stdin=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _await_answer(url: str, clock: Clock) -> None:
    """Wait until an address answers 200."""
    deadline = clock.monotonic_seconds() + _START_SECONDS_MAX
    async with httpx.AsyncClient(timeout=_START_SECONDS_MAX) as client:
        while True:
            try:
                (await client.get(url)).raise_for_status()
            except httpx.HTTPError as error:
                if clock.monotonic_seconds() > deadline:
                    message = f"expected an answer of {url} in time, found: {error}"
                    raise TransientError(message) from error
            else:
                return
            await clock.sleep(_LOOK_SECONDS)
