"""Control commands in the middle of a run on a real broker."""

import asyncio
from pathlib import Path

import pytest
from tests.e2e.conftest import outcome_of, stack, tidegate

from tidegate_common.bus.kafka import KafkaBus, KafkaConfig
from tidegate_common.codec import encode_event
from tidegate_common.domain.enums import ControlCommand
from tidegate_common.domain.ids import AccountId, RequestId, risk_partition_of
from tidegate_common.events.message import Message
from tidegate_common.events.orders import ControlRequest, RequestEnvelope
from tidegate_common.events.topics import REQUESTS

PARTITIONS = 2
HALTED = AccountId("A001")
HALT = ControlRequest(RequestId("halt"), ControlCommand.HALT, HALTED)
REDUCE_ALL = ControlRequest(RequestId("reduce"), ControlCommand.REDUCE)


# A run of the whole stack: on a busy machine it outlasts the limit of an ordinary test.
@pytest.mark.timeout(900)
def test_stack_commands_on_two_partitions_are_recorded_and_verified(
    tmp_path: Path,
    postgres_dsns: tuple[str, str],
) -> None:
    """Each partition lets its copy in at a beat of its own, and a kill -9 forgets none."""
    dsn, _ = postgres_dsns
    options = (
        *("--run-id", "day", "--instruments", 20, "--seed", 6, "--accounts", 4),
        *("--days", 2, "--beats", 120),
        *("--shards", 2, "--risk-partitions", PARTITIONS),
        *("--speed", "max", "--exit-when-done", "--json"),
    )

    with stack(tmp_path, *options, TIDEGATE_POSTGRES__URL=dsn) as running:
        running.wait_for_beat(30)
        # The run stands still until they are said: it must not be over by then.
        running.freeze("execution-0")
        asyncio.run(_publish(running.address("kafka")))
        running.thaw("execution-0")
        # On the second day, when the journal has the commands for long.
        running.wait_for_beat(140)
        running.kill("risk-0")
        finished = running.finish()
    verified = tidegate("verify", "day", "--postgres-url", dsn)
    # Who deploys the services has no `tidegate up` that tells of the run's end.
    waited = tidegate("run", "wait", "day", "--postgres-url", dsn, "--json")

    assert finished.exit_code == 0, finished.stderr
    assert outcome_of(waited.summary) == outcome_of(finished.summary)
    assert verified.exit_code == 0, verified.stdout + verified.stderr
    # One for the halted account, and one for each of four.
    assert ", 5 controls, " in verified.stdout


async def _publish(address: str) -> None:
    owner = risk_partition_of(HALTED, PARTITIONS)
    messages = [_message(owner, HALT)]
    messages += [_message(partition, REDUCE_ALL) for partition in range(PARTITIONS)]
    bus = KafkaBus(KafkaConfig(address))
    await bus.start()
    try:
        await bus.publish(messages)
    finally:
        await bus.close()


def _message(partition: int, control: ControlRequest) -> Message:
    value = encode_event(RequestEnvelope(control=control))
    return Message(REQUESTS.name, partition, value)
