"""Snapshots: exact, cut into chunks, and only whole ones count."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

import tidegate_common.bus.snapshots as snapshots_module
from tidegate_common.bus.base import NewTopic, Reader, TopicPartition
from tidegate_common.bus.beats import StageSnapshot
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.bus.snapshots import (
    CHUNK_BYTES_MAX,
    FORMAT_VERSION,
    SnapshotStore,
    decode_snapshot,
    encode_snapshot,
)
from tidegate_common.engine import EngineState
from tidegate_common.errors import TransientError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import RISK_SNAPSHOTS

PLACE = TopicPartition(RISK_SNAPSHOTS.name, 0)
ARRAYS: dict[str, NDArray[np.generic]] = {
    "int64": np.array([-(2**63), 0, 2**63 - 1]),
    "uint8": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "bool": np.array([True, False]),
    "float64": np.array([0.1, -0.0, np.nan, np.inf]),
    "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "every_second": np.arange(10)[::2],
    "scalar": np.array(7),
    "empty": np.zeros((0, 5), np.int64),
}


def make_snapshot(beat: int, *, size_bytes: int = 0) -> StageSnapshot:
    """Return a snapshot; noise of a given size makes it as large when compressed."""
    noise = np.random.default_rng(beat).integers(0, 256, size_bytes, np.uint8)
    return StageSnapshot(
        run_spec='{"run_id":"run-a"}',
        next_beat=beat,
        finished_runs=("run-0",),
        positions={TopicPartition("market.ticks.v1", 1): 10 * beat},
        engine=EngineState({"cash": beat, "ratio": 0.1}, {"noise": noise}),
        journal={"next_offset": beat},
        owing=(("order.events.v1", 0, "execution-1", beat - 1),),
    )


async def store_with(messages: Sequence[Message]) -> SnapshotStore:
    """Return a store over a log."""
    bus = MemoryBus()
    await bus.create_topics([NewTopic(RISK_SNAPSHOTS.name, 1, is_compacted=True)])
    await bus.publish(messages)
    return SnapshotStore(bus, RISK_SNAPSHOTS, 0)


async def loaded_beat(messages: Sequence[Message]) -> int | None:
    """Return the beat of the snapshot that a log gives."""
    snapshot = await (await store_with(messages)).load()
    return snapshot.next_beat if snapshot else None


def written(*snapshots: StageSnapshot) -> list[Message]:
    """Return what one store publishes for snapshots, one after another."""
    store = SnapshotStore(MemoryBus(), RISK_SNAPSHOTS, 0)
    return [message for snapshot in snapshots for message in store.messages(snapshot)]


def compacted(messages: Sequence[Message]) -> list[Message]:
    """Keep the last message of each key, where it stands."""
    last = {message.key: number for number, message in enumerate(messages)}
    return [messages[number] for number in sorted(last.values())]


def test_snapshot_decoded_is_what_was_encoded() -> None:
    """restore(snapshot()) changes nothing, not one bit."""
    values: dict[str, object] = {"float": 0.1 + 0.2, "none": None, "list": [1, "二"], "map": {}}
    snapshot = replace(make_snapshot(3), engine=EngineState(values, ARRAYS))

    decoded = decode_snapshot(encode_snapshot(snapshot))

    assert replace(decoded, engine=EngineState()) == replace(snapshot, engine=EngineState())
    assert decoded.engine.values == values
    assert set(decoded.engine.arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        found = decoded.engine.arrays[name]
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert found.tobytes() == array.tobytes()
        assert found.flags.writeable


def test_snapshot_encoding_does_not_depend_on_the_order_of_names() -> None:
    """Equal memories are equal bytes."""
    there = replace(make_snapshot(1), engine=EngineState({}, ARRAYS))
    back = replace(there, engine=EngineState({}, dict(reversed(ARRAYS.items()))))

    assert encode_snapshot(there) == encode_snapshot(back)


def test_snapshot_of_another_format_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new version must not read an old memory as if it were its own."""
    monkeypatch.setattr(snapshots_module, "FORMAT_VERSION", FORMAT_VERSION + 1)
    data = encode_snapshot(make_snapshot(1))
    monkeypatch.undo()

    with pytest.raises(ValueError, match="format_version must be 6, was 7"):
        decode_snapshot(data)


