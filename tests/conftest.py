"""What every test shares: the fixtures of tidegate_common, and who may sit out."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

APACHE_KAFKA = "TIDEGATE_TEST_APACHE_KAFKA"
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

pytest_plugins = (
    ["tidegate_common.testing.fixtures"] if find_spec("tidegate_common.testing.fixtures") else []
)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded as `seen`: figures that a reader of a run wants to have."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name == "seen":
                    terminalreporter.write_line(f"{report.nodeid}: {value}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine has no server or no data for."""
    missing = {}
    if not os.environ.get(APACHE_KAFKA):
        missing["apache_kafka"] = f"{APACHE_KAFKA} is not set (.ci/run starts Apache Kafka)"
    if not SHARED_DATA.is_dir():
        missing["data"] = "there is no ../shared/data beside this checkout"
    for item in items:
        for marker, reason in missing.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
