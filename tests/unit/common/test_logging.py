"""What every line of a log says."""

import json
import subprocess
import sys

from tidegate_common.domain.ids import RunId
from tidegate_common.events.trace import beat_trace_id, trace_id_text
from tidegate_common.runtime.logging import ProcessFacts

LINE = {"event": "lease_held"}


def test_line_says_its_service_and_where_the_process_is() -> None:
    """Whoever logs, from whatever thread, need not know; what is not known is left out."""
    facts = ProcessFacts("risk")
    facts.tell = lambda: {"stage": "risk-0", "run": "run-1", "beat": 7, "shard": None}

    found = facts(None, "info", dict(LINE))

    assert found == LINE | {"service": "risk", "stage": "risk-0", "run": "run-1", "beat": 7}


def test_line_that_says_it_itself_is_right() -> None:
    """A beat that was taken is told when the process is at the next one."""
    facts = ProcessFacts("risk")
    facts.tell = lambda: {"run": "run-1", "beat": 8}

    found = facts(None, "info", LINE | {"beat": 7})

    assert (found["run"], found["beat"]) == ("run-1", 7)


def test_line_of_a_traced_beat_names_its_trace() -> None:
    """From a log to the trace in one step; a beat that is not traced names none."""
    line = LINE | {"run": "run-1", "beat": 7}

    # Beat 7 of this run is among a sixth of all.
    said = {
        ratio: ProcessFacts("risk", ratio)(None, "info", dict(line)) for ratio in (1, 0.2, 0.1, 0)
    }

    traced = {ratio: found.get("trace_id") for ratio, found in said.items()}
    trace_id = trace_id_text(beat_trace_id(RunId("run-1"), 7))
    assert traced == {1: trace_id, 0.2: trace_id, 0.1: None, 0: None}


def test_line_of_no_beat_names_no_trace() -> None:
    """A gateway is at no beat."""
    facts = ProcessFacts("gateway", 1)

    assert facts(None, "info", dict(LINE)) == LINE | {"service": "gateway"}


def test_sentence_of_a_library_is_a_value_and_no_event() -> None:
    """One query finds what libraries say, whatever words they use."""
    program = (
        "import logging\n"
        "from tidegate_common.runtime.logging import ProcessFacts, configure_logging\n"
        "configure_logging(ProcessFacts('risk'), log_format='json', log_level='info')\n"
        "logging.getLogger('aiokafka.client').info('All is well')\n"
        "logging.getLogger('aiokafka.client').error('Failed fetch from %s', 1)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    line = json.loads(done.stderr)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "library_said",
        "library": "aiokafka.client",
        "said": "Failed fetch from 1",
        "level": "error",
        "service": "risk",
    }