async def test_store_without_a_snapshot_loads_none() -> None:
    """The first start is a recovery from nothing."""
    assert await loaded_beat([]) is None


async def test_store_large_snapshot_travels_in_chunks() -> None:
    """A state larger than a message is cut, and put together again."""
    snapshot = make_snapshot(1, size_bytes=2 * CHUNK_BYTES_MAX + 1)

    messages = written(snapshot)
    found = await (await store_with(messages)).load()

    assert [message.key for message in messages] == [
        b"chunk/0/0",
        b"chunk/0/1",
        b"chunk/0/2",
        b"manifest/0",
    ]
    assert max(len(message.value) for message in messages) == CHUNK_BYTES_MAX
    assert found is not None
    assert np.array_equal(found.engine.arrays["noise"], snapshot.engine.arrays["noise"])


async def test_store_save_returns_what_the_topic_has() -> None:
    """Its size is a metric, and a copy of it may be kept elsewhere."""
    bus = MemoryBus()
    await bus.create_topics([NewTopic(RISK_SNAPSHOTS.name, 1, is_compacted=True)])
    store = SnapshotStore(bus, RISK_SNAPSHOTS, 0)

    packed = await store.save(make_snapshot(1, size_bytes=2 * CHUNK_BYTES_MAX))

    assert packed == b"".join(message.value for message in bus.log(RISK_SNAPSHOTS.name)[:-1])
    assert (await store.load()) is not None


class CopiedStore:
    """A store over a log, with a copy elsewhere; knows from where it read."""

    def __init__(self, messages: Sequence[Message], copy: bytes | None) -> None:
        self._messages = messages
        self._copy = copy
        self.read_from: list[int] = []

    async def load(self) -> tuple[StageSnapshot | None, SnapshotStore]:
        """Return what a new process takes up."""
        bus = ListeningBus(self.read_from)
        await bus.create_topics([NewTopic(RISK_SNAPSHOTS.name, 1, is_compacted=True)])
        await bus.publish(self._messages)
        store = SnapshotStore(bus, RISK_SNAPSHOTS, 0, find_copy=self._find)
        return await store.load(), store

    async def _find(self) -> bytes | None:
        return self._copy


class ListeningBus(MemoryBus):
    """Notes where it is read from."""

    def __init__(self, read_from: list[int]) -> None:
        super().__init__()
        self._read_from = read_from

    async def open_reader(
        self, positions: Mapping[TopicPartition, int], *, is_urgent: bool = False
    ) -> Reader:
        self._read_from += positions.values()
        return await super().open_reader(positions, is_urgent=is_urgent)


def packed(messages: Sequence[Message]) -> bytes:
    """Return the last snapshot of some messages as a copy of it is kept."""
    *before, _manifest = messages
    starts = [at for at, message in enumerate(before) if message.key in CHUNKS_FIRST]
    return b"".join(message.value for message in before[starts[-1] :])


CHUNKS_FIRST = (b"chunk/0/0", b"chunk/1/0")


async def test_store_copy_that_the_topic_names_at_its_end_is_taken() -> None:
    """One message is read in place of all; the next snapshot takes the right keys."""
    messages = written(make_snapshot(1), make_snapshot(2, size_bytes=2 * CHUNK_BYTES_MAX))
    copied = CopiedStore(messages, packed(messages))

    found, store = await copied.load()

    assert found is not None
    assert encode_snapshot(found) == encode_snapshot(
        make_snapshot(2, size_bytes=2 * CHUNK_BYTES_MAX)
    )
    assert copied.read_from == [len(messages) - 1]
    assert store.messages(make_snapshot(3))[-1].key == b"manifest/0"


