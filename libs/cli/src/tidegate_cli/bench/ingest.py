"""Bench `ingest`: ticks from Parquet files to encoded frames, and into a broker.

5,500 instruments (`--instruments`), 100 beats (`--frames`) of a market that walks at random, on one
core with the garbage collector off: the processor's time, of several repeats the least. `archive`
is the platform's own archive, which was checked and cut into beats when it was written; `snapshots`
is a file of plain names in CNY, of which every row is read, turned into integers, checked, merged
and cut into beats. `broker` publishes the archive's frames through the ingest service's publisher
to the stack's own broker, which takes its share of the machine; this one is measured once, by the
clock. Bytes are those of a tick's part of an encoded frame, as it is sent, and as zstd would make
it.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tidegate_cli.bench.frame import BenchReport, Better, Metric, undisturbed, with_goal
from tidegate_cli.bench.market import make_frames, make_open, make_series
from tidegate_cli.bench.options import BenchOptions
from tidegate_cli.servers import EmbeddedBroker, running
from tidegate_cli.services import Topology
from tidegate_cli.topics import new_topics
from tidegate_common.bus.kafka import KafkaBus, KafkaConfig
from tidegate_common.clock import Clock
from tidegate_common.domain.ids import RunId, format_symbol
from tidegate_common.domain.units import FEN_PER_YUAN, PRICE_SCALE, Float64Array, Int64Array
from tidegate_common.events.run import FeedSpec, RunSpec
from tidegate_common.frames.codec import encode_frame
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.rows import LEVELS, QuoteRows
from tidegate_common.market.sessions import shanghai_ns
from tidegate_ingest.adapters.archive import write_archive
from tidegate_ingest.adapters.feed import Feed, describe_files, open_feed
from tidegate_ingest.shell import Publisher

INSTRUMENTS: Final = 5_500
FRAMES: Final = 100
REPEATS: Final = 5
# Issue 7 sets it.
TICKS_PER_S_GOAL: Final = 3_000_000.0

_RUN: Final = RunId("bench")
_NINE_THIRTY: Final = 34_200
_BEAT_NS: Final = 3_000_000_000
_PREFIX_SIZE: Final = 1_000
# Prefixes of shares, so that the checks take every row.
_PREFIXES: Final = (1_600, 1_601, 1_603, 1_605, 2_000, 2_002, 2_300, 2_301)
_NO_LIMIT: Final = 999_999_999.9999


def bench_ingest(options: BenchOptions) -> BenchReport:
    """Measure replay from Parquet, and publishing."""
    repeats = options.repeat_count or REPEATS
    frames = _market(options.instrument_count or INSTRUMENTS, options.frame_count or FRAMES)
    tick_count = sum(len(frame.rows) for frame in frames[1:])
    sizes = [(len(data), len(pa.compress(data, "zstd"))) for data in map(encode_frame, frames[1:])]
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as name:
        folder = Path(name)
        archive = open_feed(_spec(write_archive(frames, folder / "archive")))
        snapshots = _spec([_write_snapshots(frames[1:], folder / "snapshots.parquet")])
        with undisturbed():
            archive_s = _least_s(archive.frames, repeats)
            snapshots_s = _least_s(lambda: open_feed(snapshots).frames(), repeats)
        broker_s = asyncio.run(_publish(archive, folder, options.clock))
    rate = tick_count / archive_s
    goal = TICKS_PER_S_GOAL
    return BenchReport(
        "ingest",
        (
            with_goal("archive_ticks_per_s", round(rate), "ticks/s", goal=goal, better=Better.MORE),
            Metric("snapshots_ticks_per_s", round(tick_count / snapshots_s), "ticks/s"),
            Metric("broker_ticks_per_s", round(tick_count / broker_s), "ticks/s"),
            Metric("bytes_per_tick", round(sum(plain for plain, _ in sizes) / tick_count, 2), "B"),
            Metric("bytes_per_tick_zstd", round(sum(z for _, z in sizes) / tick_count, 2), "B"),
            Metric("ticks", tick_count, "ticks"),
        ),
        {"snapshots_to_archive": round(snapshots_s / archive_s, 2)},
    )


def _market(instrument_count: int, beat_count: int) -> list[Frame]:
    """Return an OPEN beat and beats of quotes on a real day, in codes of real boards."""
    number = np.arange(instrument_count)
    prefix = np.array(_PREFIXES)[number // _PREFIX_SIZE]
    instrument = prefix * _PREFIX_SIZE + number % _PREFIX_SIZE
    first = make_open(instrument_count)
    opening = replace(first, rows=replace(first.rows, instrument=instrument))
    frames = [opening]
    start_ns = shanghai_ns(first.stamp.trade_date, _NINE_THIRTY)
    for beat, frame in enumerate(make_frames(make_series(instrument_count, beat_count)), start=1):
        ts_event_ns = start_ns + beat * _BEAT_NS
        times = np.full(instrument_count, ts_event_ns)
        assert isinstance(frame.rows, QuoteRows)
        rows = replace(frame.rows, instrument=instrument, ts_event_ns=times)
        stamp = replace(frame.stamp, beat=beat, ts_event_ns=ts_event_ns)
        frames.append(replace(frame, stamp=stamp, rows=rows))
    return frames


def _spec(paths: Sequence[Path]) -> RunSpec:
    return RunSpec(_RUN, (), (), feed=FeedSpec(files=describe_files(paths)))


def _least_s(read: Callable[[], Iterator[Frame]], repeat_count: int) -> float:
    """Return the least processor time of reading and encoding frames, in seconds."""
    times: list[float] = []
    for _ in range(repeat_count):
        started = process_time()
        for frame in read():
            encode_frame(frame)
        times.append(process_time() - started)
    return min(times)


async def _publish(feed: Feed, folder: Path, clock: Clock) -> float:
    """Return how many seconds it takes until a broker has all frames."""
    broker = EmbeddedBroker(folder / "broker")
    async with running([broker]):
        bus = KafkaBus(KafkaConfig(broker.url))
        await bus.start()
        try:
            await bus.create_topics(new_topics(Topology(1, 1)))
            publisher = Publisher(
                bus=bus,
                run_id=_RUN,
                shard_count=1,
                pacer=None,
                progress=None,
                ahead_beats_max=1,
            )
            started = clock.monotonic_seconds()
            await publisher.publish(feed.frames(), asyncio.Event())
            return clock.monotonic_seconds() - started
        finally:
            await bus.close()


def _write_snapshots(frames: list[Frame], path: Path) -> Path:
    tables = (_table(rows) for rows in _quotes(frames))
    first = next(tables)
    with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
        writer.write_table(pa.concat_tables([first, *tables]))
    return path


def _quotes(frames: list[Frame]) -> Iterator[tuple[QuoteRows, Int64Array, Int64Array]]:
    """Yield quotes with the highest and the lowest price so far."""
    high_e4 = low_e4 = None
    for frame in frames:
        rows = frame.rows
        assert isinstance(rows, QuoteRows)
        high_e4 = rows.last_e4 if high_e4 is None else np.maximum(high_e4, rows.last_e4)
        low_e4 = rows.last_e4 if low_e4 is None else np.minimum(low_e4, rows.last_e4)
        yield rows, high_e4, low_e4


def _table(told: tuple[QuoteRows, Int64Array, Int64Array]) -> pa.Table:
    rows, high_e4, low_e4 = told
    count = len(rows)
    seconds = np.datetime64(int(rows.ts_event_ns[0]), "ns") + np.timedelta64(8, "h")
    columns: dict[str, object] = {
        "symbol": [format_symbol(each) for each in rows.instrument.tolist()],
        "datetime": [str(seconds)[:23].replace("T", " ")] * count,
        **dict.fromkeys(("prev_close", "open"), _yuan(low_e4)),
        "high": _yuan(high_e4),
        "low": _yuan(low_e4),
        "last": _yuan(rows.last_e4),
        "volume": rows.volume_shares,
        "amount": rows.amount_fen / FEN_PER_YUAN,
        "limit_up": np.full(count, _NO_LIMIT),
        "limit_down": np.full(count, 0.01),
    }
    for level in range(LEVELS):
        columns[f"bid_price_{level + 1}"] = _yuan(rows.bid_price_e4[:, level])
        columns[f"bid_volume_{level + 1}"] = np.ascontiguousarray(rows.bid_shares[:, level])
        columns[f"ask_price_{level + 1}"] = _yuan(rows.ask_price_e4[:, level])
        columns[f"ask_volume_{level + 1}"] = np.ascontiguousarray(rows.ask_shares[:, level])
    return pa.table(columns)


def _yuan(price_e4: Int64Array) -> Float64Array:
    return price_e4 / PRICE_SCALE
