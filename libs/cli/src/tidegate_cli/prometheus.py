"""What Prometheus is told to scrape a running local stack."""

from pathlib import Path

import yaml

from tidegate_cli.stack_file import StackFile

SCRAPE_SECONDS = 15


def prometheus_config(
    stack: StackFile,
    *,
    rules: Path | None = None,
    alertmanager: str = "",
    every_seconds: int = SCRAPE_SECONDS,
) -> str:
    """Return a configuration of Prometheus, as YAML.

    A job is a service and an instance one of its processes, as dashboards and alerts expect it:
    `risk-1` is an instance of the job `risk`.

    Parameters
    ----------
    rules : file of alerts and recordings; None for none.
    alertmanager : host:port that is told of alerts; "" for nobody.
    every_seconds : between two scrapes, and between two looks at the rules.
    """
    every = f"{every_seconds}s"
    targets: dict[str, list[dict[str, object]]] = {}
    for name, entry in stack.services.items():
        target: dict[str, object] = {
            "targets": [f"127.0.0.1:{entry.http_port}"],
            "labels": {"instance": name},
        }
        targets.setdefault(name.split("-")[0], []).append(target)
    config: dict[str, object] = {
        "global": {
            "scrape_interval": every,
            "scrape_timeout": every,
            "evaluation_interval": every,
        },
        "scrape_configs": [
            {"job_name": job, "static_configs": processes} for job, processes in targets.items()
        ],
    }
    if rules:
        config["rule_files"] = [str(rules.resolve())]
    if alertmanager:
        config["alerting"] = {
            "alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}],
        }
    return yaml.safe_dump(config, sort_keys=False)