@pytest.mark.parametrize(
    "copy",
    [
        None,
        b"",
        b"\xff no snapshot",
        packed(written(make_snapshot(1))),
        packed(written(make_snapshot(7))),
        packed(written(make_snapshot(2)))[:-1],
    ],
    ids=["none", "empty", "garbage", "older", "of-another-log", "cut-off"],
)
async def test_store_other_copy_does_not_count(copy: bytes | None) -> None:
    """What Redis holds is of some log at some time; the topic says which is its own newest."""
    copied = CopiedStore(written(make_snapshot(1), make_snapshot(2)), copy)

    found, _ = await copied.load()

    assert found is not None
    assert found.next_beat == 2
    assert copied.read_from[-1] == 0


async def test_store_copy_of_a_newer_format_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the topic has it, written by a later release that was taken back."""
    store = SnapshotStore(MemoryBus(), RISK_SNAPSHOTS, 0)
    messages = list(store.messages(make_snapshot(1)))
    monkeypatch.setattr(snapshots_module, "FORMAT_VERSION", FORMAT_VERSION + 1)
    messages += store.messages(make_snapshot(2))
    monkeypatch.undo()
    copied = CopiedStore(messages, packed(messages))

    found, _ = await copied.load()

    assert found is not None
    assert found.next_beat == 1


@pytest.mark.parametrize("keep_count", [1, 2])
async def test_store_half_written_snapshot_at_the_end_leaves_the_copy_unused(
    keep_count: int,
) -> None:
    """The end of the topic names nothing then, and the last whole one is read from it."""
    store = SnapshotStore(MemoryBus(), RISK_SNAPSHOTS, 0)
    messages = list(store.messages(make_snapshot(1)))
    copy = packed(messages)
    messages += store.messages(make_snapshot(2, size_bytes=3 * CHUNK_BYTES_MAX))[:keep_count]
    copied = CopiedStore(messages, copy)

    found, _ = await copied.load()

    assert found is not None
    assert found.next_beat == 1
    assert copied.read_from == [len(messages) - 1, 0]


@pytest.mark.parametrize("manifest", [b"no JSON", b"{}", b"[]"])
async def test_store_bad_manifest_at_the_end_leaves_the_copy_unused(manifest: bytes) -> None:
    """Somebody else wrote it."""
    messages = written(make_snapshot(1))
    bad = replace(messages[-1], key=b"manifest/1", value=manifest)
    copied = CopiedStore([*messages, bad], packed(messages))

    found, _ = await copied.load()

    assert found is not None
    assert found.next_beat == 1


async def test_store_key_sets_take_turns_also_after_a_restart() -> None:
    """The set that holds the last whole snapshot is not the next one to be overwritten."""
    store = await store_with(written(make_snapshot(1), make_snapshot(2), make_snapshot(3)))

    await store.load()
    keys = [message.key for message in store.messages(make_snapshot(4))]

    assert keys == [b"chunk/1/0", b"manifest/1"]


@pytest.mark.parametrize("size_bytes", [100, 3 * CHUNK_BYTES_MAX])
@pytest.mark.parametrize("is_compacted", [True, False])
async def test_store_crash_anywhere_in_a_write_leaves_the_last_whole_snapshot(
    size_bytes: int, *, is_compacted: bool
) -> None:
    """Compaction keeps only the last value of a key, so two sets of keys are needed."""
    sizes = [len(written(make_snapshot(beat, size_bytes=size_bytes))) for beat in (1, 2, 3, 4)]
    log = written(*(make_snapshot(beat, size_bytes=size_bytes) for beat in (1, 2, 3, 4)))
    ends = np.cumsum(sizes)

    for length in range(1, len(log) + 1):
        kept = compacted(log[:length]) if is_compacted else log[:length]
        whole = int((ends <= length).sum())
        assert await loaded_beat(kept) == (whole or None)


def changed_manifest(log: Sequence[Message], **values: object) -> list[Message]:
    """Return a log whose last manifest says something else."""
    manifest = json.loads(log[-1].value) | values
    return [*log[:-1], replace(log[-1], value=json.dumps(manifest).encode())]


@pytest.mark.parametrize(
    "values",
    [
        {"sha256": "0" * 64},
        {"chunk_count": 2},
        {"chunk_count": "one"},
        {"size_bytes": 10},
        {"size_bytes": -1},
        {"size_bytes": 2**62},
        {"size_bytes": 10**6},
        {"colour": "green"},
    ],
)
async def test_store_manifest_that_does_not_add_up_falls_back(values: dict[str, object]) -> None:
    """A snapshot that is not whole does not count, and the one before it does."""
    log = written(make_snapshot(1), make_snapshot(2))

    assert await loaded_beat(changed_manifest(log, **values)) == 1


@pytest.mark.parametrize("value", [b"", b"[]", b"7", b"\xff"])
async def test_store_manifest_that_is_none_falls_back(value: bytes) -> None:
    """Whatever stands at the key of a manifest, recovery goes on."""
    log = written(make_snapshot(1), make_snapshot(2))

    assert await loaded_beat([*log[:-1], replace(log[-1], value=value)]) == 1


async def test_store_damaged_chunk_falls_back() -> None:
    """Corrupt data is worse than old data."""
    log = written(make_snapshot(1), make_snapshot(2))
    damaged = replace(log[2], value=log[2].value[:-1] + b"?")

    assert await loaded_beat([log[0], log[1], damaged, log[3]]) == 1


async def test_store_chunk_that_is_not_compressed_falls_back() -> None:
    """A right checksum over the wrong thing."""
    log = written(make_snapshot(1), make_snapshot(2))
    nonsense = replace(log[2], value=b"nonsense")
    sha256 = hashlib.sha256(b"nonsense").hexdigest()

    assert (
        await loaded_beat(changed_manifest([log[0], log[1], nonsense, log[3]], sha256=sha256)) == 1
    )


async def test_store_newest_of_another_format_version_falls_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a downgrade the stage takes up the last memory that it understands."""
    old = written(make_snapshot(1))
    monkeypatch.setattr(snapshots_module, "FORMAT_VERSION", FORMAT_VERSION + 1)
    new = written(make_snapshot(1), make_snapshot(2))[2:]
    monkeypatch.undo()

    assert await loaded_beat([*old, *new]) == 1


