"""Headers: who says which beat, readable without the value."""

import pytest

from tidegate_common.bus.headers import (
    beat_message,
    frame_message,
    origin_of,
    run_spec_of,
    stamp_of,
)
from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ContractError
from tidegate_common.events.message import Origin
from tidegate_common.events.topics import ORDERS, TICKS
from tidegate_common.testing.builders import make_frame, make_tick_message, with_headers

ORIGIN = Origin(RunId("run-a"), 3, "risk-1")


def test_beat_message_says_its_origin() -> None:
    """Repeats are dropped by it."""
    message = beat_message(ORDERS, 2, ORIGIN, b"{}")

    assert origin_of(message) == ORIGIN
    assert (message.topic, message.partition, message.key) == (ORDERS.name, 2, b"2")


def test_beat_message_said_again_is_the_same() -> None:
    """A clock or a random id in a header would make a repeat another message."""
    assert beat_message(ORDERS, 2, ORIGIN, b"{}") == beat_message(ORDERS, 2, ORIGIN, b"{}")


@pytest.mark.parametrize("kind", BeatKind)
@pytest.mark.parametrize("is_last", [True, False])
def test_frame_message_says_its_stamp(kind: BeatKind, *, is_last: bool) -> None:
    """A stage can step over a frame that it cannot decode."""
    frame = make_frame(5, shard=2, kind=kind, is_last=is_last)

    message = frame_message(frame, "ingest-0")

    assert stamp_of(message) == frame.stamp
    assert (message.topic, message.partition) == (TICKS.name, 2)
    assert run_spec_of(message) == ""


def test_frame_message_of_beat_zero_says_the_run() -> None:
    """A stage has the settings exactly when it has the first beat."""
    frame = make_frame(0)

    assert run_spec_of(frame_message(frame, "ingest-0")) == frame.run_spec != ""


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"ce_run": None}, "headers must include ce_run, ce_beat and ce_producer, were: ce_beat"),
        ({"ce_beat": b"one"}, "ce_beat must be a whole number"),
        ({"ce_beat": b"-1"}, "must be >= 0"),
        ({"ce_beat": b"9" * 19}, "fit 64 bits"),
        ({"ce_beat": b"9" * 9_999}, "ce_beat must be a whole number"),
        ({"ce_producer": b"\xff"}, "UTF-8"),
        ({"ce_run": b"a b"}, "ce_run must be a run's id, was 'a b'"),
    ],
)
def test_origin_that_is_none_is_a_contract_error(
    headers: dict[str, bytes | None], text: str
) -> None:
    """Foreign messages become dead letters, with the reason."""
    with pytest.raises(ContractError, match=text):
        origin_of(with_headers(make_tick_message(), **headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"ce_kind": None},
        {"ce_kind": b"noon"},
        {"ce_kind": b"\xff"},
        {"ce_tradedate": b""},
        {"ce_tseventns": b"-1"},
        {"ce_tseventns": b"9" * 19},
        {"ce_islast": None},
    ],
)
def test_stamp_that_is_none_is_a_contract_error(headers: dict[str, bytes | None]) -> None:
    """An engine gets the stamp even where the frame is lost, so it must be possible."""
    with pytest.raises(ContractError, match="a frame's headers must carry its stamp"):
        stamp_of(with_headers(make_tick_message(), **headers))
