"""`tidegate feed rejects`: the rows that ingest refused, from the log."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.console import Console

from tidegate_cli.output import print_json
from tidegate_cli.settings import CliSettings
from tidegate_cli.stack_file import read_stack_file
from tidegate_common.bus.base import Bus, TopicPartition
from tidegate_common.bus.kafka import KafkaBus
from tidegate_common.codec import decode_event
from tidegate_common.errors import ConfigError, ContractError
from tidegate_common.events.ingest import RejectBatch, RejectedRow
from tidegate_common.events.topics import REJECTS

PLACE = TopicPartition(REJECTS.name, 0)
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class RejectFilter:
    """Which rows are wanted; "" for all.

    run_id : of one run. reason : for one reason.
    """

    run_id: str = ""
    reason: str = ""


class RejectPrinter:
    """Prints refused rows, one line each, and counts them by reason."""

    def __init__(self, console: Console, *, as_json: bool) -> None:
        self._console = console
        self._as_json = as_json
        self._counts: Counter[str] = Counter()
        self._lost_count = 0

    def take(self, batch: RejectBatch, row: RejectedRow) -> None:
        """Print a row."""
        self._counts[row.reason] += 1
        if self._as_json:
            places = {"source": row.source, "row": row.row, "reason": row.reason}
            print_json({"run_id": batch.run_id, **places, "record": row.record})
        else:
            place = f"{Path(row.source).name}:{row.row}"
            record = " ".join(row.record.split())
            self._console.out(f"{row.reason}  {place}  {record}", highlight=False)

    def take_lost(self, count: int) -> None:
        """Take note of rows that were not kept."""
        self._lost_count += count

    def finish(self) -> None:
        """Print what it came to; people read it, programs count lines."""
        if self._as_json:
            return
        parts = [f"{count:,} {reason}" for reason, count in self._counts.most_common()]
        lost = f"; {self._lost_count:,} were not kept" if self._lost_count else ""
        typer.echo(
            f"{self._counts.total():,} rows were refused: {', '.join(parts) or 'none'}{lost}"
        )


async def show_rejects(
    data_dir: Path, settings: CliSettings, chosen: RejectFilter, printer: RejectPrinter
) -> None:
    """Print what the log has; what comes meanwhile is left for the next time.

    Raises
    ------
    ConfigError
        If there is no broker to ask.
    """
    stack = read_stack_file(data_dir)
    address = settings.kafka_servers or (stack.addresses["kafka"] if stack else None)
    if address is None:
        message = (
            f"no stack runs in {data_dir}: name one with --data-dir, "
            "or a broker with TIDEGATE_KAFKA__BOOTSTRAP_SERVERS"
        )
        raise ConfigError(message)
    bus = KafkaBus(replace(settings.kafka.config(), bootstrap_servers=address))
    await bus.start()
    try:
        async for batch in read_rejects(bus):
            if chosen.run_id not in {"", batch.run_id}:
                continue
            printer.take_lost(batch.lost_count)
            for row in batch.rows:
                if chosen.reason in {"", row.reason}:
                    printer.take(batch, row)
    finally:
        await bus.close()


async def read_rejects(bus: Bus) -> AsyncIterator[RejectBatch]:
    """Yield the batches of the log, each key once; what is no batch is passed over."""
    end = (await bus.end_offsets([PLACE]))[PLACE]
    seen: set[tuple[str, int, int]] = set()
    place = 0
    reader = await bus.open_reader({PLACE: 0})
    try:
        while place < end:
            for message in await reader.poll(_POLL_SECONDS):
                place = message.offset + 1
                try:
                    batch = decode_event(RejectBatch, message.value)
                except ContractError:
                    # Not ours to judge.
                    continue
                key = (batch.run_id, batch.epoch, batch.sequence)
                if key not in seen:
                    seen.add(key)
                    yield batch
    finally:
        await reader.close()
