"""Backtests that are asked for: queued, run in processes of their own, and told."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil
import pytest

from tidegate_cli.backtest_jobs import job as job_module
from tidegate_cli.backtest_jobs.job import JobOrder, options_of, run_job
from tidegate_cli.backtest_jobs.store import JobStore
from tidegate_cli.backtest_jobs.worker import Worker, WorkerOptions
from tidegate_cli.backtesting import backtest
from tidegate_cli.compose import RunOptions, compose_run
from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.clock import ManualClock
from tidegate_common.codec import encode_event
from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.events.backtests import BacktestJob
from tidegate_common.events.message import Message
from tidegate_common.events.outcome import RunSummary
from tidegate_common.events.topics import BACKTESTS
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.store.postgres import Pool, migrate, open_pool
from tidegate_common.store.reads import Reads
from tidegate_common.testing.scripted_run import all_topics
from tidegate_gateway.records import Records
from tidegate_gateway.schemas.backtests import BacktestResultView

JOB = BacktestJob("bt-1", "desk", 5, instruments=5, beats=30, days=2, accounts=2, seed=3)
# The weekdays of a month; a price that falls every day is bought on the fifteenth of them.
JANUARY_DAYS = [day for day in range(2, 32) if day % 7 not in {6, 0}]
BARS_JOB = BacktestJob("bt-1", "desk", 5, strategies=("rsi_reversal",))
FOREVER = (sys.executable, "-c", "import sys; sys.stdin.read()")
PATIENCE_SECONDS = 120.0


@dataclass
class Desk:
    """A worker's surroundings."""

    bus: MemoryBus
    pool: Pool
    records: Records

    async def ask(self, *jobs: BacktestJob) -> None:
        """Ask for backtests."""
        messages = [Message(BACKTESTS.name, 0, encode_event(job)) for job in jobs]
        await self.bus.publish(messages)

    async def until(
        self,
        is_so: Callable[[BacktestResultView], bool],
        job_id: str = "bt-1",
    ) -> BacktestResultView:
        """Return how a job stands once something is so."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found = await self.records.backtest(job_id)
                if found is not None and is_so(found):
                    return found
                await asyncio.sleep(0.02)

    async def until_ended(self, job_id: str = "bt-1") -> BacktestResultView:
        """Return how a job stands once it has ended."""
        return await self.until(lambda job: job.state in {"done", "failed"}, job_id)

    @asynccontextmanager
    async def working(self, **options: object) -> AsyncIterator[Worker]:
        """Run a worker."""
        given = WorkerOptions(**options)  # type: ignore[arg-type]  # as each test says
        worker = Worker(self.bus, JobStore(self.pool), given, SystemClock())
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(worker.run())
            yield worker
            work.cancel()


@pytest.fixture
async def desk(postgres_dsn: str) -> AsyncIterator[Desk]:
    """Make the tables and topics."""
    await migrate(postgres_dsn)
    bus = MemoryBus()
    await bus.create_topics(all_topics())
    pool = await open_pool(postgres_dsn, service="test")
    yield Desk(bus, pool, Records(Reads(pool, timeout_seconds=10)))
    await pool.close()


async def test_job_comes_to_what_the_command_comes_to(desk: Desk) -> None:
    """The same engines, the same input, the same hash; another run of it changes nothing."""
    options = RunOptions(instruments=5, beats=30, days=2, accounts=2, seed=3)
    expected = backtest(compose_run(options, SystemClock()), SystemClock())
    async with desk.working() as worker:
        await desk.ask(JOB, JOB)
        done = await desk.until_ended()
        status = worker.status()

    assert done.state == "done"
    assert done.summary is not None
    assert done.summary.outcome_sha256 == expected.outcome_sha256
    assert (done.summary.beats, done.summary.fills) == (expected.beats, expected.fills)
    assert done.summary.fills > 0
    days = sorted({close.trade_date for close in done.equity})
    assert [(close.trade_date, close.account_id) for close in done.equity] == [
        (day, account) for day in days for account in ("A001", "A002")
    ]
    assert len(days) == 2
    last = sum(float(close.nav_cny) for close in done.equity if close.trade_date == days[-1])
    assert f"{last:.2f}" == done.summary.final_nav_cny
    assert done.started_ns is not None
    assert done.ended_ns is not None
    assert status == {"running": None, "ended": 1}


async def test_job_with_a_reference_comes_to_what_the_command_comes_to(
    desk: Desk, tmp_path: Path
) -> None:
    """Its dividend is booked; without the file the same bars come to less."""
    closes = [(day, 20 - number / 10) for number, day in enumerate(JANUARY_DAYS)]
    bars = [
        f"2024-01-{day:02},sh.600000,{close:.2f},{close:.2f},{close:.2f},{close:.2f},"
        f"{close + 0.1:.2f},1000000,10000000,1,0"
        for day, close in closes
    ]
    columns = "date,code,open,high,low,close,preclose,volume,amount,tradestatus,isST"
    (tmp_path / "bars.csv").write_text("\n".join([columns, *bars]))
    (tmp_path / "reference.csv").write_text("symbol,date,cash\n600000.SH,2024-01-31,0.5\n")
    job = msgspec.structs.replace(BARS_JOB, files=("bars.csv",), reference="reference.csv")

    def outcome_of(job: BacktestJob) -> RunSummary:
        options = options_of(JobOrder(job, str(tmp_path), "", 10_000))
        return backtest(compose_run(options, SystemClock()), SystemClock())

    expected = outcome_of(job)
    without = outcome_of(msgspec.structs.replace(job, reference=""))
    async with desk.working(feeds_dir=str(tmp_path)):
        await desk.ask(job)
        done = await desk.until_ended()

    assert done.summary is not None, done.reason
    assert done.summary.outcome_sha256 == expected.outcome_sha256
    assert done.summary.fills > 0
    assert expected.final_nav_fen > without.final_nav_fen


async def test_jobs_are_listed_newest_first_in_pages(desk: Desk) -> None:
    """Queued ones too."""
    store = JobStore(desk.pool)
    for number in range(5):
        job_id = f"bt-{number}"
        await store.add(msgspec.structs.replace(JOB, job_id=job_id, requested_ns=number // 2))

    first = await desk.records.backtests(after=None, limit=2)
    second = await desk.records.backtests(after=first.next, limit=2)
    third = await desk.records.backtests(after=second.next, limit=2)

    pages = [[item.job_id for item in page.items] for page in (first, second, third)]
    assert pages == [["bt-4", "bt-3"], ["bt-2", "bt-1"], ["bt-0"]]
    assert third.next is None
    assert {item.state for item in first.items} == {"queued"}


async def test_worker_that_was_killed_is_followed_by_one_that_does_its_job(desk: Desk) -> None:
    """The process of the job goes with its worker; the next worker begins again."""
    children = psutil.Process().children
    async with desk.working(command=FOREVER):
        await desk.ask(JOB)
        await desk.until(lambda job: job.state == "running")
    left = [child for child in children() if "sys.stdin.read" in " ".join(child.cmdline())]
    between = await desk.records.backtest("bt-1")

    async with desk.working():
        done = await desk.until_ended()

    assert left == []
    assert between is not None
    assert (between.state, done.state) == ("running", "done")


async def test_job_whose_process_is_killed_runs_again_three_times_in_all(desk: Desk) -> None:
    """Once may be an accident."""
    command = (sys.executable, "-c", f"import os; os.kill(os.getpid(), {signal.SIGKILL:d})")
    async with desk.working(command=command):
        await desk.ask(JOB)
        failed = await desk.until_ended()

    assert failed.state == "failed"
    assert "signal 9, 3 times" in failed.reason


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("import sys; print('broken', file=sys.stderr); sys.exit(1)", "exit code 1): broken"),
        ("import sys; print('wrong', file=sys.stderr); sys.exit(2)", "wrong"),
        ("print('nonsense')", "answered what is no result"),
    ],
)
async def test_job_whose_process_fails_says_why(desk: Desk, program: str, text: str) -> None:
    """Its last line is the reason, and the next job runs."""
    async with desk.working(command=(sys.executable, "-c", program)):
        await desk.ask(JOB, msgspec.structs.replace(JOB, job_id="bt-2"))
        failed = await desk.until_ended()
        other = await desk.until_ended("bt-2")

    assert (failed.state, other.state) == ("failed", "failed")
    assert failed.reason.endswith(text) or text in failed.reason
    assert (failed.summary, failed.equity) == (None, [])


async def test_job_that_takes_too_long_is_ended(desk: Desk) -> None:
    """One job may not keep the others waiting for ever."""
    async with desk.working(command=FOREVER, job_seconds_max=0.05):
        await desk.ask(JOB)
        failed = await desk.until_ended()

    assert "longer than 0.05 s" in failed.reason


async def test_message_that_is_no_job_is_put_aside(desk: Desk) -> None:
    """Also one whose name could name no run; what follows is run."""
    bad = [
        Message(BACKTESTS.name, 0, b"nonsense"),
        Message(BACKTESTS.name, 0, encode_event(msgspec.structs.replace(JOB, job_id="../1"))),
    ]
    await desk.bus.publish(bad)
    async with desk.working(command=(sys.executable, "-c", "print('x')")):
        await desk.ask(JOB)
        await desk.until_ended()
    letters = await desk.bus.end_offsets([letters_place()])

    assert letters[letters_place()] == 2


async def test_worker_waits_for_a_database_that_is_away(desk: Desk) -> None:
    """An outage ends no worker: nobody would start it again for ever."""

    class AwayOnceStore(JobStore):
        has_been_asked = False

        async def next(self) -> BacktestJob | None:
            if not self.has_been_asked:
                self.has_been_asked = True
                message = "away"
                raise TransientError(message)
            return await super().next()

    options = WorkerOptions(command=(sys.executable, "-c", "print('x')"))
    worker = Worker(desk.bus, AwayOnceStore(desk.pool), options, ManualClock())
    await desk.ask(JOB)
    async with asyncio.TaskGroup() as tasks:
        work = tasks.create_task(worker.run())
        failed = await desk.until_ended()
        work.cancel()

    assert failed.state == "failed"


def letters_place() -> TopicPartition:
    """Return where dead letters of jobs are."""
    return TopicPartition(BACKTESTS.dead_letters, 0)


async def test_job_process_ends_with_its_parent(tmp_path: Path) -> None:
    """However that ends: the end of the input is the sign."""
    order = JobOrder(msgspec.structs.replace(JOB, beats=20_000, days=50), "", "", 1)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tidegate_cli.backtest_jobs.job"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.write(encode_event(order) + b"\n")
    process.stdin.close()

    async with asyncio.timeout(PATIENCE_SECONDS):
        code = await process.wait()

    assert code == 1


def order_of(tmp_path: Path, *files: str, strategies: tuple[str, ...] = ()) -> JobOrder:
    """Return an order of files in a folder with one file and ways out of it."""
    folder = tmp_path / "feeds"
    folder.mkdir()
    (folder / "inside.csv").write_text("0123456789")
    (tmp_path / "outside.csv").write_text("x")
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    (folder / "own.csv").symlink_to(folder / "inside.csv")
    job = msgspec.structs.replace(JOB, files=files, strategies=strategies)
    return JobOrder(job, str(folder), "", 10)


@pytest.mark.parametrize("name", ["inside.csv", "own.csv"])
def test_job_file_of_the_folder_is_found(tmp_path: Path, name: str) -> None:
    """Its links are followed."""
    order = order_of(tmp_path, name)

    assert options_of(order).files == (str((tmp_path / "feeds" / "inside.csv").resolve()),)


def test_job_reference_is_a_file_of_the_folder_too(tmp_path: Path) -> None:
    """It counts with the others, and is none of quotes."""
    order = order_of(tmp_path, "inside.csv")
    inside = str((tmp_path / "feeds" / "inside.csv").resolve())

    def options_with(name: str, *, bytes_max: int = 20) -> RunOptions:
        job = msgspec.structs.replace(order.job, reference=name)
        return options_of(msgspec.structs.replace(order, job=job, feed_bytes_max=bytes_max))

    told = options_with("own.csv")
    assert (told.files, told.reference) == ((inside,), inside)
    with pytest.raises(ConfigError, match="is not in the folder"):
        options_with("link.csv")
    with pytest.raises(ConfigError, match="at most 19 bytes, hold 20"):
        options_with("own.csv", bytes_max=19)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("link.csv",), "link.csv is not in the folder"),
        (("../outside.csv",), "is not in the folder"),
        (("/etc/hostname",), "is not in the folder"),
        (("missing.csv",), "is not in the folder"),
        ((".",), "is not in the folder"),
        (("inside.csv", "own.csv"), "at most 10 bytes, hold 20"),
    ],
)
def test_job_file_from_elsewhere_or_too_large_is_refused(
    tmp_path: Path, names: tuple[str, ...], text: str
) -> None:
    """The gateway has looked at the names; the worker looks at what they lead to."""
    with pytest.raises(ConfigError, match=text):
        options_of(order_of(tmp_path, *names))


@pytest.mark.parametrize("strategy", ["evil.py:Strategy", "dir/mine.yaml", ""])
def test_job_strategy_that_is_a_path_is_refused(tmp_path: Path, strategy: str) -> None:
    """A file of a strategy is a program."""
    with pytest.raises(ConfigError, match="strategies must be a name"):
        options_of(order_of(tmp_path, strategies=(strategy,)))


def test_job_files_without_a_folder_are_refused(tmp_path: Path) -> None:
    """Synthetic markets need none."""
    order = msgspec.structs.replace(order_of(tmp_path, "inside.csv"), feeds_dir="")

    with pytest.raises(ConfigError, match="FEEDS_DIR"):
        options_of(order)


def test_job_with_too_much_equity_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would fill the table, and the memory before that."""
    monkeypatch.setattr(job_module, "EQUITY_ROWS_MAX", 3)

    with pytest.raises(ConfigError, match="at most 3 days of accounts"):
        run_job(JobOrder(JOB, "", "", 1), ManualClock())


def test_job_that_asks_for_an_unknown_strategy_is_a_config_error() -> None:
    """With the names that there are."""
    order = JobOrder(msgspec.structs.replace(JOB, strategies=("nobody",)), "", "", 1)

    with pytest.raises(ConfigError, match="nobody"):
        run_job(order, ManualClock())


async def test_job_of_wrong_settings_fails_with_their_line(desk: Desk) -> None:
    """Through the real process."""
    async with desk.working():
        await desk.ask(msgspec.structs.replace(JOB, limits="nobody"))
        failed = await desk.until_ended()

    assert "limits must be one of" in failed.reason
    assert os.linesep not in failed.reason
