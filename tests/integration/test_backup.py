"""Backup and restore, by the very commands of docs/operations.md."""

import asyncio
import hashlib
import os
import re
import shutil
import tarfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.integration.recorded_gateway import NOWHERE_REDIS, gateway

from tidegate_cli.servers.postgres import find_programs
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.domain.ids import RunId
from tidegate_common.events.message import Message
from tidegate_common.store.postgres import migrate, open_pool
from tidegate_common.testing.scripted_run import ScriptedRun, all_topics
from tidegate_common.testing.servers import new_database
from tidegate_recorder.adapters.archive import Archive
from tidegate_recorder.adapters.tables import Tables
from tidegate_recorder.queries import recorded_run, recording_sha256
from tidegate_recorder.shell import Recorder, RecorderOptions

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
# Of the first run a day is over; of the second one a part is there when the backup is made.
EARLIER = ScriptedRun(run_id=RunId("earlier"), beat_count=6)
SCRIPT = ScriptedRun(run_id=RunId("broken-off"), beat_count=9)
LATER = ScriptedRun(run_id=RunId("later"), beat_count=3)
BACKED_UP_BEATS = 5
RUNS = (EARLIER.run_id, SCRIPT.run_id)
LISTINGS = ("orders", "decisions", "fills", "bookings")


def commands_of(chapter: str) -> str:
    """Return the commands that the document tells under a heading."""
    text = DOCUMENT.read_text(encoding="utf-8").split(f"### {chapter}\n")[1]
    found = re.search(r"```sh\n(.*?)```", text, re.DOTALL)
    assert found
    return found[1]


async def run_commands(commands: str, *, dsn: str, archive: Path, backup: Path) -> None:
    """Run commands as an operator's shell does."""
    places = {"DATABASE_URL": dsn, "ARCHIVE": str(archive), "BACKUP": str(backup)}
    path = f"{find_programs()}{os.pathsep}{os.environ['PATH']}"
    shell = await asyncio.create_subprocess_exec(
        *("sh", "-eu", "-c", commands),
        env={**os.environ, **places, "PATH": path},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await shell.communicate()
    assert shell.returncode == 0, said.decode()


async def log_of(messages: Sequence[Message]) -> MemoryBus:
    """Return a broker with messages on it."""
    bus = MemoryBus()
    await bus.create_topics(all_topics())
    await bus.publish(messages)
    return bus


async def record(dsn: str, bus: MemoryBus, archive: Path, *, log: str = "main") -> None:
    """Record what is on a log, from where the tables and the archive end."""
    await migrate(dsn)
    pool = await open_pool(dsn, service="test")
    recorder = Recorder(
        bus=bus,
        tables=Tables(pool, log=log),
        options=RecorderOptions(shard_count=1, batch_seconds_max=0, idle_seconds=0.01),
        archive=Archive(archive, log=log, shard_count=1),
    )
    await recorder.start()
    while await recorder.step():
        pass
    await recorder.close()
    await pool.close()


async def answers(dsn: str) -> dict[str, str]:
    """Return what a gateway says of the recorded runs."""
    async with gateway(dsn, NOWHERE_REDIS) as client:
        said = {}
        for run in RUNS:
            for listing in LISTINGS:
                answer = await client.get(f"/v1/{listing}", params={"run": run})
                assert answer.status_code == 200, answer.text
                assert answer.json()["run_id"] == run
                said[f"{run} {listing}"] = answer.text
    return said


async def tables(dsn: str) -> dict[str, dict[str, str]]:
    """Return hashes of all rows of the two runs."""
    async with await open_pool(dsn, service="test") as pool:
        return {run: await recording_sha256(pool, run) for run in RUNS}


def days(archive: Path) -> dict[str, str]:
    """Return hashes of the days that are over."""
    return {
        str(path.relative_to(archive)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(archive.glob("*/*/[!.]*"))
    }


def places(archive: Path) -> dict[str, str]:
    """Return how far in the log each shard's files are: without it all of the log is read again."""
    return {path.name: path.read_text(encoding="utf-8") for path in archive.glob(".place-*.json")}


@pytest.fixture
async def other_dsn(postgres_server: str) -> AsyncIterator[str]:
    """Address of the empty database of a new server."""
    async with new_database(postgres_server) as dsn:
        yield dsn


async def test_backup_of_a_run_under_way_is_restored_and_goes_on_with_the_log(
    postgres_dsn: str, other_dsn: str, tmp_path: Path
) -> None:
    """The gateway says of the past what it said; what was recorded since is read again."""
    archive, backup, restored = (tmp_path / name for name in ("archive", "backup", "restored"))
    begun = [m for beat in range(BACKED_UP_BEATS) for m in SCRIPT.beat_messages(beat)]
    bus = await log_of([*EARLIER.messages(), *begun])
    await record(postgres_dsn, bus, archive)
    expected, backed_up = await answers(postgres_dsn), places(archive)
    await run_commands(commands_of("Backup"), dsn=postgres_dsn, archive=archive, backup=backup)
    with tarfile.open(backup / "files.tar") as files:
        hidden = [name for name in files.getnames() if Path(name).name.startswith(".")]
    rest = [m for b in range(BACKED_UP_BEATS, SCRIPT.beat_count) for m in SCRIPT.beat_messages(b)]
    await bus.publish(rest)
    await record(postgres_dsn, bus, archive)
    undisturbed = await tables(postgres_dsn), days(archive)
    shutil.rmtree(archive)

    await run_commands(commands_of("Restore"), dsn=other_dsn, archive=restored, backup=backup)
    found = await answers(other_dsn)
    kept, restored_places = days(restored), places(restored)
    await record(other_dsn, bus, restored)

    assert found == expected
    assert restored_places == backed_up != {}
    # Places of later than the tables would leave rows out; unfinished days are read again.
    assert hidden == []
    assert len(kept) == 1
    assert (await tables(other_dsn), days(restored)) == undisturbed


async def test_backup_is_restored_beside_a_broker_that_lost_its_log(
    postgres_dsn: str, other_dsn: str, tmp_path: Path
) -> None:
    """Under another LOG_NAME the next run is recorded, and the broken one stays as it was."""
    archive, backup, restored = (tmp_path / name for name in ("archive", "backup", "restored"))
    begun = [m for beat in range(BACKED_UP_BEATS) for m in SCRIPT.beat_messages(beat)]
    await record(postgres_dsn, await log_of([*EARLIER.messages(), *begun]), archive)
    expected = await answers(postgres_dsn), await tables(postgres_dsn), days(archive)
    await run_commands(commands_of("Backup"), dsn=postgres_dsn, archive=archive, backup=backup)

    await run_commands(commands_of("Restore"), dsn=other_dsn, archive=restored, backup=backup)
    kept = days(restored)
    await record(other_dsn, await log_of(LATER.messages()), restored, log="second")
    async with await open_pool(other_dsn, service="test") as pool:
        runs = [await recorded_run(pool, run) for run in (*RUNS, LATER.run_id)]

    assert (await answers(other_dsn), await tables(other_dsn), kept) == expected
    assert [run.is_complete for run in runs if run] == [True, False, True]
