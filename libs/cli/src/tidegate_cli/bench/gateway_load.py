"""Requests from outside: by oha where it is installed, else by a client of our own.

Run as a program, this is that client: `python -m tidegate_cli.bench.gateway_load URL COUNT RATE`.
Requests go out at a constant rate, whether the ones before were answered or not, and a latency
counts from when a request was due (open loop); rate 0 sends each as soon as a connection is free.
"""

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

CONNECTIONS: Final = 16
_OHA: Final = "oha"
_OK: Final = b"200"
_RUN_SECONDS_MAX: Final = 900
_MILLISECONDS: Final = 1_000.0


@dataclass(frozen=True, slots=True)
class Answered:
    """How requests were answered: latencies in ms, errors of all kinds."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    requests_per_s: float
    error_count: int


def client_name() -> str:
    """Return who sends the requests."""
    return _OHA if shutil.which(_OHA) else "the bench's own client"


def drive(url: str, *, count: int, rate_per_s: int = 0) -> Answered:
    """Send requests to an address from a process of its own; rate 0 is as fast as it goes."""
    oha = shutil.which(_OHA)
    if oha is None:
        module = "tidegate_cli.bench.gateway_load"
        command = [sys.executable, "-m", module, url, str(count), str(rate_per_s)]
        return Answered(**json.loads(_output(command)))
    command = [oha, "--no-tui", "--output-format", "json", "-n", str(count), "-c", str(CONNECTIONS)]
    if rate_per_s:
        command += ["-q", str(rate_per_s), "--latency-correction"]
    return read_oha(json.loads(_output([*command, url])), count)


def read_oha(said: dict[str, dict[str, float]], count: int) -> Answered:
    """Return what oha's JSON says of so many requests."""
    latencies, statuses = said["latencyPercentiles"], said["statusCodeDistribution"]
    return Answered(
        p50_ms=round(latencies["p50"] * _MILLISECONDS, 3),
        p95_ms=round(latencies["p95"] * _MILLISECONDS, 3),
        p99_ms=round(latencies["p99"] * _MILLISECONDS, 3),
        requests_per_s=round(said["summary"]["requestsPerSec"]),
        error_count=count - round(statuses.get(_OK.decode(), 0)),
    )


def _output(command: list[str]) -> str:
    run = subprocess.run(  # our own words
        command,
        capture_output=True,
        check=True,
        text=True,
        timeout=_RUN_SECONDS_MAX,
    )
    return run.stdout


class _Load:
    """Sends requests over a few connections."""

    def __init__(self, url: str, *, count: int, rate_per_s: int) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._host, self._port = parts.hostname, parts.port
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
        self._count = count
        self._interval_s = 1 / rate_per_s if rate_per_s else 0.0
        self._number = 0
        self._started_at = 0.0
        self._latencies_s: list[float] = []
        self._errors = 0

    async def run(self) -> Answered:
        """Send all requests."""
        loop = asyncio.get_running_loop()
        self._started_at = loop.time()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(CONNECTIONS):
                tasks.create_task(self._work())
        seconds = loop.time() - self._started_at
        cuts = statistics.quantiles(self._latencies_s, n=100, method="inclusive")
        p50, p95, p99 = (round(cuts[percent - 1] * _MILLISECONDS, 3) for percent in (50, 95, 99))
        return Answered(p50, p95, p99, round(self._count / seconds), self._errors)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection(self._host, self._port)
        while self._number < self._count:
            due_at = self._started_at + self._number * self._interval_s
            self._number += 1
            if due_at > loop.time():
                await asyncio.sleep(due_at - loop.time())
            began_at = due_at if self._interval_s else loop.time()
            writer.write(self._request)
            if await _status(reader) != _OK:
                self._errors += 1
            self._latencies_s.append(loop.time() - began_at)
        writer.close()
        await writer.wait_closed()


async def _status(reader: asyncio.StreamReader) -> bytes:
    """Read an answer, which says its length, and return its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return head.split(b" ", 2)[1]


def main() -> None:
    """Send what the command line says and print how it went."""
    url, count, rate_per_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    load = _Load(url, count=count, rate_per_s=rate_per_s)
    found = asyncio.run(load.run())
    names = Answered.__slots__
    sys.stdout.write(json.dumps({name: getattr(found, name) for name in names}))


if __name__ == "__main__":
    main()
