"""A service as a process: its exit codes, and what it says on its way out."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PATIENCE_S = 20

# Serves until it is told to stop, or fails in the way that its argument names.
PROGRAM = """
import asyncio, sys
from pydantic_settings import SettingsConfigDict
from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.runtime.service import EXIT_UNDONE, run
from tidegate_common.runtime.settings import ServiceSettings

class ToySettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="TIDEGATE_TOY_")

async def fail(error):
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.Event().wait())
        raise error

async def serve(service):
    match sys.argv[1]:
        case "config": await fail(ConfigError("partition must be 0, was 1"))
        case "transient": await fail(TransientError("the broker went away"))
        case "bug": raise RuntimeError("our own bug")
        case "done": return
        case "undone":
            service.exit_code = EXIT_UNDONE
            service.health.is_ready = True
            await service.stopping.wait()
        case "stubborn":
            service.health.is_ready = True
            await asyncio.Event().wait()
        case _:
            service.health.status = lambda: {"next_beat": 7}
            service.health.is_ready = True
            await service.stopping.wait()

import tidegate_common.runtime.service as module
module.STOP_SECONDS_MAX = 0.1
run("toy", ToySettings, serve)
"""


def command_of(module: str) -> list[str]:
    """Return the command of a real service."""
    return [sys.executable, "-m", module]


def toy(how: str) -> list[str]:
    """Return the command of the toy service."""
    return [sys.executable, "-c", PROGRAM, how]


def environment(**values: str) -> dict[str, str]:
    """Return an environment without any setting but these."""
    inherited = {key: text for key, text in os.environ.items() if not key.startswith("TIDEGATE_")}
    return inherited | {"TIDEGATE_LOG_FORMAT": "json"} | values


def run_to_end(command: list[str], **values: str) -> subprocess.CompletedProcess[str]:
    """Run a service that ends by itself."""
    return subprocess.run(
        command,
        env=environment(**values),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@contextmanager
def started(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a service and yield it with its HTTP port."""
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = json.loads(process.stderr.readline())
            assert line["event"] == "service_started"
            yield process, line["http_port"]
        finally:
            process.kill()


def get(port: int, path: str) -> tuple[int, str]:
    """Return status and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.mark.parametrize("module", ["tidegate_execution", "tidegate_risk", "tidegate_ingest"])
def test_service_with_a_wrong_setting_exits_2_with_one_line(module: str) -> None:
    """Restarting will not help, so the supervisor must not try."""
    done = run_to_end(command_of(module), TIDEGATE_SHARD_COUNT="none")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "setting TIDEGATE_SHARD_COUNT: Input should be a valid integer" in done.stderr


@pytest.mark.parametrize("module", ["tidegate_execution", "tidegate_risk"])
def test_service_without_a_broker_exits_2_with_one_line(module: str) -> None:
    """Within the bound, and naming the address."""
    address = f"127.0.0.1:{free_port()}"

    done = run_to_end(
        command_of(module),
        TIDEGATE_KAFKA__BOOTSTRAP_SERVERS=address,
        TIDEGATE_KAFKA__CONNECT_TIMEOUT_SECONDS="0.3",
        TIDEGATE_LOG_LEVEL="error",
    )

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        f"no Kafka broker answers at {address} (waited 0.3 s)"
    )
    assert "Traceback" not in done.stderr


def test_ingest_without_its_run_file_exits_2_with_one_line() -> None:
    """A path that leads nowhere is the user's to mend."""
    done = run_to_end(
        command_of("tidegate_ingest"),
        TIDEGATE_INGEST_RUN_SPEC_FILE="no-such-file.json",
        TIDEGATE_LOG_LEVEL="error",
    )

    assert done.returncode == 2
    assert done.stderr == (
        "tidegate-ingest: run_spec_file no-such-file.json cannot be read: "
        "No such file or directory\n"
    )


@pytest.mark.parametrize(
    ("module", "setting"),
    [
        ("tidegate_execution", "TIDEGATE_EXECUTION_SHARD"),
        ("tidegate_risk", "TIDEGATE_RISK_PARTITION"),
    ],
)
def test_service_that_is_no_part_of_the_deployment_exits_2(module: str, setting: str) -> None:
    """Shard 3 of 2 would wait for ever for messages that nobody sends."""
    done = run_to_end(command_of(module), TIDEGATE_LOG_LEVEL="error", **{setting: "3"})

    assert done.returncode == 2
    assert "must be below" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_service_whose_port_is_in_use_exits_2_with_one_line() -> None:
    """It names the address, and does not try for ever."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_to_end(toy("serve"), TIDEGATE_TOY_HTTP_PORT=str(port))

    assert done.returncode == 2
    assert done.stderr.startswith(f"tidegate-toy: cannot listen on 127.0.0.1:{port}")
    assert len(done.stderr.splitlines()) == 1


def test_service_that_finds_a_config_error_later_exits_2() -> None:
    """Also out of a task group, where errors come in groups."""
    done = run_to_end(toy("config"))

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "tidegate-toy: partition must be 0, was 1"


def test_service_that_fails_exits_1_and_says_why() -> None:
    """A known failure has its reason in its text; a traceback would bury it."""
    done = run_to_end(toy("transient"))

    last = json.loads(done.stderr.splitlines()[-1])
    assert done.returncode == 1
    assert (last["event"], last["error"]) == ("service_failed", "the broker went away")
    assert (last["service"], last["level"], last["kind"]) == ("toy", "error", "TransientError")
    assert "Traceback" not in done.stderr


def test_service_that_crashes_exits_1_with_its_traceback() -> None:
    """Our own bug: the supervisor restarts us, and a person wants to see where."""
    done = run_to_end(toy("bug"))

    last = json.loads(done.stderr.splitlines()[-1])
    assert done.returncode == 1
    assert last["event"] == "service_crashed"
    assert "RuntimeError: our own bug" in last["exception"]


def test_service_whose_work_is_done_exits_0() -> None:
    """A finite replay ends ingest."""
    done = run_to_end(toy("done"))

    assert done.returncode == 0
    assert json.loads(done.stderr.splitlines()[-1])["event"] == "service_stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_service_told_to_stop_exits_0(number: signal.Signals) -> None:
    """A graceful stop is no failure."""
    with started(toy("serve")) as (process, _):
        process.send_signal(number)

        assert process.wait(PATIENCE_S) == 0


def test_service_told_to_stop_before_its_work_is_done_exits_143() -> None:
    """Who keeps it running must not take a feed for one that has said all."""
    with started(toy("undone")) as (process, _):
        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_S) == 128 + signal.SIGTERM


def test_service_that_does_not_stop_is_cancelled_and_exits_0() -> None:
    """A stop has a limit, and the log makes up for what was cut short."""
    with started(toy("stubborn")) as (process, _):
        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_S) == 0


def test_service_answers_health_status_and_metrics() -> None:
    """What Kubernetes and the local stack look at."""
    with started(toy("serve")) as (_, port):
        answers = {path: get(port, path) for path in ("/livez", "/readyz", "/status", "/metrics")}

    assert answers["/livez"] == (200, '{"status": "alive"}')
    assert answers["/readyz"] == (200, '{"status": "ready"}')
    assert answers["/status"] == (200, '{"next_beat": 7}')
    assert "tidegate_stage_beat_seconds" in answers["/metrics"][1]
