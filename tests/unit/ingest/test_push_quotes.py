"""Messages of a user's own feed: rows in our integers, or one error that says what is wrong."""

import json

import numpy as np
import pyarrow as pa
import pytest

from tidegate_common.errors import ContractError
from tidegate_common.market.sessions import shanghai_ns
from tidegate_ingest.engine.normalizer import normalize_snapshots
from tidegate_ingest.engine.push_quotes import (
    PUSH_SCHEMA,
    TIME_KEY,
    PushMessage,
    parse_push_arrow,
    parse_push_json,
)
from tidegate_ingest.engine.quality import ACCEPTED, check_snapshots

TEN_NS = shanghai_ns(20260914, 36_000)
ROW: dict[str, object] = {
    "symbol": "600519.SH",
    "ts_event_ns": TEN_NS,
    "prev_close_e4": 92_600,
    "open_e4": 92_800,
    "high_e4": 94_300,
    "low_e4": 92_400,
    "last_e4": 94_000,
    "volume_shares": 77_187_101,
    "amount_fen": 72_230_737_456,
    "bid_price_e4": [93_900, 93_800],
    "bid_shares": [100, 200],
    "ask_price_e4": [94_000],
    "ask_shares": [300],
}


def json_text(*rows: object, **changes: object) -> str:
    """Return a message of quotes."""
    return json.dumps({"type": "quotes", "ts_event_ns": TEN_NS, "rows": rows} | changes)


def arrow_bytes(table: pa.Table, time: str | None = str(TEN_NS)) -> bytes:
    """Return a message of quotes as a stream."""
    metadata = {} if time is None else {TIME_KEY: time}
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema.with_metadata(metadata)) as writer:
        writer.write_table(table)
    stream: bytes = sink.getvalue().to_pybytes()
    return stream


def make_table(**changes: object) -> pa.Table:
    """Return one row."""
    return pa.Table.from_pylist([ROW | changes], schema=PUSH_SCHEMA)


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def parse_both(**changes: object) -> list[PushMessage]:
    """Return what the row comes to as JSON and as Arrow."""
    return [
        parse_push_json(json_text(ROW | changes)),
        parse_push_arrow(arrow_bytes(make_table(**changes))),
    ]


def test_parse_push_of_a_row_gives_its_integers_back() -> None:
    """No unit is guessed on the way, and none is lost in the floats between."""
    for message in parse_both():
        assert message.ts_event_ns == TEN_NS
        assert message.quotes is not None
        raw = message.quotes.raw
        rows = normalize_snapshots(raw)
        assert check_snapshots(raw, rows).tolist() == [ACCEPTED]
        assert rows.instrument.tolist() == [1_600_519]
        assert rows.ts_event_ns.tolist() == [TEN_NS]
        prices = (rows.prev_close_e4, rows.open_e4, rows.high_e4, rows.low_e4, rows.last_e4)
        assert np.concatenate(prices).tolist() == [92_600, 92_800, 94_300, 92_400, 94_000]
        assert rows.volume_shares.tolist() == [77_187_101]
        assert rows.amount_fen.tolist() == [72_230_737_456]
        assert rows.bid_price_e4.tolist() == [[93_900, 93_800, 0, 0, 0]]
        assert rows.ask_shares.tolist() == [[300, 0, 0, 0, 0]]
        assert [raw.phase.words[place] for place in raw.phase.index] == ["TRADE"]


def test_parse_push_of_what_may_be_left_out_takes_it() -> None:
    """Phase, limits and the flag of risk warning are the feed's to say."""
    for message in parse_both(phase="SUSP", limit_up_e4=-1, limit_down_e4=-1, is_st=True):
        quotes = message.quotes
        assert quotes is not None
        assert quotes.is_st.tolist() == [True]
        assert quotes.is_limit_unknown.tolist() == [True]
        assert quotes.raw.limit_up.tolist() == [0]
        assert [quotes.raw.phase.words[place] for place in quotes.raw.phase.index] == ["SUSP"]


