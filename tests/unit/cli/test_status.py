"""What `tidegate status` shows of each service."""

import pytest
from rich.console import Console

from tidegate_cli.stack_file import ServiceEntry, StackFile
from tidegate_cli.status import status_table
from tidegate_cli.watch import Status


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ({"stage": "risk-0", "run": "r1", "next_beat": 7}, "run r1, next_beat 7"),
        ({"stage": "recommendations-0", "run": None, "next_beat": 0}, "waits for a run"),
        ({"stage": "signals", "shards": {"0": {"run": None}}}, "shard 0: waits for a run"),
        ({"stage": "signals", "shards": {"0": {"run": "r1"}, "1": {"run": "r1"}}}, "r1; shard 1"),
        (None, "no answer"),
    ],
)
def test_status_says_where_a_service_is(status: Status | None, shown: str) -> None:
    """Somebody who looks wants to know whether it works, waits or is gone."""
    assert shown in text_of(status, is_finished=False)


def test_status_of_a_finished_feed_is_not_no_answer() -> None:
    """The feed is meant to end."""
    assert "finished" in text_of(None, is_finished=True)


def text_of(status: Status | None, *, is_finished: bool) -> str:
    """Return the table of a stack of one service as text."""
    entry = ServiceEntry(pid=1, http_port=2, start_count=3, is_finished=is_finished)
    stack = StackFile(
        run_id="r1",
        pid=9,
        addresses={},
        urls={"docs": "http://127.0.0.1:8000/docs"},
        services={"service": entry},
    )
    console = Console(width=120)
    with console.capture() as capture:
        console.print(status_table(stack, {"service": status}))
    return capture.get()
