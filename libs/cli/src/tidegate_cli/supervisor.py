"""Keeps the stack's services running.

Rules
-----
- A service that ends is started again after a pause that grows while it keeps ending; one that
  ends too often within a minute (ten times, unless told otherwise) is given up, and with it the
  stack.
- Exit code 2 of a service's first start says that the user's settings are wrong: starting again
  would not help, so the stack stops with the service's own message. A later one says that something
  is in the way for now, such as its port while it was away.
- The feed starts when `start_feed` is called; ended with code 0 it has done its work.
- Services stop in the order in which they are listed, upstream first.
- Every service runs under the servers' watchdog, which ends it when this process is gone.
"""

import asyncio
import json
import math
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import psutil

from tidegate_cli.servers import watchdog
from tidegate_common.clock import Clock
from tidegate_common.errors import ConfigError, TidegateError

EXIT_CONFIG: Final = 2
PAUSES_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
ENDS_MAX: Final = 10
ENDS_WITHIN_SECONDS: Final = 60.0
# All services together; the servers need the rest of the stack's ten seconds.
STOP_SECONDS_MAX: Final = 7.0
# What one stage may take before the next one downstream is told to stop as well.
STOP_STEP_SECONDS: Final = 2.0
# Frames of a traceback that a dying service is remembered by.
LAST_LINES: Final = 20
LINE_BYTES_MAX: Final = 1 << 20
_FORK_SECONDS_MAX: Final = 2.0
_POLL_SECONDS: Final = 0.01
_LAST_LINES_SECONDS: Final = 0.2

LineSink = Callable[[str, str], None]


class ServiceFailedError(TidegateError):
    """A service keeps ending."""


