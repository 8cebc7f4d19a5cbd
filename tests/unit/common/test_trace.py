"""Ids of traces: functions of what is traced, and as W3C writes them."""

import pytest

from tidegate_common.domain.ids import AccountId, RequestId, RunId
from tidegate_common.events.trace import (
    TraceContext,
    beat_trace_id,
    is_sampled,
    parse_traceparent,
    request_trace_id,
    span_id_of,
    trace_id_text,
)

RUN = RunId("run-1")
TRACEPARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_beat_trace_id_is_a_function_of_run_and_beat() -> None:
    """What is said again after a crash must be the same bytes; this number is a promise."""
    text = trace_id_text(beat_trace_id(RUN, 7))

    assert text == "0cd52b133a881c3d2973ceb93bdf6d72"
    assert len({beat_trace_id(RunId(run), beat) for run in "ab" for beat in range(50)}) == 100


def test_request_trace_id_differs_by_account_and_request() -> None:
    """Risk remembers requests by account; a command for all has none."""
    accounts = (AccountId("A1"), AccountId("A2"), None)

    found = {request_trace_id(one, RequestId(name)) for one in accounts for name in ("q1", "q2")}

    assert len(found) == 6


def test_span_id_has_64_bits_and_depends_on_each_part() -> None:
    """Parts do not run into one another."""
    found = {span_id_of("a", 1), span_id_of("a", 2), span_id_of("b", 1), span_id_of("a1")}

    assert len(found) == 4
    assert all(0 < each < 2**64 for each in found)


def test_traceparent_is_read_as_it_was_written() -> None:
    """Numbers keep their leading zeros."""
    context = TraceContext(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0xF067AA0BA902B7)

    assert context.traceparent() == TRACEPARENT
    assert parse_traceparent(TRACEPARENT) == context
    # Of its flags the first bit says that it is sampled; what others mean is not ours.
    assert parse_traceparent(TRACEPARENT[:-2] + b"03") == context


@pytest.mark.parametrize(
    "value",
    [
        b"",
        TRACEPARENT[:-2] + b"00",
        TRACEPARENT[:-2] + b"02",
        TRACEPARENT + b"-more",
        b"01" + TRACEPARENT[2:],
        TRACEPARENT.upper(),
        b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-" + b"0" * 16 + b"-01",
    ],
)
def test_traceparent_that_is_not_sampled_or_none_is_no_span(value: bytes) -> None:
    """Headers come from anybody; a bad one costs a trace and nothing else."""
    assert parse_traceparent(value) is None


def test_sampling_takes_its_share_and_the_same_again() -> None:
    """None of 0, all of 1; a larger share has all that a smaller one has."""
    ids = [beat_trace_id(RUN, beat) for beat in range(2_000)]

    tenth = {each for each in ids if is_sampled(each, 0.1)}

    assert 150 < len(tenth) < 250
    assert tenth < {each for each in ids if is_sampled(each, 0.2)}
    assert not any(is_sampled(each, 0) for each in ids)
    assert all(is_sampled(each, 1) for each in ids)
    assert is_sampled((1 << 128) - 1, 1)
    # By the lower half alone, as every other program of OpenTelemetry's that sees the id.
    assert is_sampled(1 << 127, 0.1)
    assert not is_sampled(1 << 127, 0)
    assert not is_sampled((1 << 64) - 1, 0.9)
