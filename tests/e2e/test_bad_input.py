"""Bad input gets one clear line, or a dead letter, and loses nothing."""

import asyncio
import socket
from pathlib import Path

import pandas as pd
import pytest
from tests.e2e.conftest import stack, tidegate

from tidegate_common.bus.kafka import KafkaBus, KafkaConfig
from tidegate_common.events.message import Message
from tidegate_common.events.topics import BACKTESTS, LEASES, REJECTS, TOPICS

GARBAGE = b"\xff not a message of ours"
MARKET = ("--instruments", 20, "--seed", 8, "--accounts", 2)
# Who reads snapshots checks them by checksum and passes over what does not add up; what is no
# lease is a line in the log of ingest. Refused rows have no reader, and backtests no worker here.
UNREAD = {LEASES, REJECTS, BACKTESTS}
READ_TOPICS = [topic for topic in TOPICS if not topic.is_compacted and topic not in UNREAD]
LATE_STRATEGY = """\
from tidegate_signals.engine.features.spec import Period
from tidegate_signals.engine.strategies.strategy import Opinions, Strategy

class Late(Strategy):
    PERIODS = (Period.BEAT,)

    def __init__(self, parameters):
        self.inputs = {"mean": "SMA(20)"}

    def score(self, view):
        if (view["mean"] > 0).any():
            raise ValueError("too late")
        return Opinions(view["mean"])
"""


def test_stack_garbage_on_every_topic_is_put_aside_and_changes_nothing(tmp_path: Path) -> None:
    """An undecodable message is kept with its reason; the outcome is that of a clean run."""
    options = (*MARKET, "--exit-when-done", "--json")

    with stack(tmp_path, *options, "--speed", "max") as running:
        asyncio.run(_publish_garbage(running.address("kafka")))
        shaken = running.finish().summary
    clean = tidegate("backtest", *MARKET, "--json").summary

    assert shaken["dead_letters"] == len(READ_TOPICS)
    assert shaken["outcome_sha256"] == clean["outcome_sha256"]


def test_replay_file_with_missing_columns_exits_2_with_one_line(tmp_path: Path) -> None:
    """The line says which columns are missing."""
    path = tmp_path / "quotes.csv"
    pd.DataFrame({"SecurityID": ["600519"], "LastPrice": [1.0]}).to_csv(path, index=False)

    done = tidegate("up", "--data-dir", tmp_path, "--replay", path, "--exit-when-done")

    assert done.exit_code == 2
    assert "column" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_replay_file_that_is_not_there_exits_2_with_one_line(tmp_path: Path) -> None:
    """The line names the file."""
    done = tidegate("up", "--data-dir", tmp_path, "--replay", tmp_path / "no.parquet")

    assert done.exit_code == 2
    assert "no.parquet" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_own_strategy_that_fails_in_mid_run_exits_2_with_its_line(tmp_path: Path) -> None:
    """Starting signals again would not help: the stack ends, and names the place in the file."""
    path = tmp_path / "late.py"
    path.write_text(LATE_STRATEGY, encoding="utf-8")

    done = tidegate(
        *("up", "--data-dir", tmp_path, *MARKET, "--strategy", f"{path}:Late", "--exit-when-done"),
    )

    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].endswith(f"{path}:Late: line 12: ValueError: too late")
    assert "Traceback" not in done.stderr


def test_gateway_port_in_use_exits_2_with_one_line(tmp_path: Path) -> None:
    """The line says which port and which option."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]

        done = tidegate("up", "--data-dir", tmp_path, "--gateway-port", port)

    assert done.exit_code == 2
    assert str(port) in done.stderr
    assert "--gateway-port" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_broker_that_is_not_there_exits_2_with_one_line(tmp_path: Path) -> None:
    """The line says where it was looked for."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]

    done = tidegate(
        *("up", "--data-dir", tmp_path),
        TIDEGATE_KAFKA__BOOTSTRAP_SERVERS=f"127.0.0.1:{port}",
        TIDEGATE_KAFKA__CONNECT_TIMEOUT_SECONDS="2",
    )

    assert done.exit_code == 2
    assert f"127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("TIDEGATE_SHARD_COUNT", "many", "TIDEGATE_SHARD_COUNT"),
        ("TIDEGATE_KAFKA__FETCH_MAX_WAIT_MS", "0", "TIDEGATE_KAFKA__FETCH_MAX_WAIT_MS"),
    ],
)
def test_wrong_setting_exits_2_with_one_line(
    tmp_path: Path,
    variable: str,
    value: str,
    expected: str,
) -> None:
    """The line names the setting, what it must be and what it was."""
    done = tidegate("up", "--data-dir", tmp_path, **{variable: value})

    assert done.exit_code == 2
    assert expected in done.stderr
    assert value in done.stderr
    assert "Traceback" not in done.stderr


async def _publish_garbage(address: str) -> None:
    bus = KafkaBus(KafkaConfig(address))
    await bus.start()
    try:
        await bus.publish([Message(topic.name, 0, GARBAGE) for topic in TOPICS])
    finally:
        await bus.close()
