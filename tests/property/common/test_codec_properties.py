"""Whatever bytes come, a codec gives a value or a ContractError, never anything else."""

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tidegate_common.bus.headers import origin_of, run_spec_of, stamp_of
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import BeatKind
from tidegate_common.errors import ContractError
from tidegate_common.events.message import Message
from tidegate_common.events.risk import JournalEntry
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import TICKS
from tidegate_common.frames.codec import (
    decode_bars,
    decode_frame,
    decode_scores,
    encode_bars,
    encode_frame,
    encode_scores,
)
from tidegate_common.frames.rows import BarRows
from tidegate_common.testing.builders import (
    make_bar_batch,
    make_frame,
    make_journal_entry,
    make_request,
    make_rows,
    make_run_spec,
    make_scores,
    make_tick_message,
)

Decoder = Callable[[bytes], object]


def decode_entry(data: bytes) -> object:
    """Return a journal entry."""
    return decode_event(JournalEntry, data)


def decode_spec(data: bytes) -> object:
    """Return a run's settings."""
    return decode_event(RunSpec, data)


MESSAGES: list[tuple[Decoder, bytes]] = [
    *(
        (decode_frame, encode_frame(make_frame(kind=kind, rows=make_rows(kind, row_count))))
        for kind in BeatKind
        for row_count in (0, 3)
    ),
    (decode_scores, encode_scores(make_scores(row_count=3))),
    # The one that is compressed.
    (decode_scores, encode_scores(make_scores(row_count=20_000))),
    (decode_bars, encode_bars(make_bar_batch(row_count=3))),
    (decode_entry, encode_event(make_journal_entry(requests=[make_request()]))),
    (decode_spec, encode_event(make_run_spec())),
]


@settings(max_examples=300)
@given(st.sampled_from(MESSAGES), st.data())
def test_decoder_of_mutated_bytes_raises_nothing_but_a_contract_error(
    message: tuple[Decoder, bytes], data: st.DataObject
) -> None:
    """A flipped bit is a dead letter, never a crash."""
    decode, original = message
    mutated = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        mutated[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))

    with suppress(ContractError):
        decode(bytes(mutated))


@given(
    st.sampled_from([decode_frame, decode_scores, decode_bars, decode_entry, decode_spec]),
    st.binary(),
)
def test_decoder_of_any_bytes_raises_a_contract_error(decode: Decoder, data: bytes) -> None:
    """Chance does not write our messages."""
    with suppress(ContractError):
        decode(data)
        raise AssertionError(data)


HEADER_NAMES = [name for name, _ in make_tick_message().headers]


@given(st.dictionaries(st.sampled_from(HEADER_NAMES), st.binary(max_size=24)))
def test_headers_of_any_bytes_raise_nothing_but_a_contract_error(headers: dict[str, bytes]) -> None:
    """They are read first, of every message that comes."""
    valid = dict(make_tick_message().headers)
    message = Message(TICKS.name, 0, b"", headers=tuple((valid | headers).items()))

    with suppress(ContractError):
        assert stamp_of(message).run_id == origin_of(message).run_id
        assert isinstance(run_spec_of(message), str)


@given(st.data(), st.integers(0, 90))
def test_frame_of_any_bars_decodes_to_itself(data: st.DataObject, row_count: int) -> None:
    """Round trip over the whole range of 64 bits."""
    column = arrays.arrays(np.int64, row_count, elements=st.integers(0, 2**63 - 1))
    instruments = data.draw(
        st.sets(st.integers(1_000_000, 3_999_999), min_size=row_count, max_size=row_count)
    )
    columns = [data.draw(column, label=name) for name in BarRows.__slots__]
    rows = BarRows(np.array(sorted(instruments), np.int64), *columns)

    decoded = decode_frame(encode_frame(make_frame(kind=BeatKind.BAR, rows=rows)))

    assert decoded.rows.instrument.tolist() == sorted(instruments)
    for name, expected in zip(BarRows.__slots__, columns, strict=True):
        assert np.array_equal(getattr(decoded.rows, name), expected)


@given(
    st.from_regex(r"[A-Za-z0-9_]{1,32}", fullmatch=True),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.dictionaries(st.text(max_size=8), st.integers(-(10**9), 10**9), max_size=3),
)
def test_event_of_any_values_decodes_to_itself(
    run_id: str, cash_fen: int, parameters: dict[str, int]
) -> None:
    """Round trip, whatever the texts and numbers."""
    spec = make_run_spec(run_id, cash_fen=cash_fen)
    spec.strategies[0].parameters.update(parameters)

    encoded = encode_event(spec)

    assert decode_event(RunSpec, encoded) == spec
    assert encode_event(decode_event(RunSpec, encoded)) == encoded