async def test_store_of_other_format_versions_alone_loads_none_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log is read from its start then; whoever waits for that is told of the reason."""
    store = await store_with(written(make_snapshot(1), make_snapshot(2)))
    monkeypatch.setattr(snapshots_module, "FORMAT_VERSION", FORMAT_VERSION + 1)

    found = [await store.load() for _ in range(2)]

    assert found == [None, None]
    assert store.passed_over == 2 * ["ValueError: format_version must be 7, was 6"]


async def test_store_that_takes_the_newest_snapshot_passes_none_over() -> None:
    """Nothing is to be told where nothing is amiss."""
    store = await store_with(written(make_snapshot(1), make_snapshot(2)))

    await store.load()

    assert store.passed_over == []


async def test_store_message_without_key_is_no_part_of_a_snapshot() -> None:
    """A foreign message on the topic must not stop recovery."""
    foreign = Message(RISK_SNAPSHOTS.name, 0, b"hello")

    assert await loaded_beat([*written(make_snapshot(1)), foreign]) == 1


class SilentBus(MemoryBus):
    """A bus whose readers never bring anything."""

    async def open_reader(
        self,
        positions: Mapping[TopicPartition, int],
        *,
        is_urgent: bool = False,
    ) -> Reader:
        reader = await super().open_reader(positions, is_urgent=is_urgent)
        reader.pause(list(positions))
        return reader


async def test_store_log_that_cannot_be_read_to_its_end_is_a_transient_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Recovery has a limit, and a stage never starts from half a log."""
    monkeypatch.setattr(snapshots_module, "LOAD_SECONDS_MAX", 0.01)
    bus = SilentBus()
    await bus.create_topics([NewTopic(RISK_SNAPSHOTS.name, 1)])
    await bus.publish(written(make_snapshot(1)))

    with pytest.raises(TransientError, match="ends at offset 2, read to 0"):
        await SnapshotStore(bus, RISK_SNAPSHOTS, 0).load()