@dataclass(frozen=True, slots=True)
class Program:
    """A service to keep running.

    environment : all of it; nothing is added.
    is_feed : whether it waits for `start_feed`, and exit code 0 means that its work is done.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    is_feed: bool = False


@dataclass(slots=True)
class _Kept:
    """What is known of one program.

    pid : of the service itself, 0 while it is not running; its watchdog is `process`.
    ends : when it ended, the last minute's.
    """

    program: Program
    process: asyncio.subprocess.Process | None = None
    pid: int = 0
    start_count: int = 0
    is_finished: bool = False
    ends: deque[float] = field(default_factory=deque)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))


@dataclass(frozen=True, slots=True)
class ProgramState:
    """A program as `tidegate status` and the tests see it."""

    pid: int
    start_count: int
    is_finished: bool


class Supervisor:
    """Runs programs until told to stop.

    Parameters
    ----------
    take_line : called with a program's name and each line that it writes.
    changed : called when a program has started or ended.
    ends_max : how often a program may end within a minute before it is given up.
    stop_seconds_max : for all programs together; what is left then is killed.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        clock: Clock,
        take_line: LineSink,
        changed: Callable[[], None] = lambda: None,
        ends_max: int = ENDS_MAX,
        stop_seconds_max: float = STOP_SECONDS_MAX,
    ) -> None:
        self._kept = [_Kept(program) for program in programs]
        self._clock = clock
        self._take_line = take_line
        self._changed = changed
        self._ends_max = ends_max
        self._stop_seconds_max = stop_seconds_max
        self._stopping = asyncio.Event()
        self._feed_due = asyncio.Event()

    def start_feed(self) -> None:
        """Let the feed start: all others are ready."""
        self._feed_due.set()

    def states(self) -> dict[str, ProgramState]:
        """Return what each program is at."""
        return {
            kept.program.name: ProgramState(kept.pid, kept.start_count, kept.is_finished)
            for kept in self._kept
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the programs running inside the block; stop all of them on the way out.

        Raises
        ------
        ConfigError
            If a program says that the user's settings are wrong.
        ServiceFailedError
            If a program keeps ending.
        """
        try:
            async with asyncio.TaskGroup() as group:
                keepers = [group.create_task(self._keep(kept)) for kept in self._kept]
                try:
                    yield
                finally:
                    await self._stop()
                    # A moment for the last lines; who waits to start again is not waited for.
                    await asyncio.wait(keepers, timeout=_LAST_LINES_SECONDS)
                    for keeper in keepers:
                        keeper.cancel()
        except BaseExceptionGroup as failures:
            # The user gets one line about one program; the others were only told to stop.
            raise _first(failures) from None

    async def _keep(self, kept: _Kept) -> None:
        if kept.program.is_feed:
            await self._feed_due.wait()
        while not self._stopping.is_set():
            code = await self._run_once(kept)
            if self._stopping.is_set():
                return
            if code == 0 and kept.program.is_feed:
                kept.is_finished = True
                self._changed()
                return
            self._judge(kept, code)
            await self._clock.sleep(self._pause(kept))

    async def _run_once(self, kept: _Kept) -> int:
        """Start a program, pass on its lines and return its exit code."""
        kept.process = process = await _start(kept.program, self._stop_seconds_max)
        kept.pid = await _service_pid(process)
        kept.start_count += 1
        self._changed()
        assert process.stdout is not None
        await self._pump(kept, process.stdout)
        code = await process.wait()
        # The system may give the number to somebody else, and who reads it may kill that one.
        kept.pid = 0
        self._changed()
        return code

    async def _pump(self, kept: _Kept, stream: asyncio.StreamReader) -> None:
        while True:
            try:
                raw = await stream.readline()
            except ValueError:
                # Longer than LINE_BYTES_MAX: the reader has dropped it.
                continue
            if not raw:
                return
            line = raw.decode(errors="replace").rstrip()
            kept.lines.append(line)
            self._take_line(kept.program.name, line)

    def _judge(self, kept: _Kept, code: int) -> None:
        """Note how a program ended; raise if it is not to be started again."""
        name = kept.program.name
        if code == EXIT_CONFIG and kept.start_count == 1:
            raise ConfigError(_last_words(kept))
        now = self._clock.monotonic_seconds()
        kept.ends.append(now)
        while now - kept.ends[0] >= ENDS_WITHIN_SECONDS:
            kept.ends.popleft()
        self._take_line(name, f"ended with {_describe(code)}, is started again")
        if len(kept.ends) >= self._ends_max:
            message = (
                f"{name} ended {self._ends_max} times within {ENDS_WITHIN_SECONDS:.0f} s, "
                f"at last with {_describe(code)}: {_last_words(kept)}"
            )
            raise ServiceFailedError(message)

    def _pause(self, kept: _Kept) -> float:
        """Return how long to wait: the longer, the more of the ends that it may have are used."""
        step = math.ceil(len(kept.ends) * ENDS_MAX / self._ends_max)
        return PAUSES_SECONDS[min(step, len(PAUSES_SECONDS)) - 1]

    async def _stop(self) -> None:
        """Stop one program after the other; kill what is left when the time is up."""
        self._stopping.set()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._stop_seconds_max
        processes = [kept.process for kept in self._kept if kept.process is not None]
        for process in processes:
            _ask_to_stop(process)
            await _wait(process, min(STOP_STEP_SECONDS, deadline - loop.time()))
        for process in processes:
            await _wait(process, deadline - loop.time())
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


async def _start(program: Program, grace_seconds: float) -> asyncio.subprocess.Process:
    spec = watchdog.Spec(
        command=program.command,
        directory=str(program.directory),
        stop_signal=signal.SIGTERM,
        grace_s=grace_seconds,
    )
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", watchdog.__file__, json.dumps(asdict(spec))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(program.environment),
        limit=LINE_BYTES_MAX,
        # Its own session: the terminal's Ctrl-C reaches us, and we stop the services in order.
        start_new_session=True,
    )


async def _service_pid(process: asyncio.subprocess.Process) -> int:
    """Return the process id of the service that a watchdog has started; 0 if it is gone."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _FORK_SECONDS_MAX
    while process.returncode is None and loop.time() < deadline:
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(process.pid).children()
            if children:
                return int(children[0].pid)
        await asyncio.sleep(_POLL_SECONDS)
    return 0


def _ask_to_stop(process: asyncio.subprocess.Process) -> None:
    """Close the pipe that the watchdog watches."""
    assert process.stdin is not None
    process.stdin.close()


async def _wait(process: asyncio.subprocess.Process, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), max(0.0, seconds))


def _describe(code: int) -> str:
    if code > watchdog.EXIT_SIGNAL_BASE:
        with suppress(ValueError):
            return signal.Signals(code - watchdog.EXIT_SIGNAL_BASE).name
    return f"exit code {code}"


def _last_words(kept: _Kept) -> str:
    """Return the last line that says why a program ended."""
    said = [line for line in kept.lines if line]
    for line in reversed(said):
        if line.startswith("tidegate-"):
            return line.removeprefix("tidegate-")
    return said[-1] if said else f"{kept.program.name} said nothing"


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first exception of a group, the user's own mistakes before all others."""
    leaves = list(_leaves(failures))
    for wanted in (KeyboardInterrupt, ConfigError, TidegateError):
        for leaf in leaves:
            if isinstance(leaf, wanted):
                return leaf
    return leaves[0]


def _leaves(failures: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for each in failures.exceptions:
        found += _leaves(each) if isinstance(each, BaseExceptionGroup) else [each]
    return found