def test_parse_push_of_a_table_without_optional_columns_reads_the_others() -> None:
    """Other columns may be there and are not read; narrower integers are as good."""
    table = make_table().drop_columns(["phase", "is_st", "limit_up_e4", "limit_down_e4"])
    table = table.append_column("mine", pa.array(["x"]))
    small = table.column("volume_shares").cast(pa.int32())
    table = table.set_column(table.column_names.index("volume_shares"), "volume_shares", small)

    message = parse_push_arrow(arrow_bytes(table))

    assert message.quotes is not None
    assert message.quotes.raw.volume.tolist() == [77_187_101]
    assert message.quotes.is_limit_unknown.tolist() == [False]


def test_parse_push_json_of_a_heartbeat_is_a_time() -> None:
    """Time passes also where nobody speaks."""
    text = json.dumps({"type": "heartbeat", "ts_event_ns": TEN_NS})

    assert parse_push_json(text) == PushMessage(TEN_NS, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a JSON message"),
        ("[" * 100_000, "expected a JSON message"),
        ("\ud800", "expected a JSON message"),
        ("[]", "expected a JSON message"),
        ('{"type":"heartbeat"}', "missing required field `ts_event_ns`"),
        (json_text(ROW, type="trades"), "Invalid value 'trades'"),
        (json_text(ROW, ts_event_ns=0), "must be > 0"),
        (json_text(ROW, ts_event_ns=2**63), "before the year 2100"),
        (json_text(7), "found: Expected `object`, got `int`"),
        (json_text(ROW | {"last_e4": "x"}), r"last_e4"),
        (json_text(ROW | {"last_e4": 9.4}), r"last_e4"),
        (json_text(ROW | {"last_e4": None}), r"last_e4"),
        (json_text(ROW | {"last_e4": 2**63}), "expected rows of quotes"),
        (json_text({"symbol": "600519.SH"}), "missing required field"),
        (json_text(ROW | {"bid_shares": [1] * 6}), "bid_shares must be at most 5 numbers"),
        (json_text(ROW | {"bid_shares": [None]}), "bid_shares"),
    ],
)
def test_parse_push_json_of_something_else_says_what_is_wrong(text: str, reason: str) -> None:
    """One error type, whatever came."""
    with pytest.raises(ContractError, match=reason):
        parse_push_json(text)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "expected quotes as an Arrow IPC stream"),
        (b"PAR1" * 100, "expected quotes as an Arrow IPC stream"),
        (arrow_bytes(make_table())[:-200], "expected quotes as an Arrow IPC stream"),
        (arrow_bytes(make_table(), time=None), "must be > 0"),
        (arrow_bytes(make_table(), time="x"), "must be > 0"),
        (arrow_bytes(make_table().drop_columns(["symbol"])), "symbol"),
        (arrow_bytes(pa.table({"symbol": [1.5]})), "expected quotes"),
        (arrow_bytes(_with(make_table(), "last_e4", pa.array([9.4]))), "expected quotes"),
        (arrow_bytes(_with(make_table(), "last_e4", pa.array([None]))), "last_e4 must have a"),
        (arrow_bytes(_with(make_table(), "bid_shares", pa.array([[None]]))), "at most 5 numbers"),
    ],
)
def test_parse_push_arrow_of_something_else_says_what_is_wrong(data: bytes, reason: str) -> None:
    """One error type, whatever came."""
    with pytest.raises(ContractError, match=reason):
        parse_push_arrow(data)


def test_parse_push_arrow_of_mutated_streams_never_raises_another_error() -> None:
    """A client may be broken in any way that bytes can be."""
    generator = np.random.default_rng(3)
    good = arrow_bytes(pa.Table.from_pylist([ROW] * 3, schema=PUSH_SCHEMA))
    refused = 0

    for _ in range(2_000):
        data = bytearray(good)
        for place in generator.integers(0, len(data), generator.integers(1, 5)).tolist():
            data[place] = generator.integers(0, 256)
        try:
            message = parse_push_arrow(bytes(data[: generator.integers(1, len(data) + 1)]))
        except ContractError:
            refused += 1
        else:
            assert message.quotes is None or message.quotes.lines_in <= 3

    assert refused > 1_000
