"""Messages of users' own feeds, mutated: each is refused as a whole, or is what it says."""

import json
import os
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.mutation import mutate_bytes, mutate_row
from tests.unit.ingest.test_push_quotes import ROW, arrow_bytes, json_text, make_table

from tidegate_common.errors import ContractError
from tidegate_ingest.engine.normalizer import prices_e4, whole
from tidegate_ingest.engine.push_quotes import (
    PUSH_SCHEMA,
    PushMessage,
    parse_push_arrow,
    parse_push_json,
)

INPUTS = int(os.environ.get("TIDEGATE_FUZZ_INPUTS", "20000"))
_PRICES = ("prev_close_e4", "open_e4", "high_e4", "low_e4", "last_e4")
_CELLS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_VALUES = st.recursive(_CELLS, lambda inner: st.lists(inner, max_size=6), max_leaves=6)


def _check(message: PushMessage, row: Mapping[str, object]) -> None:
    """Assert that a message of one row is what the row says."""
    assert message.quotes is not None
    assert message.quotes.lines_in == 1
    raw = message.quotes.raw
    assert raw.code.words == (row["symbol"],)
    assert raw.ts_event_ns.tolist() == [row["ts_event_ns"]]
    for name in _PRICES:
        said = row[name]
        assert isinstance(said, int)
        if 0 <= said < 10**10 and said % 100 == 0:
            assert prices_e4(getattr(raw, name.removesuffix("_e4"))).tolist() == [said]
    for name, numbers in (("volume_shares", raw.volume), ("amount_fen", raw.amount * 100)):
        said = row[name]
        assert isinstance(said, int)
        if 0 <= said < 10**15:
            assert whole(numbers).tolist() == [said]


def _is_read(text: str, row: Mapping[str, object]) -> bool:
    try:
        message = parse_push_json(text)
    except ContractError:
        return False
    _check(message, row)
    return True


def test_parse_push_json_of_mutated_rows_is_what_they_say() -> None:
    """A number is that number or no message: never another unit, never a text that looks so."""
    generator = np.random.default_rng(29)
    rows = [mutate_row(generator, ROW) for _ in range(INPUTS // 4)]

    read = sum(_is_read(json_text(row), row) for row in rows)

    assert len(rows) // 50 < read < len(rows)


def test_parse_push_arrow_of_mutated_rows_is_what_they_say() -> None:
    """As JSON; a value of another type makes no table, which is the client's error already."""
    generator = np.random.default_rng(31)
    read = 0

    for _ in range(INPUTS // 20):
        row = mutate_row(generator, ROW)
        try:
            data = arrow_bytes(make_table(**row))
            message = parse_push_arrow(data)
        except (pa.ArrowException, ContractError, OverflowError):
            continue
        (said,) = pa.ipc.open_stream(data).read_all().to_pylist()
        _check(message, said)
        read += 1

    assert read > INPUTS // 1_000


def test_parse_push_of_mutated_bytes_raises_nothing_but_its_own_error() -> None:
    """A stream cut, spliced or in another encoding."""
    generator = np.random.default_rng(37)
    table = pa.Table.from_pylist([ROW] * 3, schema=PUSH_SCHEMA)
    answers = (arrow_bytes(table), json_text(ROW, ROW).encode())
    refused = 0

    for number in range(INPUTS // 10):
        data = mutate_bytes(generator, answers[number % 2])
        try:
            if number % 2:
                parse_push_json(data.decode(errors="replace"))
            else:
                parse_push_arrow(data)
        except ContractError:
            refused += 1

    assert refused > INPUTS // 20


@settings(max_examples=max(INPUTS // 100, 1), deadline=None)
@given(st.dictionaries(st.sampled_from(PUSH_SCHEMA.names), _VALUES, max_size=3))
def test_parse_push_json_of_any_values_raises_nothing_but_its_own_error(
    changes: dict[str, object],
) -> None:
    """Whatever JSON can say, in whichever column."""
    row = {**ROW, **changes}

    _is_read(json_text(json.loads(json.dumps(row))), row)
