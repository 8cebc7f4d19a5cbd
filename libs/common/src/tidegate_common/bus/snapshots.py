"""Snapshots of a stage on a compacted topic.

A snapshot is cut into compressed chunks; a manifest, written last, names the complete set. Two
sets of keys take turns, so that the last complete snapshot outlives a half-written next one, also
under compaction. What does not add up to its manifest's checksum does not count, and neither does
what a program of another FORMAT_VERSION wrote, older or newer: then the one before it counts, and
without one the stage reads its log from the start. `passed_over` says why.

A packed snapshot may also be kept elsewhere, to be had without reading the topic. Such a copy
counts only if the last message of the topic is a manifest that names its checksum: then its bytes
are the topic's own. A copy of another log, of an earlier snapshot, of another format or with a
flaw has another checksum, and so does one when a half-written snapshot ends the topic.
"""

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tidegate_common.bus.base import Bus, TopicPartition
from tidegate_common.bus.beats import StageSnapshot
from tidegate_common.engine import EngineState
from tidegate_common.errors import TransientError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import Topic

# To be raised with any change of what a snapshot is made of, engines' arrays and values too.
FORMAT_VERSION = 6
CHUNK_BYTES_MAX = 512 * 1024
# A thousand times what the engines of a whole market hold; more is a broken manifest.
SNAPSHOT_BYTES_MAX = 4 * 1024**3
_LENGTH_BYTES = 8
_MANIFEST = "manifest/"
_POLL_SECONDS = 0.05
LOAD_SECONDS_MAX = 60


def encode_snapshot(snapshot: StageSnapshot) -> bytes:
    """Return a snapshot as bytes: a JSON header, then the raw arrays."""
    arrays = dict(sorted(snapshot.engine.arrays.items()))
    header = {
        "format_version": FORMAT_VERSION,
        "run_spec": snapshot.run_spec,
        "next_beat": snapshot.next_beat,
        "finished_runs": list(snapshot.finished_runs),
        "positions": [
            [place.topic, place.partition, offset]
            for place, offset in sorted(snapshot.positions.items())
        ],
        "journal": snapshot.journal,
        "owing": [list(each) for each in snapshot.owing],
        "values": snapshot.engine.values,
        "arrays": [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()],
    }
    text = json.dumps(header, separators=(",", ":"), allow_nan=True).encode()
    return b"".join(
        [
            len(text).to_bytes(_LENGTH_BYTES, "little"),
            text,
            *(array.tobytes() for array in arrays.values()),
        ],
    )


def decode_snapshot(data: bytes) -> StageSnapshot:
    """Return the snapshot that `encode_snapshot` wrote.

    Raises
    ------
    ValueError
        If it is of another format version.
    """
    size = int.from_bytes(data[:_LENGTH_BYTES], "little")
    start = _LENGTH_BYTES + size
    header = json.loads(data[_LENGTH_BYTES:start])
    if header["format_version"] != FORMAT_VERSION:
        message = f"format_version must be {FORMAT_VERSION}, was {header['format_version']}"
        raise ValueError(message)
    arrays = {}
    for name, dtype_text, shape in header["arrays"]:
        dtype = np.dtype(dtype_text)
        count = int(np.prod(shape))
        # A copy, because engines write to their state.
        arrays[name] = np.frombuffer(data, dtype, count, start).reshape(shape).copy()
        start += count * dtype.itemsize
    return StageSnapshot(
        run_spec=header["run_spec"],
        next_beat=header["next_beat"],
        finished_runs=tuple(header["finished_runs"]),
        positions={
            TopicPartition(topic, partition): offset
            for topic, partition, offset in header["positions"]
        },
        engine=EngineState(header["values"], arrays),
        journal=header["journal"],
        owing=tuple((topic, n, name, due) for topic, n, name, due in header["owing"]),
    )


@dataclass(frozen=True, slots=True)
class _Manifest:
    """What makes a set of chunks whole."""

    key_set: int
    chunk_count: int
    size_bytes: int
    sha256: str


# A snapshot, and the set of keys that it took.
_Found = tuple[StageSnapshot, int]
# What bytes that are no snapshot of ours raise where they are taken for one.
_NO_SNAPSHOT = (ValueError, KeyError, TypeError, OSError, pa.ArrowException)
# Gives a copy of the newest packed snapshot, None where there is none; never raises.
FindCopy = Callable[[], Awaitable[bytes | None]]


