"""Prometheus and Alertmanager as Debian has them, on the local stack in replay."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.deploy.dashboards import queries
from tests.e2e.conftest import REPOSITORY, Stack, stack, tidegate

PROMETHEUS_FILES = REPOSITORY / "deploy" / "prometheus"
DECLARED = REPOSITORY / "deploy" / "telemetry" / "metrics.yaml"
PROGRAMS = ("prometheus", "prometheus-alertmanager")
# What is wanted comes within seconds; on a busy machine a stack alone takes a minute to start.
PATIENCE_SECONDS = 240.0
LOOK_SECONDS = 0.3
# Two scrapes at the least, on a machine that is late with them.
RATE_INTERVAL = "30s"
# What a scrape or a histogram adds to a metric's own labels.
TARGET_LABELS = {"__name__", "job", "instance", "le"}
# Prometheus' own on every target.
OF_PROMETHEUS = re.compile(r"up|scrape_.*|ALERTS.*|tidegate.*:.*")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(condition: Callable[[], object], wanted: Callable[[], object]) -> None:
    """Wait until something holds, or say what was wanted."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except httpx.HTTPError:
            # A server that has not begun to listen.
            pass
        time.sleep(LOOK_SECONDS)
    pytest.fail(f"did not come within {PATIENCE_SECONDS:g} s: {wanted()}")


@contextmanager
def server(program: str, directory: Path, port: int, *arguments: str) -> Iterator[str]:
    """Have a server running; yield its address."""
    directory.mkdir()
    command = [program, *arguments, f"--web.listen-address=127.0.0.1:{port}"]
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


class Monitored:
    """A stack with a Prometheus and an Alertmanager beside it."""

    def __init__(
        self, running: Stack, client: httpx.Client, *, prometheus: str, alertmanager: str
    ) -> None:
        self.stack = running
        self._client = client
        self._prometheus = prometheus
        self._alertmanager = alertmanager

    def answer(self, path: str, **query: str) -> Any:  # noqa: ANN401  # JSON
        """Return what Prometheus answers."""
        found = self._client.get(f"{self._prometheus}/api/v1/{path}", params=query)
        return found.raise_for_status().json()["data"]

    def ask(self, expression: str) -> list[Any]:
        """Return the samples that a query gives."""
        found: list[Any] = self.answer("query", query=expression)["result"]
        return found

    def alerts(self) -> set[str]:
        """Return the alerts that Alertmanager has been told of, by name and instance."""
        found = self._client.get(f"{self._alertmanager}/api/v2/alerts").raise_for_status()
        labels = [each["labels"] for each in found.json()]
        return {f"{each['alertname']} {each.get('instance', '')}" for each in labels}


def impatient_rules(path: Path) -> Path:
    """Write the rules down as they are, but for their patience: they fire at once."""
    text = (PROMETHEUS_FILES / "rules.yml").read_text()
    text = re.sub(r"^( +for:) .*$", r"\1 1s", text, flags=re.MULTILINE)
    path.write_text(re.sub(r"^( +interval:) .*$", r"\1 1s", text, flags=re.MULTILINE))
    return path


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    """Have a stack under observation, which trades."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"CI must have {' and '.join(missing)}")
    if missing:
        pytest.skip(f"{' and '.join(missing)} are not here: Debian's packages of these names")
    directory = tmp_path_factory.mktemp("monitored")
    data_dir, ports = directory / "stack", (free_port(), free_port())
    market = ("--instruments", 40, "--beats", 4_000, "--days", 20, "--speed", "300x")
    with ExitStack() as opened:
        running = opened.enter_context(stack(data_dir, *market, "--accounts", 4))
        running.wait_for_beat(1)
        config = tidegate(
            *("prometheus-config", "--data-dir", data_dir, "--every-seconds", 1),
            *("--rules", impatient_rules(directory / "rules.yml")),
            *("--alertmanager", f"127.0.0.1:{ports[1]}"),
        )
        assert config.exit_code == 0, config.stderr
        (directory / "prometheus.yml").write_text(config.stdout)
        prometheus = server(
            *(PROGRAMS[0], directory / "prometheus", ports[0]),
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'prometheus' / 'data'}",
        )
        alertmanager = server(
            *(PROGRAMS[1], directory / "alertmanager", ports[1]),
            f"--config.file={PROMETHEUS_FILES / 'alertmanager.yml'}",
            f"--storage.path={directory / 'alertmanager' / 'data'}",
            "--cluster.listen-address=",
        )
        yield Monitored(
            running,
            # One client, because each new one reads all certificates.
            opened.enter_context(httpx.Client(timeout=30, trust_env=False)),
            prometheus=opened.enter_context(prometheus),
            alertmanager=opened.enter_context(alertmanager),
        )


# A stack of its own: on a busy machine it outlasts the limit of an ordinary test.
@pytest.mark.timeout(600)
def test_every_declared_metric_is_scraped_and_every_scraped_one_declared(
    monitored: Monitored,
) -> None:
    """Whoever reads the table of metrics finds them, with these types and labels and no others."""
    metrics = yaml.safe_load(DECLARED.read_text())["metrics"]
    declared = {each["name"]: (each["type"], set(each["labels"])) for each in metrics}

    def scraped() -> dict[str, tuple[str, set[str]]]:
        families = monitored.answer("metadata")
        types = {name: each[0]["type"] for name, each in families.items()}
        found: dict[str, tuple[str, set[str]]] = {}
        for series in monitored.answer("series", **{"match[]": '{job=~".+"}'}):
            name = series["__name__"]
            if OF_PROMETHEUS.fullmatch(name):
                continue
            whole = re.sub("_(bucket|sum|count)$", "", name)
            family = whole if types.get(whole) == "histogram" else name
            _, labels = found.setdefault(family, (types.get(family, "unknown"), set()))
            labels.update(series.keys() - TARGET_LABELS)
        return found

    until(
        lambda: monitored.ask("sum(tidegate_execution_fills_total) > 0"),
        lambda: "a fill",
    )
    until(
        lambda: declared.keys() <= scraped().keys(),
        lambda: sorted(declared.keys() - scraped().keys()),
    )

    assert scraped() == declared


@pytest.mark.timeout(600)
def test_every_query_of_every_panel_returns_data(monitored: Monitored) -> None:
    """An empty panel hides a wrong name for as long as nobody needs it."""
    wanted = {
        query.substituted(rate_interval=RATE_INTERVAL): query
        for query in queries()
        if not query.may_be_empty
    }
    empty = dict(wanted)

    def ask_again() -> bool:
        for expression in list(empty):
            if monitored.ask(expression):
                del empty[expression]
        return not empty

    until(ask_again, lambda: [f"{each.dashboard}: {each.panel}" for each in empty.values()])

    assert len(wanted) > 20


@pytest.mark.timeout(600)
def test_alertmanager_hears_of_a_service_that_does_not_answer(monitored: Monitored) -> None:
    """From the process that hangs to whoever is called, nothing is left out."""
    down = "TidegateServiceDown gateway"
    until(lambda: down not in monitored.alerts(), lambda: f"an end of {down}")

    monitored.stack.freeze("gateway")
    try:
        until(lambda: down in monitored.alerts(), lambda: f"{down} among {monitored.alerts()}")
    finally:
        monitored.stack.thaw("gateway")

    until(
        lambda: monitored.ask('up{instance="gateway"} == 1'),
        lambda: "an answer of the gateway that goes on",
    )
