"""Write what is made of other files: Grafana's dashboards and the PrometheusRule of Kubernetes.

`deploy/grafana/panels/*.yaml` say what is drawn, in the few words that differ from panel to
panel; `deploy/grafana/dashboards/*.json` is what Grafana reads. `deploy/prometheus/rules.yml` is
what Prometheus reads; a cluster's operator wants the same inside a document of its own.

Run it after a change: `.venv/bin/python deploy/generate.py`. A test compares the files with it.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).resolve().parent
RULES = DEPLOY / "prometheus/rules.yml"
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
COLUMNS = 24
ROW_HEIGHT = 1
HEIGHTS = {"stat": 4, "timeseries": 8, "bargauge": 8}
# A series of ours, with or without labels that choose: each is of the namespaces that were chosen.
SERIES = re.compile(r"\b((?:tidegate|process|python)[_:][\w:]+|up|ALERTS)\b(?!\()(\{)?")

Document = dict[str, Any]


def main() -> None:
    """Write every file."""
    for path, text in documents().items():
        path.write_text(text)


def documents() -> dict[Path, str]:
    """Return the text of every file that is written."""
    found = {}
    for path in sorted(DEPLOY.glob("grafana/panels/*.yaml")):
        made = dashboard(yaml.safe_load(path.read_text()))
        text = json.dumps(made, ensure_ascii=False, indent=1) + "\n"
        found[DEPLOY / f"grafana/dashboards/{path.stem}.json"] = text
    found[DEPLOY / "k8s/components/monitoring/rules.yaml"] = prometheus_rule()
    return found


def prometheus_rule() -> str:
    """Return the rules as a document of the Prometheus operator, comments and all."""
    head = (
        "# Written by deploy/generate.py out of deploy/prometheus/rules.yml.\n"
        "apiVersion: monitoring.coreos.com/v1\n"
        "kind: PrometheusRule\n"
        "metadata:\n"
        "  name: tidegate\n"
        "spec:\n"
    )
    _, _, groups = RULES.read_text().partition("\ngroups:\n")
    lines = [f"  {line}" if line else "" for line in ("groups:\n" + groups).splitlines()]
    return head + "\n".join(lines) + "\n"


def dashboard(said: Document) -> Document:
    """Return a dashboard in Grafana's classic schema, which 11 to 13 read."""
    variables = [variable("namespace", "label_values(tidegate_stage_beats_total, namespace)")]
    if "service" in said:
        variables.append(variable("job", said["service"]))
    link = {
        "type": "dashboards",
        "title": "Tidegate",
        "icon": "external link",
        "tooltip": "",
        "url": "",
        "tags": ["tidegate"],
        "asDropdown": True,
        "targetBlank": False,
        "includeVars": True,
        "keepTime": True,
    }
    firing = {
        "name": "Alerts",
        "datasource": PROMETHEUS,
        "enable": True,
        "hide": False,
        "iconColor": "red",
        "expr": chosen('ALERTS{alertname=~"Tidegate.*", alertstate="firing"}'),
    }
    return {
        "uid": said["uid"],
        "title": said["title"],
        "description": said["description"],
        "tags": ["tidegate"],
        "timezone": "Asia/Shanghai",
        "editable": False,
        "graphTooltip": 1,
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "30s",
        "schemaVersion": 41,
        "version": 1,
        "annotations": {"list": [firing]},
        "templating": {"list": variables},
        "links": [link],
        "panels": panels(said["rows"]),
    }


def variable(name: str, query: str) -> Document:
    """Return a variable of all values that there are; none given is any."""
    return {
        "type": "query",
        "name": name,
        "label": name,
        "skipUrlSync": False,
        "hide": 0,
        "query": {"query": query, "refId": f"{name}-values"},
        "datasource": PROMETHEUS,
        "current": {"text": "All", "value": "$__all"},
        "multi": True,
        "options": [],
        "refresh": 2,
        "sort": 1,
        "includeAll": True,
        "allValue": ".*",
        "regex": "",
    }


