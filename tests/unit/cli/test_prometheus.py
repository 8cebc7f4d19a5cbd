"""The configuration of Prometheus for a local stack."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tidegate_cli.app import app
from tidegate_cli.prometheus import prometheus_config
from tidegate_cli.stack_file import ServiceEntry, StackFile

PORTS = {"ingest": 1, "ingest-standby": 2, "risk-0": 3, "risk-1": 4, "recorder": 5}
STACK = StackFile(
    pid=1,
    run_id="run",
    addresses={},
    urls={},
    services={name: ServiceEntry(0, port, 1, is_finished=False) for name, port in PORTS.items()},
)


def test_config_has_a_job_of_each_service_and_an_instance_of_each_process() -> None:
    """Dashboards and alerts ask by job, whatever the number of its processes."""
    config = yaml.safe_load(prometheus_config(STACK))

    found = [
        (job["job_name"], each["labels"]["instance"], each["targets"])
        for job in config["scrape_configs"]
        for each in job["static_configs"]
    ]
    assert found == [
        ("ingest", "ingest", ["127.0.0.1:1"]),
        ("ingest", "ingest-standby", ["127.0.0.1:2"]),
        ("risk", "risk-0", ["127.0.0.1:3"]),
        ("risk", "risk-1", ["127.0.0.1:4"]),
        ("recorder", "recorder", ["127.0.0.1:5"]),
    ]
    assert config.keys() == {"global", "scrape_configs"}
    # Prometheus takes no configuration whose scrapes may last longer than the time between them.
    assert config["global"] == dict.fromkeys(
        ("scrape_interval", "scrape_timeout", "evaluation_interval"), "15s"
    )


def test_config_names_rules_and_alertmanager_where_they_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prometheus looks for rules beside its configuration, which may be anywhere."""
    monkeypatch.chdir(tmp_path)

    text = prometheus_config(
        STACK, rules=Path("rules.yml"), alertmanager="127.0.0.1:9093", every_seconds=2
    )

    config = yaml.safe_load(text)
    assert config["rule_files"] == [str(tmp_path / "rules.yml")]
    (alertmanager,) = config["alerting"]["alertmanagers"]
    assert alertmanager["static_configs"] == [{"targets": ["127.0.0.1:9093"]}]
    assert set(config["global"].values()) == {"2s"}


def test_command_without_a_stack_says_so(tmp_path: Path) -> None:
    """A configuration without targets would look as if all were well."""
    result = CliRunner().invoke(app, ["prometheus-config", "--data-dir", str(tmp_path)])

    assert result.exit_code == 1
    assert "no stack runs in" in str(result.exception)