class SnapshotStore:
    """Snapshots of one stage instance, on its own partition of the stage's topic.

    Parameters
    ----------
    find_copy : where else the newest one may be had from.
    passed_over : why the last `load` did not take a newer snapshot, newest first.
    """

    def __init__(
        self,
        bus: Bus,
        topic: Topic,
        partition: int,
        *,
        find_copy: FindCopy | None = None,
    ) -> None:
        self._bus = bus
        self._topic = topic
        self._partition = partition
        self._find_copy = find_copy
        self._next_set = 0
        self.passed_over: list[str] = []

    async def save(self, snapshot: StageSnapshot) -> bytes:
        """Publish a snapshot; return it packed, once the topic has it."""
        messages = self.messages(snapshot)
        await self._bus.publish(messages)
        return b"".join(message.value for message in messages[:-1])

    def messages(self, snapshot: StageSnapshot) -> list[Message]:
        """Return the chunks and the manifest of a snapshot, to be published in this order."""
        plain = encode_snapshot(snapshot)
        packed = pa.compress(plain, codec="zstd", asbytes=True)
        key_set, self._next_set = self._next_set, 1 - self._next_set
        chunks = [
            packed[start : start + CHUNK_BYTES_MAX]
            for start in range(0, len(packed), CHUNK_BYTES_MAX)
        ]
        manifest = {
            "key_set": key_set,
            "chunk_count": len(chunks),
            "size_bytes": len(plain),
            "sha256": hashlib.sha256(packed).hexdigest(),
        }
        return [
            *(
                self._message(f"chunk/{key_set}/{number}", chunk)
                for number, chunk in enumerate(chunks)
            ),
            self._message(f"{_MANIFEST}{key_set}", json.dumps(manifest).encode()),
        ]

    async def load(self) -> StageSnapshot | None:
        """Return the newest snapshot that is whole and of this format; None if there is none."""
        place = TopicPartition(self._topic.name, self._partition)
        self.passed_over.clear()
        end = (await self._bus.end_offsets([place]))[place]
        if not end:
            return None
        copy = await self._find_copy() if self._find_copy else None
        if copy is not None:
            (last,) = await self._read(place, end - 1, end)
            found = _assemble_copy(last, copy)
            if found:
                return self._taken(found)
        return self._newest(await self._read(place, 0, end))

    async def _read(self, place: TopicPartition, start: int, end: int) -> list[Message]:
        """Return the messages from one offset up to another."""
        reader = await self._bus.open_reader({place: start})
        messages: list[Message] = []
        try:
            async with asyncio.timeout(LOAD_SECONDS_MAX):
                while not messages or messages[-1].offset < end - 1:
                    messages.extend(await reader.poll(_POLL_SECONDS))
        except TimeoutError as error:
            read = messages[-1].offset + 1 if messages else start
            text = f"{place} ends at offset {end}, read to {read} in {LOAD_SECONDS_MAX} s"
            raise TransientError(text) from error
        finally:
            await reader.close()
        return [message for message in messages if message.offset < end]

    def _newest(self, messages: Iterable[Message]) -> StageSnapshot | None:
        chunks: dict[str, bytes] = {}
        # The last two sets are all that the keys can still hold.
        candidates: deque[tuple[bytes, dict[str, bytes]]] = deque(maxlen=2)
        for message in messages:
            key = _key_of(message)
            if key.startswith(_MANIFEST):
                candidates.append((message.value, dict(chunks)))
            else:
                chunks[key] = message.value
        for manifest, its_chunks in reversed(candidates):
            try:
                return self._taken(_assemble(manifest, its_chunks))
            except _NO_SNAPSHOT as error:
                self.passed_over.append(f"{type(error).__name__}: {error}")
        return None

    def _taken(self, found: _Found) -> StageSnapshot:
        """Return the snapshot; the next one takes the other set of keys."""
        snapshot, key_set = found
        self._next_set = 1 - key_set
        return snapshot

    def _message(self, key: str, value: bytes) -> Message:
        return Message(self._topic.name, self._partition, value, key.encode())


def _key_of(message: Message) -> str:
    return (message.key or b"").decode(errors="replace")


def _assemble_copy(last: Message, packed: bytes) -> _Found | None:
    """Return the snapshot of a copy, if the last message of the topic is the manifest of it."""
    if not _key_of(last).startswith(_MANIFEST):
        return None
    try:
        return _unpack(_Manifest(**json.loads(last.value)), packed)
    except _NO_SNAPSHOT:
        return None


def _assemble(manifest_text: bytes, chunks: dict[str, bytes]) -> _Found:
    """Return the snapshot that a manifest names, and its key set; raise what does not count."""
    manifest = _Manifest(**json.loads(manifest_text))
    packed = b"".join(
        chunks[f"chunk/{manifest.key_set}/{number}"] for number in range(manifest.chunk_count)
    )
    return _unpack(manifest, packed)


def _unpack(manifest: _Manifest, packed: bytes) -> _Found:
    """Return the snapshot that these bytes are, if they are those that a manifest names."""
    if hashlib.sha256(packed).hexdigest() != manifest.sha256:
        message = "its chunks are not those of its manifest"
        raise ValueError(message)
    if not 0 < manifest.size_bytes <= SNAPSHOT_BYTES_MAX:
        message = f"size_bytes must be 1 to {SNAPSHOT_BYTES_MAX}, was {manifest.size_bytes}"
        raise ValueError(message)
    plain = pa.decompress(packed, manifest.size_bytes, codec="zstd", asbytes=True)
    return decode_snapshot(plain), manifest.key_set
