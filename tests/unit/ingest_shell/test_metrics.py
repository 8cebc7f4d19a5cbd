"""What operators see of a feed."""

import pytest
from prometheus_client import CollectorRegistry

from tidegate_common.market.sessions import shanghai_ns
from tidegate_common.testing.builders import make_frame, make_quote_rows
from tidegate_ingest.metrics import IngestMetrics, is_in_session

DATE = 20240603


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ((9, 20), False),
        ((9, 29), False),
        ((9, 30), True),
        ((11, 29), True),
        ((11, 30), False),
        ((13, 0), True),
        ((14, 59), True),
        ((15, 0), False),
        ((15, 10), False),
    ],
)
def test_session_is_when_the_main_boards_trade(
    time: tuple[int, int],
    expected: bool,  # noqa: FBT001  # a row of the table
) -> None:
    """Quotes that stand still over lunch are not stale."""
    hour, minute = time

    assert is_in_session(shanghai_ns(DATE, (hour * 60 + minute) * 60)) is expected


def test_frames_are_counted_with_their_rows() -> None:
    """What is refused is at 0 before the first, so that a rate sees the first one."""
    registry = CollectorRegistry()
    metrics = IngestMetrics(registry)

    for beat in range(3):
        metrics.sent(make_frame(beat, rows=make_quote_rows(4)))

    assert registry.get_sample_value("tidegate_ingest_beats_total") == 3
    assert registry.get_sample_value("tidegate_ingest_rows_total") == 12
    rule = {"rule": "stale"}
    assert registry.get_sample_value("tidegate_ingest_rejected_rows_total", rule) == 0
    outcome = {"outcome": "sina_failed"}
    assert registry.get_sample_value("tidegate_ingest_quote_requests_total", outcome) == 0
