"""Run one server and end it when the program that started us is gone.

This file is a script of its own: ``python -I -S watchdog.py SPEC``, standard library only, so that
it starts in some 15 ms. Its rules:

- Standard input is a pipe whose other end only our starter holds. When it closes, whether by
  ``stop()``, by an exit or by SIGKILL, the server is stopped. That works on Linux and macOS alike.
- A starter that forks without exec gives that end away; so a change of parent counts as well.
- The server gets its stop signal, then ``grace_s`` seconds, then SIGKILL.
- On Linux the server also gets its stop signal when this watchdog is killed.
- We end with the server's exit code, or 128 plus the number of the signal that ended it.
"""

import ctypes
import json
import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from typing import Final, NoReturn

# How soon a change of parent is seen. The pipe tells in microseconds; this is the second line.
PARENT_CHECK_S: Final = 1.0
CAUGHT_SIGNALS: Final = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
EXIT_SIGNAL_BASE: Final = 128
EXIT_NOT_STARTED: Final = 127

# From linux/prctl.h and linux/capability.h.
PR_SET_PDEATHSIG: Final = 1
PR_SET_KEEPCAPS: Final = 8
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_RAISE: Final = 2
CAP_DAC_OVERRIDE: Final = 1
LINUX_CAPABILITY_VERSION_3: Final = 0x20080522


@dataclass(frozen=True, slots=True)
class Spec:
    """What to run and how to end it; travels as JSON in the first argument."""

    command: tuple[str, ...]
    directory: str
    stop_signal: int
    grace_s: float
    # None: stay who we are. Else (uid, gid), for a server that refuses to run as root.
    account: tuple[int, int] | None = None
    # Keep root's way through closed folders for that account (Linux only).
    keeps_access: bool = False


def main() -> int:
    """Start the server, wait for its end or for our starter's, and return the exit code."""
    spec = Spec(**json.loads(sys.argv[1]))
    starter = os.getppid()
    wake = _wake_on_signals()
    watchdog = os.getpid()
    # Held back until the server has its own way with signals, lest one is lost in between.
    signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT_SIGNALS)
    server = os.fork()
    if server == 0:
        _become_server(spec, watchdog)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, CAUGHT_SIGNALS)
    while True:
        status = _reap(server)
        if status is not None:
            return _exit_code(status)
        ready, _, _ = select.select([0, wake], [], [], PARENT_CHECK_S)
        if wake in ready and _is_stop_asked(wake):
            break
        if 0 in ready or os.getppid() != starter:
            break
    return _exit_code(_stop(spec, server))


def _wake_on_signals() -> int:
    """Turn signals into bytes on a pipe, so that one ``select`` waits for everything."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    for number in CAUGHT_SIGNALS:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(wake_write)
    return wake_read


def _is_stop_asked(wake: int) -> bool:
    """Empty the pipe; tell whether anything but a child's end was in it."""
    return any(number != signal.SIGCHLD for number in os.read(wake, 4096))


def _stop(spec: Spec, server: int) -> int:
    """End the server, by force when its time is up, and return its wait status."""
    os.kill(server, spec.stop_signal)
    deadline = time.monotonic() + spec.grace_s
    while time.monotonic() < deadline:
        status = _reap(server)
        if status is not None:
            return status
        time.sleep(0.005)
    os.kill(server, signal.SIGKILL)
    return os.waitpid(server, 0)[1]


def _reap(server: int) -> int | None:
    """Return the server's wait status once it has ended."""
    pid, status = os.waitpid(server, os.WNOHANG)
    return status if pid == server else None


def _exit_code(status: int) -> int:
    """Translate a wait status as shells do."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else EXIT_SIGNAL_BASE - code


def _become_server(spec: Spec, watchdog: int) -> NoReturn:
    """Turn this fork into the server."""
    try:
        signal.set_wakeup_fd(-1)
        # Python ignores SIGPIPE, and what is ignored stays ignored through exec.
        for number in (*CAUGHT_SIGNALS, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, CAUGHT_SIGNALS)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(spec.directory)
        if spec.account is not None:
            _change_account(*spec.account, keeps_access=spec.keeps_access)
        if sys.platform == "linux":
            # After the change of account, which clears it.
            _prctl(PR_SET_PDEATHSIG, spec.stop_signal)
            if os.getppid() != watchdog:
                os._exit(EXIT_NOT_STARTED)
        os.execv(spec.command[0], spec.command)  # noqa: S606 - a list, no shell, on purpose
    except OSError as error:
        os.write(2, f"cannot run {spec.command[0]}: {error}\n".encode())
    os._exit(EXIT_NOT_STARTED)


def _change_account(uid: int, gid: int, *, keeps_access: bool) -> None:
    """Stop being root, for good."""
    if keeps_access:
        _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if keeps_access:
        _keep_only(CAP_DAC_OVERRIDE)


def _keep_only(capability: int) -> None:
    """Drop every capability but one, and carry that one through exec."""
    bit = 1 << capability
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable, for capabilities 0 to 31 and then 32 to 63.
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    _check(ctypes.CDLL(None, use_errno=True).capset(header, sets))
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def _prctl(option: int, *values: int) -> None:
    """Call prctl(2) with its five arguments."""
    arguments = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    _check(ctypes.CDLL(None, use_errno=True).prctl(option, *arguments))


def _check(result: int) -> None:
    """Raise the error of a failed call into the C library."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    sys.exit(main())
