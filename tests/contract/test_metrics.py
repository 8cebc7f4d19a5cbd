"""The metrics that the code registers are those that `deploy/telemetry/metrics.yaml` declares."""

import os
from pathlib import Path
from typing import TypedDict

import yaml
from prometheus_client.metrics import MetricWrapperBase

from tidegate_common.runtime.metrics import StageMetrics
from tidegate_execution.metrics import ExecutionMetrics
from tidegate_gateway.app import _Measure
from tidegate_gateway.streams.hub import StreamMetrics
from tidegate_ingest.metrics import IngestMetrics
from tidegate_recorder.metrics import RecorderMetrics
from tidegate_risk.metrics import RiskMetrics

ROOT = Path(__file__).resolve().parents[2]
DECLARED = ROOT / "deploy" / "telemetry" / "metrics.yaml"
TABLE = ROOT / "docs" / "metrics.md"
WRITE_GOLDEN = "TIDEGATE_TEST_WRITE_GOLDEN"
UNITS = {"seconds", "bytes", "yuan", "ratio"}


class Declared(TypedDict):
    """What is said of a metric."""

    name: str
    type: str
    labels: list[str]
    unit: str
    help: str


def registered_metrics() -> list[Declared]:
    """Return every metric that a service of ours can register, in the order of the code."""
    stage = StageMetrics()
    for owner in (
        IngestMetrics,
        RiskMetrics,
        ExecutionMetrics,
        RecorderMetrics,
        _Measure,
        StreamMetrics,
    ):
        owner(stage.registry)
    metrics = []
    for collector in stage.registry._collector_to_names:
        if isinstance(collector, MetricWrapperBase):
            labels = [list(collector._labelnames)]
        else:
            labels = [sorted(family.samples[0].labels) for family in collector.collect()]
        for family, names in zip(collector.collect(), labels, strict=True):
            name = family.name + ("_total" if family.type == "counter" else "")
            unit = family.name.rsplit("_", 1)[1]
            metrics.append(
                Declared(
                    name=name,
                    type=family.type,
                    labels=names,
                    unit=unit if unit in UNITS else "",
                    help=family.documentation,
                )
            )
    return metrics


def declared_metrics() -> list[Declared]:
    """Return what the file declares."""
    declared: list[Declared] = yaml.safe_load(DECLARED.read_text())["metrics"]
    return declared


def declaration(metrics: list[Declared]) -> str:
    """Return the file's text."""
    lines = [
        "# Every metric of the platform; docs/metrics.md is its table. A test compares this file",
        "# with what the code registers. Labels are few and bounded; never an instrument, an order",
        "# or an account.",
        "metrics:",
    ]
    for metric in metrics:
        labels = ", ".join(metric["labels"])
        lines += [
            f"  - name: {metric['name']}",
            f"    type: {metric['type']}",
            f"    labels: [{labels}]",
            f'    unit: "{metric["unit"]}"',
            f'    help: "{metric["help"]}"',
        ]
    return "\n".join(lines) + "\n"


def table(metrics: list[Declared]) -> str:
    """Return the page that people read."""
    lines = [
        "# Metrics",
        "",
        "Every service answers `GET /metrics` on its health port. This page is generated from",
        "[metrics.yaml](../deploy/telemetry/metrics.yaml); a test says that it is current. A",
        "counter begins at 0 with its process, and a beat that is taken again after a crash counts",
        "again. An account's class is `cash` where its leverage limit is its NAV or less, else",
        "`margin`.",
        "",
        "Prometheus beside a stack of `make up`, with a job for each service:",
        "",
        "    tidegate prometheus-config --rules deploy/prometheus/rules.yml > prometheus.yml",
        "    prometheus --config.file=prometheus.yml",
        "",
        "| metric | type | labels | unit | what it is |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{each['name']}` | {each['type']} | {', '.join(each['labels'])} | {each['unit']} "
        f"| {each['help']} |"
        for each in metrics
    ]
    return "\n".join(lines) + "\n"


def test_metrics_are_those_that_are_declared() -> None:
    """Dashboards and alerts are written against the file."""
    registered = registered_metrics()
    if os.environ.get(WRITE_GOLDEN):
        DECLARED.write_text(declaration(registered))

    assert registered == declared_metrics()


def test_table_of_metrics_is_current() -> None:
    """Who reads the page of the metrics must find those that there are."""
    found = table(declared_metrics())
    if os.environ.get(WRITE_GOLDEN):
        TABLE.write_text(found)

    assert found == TABLE.read_text()


def test_metrics_have_few_labels() -> None:
    """A label for an instrument, an order or an account would grow without bound."""
    allowed = {"stage", "topic", "outcome", "rule", "server", "side", "account_class", "generation"}

    for metric in registered_metrics():
        assert set(metric["labels"]) <= allowed


def test_metrics_are_named_by_their_service_and_explained() -> None:
    """A name says whose it is, and the help is a sentence."""
    others = ("process_", "python_gc_")

    for metric in registered_metrics():
        if not metric["name"].startswith(others):
            assert metric["name"].startswith("tidegate_")
            assert metric["help"].endswith(".")