def panels(rows: list[Document]) -> list[Document]:
    """Return rows and their panels, from left to right; a full line begins another."""
    made: list[Document] = []
    top = 0
    for row in rows:
        made.append(
            {
                "type": "row",
                "id": len(made) + 1,
                "title": row["row"],
                "collapsed": False,
                "gridPos": {"h": ROW_HEIGHT, "w": COLUMNS, "x": 0, "y": top},
                "panels": [],
            }
        )
        top += ROW_HEIGHT
        left = line_height = 0
        for said in row["panels"]:
            width, height = said["width"], HEIGHTS[said["kind"]]
            if left + width > COLUMNS:
                left, top, line_height = 0, top + line_height, 0
            place = {"h": height, "w": width, "x": left, "y": top}
            made.append(panel(said, len(made) + 1, place))
            left, line_height = left + width, max(line_height, height)
        top += line_height
    return made


def panel(said: Document, number: int, place: Document) -> Document:
    """Return a panel; `faults` in what is said is why it may be empty while all is well."""
    is_range = said["kind"] == "timeseries"
    steps = [{"color": said.get("base", "green"), "value": None}]
    steps += [{"color": color, "value": value} for value, color in said.get("steps", {}).items()]
    defaults = {
        "unit": said["unit"],
        "decimals": said.get("decimals"),
        "min": said.get("min"),
        "max": said.get("max"),
        "noValue": said.get("none"),
        "color": {"mode": "palette-classic" if is_range else "thresholds"},
        "thresholds": {"mode": "absolute", "steps": steps},
        "mappings": mappings(said.get("words", {})),
        "custom": drawing(said) if is_range else None,
    }
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": PROMETHEUS,
            "expr": chosen(expression),
            "legendFormat": legend,
            "editorMode": "code",
            "instant": not is_range,
            "range": is_range,
        }
        for index, (legend, expression) in enumerate(said["queries"].items())
    ]
    return {
        "type": said["kind"],
        "id": number,
        "title": said["title"],
        "description": " ".join(
            [said["description"], *([said["faults"]] if "faults" in said else [])]
        ),
        "datasource": PROMETHEUS,
        "gridPos": place,
        "targets": targets,
        "fieldConfig": {"defaults": present(defaults), "overrides": []},
        "options": options(said["kind"]),
    }


def chosen(expression: str) -> str:
    """Return a query of the chosen namespaces; without any, as in compose, all match."""

    def choose(found: re.Match[str]) -> str:
        return f'{found[1]}{{namespace=~"$namespace"' + (", " if found[2] else "}")

    return SERIES.sub(choose, " ".join(expression.split()))


def mappings(words: dict[int, str]) -> list[Document]:
    """Return words for numbers."""
    said = {
        str(value): {"text": word, "index": at} for at, (value, word) in enumerate(words.items())
    }
    return [{"type": "value", "options": said}] if said else []


def drawing(said: Document) -> Document:
    """Return how lines are drawn; a threshold is a line where there is one."""
    return {
        "drawStyle": "line",
        "lineInterpolation": "stepAfter" if "words" in said else "linear",
        "lineWidth": 1,
        "fillOpacity": 30 if said.get("stacked") else 10,
        "gradientMode": "none",
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if said.get("stacked") else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if "steps" in said else "off"},
        "axisPlacement": "auto",
        "axisSoftMin": 0,
    }


def options(kind: str) -> Document:
    """Return what a kind of panel wants to know."""
    if kind == "timeseries":
        return {
            "legend": {
                "displayMode": "list",
                "placement": "bottom",
                "showLegend": True,
                "calcs": ["lastNotNull", "max"],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    newest = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "auto",
    }
    if kind == "stat":
        return newest | {
            "colorMode": "background",
            "graphMode": "none",
            "justifyMode": "auto",
            "textMode": "auto",
            "wideLayout": True,
        }
    return newest | {"displayMode": "gradient", "valueMode": "color", "showUnfilled": True}


def present(fields: Document) -> Document:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


if __name__ == "__main__":
    main()
