"""What operators see of a run of the whole stack: one order's trace, and every service's log."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.collector import CollectedSpan, Collector
from tests.e2e.conftest import RUN_SECONDS_MAX, stack

from tidegate_common.domain.ids import RunId
from tidegate_common.events.topics import FILLS, ORDERS, SCORES, TICKS
from tidegate_common.events.trace import beat_trace_id

RUN_ID = "telemetry"
OPTIONS = ("--instruments", 10, "--beats", 60, "--seed", 5, "--accounts", 2, "--speed", "max")
STAGES = {"ingest", "signals", "risk", "execution", "recorder"}
# Lines of what a service does in a run, which name it and the beat.
IN_RUN = {"lease_held", "feed_started", "feed_ended", "run_ended"}
EVENT = re.compile(r"[a-z]+(_[a-z]+)*")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run left behind.

    order : the spans of the trace of a beat whose orders were filled.
    lines : of services' logs, by the name of the process.
    """

    order: list[CollectedSpan]
    lines: list[tuple[str, dict[str, object]]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Run the synthetic market, every beat of it traced, with logs in JSON."""
    with Collector() as collector:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_TRACES_SAMPLER_ARG": "1",
            "TIDEGATE_LOG_FORMAT": "json",
        }
        directory: Path = tmp_path_factory.mktemp("stack")
        options = (*OPTIONS, "--run-id", RUN_ID)
        with stack(directory, *options, **environment) as running:
            order = _filled_order(collector)
            # No beat is so late: the run is over then.
            running.wait_for_beat(10**9)
            said = running.stop().stderr
    pairs = [line.split(" | ", 1) for line in said.splitlines() if " | " in line]
    return Seen(order, [(name.strip(), json.loads(text)) for name, text in pairs])


def _filled_order(collector: Collector) -> list[CollectedSpan]:
    """Return the spans of an order, once its fills are recorded."""
    deadline = time.monotonic() + RUN_SECONDS_MAX
    while time.monotonic() < deadline:
        spans = list(collector.spans)
        recorded = {
            span.context.trace_id
            for span in spans
            if span.service == "recorder" and span.name == f"process {FILLS.name}"
        }
        for span in spans:
            trace_id = span.context.trace_id
            is_filled = span.service == "execution" and span.attributes.get("tidegate.fills")
            mine = [each for each in spans if each.context.trace_id == trace_id]
            # Each process sends its spans in its own time.
            if is_filled and trace_id in recorded and {each.service for each in mine} >= STAGES:
                return mine
        time.sleep(0.05)
    pytest.fail(f"no order was traced to its fills, of {len(collector.spans)} spans")


# Runs of the whole stack: on a busy machine they outlast the limit of an ordinary test.
@pytest.mark.timeout(900)
def test_order_is_one_connected_trace_from_its_frame_to_its_recorded_fills(seen: Seen) -> None:
    """Who asks why an order came late sees where its time went, in every process."""
    by_id = {span.context: span for span in seen.order}

    path = [_of(seen.order, "recorder", f"process {FILLS.name}")]
    while (parent := path[0].parent) is not None:
        path.insert(0, by_id[parent])

    assert [(span.service, span.name) for span in path] == [
        ("ingest", f"send {TICKS.name}"),
        ("signals", f"process {TICKS.name}"),
        ("signals", f"send {SCORES.name}"),
        ("risk", f"process {SCORES.name}"),
        ("risk", f"send {ORDERS.name}"),
        ("execution", f"process {ORDERS.name}"),
        ("execution", f"send {FILLS.name}"),
        ("recorder", f"process {FILLS.name}"),
    ]
    starts = [span.start_ns for span in path]
    assert starts == sorted(starts)
    assert all(span.start_ns <= span.end_ns for span in seen.order)


@pytest.mark.timeout(900)
def test_trace_of_an_order_is_that_of_its_beat(seen: Seen) -> None:
    """Its id can be told from the order's; risk decided in beat n, execution filled in n + 1."""
    risk = _of(seen.order, "risk", f"process {SCORES.name}")
    execution = _of(seen.order, "execution", f"process {ORDERS.name}")

    beat = risk.attributes["tidegate.beat"]
    assert isinstance(beat, int)
    assert risk.attributes["tidegate.run"] == RUN_ID
    assert risk.context.trace_id == beat_trace_id(RunId(RUN_ID), beat)
    assert execution.attributes["tidegate.beat"] == beat + 1


@pytest.mark.timeout(900)
def test_lines_of_every_service_are_json_and_say_who_speaks(seen: Seen) -> None:
    """One query finds them all; the event is a constant word, the rest is values."""
    spoke = {str(line["service"]) for _, line in seen.lines}

    assert spoke == STAGES | {"gateway"}
    for name, line in seen.lines:
        assert EVENT.fullmatch(str(line["event"])), (name, line)
        assert TIMESTAMP.fullmatch(str(line["timestamp"])), (name, line)
        # On a busy machine the client of Kafka calls a late answer an error.
        assert line["level"] in {"info", "warning"} or "library" in line, (name, line)


@pytest.mark.timeout(900)
def test_lines_inside_a_run_say_run_beat_and_trace(seen: Seen) -> None:
    """And of which shard or partition, where there may be several."""
    inside = [(name, line) for name, line in seen.lines if line["event"] in IN_RUN]

    ended = {name: line for name, line in inside if line["event"] == "run_ended"}
    # Recommendations follow in their own time, and may be stopped before.
    assert {"signals", "risk-0", "execution-0"} <= set(ended)
    assert ended["signals"]["shard"] == ended["execution-0"]["shard"] == 0
    assert ended["risk-0"]["partition"] == 0
    for name, line in inside:
        assert line["run"] == RUN_ID, (name, line)
        beat = line["beat"]
        assert isinstance(beat, int)
        assert line["trace_id"] == f"{beat_trace_id(RunId(RUN_ID), beat):032x}", (name, line)


def _of(spans: list[CollectedSpan], service: str, name: str) -> CollectedSpan:
    found = [span for span in spans if (span.service, span.name) == (service, name)]
    assert found, (service, name)
    return found[0]
