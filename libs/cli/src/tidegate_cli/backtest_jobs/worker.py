"""The worker: takes jobs from the log into the table, and runs them one after the other.

The log is read from its start each time: a job that is known is passed over. What a worker was at
when it was killed runs again from the start; its result is the same.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from tidegate_cli.backtest_jobs.job import EXIT_CONFIG, JobOrder
from tidegate_cli.backtest_jobs.store import JobStore
from tidegate_common.bus.base import Bus, TopicPartition
from tidegate_common.bus.beats import dead_letter
from tidegate_common.clock import Clock
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.ids import is_run_id
from tidegate_common.errors import ContractError, TransientError
from tidegate_common.events.backtests import BacktestJob, BacktestResult
from tidegate_common.events.message import Message
from tidegate_common.events.topics import BACKTESTS
from tidegate_common.runtime.logging import get_logger
from tidegate_common.runtime.stage import dead_letter_message

STAGE: Final = "backtests"
# A process that was killed from outside may be killed for what it does, too.
ATTEMPTS_MAX: Final = 3

_POLL_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 1.0
_ERROR_LINE_CHARACTERS_MAX: Final = 1_000
_COMMAND: Final = (sys.executable, "-m", "tidegate_cli.backtest_jobs.job")

Answer = TypeVar("Answer")


class JobFailedError(Exception):
    """A job came to nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What a worker is told.

    command : the program that runs one job.
    """

    feeds_dir: str = ""
    config_dir: str = ""
    job_seconds_max: float = 3_600.0
    feed_bytes_max: int = 20 * 1024**3
    command: tuple[str, ...] = _COMMAND


class Worker:
    """Runs backtests."""

    def __init__(self, bus: Bus, store: JobStore, options: WorkerOptions, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._options = options
        self._clock = clock
        self._log = get_logger().bind(stage=STAGE)
        self._has_news = asyncio.Event()
        self._running: str | None = None
        self._ended_count = 0

    def status(self) -> dict[str, object]:
        """Return what the worker is at."""
        return {"running": self._running, "ended": self._ended_count}

    async def run(self) -> None:
        """Work until cancelled."""
        await self._patiently(self._store.requeue)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take_jobs())
            tasks.create_task(self._run_jobs())

    async def _take_jobs(self) -> None:
        place = TopicPartition(BACKTESTS.name, 0)
        reader = await self._bus.open_reader({place: 0})
        try:
            while True:
                for message in await self._patiently(lambda: reader.poll(_POLL_SECONDS)):
                    await self._take(message)
        finally:
            await reader.close()

    async def _take(self, message: Message) -> None:
        try:
            job = _job_of(message)
        except ContractError as error:
            letter = dead_letter_message(dead_letter(message, STAGE, str(error)))
            self._log.warning("backtest_put_aside", reason=str(error))
            await self._patiently(lambda: self._bus.publish([letter]))
            return
        await self._patiently(lambda: self._store.add(job))
        self._has_news.set()

    async def _run_jobs(self) -> None:
        while True:
            self._has_news.clear()
            job = await self._patiently(self._store.next)
            if job is None:
                await self._has_news.wait()
                continue
            await self._run_one(job)

    async def _run_one(self, job: BacktestJob) -> None:
        job_id, now_ns = job.job_id, self._clock.now_ns
        await self._patiently(lambda: self._store.start(job_id, now_ns()))
        self._running = job_id
        self._log.info("backtest_started", job_id=job_id, requested_by=job.requested_by)
        try:
            result = await self._outcome(job)
        except JobFailedError as error:
            reason = str(error)
            self._log.info("backtest_failed", job_id=job_id, reason=reason)
            await self._patiently(lambda: self._store.fail(job_id, reason, now_ns()))
        else:
            self._log.info("backtest_done", job_id=job_id, seconds=result.summary.wall_s)
            await self._patiently(lambda: self._store.finish(job_id, result, now_ns()))
        self._running = None
        self._ended_count += 1

    async def _outcome(self, job: BacktestJob) -> BacktestResult:
        """Return what a job comes to; JobFailedError if to nothing."""
        options = self._options
        order = JobOrder(job, options.feeds_dir, options.config_dir, options.feed_bytes_max)
        for _ in range(ATTEMPTS_MAX):
            try:
                async with asyncio.timeout(options.job_seconds_max):
                    code, out, line = await self._process(encode_event(order))
            except TimeoutError as error:
                text = f"it took longer than {options.job_seconds_max:g} s"
                raise JobFailedError(text) from error
            if code == 0:
                return _decoded(out)
            if code > 0:
                break
        if code == EXIT_CONFIG:
            raise JobFailedError(line)
        ended = (
            f"ended by signal {-code}, {ATTEMPTS_MAX} times" if code < 0 else f"exit code {code}"
        )
        text = f"the backtest's process failed ({ended}): {line}"
        raise JobFailedError(text)

    async def _process(self, order: bytes) -> tuple[int, bytes, str]:
        """Run the process of one job; return its exit code, its answer and its last line."""
        process = await asyncio.create_subprocess_exec(
            *self._options.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            # Its end is the sign to end: it stays open.
            process.stdin.write(order + b"\n")
            out, errors = await asyncio.gather(process.stdout.read(), process.stderr.read())
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            process.stdin.close()
        lines = errors.decode(errors="replace").strip().splitlines()
        return code, out, lines[-1][:_ERROR_LINE_CHARACTERS_MAX] if lines else ""

    async def _patiently(self, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return an answer, however long the server is away."""
        while True:
            try:
                return await work()
            except TransientError as error:
                self._log.warning("server_away", error=str(error))
                await self._clock.sleep(_RETRY_SECONDS)


def _job_of(message: Message) -> BacktestJob:
    job = decode_event(BacktestJob, message.value)
    if not is_run_id(job.job_id):
        text = f"job_id must be letters, digits, _ and -, was {job.job_id!r}"
        raise ContractError(text)
    return job


def _decoded(out: bytes) -> BacktestResult:
    try:
        return decode_event(BacktestResult, out)
    except ContractError as error:
        text = f"the backtest's process answered what is no result: {error}"
        raise JobFailedError(text) from error
