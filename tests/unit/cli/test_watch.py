"""Following a run to its end."""

from collections.abc import Mapping

import pytest

from tidegate_cli.watch import Probes, Recorded, RunStalledError, RunWatch, Status
from tidegate_common.clock import ManualClock


class Stack:
    """A stack whose recorder is further at each look; it stays at the last step."""

    def __init__(self, *steps: Recorded, ingest: Status | None = None) -> None:
        self.steps = list(steps)
        self.ingest_status = ingest
        self.stages: Mapping[str, Status | None] = {}
        self.shown: list[tuple[int, int | None]] = []

    async def recorded(self) -> Recorded:
        return self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]

    async def ingest(self) -> Status | None:
        return self.ingest_status

    async def statuses(self) -> Mapping[str, Status | None]:
        return self.stages

    def watch(self) -> RunWatch:
        return RunWatch(
            probes=Probes(self.recorded, self.ingest, self.statuses),
            clock=ManualClock(),
            show=lambda beats, total: self.shown.append((beats, total)),
        )


async def test_until_complete_counts_from_the_first_beat_sent() -> None:
    """Opening a file is not part of the run's time."""
    nothing = Recorded(0, is_complete=False)
    stack = Stack(nothing, Recorded(5, is_complete=False), Recorded(9, is_complete=True))
    stack.ingest_status = {"beat_count": 9, "next_beat": 3}

    seconds = await stack.watch().until_complete()

    assert seconds == pytest.approx(0.2)
    assert stack.shown == [(0, 9), (5, 9), (9, 9)]


async def test_until_complete_without_ingest_counts_from_the_first_record() -> None:
    """Ingest may have sent all and ended before the first look."""
    stack = Stack(
        Recorded(0, is_complete=False),
        Recorded(5, is_complete=False),
        Recorded(9, is_complete=True),
    )

    assert await stack.watch().until_complete() == pytest.approx(0.1)


async def test_until_complete_standstill_names_the_service_that_lags() -> None:
    """A user must see where to look."""
    stack = Stack(Recorded(7, is_complete=False), ingest={"beat_count": 100, "next_beat": 50})
    stack.stages = {
        "signals": {"shards": {"0": {"next_beat": 50}, "1": {"next_beat": 40}}},
        "execution-0": {"next_beat": 9},
        "risk-0": {"next_beat": 8},
    }

    with pytest.raises(
        RunStalledError,
        match=r"no progress for 120 s, 7 of 100 beats are recorded: recorder lags "
        r"\(next beats: signals 40, execution-0 9, risk-0 8, recorder 7\)",
    ):
        await stack.watch().until_complete()


async def test_until_complete_standstill_names_the_service_that_is_silent() -> None:
    """A hung process does not say where it is."""
    stack = Stack(Recorded(7, is_complete=False))
    stack.stages = {"risk-0": None, "execution-0": {"next_beat": 9}}

    with pytest.raises(RunStalledError, match="no answer from risk-0"):
        await stack.watch().until_complete()
