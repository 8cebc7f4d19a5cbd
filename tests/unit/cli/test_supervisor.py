"""The supervisor, with tiny programs in place of services."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tidegate_cli.supervisor import Program, ServiceFailedError, Supervisor
from tidegate_common.clock import ManualClock
from tidegate_common.errors import ConfigError
from tidegate_common.runtime.system_clock import SystemClock

WAIT_SECONDS_MAX = 20.0
SERVE = "import signal; print('serving', flush=True); signal.pause()"
# Notes the end in a file, so that the order of several shows.
SERVE_AND_NOTE = (
    "import signal, sys\n"
    "def end(*_):\n"
    "    open(sys.argv[1], 'a').write(sys.argv[2] + ' ')\n"
    "    sys.exit(0)\n"
    "signal.signal(signal.SIGTERM, end)\n"
    "print('serving', flush=True)\n"
    "signal.pause()\n"
)
SERVE_STUBBORNLY = (
    "import signal\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('serving', flush=True)\n"
    "while True: signal.pause()\n"
)


def make_program(
    code: str, *arguments: str, name: str = "service", is_feed: bool = False
) -> Program:
    """Return a program that runs a piece of Python."""
    return Program(
        name=name,
        command=(sys.executable, "-I", "-S", "-c", code, *arguments),
        environment=dict(os.environ),
        directory=Path.cwd(),
        is_feed=is_feed,
    )


class Lines:
    """Collects what programs write, and waits for a line."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self._event = asyncio.Event()

    def take(self, name: str, line: str) -> None:
        self.seen.append((name, line))
        self._event.set()

    async def until(self, is_enough: Callable[[list[tuple[str, str]]], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while not is_enough(self.seen):
                self._event.clear()
                await self._event.wait()

    async def until_said(self, text: str, times: int = 1) -> None:
        await self.until(lambda seen: sum(text in line for _, line in seen) >= times)


async def test_supervisor_killed_service_is_started_again() -> None:
    """A crash of one service is not the end of the stack."""
    lines = Lines()
    supervisor = Supervisor([make_program(SERVE)], clock=SystemClock(), take_line=lines.take)

    async with supervisor.running():
        await lines.until_said("serving")
        first = supervisor.states()["service"].pid
        os.kill(first, signal.SIGKILL)
        await lines.until_said("serving", times=2)
        second = supervisor.states()["service"]

    assert ("service", "ended with SIGKILL, is started again") in lines.seen
    assert second.pid != first
    assert second.start_count == 2
    assert not psutil.pid_exists(second.pid)


async def test_supervisor_exit_code_2_stops_everything_with_the_message() -> None:
    """Starting again does not mend a wrong setting."""
    lines = Lines()
    code = "import sys; print('tidegate-risk: setting X must be 1'); print('bye'); sys.exit(2)"
    programs = [make_program(SERVE, name="other"), make_program(code, name="risk-0")]
    pids: set[int] = set()
    supervisor = Supervisor(
        programs,
        clock=SystemClock(),
        take_line=lines.take,
        changed=lambda: pids.add(supervisor.states()["other"].pid),
    )

    with pytest.raises(ConfigError, match=r"^risk: setting X must be 1$"):
        async with asyncio.timeout(WAIT_SECONDS_MAX), supervisor.running():
            await asyncio.Event().wait()

    assert supervisor.states()["risk-0"].start_count == 1
    assert len(pids - {0}) == 1
    assert not any(psutil.pid_exists(pid) for pid in pids - {0})


async def test_supervisor_exit_code_2_of_a_later_start_is_no_wrong_setting(tmp_path: Path) -> None:
    """Its port may be taken for a moment while it was away; it ran with its settings before."""
    lines = Lines()
    code = (
        "import os, pathlib, signal, sys\n"
        "starts = pathlib.Path(sys.argv[1])\n"
        "starts.write_text(starts.read_text() + 'x' if starts.exists() else 'x')\n"
        "if starts.read_text() == 'xx': sys.exit(2)\n"
        "print('serving', flush=True)\n"
        "signal.pause()\n"
    )
    program = make_program(code, str(tmp_path / "starts"))
    supervisor = Supervisor([program], clock=SystemClock(), take_line=lines.take)

    async with supervisor.running():
        await lines.until_said("serving")
        os.kill(supervisor.states()["service"].pid, signal.SIGKILL)
        await lines.until_said("serving", times=2)
        state = supervisor.states()["service"]

    assert state.start_count == 3


async def test_supervisor_service_that_ended_has_no_pid_until_it_runs_again() -> None:
    """The system may give the number to somebody else."""
    lines = Lines()
    pids: list[int] = []
    supervisor = Supervisor(
        [make_program(SERVE)],
        clock=SystemClock(),
        take_line=lines.take,
        changed=lambda: pids.append(supervisor.states()["service"].pid),
    )

    async with asyncio.timeout(WAIT_SECONDS_MAX), supervisor.running():
        await lines.until_said("serving")
        os.kill(supervisor.states()["service"].pid, signal.SIGKILL)
        await lines.until_said("serving", times=2)

    first, between, second = pids[:3]
    assert between == 0
    assert first > 0
    assert second > 0


async def test_supervisor_service_that_keeps_ending_is_given_up() -> None:
    """Restarts are bounded, and the reason is in the message."""
    lines = Lines()
    program = make_program("print('out of luck'); raise SystemExit(1)")
    supervisor = Supervisor([program], clock=ManualClock(), take_line=lines.take)

    with pytest.raises(ServiceFailedError, match=r"10 times within 60 s.*exit code 1: out of luck"):
        async with asyncio.timeout(WAIT_SECONDS_MAX), supervisor.running():
            await asyncio.Event().wait()

    assert supervisor.states()["service"].start_count == 10


async def test_supervisor_told_to_bear_more_ends_bears_them_with_shorter_pauses() -> None:
    """A drill kills more often than a fault does."""
    lines, clock = Lines(), ManualClock()
    program = make_program("raise SystemExit(1)")
    supervisor = Supervisor([program], clock=clock, take_line=lines.take, ends_max=20)

    with pytest.raises(ServiceFailedError, match="20 times within 60 s"):
        async with asyncio.timeout(WAIT_SECONDS_MAX), supervisor.running():
            await asyncio.Event().wait()

    # Each of 0.1, 0.2, 0.5, 1 and 2 s twice, then nine times 5 s.
    assert clock.monotonic_seconds() == pytest.approx(2 * 3.8 + 9 * 5.0)


async def test_supervisor_feed_waits_for_its_start_and_may_finish() -> None:
    """A replay that is fully sent is not sent again."""
    lines = Lines()
    finished = asyncio.Event()
    feed = make_program("print('sent')", name="feed", is_feed=True)

    def changed() -> None:
        if supervisor.states()["feed"].is_finished:
            finished.set()

    supervisor = Supervisor(
        [feed, make_program(SERVE)], clock=SystemClock(), take_line=lines.take, changed=changed
    )

    async with asyncio.timeout(WAIT_SECONDS_MAX), supervisor.running():
        await lines.until_said("serving")
        assert supervisor.states()["feed"].start_count == 0
        supervisor.start_feed()
        await finished.wait()

    assert supervisor.states()["feed"].start_count == 1


async def test_supervisor_leaving_the_block_stops_in_the_listed_order(tmp_path: Path) -> None:
    """Upstream stops first, so that downstream can finish what was sent."""
    lines, notes = Lines(), tmp_path / "notes"
    names = ["ingest", "risk", "recorder"]
    programs = [make_program(SERVE_AND_NOTE, str(notes), name, name=name) for name in names]
    supervisor = Supervisor(programs, clock=SystemClock(), take_line=lines.take)

    async with supervisor.running():
        await lines.until_said("serving", times=3)

    assert notes.read_text().split() == names


async def test_supervisor_service_that_will_not_stop_is_killed_in_time() -> None:
    """Ctrl-C is over within its bound, whatever a service does."""
    lines = Lines()
    supervisor = Supervisor(
        [make_program(SERVE_STUBBORNLY)],
        clock=SystemClock(),
        take_line=lines.take,
        stop_seconds_max=0.3,
    )

    async with asyncio.timeout(WAIT_SECONDS_MAX), supervisor.running():
        await lines.until_said("serving")
        service = psutil.Process(supervisor.states()["service"].pid)

    # Killed with its watchdog, so the system's first process reaps it.
    assert psutil.wait_procs([service], timeout=WAIT_SECONDS_MAX)[1] == []


async def test_supervisor_error_inside_the_block_comes_out_as_it_is() -> None:
    """The caller's own failure is not wrapped in a group."""
    lines = Lines()
    supervisor = Supervisor([make_program(SERVE)], clock=SystemClock(), take_line=lines.take)

    async def fail_inside() -> None:
        async with supervisor.running():
            await lines.until_said("serving")
            message = "mine"
            raise ServiceFailedError(message)

    with pytest.raises(ServiceFailedError, match="mine"):
        await fail_inside()

    assert not psutil.pid_exists(supervisor.states()["service"].pid)


async def test_supervisor_overlong_line_does_not_stop_the_service() -> None:
    """A service may dump anything."""
    lines = Lines()
    code = "print('x' * (3 << 20)); " + SERVE
    supervisor = Supervisor([make_program(code)], clock=SystemClock(), take_line=lines.take)

    async with supervisor.running():
        await lines.until_said("serving")

    assert supervisor.states()["service"].start_count == 1


def test_supervisor_killed_parent_takes_its_services_with_it(tmp_path: Path) -> None:
    """Nothing is left running behind a crash of the command itself."""
    driver = tmp_path / "driver.py"
    driver.write_text(
        "import asyncio, os, sys\n"
        "from pathlib import Path\n"
        "from tidegate_cli.supervisor import Program, Supervisor\n"
        "from tidegate_common.runtime.system_clock import SystemClock\n"
        f"code = {SERVE!r}\n"
        "program = Program('service', (sys.executable, '-I', '-S', '-c', code),\n"
        "                  dict(os.environ), Path.cwd())\n"
        "async def main():\n"
        "    supervisor = Supervisor([program], clock=SystemClock(), take_line=lambda *_:\n"
        "        print(supervisor.states()['service'].pid, flush=True))\n"
        "    async with supervisor.running():\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n",
        encoding="utf-8",
    )
    with subprocess.Popen([sys.executable, str(driver)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        service = psutil.Process(int(parent.stdout.readline()))

        parent.kill()
        _, alive = psutil.wait_procs([service], timeout=WAIT_SECONDS_MAX)

    assert alive == []
