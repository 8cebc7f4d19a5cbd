"""Messages of a user's own feed: quotes as an Arrow IPC stream or as JSON rows.

Both say the same columns, in the platform's integers, so that no unit has to be guessed; see
`docs/push-feed.md`. A message says one market time, and each instrument at most once.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidegate_common.domain.units import FEN_PER_YUAN, PRICE_SCALE, Float64Array, Int64Array
from tidegate_common.errors import ContractError
from tidegate_common.frames.rows import LEVELS
from tidegate_common.market.sessions import (
    NS_PER_SECOND,
    SECONDS_PER_DAY,
    SHANGHAI_OFFSET_SECONDS,
)
from tidegate_ingest.engine.columns import RawSnapshots, TextColumn
from tidegate_ingest.engine.quote_text.payload import ParsedPayload, phase_column

# What a run's spec calls a user's own feed.
PUSH_SOURCE = "push"
# A whole market is 5,500 rows of 35 numbers: about two megabytes as Arrow, seven as JSON.
MESSAGE_BYTES_MAX = 16_000_000
TIME_KEY = b"ts_event_ns"

_PRICES = ("prev_close_e4", "open_e4", "high_e4", "low_e4", "last_e4")
_LIMITS = ("limit_up_e4", "limit_down_e4")
_LEVEL_COLUMNS = ("bid_price_e4", "bid_shares", "ask_price_e4", "ask_shares")
# 2100-01-01, UTC.
_TIME_END_NS = 4_102_444_800 * NS_PER_SECOND

# Columns that a message may leave out, or leave empty in a row, are nullable.
PUSH_SCHEMA = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("ts_event_ns", pa.int64(), nullable=False),
        *(pa.field(name, pa.int64(), nullable=False) for name in _PRICES),
        pa.field("volume_shares", pa.int64(), nullable=False),
        pa.field("amount_fen", pa.int64(), nullable=False),
        *(pa.field(name, pa.list_(pa.int64()), nullable=False) for name in _LEVEL_COLUMNS),
        *(pa.field(name, pa.int64()) for name in _LIMITS),
        pa.field("phase", pa.string()),
        pa.field("is_st", pa.bool_()),
    ]
)


class _Row(msgspec.Struct):
    """A row of JSON: `PUSH_SCHEMA`, where 9.4 for an integer is an error and not 9."""

    symbol: str
    ts_event_ns: int
    prev_close_e4: int
    open_e4: int
    high_e4: int
    low_e4: int
    last_e4: int
    volume_shares: int
    amount_fen: int
    bid_price_e4: list[int]
    bid_shares: list[int]
    ask_price_e4: list[int]
    ask_shares: list[int]
    limit_up_e4: int | None = None
    limit_down_e4: int | None = None
    phase: str | None = None
    is_st: bool | None = None


class _Quotes(msgspec.Struct, tag_field="type", tag="quotes"):
    ts_event_ns: int
    rows: list[_Row]


class _Heartbeat(msgspec.Struct, tag_field="type", tag="heartbeat"):
    ts_event_ns: int


_DECODER = msgspec.json.Decoder(_Quotes | _Heartbeat)


@dataclass(frozen=True, slots=True)
class PushMessage:
    """What a user's feed says at once.

    ts_event_ns : market time, UTC epoch.
    quotes : None for a heartbeat: time has passed, and nobody spoke.
    """

    ts_event_ns: int
    quotes: ParsedPayload | None


def parse_push_arrow(data: bytes) -> PushMessage:
    """Return what an Arrow IPC stream says; its market time is in the schema's metadata.

    Raises
    ------
    ContractError
        If it is no such stream, or lacks a column or the time.
    """
    try:
        with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
            metadata = reader.schema.metadata or {}
            table = reader.read_all()
        stated = metadata.get(TIME_KEY, b"")
        ts_event_ns = int(stated) if stated.isdigit() else -1
        quotes = _quotes(table)
    except (pa.ArrowException, OSError, ValueError, KeyError, UnicodeDecodeError) as error:
        message = f"expected quotes as an Arrow IPC stream, found: {_short(error)}"
        raise ContractError(message) from error
    return _message(ts_event_ns, quotes)


def parse_push_json(text: str) -> PushMessage:
    """Return what a JSON message of type `quotes` or `heartbeat` says.

    Raises
    ------
    ContractError
        If it is neither, or lacks a column or the time.
    """
    try:
        said = _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        message = f"expected a JSON message of quotes or a heartbeat, found: {_short(error)}"
        raise ContractError(message) from error
    if isinstance(said, _Heartbeat):
        return _message(said.ts_event_ns, None)
    rows = msgspec.to_builtins(said.rows)
    try:
        quotes = _quotes(pa.Table.from_pylist(rows, schema=PUSH_SCHEMA))
    except (pa.ArrowException, ValueError, OverflowError) as error:
        message = f"expected rows of quotes, found: {_short(error)}"
        raise ContractError(message) from error
    return _message(said.ts_event_ns, quotes)


def _message(ts_event_ns: int, quotes: ParsedPayload | None) -> PushMessage:
    if not 0 < ts_event_ns < _TIME_END_NS:
        message = f"ts_event_ns must be > 0 and before the year 2100, was {ts_event_ns}"
        raise ContractError(message)
    return PushMessage(ts_event_ns, quotes)


def _quotes(table: pa.Table) -> ParsedPayload:
    """Return the rows of a table; columns that are not known are not read."""
    for field in PUSH_SCHEMA:
        if field.name not in table.column_names and field.nullable:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    table = table.select(PUSH_SCHEMA.names)
    for field in PUSH_SCHEMA:
        if not field.nullable and table.column(field.name).null_count:
            message = f"column {field.name} must have a value in each row"
            raise ValueError(message)
    table = table.cast(PUSH_SCHEMA)
    table.validate(full=True)
    numbers = {name: _numbers(table, name) for name in (*_PRICES, "volume_shares", "amount_fen")}
    levels = {name: _levels(table, name) for name in _LEVEL_COLUMNS}
    limits = {name: _numbers(table, name) for name in _LIMITS}
    count = table.num_rows
    ts_event_ns = _numbers(table, "ts_event_ns")
    words = table.column("symbol").to_pylist()
    zeros = np.zeros(count)
    raw = RawSnapshots(
        exchange=None,
        code=TextColumn(tuple(words), np.arange(count)),
        phase=_phases(table, ts_event_ns),
        ts_event_ns=ts_event_ns,
        **{name.removesuffix("_e4"): numbers[name] / PRICE_SCALE for name in _PRICES},
        volume=numbers["volume_shares"].astype(np.float64),
        amount=numbers["amount_fen"] / FEN_PER_YUAN,
        limit_up=np.maximum(limits["limit_up_e4"], 0) / PRICE_SCALE,
        limit_down=np.maximum(limits["limit_down_e4"], 0) / PRICE_SCALE,
        bid_price=levels["bid_price_e4"] / PRICE_SCALE,
        bid_shares=levels["bid_shares"],
        ask_price=levels["ask_price_e4"] / PRICE_SCALE,
        ask_shares=levels["ask_shares"],
    )
    return ParsedPayload(
        source=None,
        raw=raw,
        name=np.full(count, "", dtype=np.object_),
        is_st=np.asarray(_filled(table, "is_st", value=False), dtype=np.bool_),
        is_limit_unknown=limits["limit_up_e4"] < 0,
        volume_step=zeros,
        amount_step=zeros,
        line=np.arange(count),
        record=lambda line: _record(table, line),
        lines_in=count,
    )


def _record(table: pa.Table, line: int) -> str:
    """Return a row as JSON, whichever way it came."""
    (row,) = table.slice(line, 1).to_pylist()
    return msgspec.json.encode(row).decode()


def _numbers(table: pa.Table, name: str) -> Int64Array:
    return np.asarray(_filled(table, name, value=0), dtype=np.int64)


def _filled(table: pa.Table, name: str, *, value: object) -> NDArray[Any]:
    column = table.column(name).fill_null(value)
    return np.asarray(column.to_numpy())


def _levels(table: pa.Table, name: str) -> Float64Array:
    """Return up to five levels of each row, (n, 5) float64, 0 where there is none."""
    levels = np.zeros((table.num_rows, LEVELS))
    for row, values in enumerate(table.column(name).to_pylist()):
        if len(values) > LEVELS or None in values:
            message = f"{name} must be at most {LEVELS} numbers, was {values!r:.80}"
            raise ValueError(message)
        levels[row, : len(values)] = values
    return levels


def _phases(table: pa.Table, ts_event_ns: Int64Array) -> TextColumn:
    """Return the phases that a message says, or else those that the time tells."""
    said = table.column("phase")
    if said.null_count < table.num_rows:
        return TextColumn(tuple(_filled(table, "phase", value="")), np.arange(table.num_rows))
    seconds = (ts_event_ns // NS_PER_SECOND + SHANGHAI_OFFSET_SECONDS) % SECONDS_PER_DAY
    return phase_column(seconds, np.zeros(table.num_rows, dtype=np.bool_))


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
