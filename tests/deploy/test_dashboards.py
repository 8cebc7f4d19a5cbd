"""Grafana's dashboards, against its types, the declared metrics and one another."""

import re
import subprocess
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from deploy.generate import COLUMNS, documents
from tests.deploy.dashboards import (
    DECLARED,
    FOLDER,
    MAY_BE_EMPTY,
    dashboards,
    panels,
    queries,
    rules,
    series_of,
    unknown_in,
)
from tests.deploy.manifests import ROOT, Document

NAMES = {"platform", "trading", "risk", "market-data", "service-detail"}
GRAFANA = ROOT / "deploy/grafana"
BUILT_IN = {"__rate_interval"}
# Four questions of Prometheus, 15 s apart: below that a rate may have a single sample.
WINDOW_MINUTES_MIN = 1


def test_generated_files_are_current() -> None:
    """`.venv/bin/python deploy/generate.py` writes them; nobody edits them by hand."""
    stale = [str(path) for path, text in documents().items() if path.read_text() != text]

    assert stale == []
    assert set(dashboards()) == NAMES


def test_grafana_takes_every_field(tools: Path) -> None:
    """Its own types drop what they do not know, and Grafana with them."""
    files = sorted(FOLDER.glob("*.json"))

    done = subprocess.run(
        [tools / "python", ROOT / "deploy/verify/grafana_types.py", *files],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_types_refuse_a_field_that_is_none(tools: Path, tmp_path: Path) -> None:
    """The check above is worth what it can find."""
    text = (FOLDER / "platform.json").read_text()
    broken = tmp_path / "broken.json"
    broken.write_text(text.replace('"drawStyle"', '"drawnStyle"', 1))

    done = subprocess.run(
        [tools / "python", ROOT / "deploy/verify/grafana_types.py", broken],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "drawnStyle" in done.stdout


def test_ids_are_unique_and_fixed() -> None:
    """Links and bookmarks name a dashboard by its uid, and a panel by its id."""
    found = dashboards()

    assert {each["uid"] for each in found.values()} == {f"tidegate-{name}" for name in found}
    assert len({each["title"] for each in found.values()}) == len(found)
    for dashboard in found.values():
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert ids == list(range(1, len(ids) + 1))
        assert dashboard["schemaVersion"] == 41
        assert "id" not in dashboard


def test_data_sources_are_those_that_are_provisioned() -> None:
    """A panel of an unknown data source says so, and nothing else."""
    path = GRAFANA / "provisioning/datasources/tidegate.yaml"
    provisioned = yaml.safe_load(path.read_text())["datasources"]
    known = {(each["type"], each["uid"]) for each in provisioned}

    for dashboard in dashboards().values():
        asked = [
            *(target["datasource"] for panel in panels(dashboard) for target in panel["targets"]),
            *(panel["datasource"] for panel in panels(dashboard)),
            *(each["datasource"] for each in dashboard["templating"]["list"]),
            *(each["datasource"] for each in dashboard["annotations"]["list"]),
        ]
        assert {(each["type"], each["uid"]) for each in asked} <= known
    assert known == {("prometheus", "prometheus"), ("jaeger", "jaeger")}


def test_dashboards_are_provisioned_for_compose_and_kubernetes() -> None:
    """A file that nobody mounts is a dashboard that nobody sees."""
    provider = yaml.safe_load((GRAFANA / "provisioning/dashboards/tidegate.yaml").read_text())
    maps = yaml.safe_load((GRAFANA / "kustomization.yaml").read_text())["configMapGenerator"]

    assert provider["providers"][0]["options"]["path"] == "/etc/grafana/dashboards"
    assert {path for each in maps for path in each["files"]} == {
        f"dashboards/{name}.json" for name in NAMES
    }


def test_panels_do_not_overlap() -> None:
    """Grafana would move them, each time somewhere else."""
    for name, dashboard in dashboards().items():
        places = [panel["gridPos"] for panel in dashboard["panels"]]
        for place in places:
            assert place["x"] >= 0
            assert place["y"] >= 0
            assert place["x"] + place["w"] <= COLUMNS
        overlapping = [pair for pair in combinations(places, 2) if overlap(*pair)]
        assert overlapping == [], name


def overlap(one: Document, other: Document) -> bool:
    """Tell whether two places on the grid have a cell in common."""
    return bool(
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def test_panels_say_what_they_show() -> None:
    """Title, description, unit, legend and thresholds: at three in the morning nobody guesses."""
    for dashboard in dashboards().values():
        assert dashboard["description"]
        assert len(panels(dashboard)) >= 10
        for panel in panels(dashboard):
            defaults = panel["fieldConfig"]["defaults"]
            assert panel["title"]
            assert panel["description"].endswith("."), panel["title"]
            assert defaults["unit"], panel["title"]
            assert defaults["thresholds"]["steps"][0]["value"] is None
            legends = [target["legendFormat"] for target in panel["targets"]]
            assert legends
            assert all(legends), panel["title"]
            assert len(set(legends)) == len(legends)


def test_thresholds_rise() -> None:
    """Grafana takes the last one that is passed."""
    for dashboard in dashboards().values():
        for panel in panels(dashboard):
            steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
            values = [step["value"] for step in steps[1:]]
            assert values == sorted(values), panel["title"]


def test_queries_ask_for_what_is_declared() -> None:
    """A misspelt metric or label is an empty panel, which looks like peace."""
    wrong = [
        f"{query.dashboard}, {query.panel}: {unknown}"
        for query in queries()
        for unknown in unknown_in(query.expression)
    ]

    assert wrong == []


def test_queries_choose_their_namespace() -> None:
    """Two platforms in one cluster are two pictures."""
    for query in queries():
        for name, labels in series_of(query.expression).items():
            assert "namespace" in labels, f"{query.panel}: {name}"
        # Of several values a variable is an alternative, which only a pattern can be.
        operators = re.findall(r'(=~|!=|=)"\$\w+"', query.expression)
        assert set(operators) == {"=~"}, query.panel


@pytest.mark.parametrize(
    ("expression", "unknown"),
    [
        ("rate(tidegate_stage_beatz_total[1m])", ["tidegate_stage_beatz_total"]),
        ('tidegate_stage_beats_total{strage="risk"}', ["tidegate_stage_beats_total{strage}"]),
        ("sum by (topic) (tidegate_stage_beats_total)", ["by topic"]),
        ("tidegate_stage_beat_seconds_bucket", []),
        ("tidegate_stage_beats_bucket", ["tidegate_stage_beats_bucket"]),
        ('max(up{job="risk"}) unless on (stage) ALERTS', ["by stage"]),
        ("sum by (le) (rate(tidegate_stage_beats_total[1m]))", ["by le"]),
    ],
)
def test_unknown_names_are_found(expression: str, unknown: list[str]) -> None:
    """The check of the queries is worth what it can find."""
    assert unknown_in(expression) == unknown


def test_rates_have_windows_that_hold_enough() -> None:
    """A window of one sample draws holes; Grafana's own is at least four questions long."""
    for query in queries():
        for window in re.findall(r"\[([^\]]*)\]", query.expression):
            minutes = re.fullmatch(r"(\d+)m", window)
            assert window == "$__rate_interval" or (
                minutes and int(minutes[1]) >= WINDOW_MINUTES_MIN
            ), query.panel


def test_variables_that_are_used_are_there() -> None:
    """An unknown variable is sent to Prometheus as it is."""
    for name, dashboard in dashboards().items():
        said = {each["name"] for each in dashboard["templating"]["list"]}
        used = {
            variable
            for query in queries()
            if query.dashboard == name
            for variable in re.findall(r"\$(\w+)", query.expression)
        }
        assert used <= said | BUILT_IN
        assert said <= used
        assert "$" not in "".join(q.substituted() for q in queries() if q.dashboard == name)


def test_queries_are_good_promql(promtool: str, tmp_path: Path) -> None:
    """Prometheus' own parser reads each, with nothing chosen."""
    written = [
        {"record": f"query:{number}", "expr": query.substituted()}
        for number, query in enumerate(queries())
    ]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": written}]}))

    done = subprocess.run(
        [promtool, "check", "rules", path], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_of_ours_is_looked_at() -> None:
    """One that no panel and no alert asks for is counted for nobody."""
    declared = {each["name"] for each in yaml.safe_load(DECLARED.read_text())["metrics"]}
    asked: set[str] = set()
    for expression in [*(query.expression for query in queries()), *(r["expr"] for r in rules())]:
        asked |= {re.sub(r"_(bucket|sum|count)$", "", name) for name in series_of(expression)}

    assert declared - asked == set()


def test_few_panels_may_be_empty() -> None:
    """What counts faults, or what a replay has not; the others always have something to show."""
    allowed = {query.panel for query in queries() if query.may_be_empty}

    assert allowed == {
        *("Refused rows by reason", "Questions to quote services", "Ends of live streams"),
    }
    assert MAY_BE_EMPTY.startswith("Empty unless")
