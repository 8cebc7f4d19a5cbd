"""Ask those of docker-compose.yml that look on whether they see the platform, by their names."""

import base64
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

# Four scrapes, and a start on a busy machine.
_SECONDS_MAX = 90
# Gone with its run, so it may have ended between two scrapes.
_SHORT_LIVED = {"ingest"}
_COLLECTOR = "otel-collector"


def main() -> int:
    """Wait until each of the named services sees what it should, and say what that is."""
    names = set(sys.argv[1:])
    checks = {
        "prometheus": lambda: _prometheus(is_collector_there=_COLLECTOR in names),
        "alertmanager": _alertmanager,
        "grafana": _grafana,
        "jaeger": _jaeger,
    }
    for name in sorted(names & set(checks)):
        sys.stderr.write(f"{name}: {_wait_for(checks[name])}\n")
    return 0


def _wait_for(check: Callable[[], str]) -> str:
    deadline = time.monotonic() + _SECONDS_MAX
    while True:
        try:
            return check()
        except (URLError, OSError, ValueError) as error:
            if time.monotonic() > deadline:
                message = f"not within {_SECONDS_MAX} s: {error}"
                raise SystemExit(message) from error
            time.sleep(1)


def _prometheus(*, is_collector_there: bool) -> str:
    """Check that jobs are up, rules are read, Alertmanager is known."""
    up = _by_job("up")
    excused = _SHORT_LIVED | (set() if is_collector_there else {_COLLECTOR})
    _expect(bool(up), "jobs")
    _expect(not (down := {job for job in up if not up[job]} - excused), f"{down} up")
    samples = sum(_by_job("scrape_samples_scraped").values())
    groups = _get("PROMETHEUS", "/api/v1/rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    failing = [rule["name"] for rule in rules if rule["health"] == "err"]
    _expect(bool(rules) and not failing, f"rules that work, not {failing}")
    known = _get("PROMETHEUS", "/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    _expect(bool(known), "an Alertmanager")
    return f"{len(up)} jobs, {samples} samples, {len(rules)} rules"


def _alertmanager() -> str:
    return f"version {_get('ALERTMANAGER', '/api/v2/status')['versionInfo']['version']}"


def _grafana() -> str:
    lines = [line.partition("=") for line in Path(".env").read_text().splitlines()]
    passwords = [value for name, _, value in lines if name == "TIDEGATE_COMPOSE_GRAFANA_PASSWORD"]
    login = base64.b64encode(f"admin:{passwords[0]}".encode()).decode()
    found = _get("GRAFANA", "/api/search?type=dash-db", {"Authorization": f"Basic {login}"})
    _expect(bool(found), "dashboards")
    return f"{len(found)} dashboards"


def _jaeger() -> str:
    return f"traces of {_get('JAEGER', '/api/services')['data'] or 'nobody'}"


def _by_job(expression: str) -> dict[str, int]:
    query = urlencode({"query": expression})
    found = _get("PROMETHEUS", f"/api/v1/query?{query}")["data"]["result"]
    return {each["metric"]["job"]: int(each["value"][1]) for each in found}


# Any: it is JSON.
def _get(server: str, path: str, headers: dict[str, str] | None = None) -> Any:  # noqa: ANN401
    port = os.environ[f"TIDEGATE_COMPOSE_{server}_PORT"]
    request = Request(f"http://127.0.0.1:{port}{path}", headers=headers or {})
    with urlopen(request, timeout=5) as answer:  # noqa: S310  # http, by the line above
        return json.load(answer)


def _expect(is_met: bool, what: str) -> None:  # noqa: FBT001  # a condition and its words
    if not is_met:
        message = f"expected {what}"
        raise ValueError(message)


if __name__ == "__main__":
    sys.exit(main())
