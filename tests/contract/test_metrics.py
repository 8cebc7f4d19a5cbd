"""The metrics that the code registers are those that `deploy/telemetry/metrics.yaml` declares."""

from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from tidegate_common.runtime.metrics import StageMetrics
from tidegate_gateway.app import _Measure
from tidegate_gateway.streams.hub import StreamMetrics
from tidegate_ingest.metrics import IngestMetrics
from tidegate_recorder.metrics import RecorderMetrics

DECLARED = Path(__file__).resolve().parents[2] / "deploy" / "telemetry" / "metrics.yaml"


def registered_metrics() -> list[dict[str, object]]:
    """Return name, type and labels of every metric that a service of ours can register."""
    stage = StageMetrics()
    registry = CollectorRegistry()
    owners = (
        stage,
        IngestMetrics(registry),
        RecorderMetrics(registry),
        _Measure(registry),
        StreamMetrics(registry),
    )
    metrics = [
        metric
        for owner in owners
        for metric in vars(owner).values()
        if isinstance(metric, MetricWrapperBase)
    ]
    return [
        {
            "name": metric._name + ("_total" if metric._type == "counter" else ""),
            "type": metric._type,
            "labels": list(metric._labelnames),
        }
        for metric in metrics
    ]


def test_metrics_are_those_that_are_declared() -> None:
    """Dashboards and alerts are written against the file."""
    declared = yaml.safe_load(DECLARED.read_text())["metrics"]

    assert registered_metrics() == declared


def test_metrics_have_few_labels() -> None:
    """A label for an instrument, an order or an account would grow without bound."""
    allowed = {"stage", "topic", "outcome", "rule"}

    for metric in registered_metrics():
        labels = metric["labels"]
        assert isinstance(labels, list)
        assert set(labels) <= allowed
