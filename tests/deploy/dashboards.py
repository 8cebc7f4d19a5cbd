"""What the dashboards ask for, and what is asked for in a query of Prometheus."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import yaml
from tests.deploy.manifests import ROOT, Document

FOLDER = ROOT / "deploy/grafana/dashboards"
RULES = ROOT / "deploy/prometheus/rules.yml"
DECLARED = ROOT / "deploy/telemetry/metrics.yaml"
# What Prometheus and its targets bring along.
TARGET_LABELS = frozenset({"namespace", "job", "instance"})
ALERT_LABELS = frozenset({"alertname", "alertstate", "namespace"})
# In a panel's description: it has no data while a fault has not happened.
MAY_BE_EMPTY = "Empty unless "
HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")

_NAME = r"[a-zA-Z_:][\w:]*"
_SERIES = re.compile(rf"({_NAME})(?:\{{([^}}]*)\}})?")
_MATCHER = re.compile(rf'({_NAME})\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"')
_GROUPING = re.compile(r"\b(by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_RANGE = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True, slots=True)
class Query:
    """A query of a panel, its variables still in it."""

    dashboard: str
    panel: str
    expression: str
    may_be_empty: bool

    def substituted(self, *, rate_interval: str = "1m") -> str:
        """Return the query as Grafana asks it when nothing was chosen."""
        text = self.expression.replace("$__rate_interval", rate_interval)
        return text.replace("$namespace", ".*").replace("$job", ".*")


def dashboards() -> dict[str, Document]:
    """Return every dashboard by its file's name."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
    assert found
    return found


def panels(dashboard: Document) -> list[Document]:
    """Return the panels that draw something."""
    return [each for each in dashboard["panels"] if each["type"] != "row"]


def queries() -> Iterator[Query]:
    """Yield every query of every panel."""
    for name, dashboard in dashboards().items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                may_be_empty = MAY_BE_EMPTY in panel["description"]
                yield Query(name, panel["title"], target["expr"], may_be_empty)


def rules() -> list[Document]:
    """Return every rule, alerts and recordings."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@cache
def known_labels() -> dict[str, frozenset[str]]:
    """Return the labels of every series that there may be: declared, recorded, Prometheus' own."""
    known = {"up": TARGET_LABELS, "ALERTS": ALERT_LABELS}
    for metric in yaml.safe_load(DECLARED.read_text())["metrics"]:
        labels = TARGET_LABELS | set(metric["labels"])
        known[metric["name"]] = labels
        if metric["type"] == "histogram":
            for suffix in HISTOGRAM_SUFFIXES:
                known[metric["name"] + suffix] = labels | {"le"}
    for rule in rules():
        if "record" in rule:
            known[rule["record"]] = frozenset(grouping_labels(rule["expr"]))
    return known


def series_of(expression: str) -> dict[str, set[str]]:
    """Return the series that a query names, each with the labels that it is chosen by.

    Names in front of a parenthesis are functions, and those without an underscore or colon are the
    language's own words, but for `up` and `ALERTS`.
    """
    plain = _GROUPING.sub(" ", _RANGE.sub(" ", expression))
    found: dict[str, set[str]] = {}
    texts = [(each.start(), each.end()) for each in _TEXT.finditer(plain)]
    for each in _SERIES.finditer(plain):
        name = each[1]
        if any(start <= each.start() < end for start, end in texts):
            continue
        if plain[each.end() :].lstrip().startswith("(") and each[2] is None:
            continue
        if "_" in name or ":" in name or name in {"up", "ALERTS"}:
            found.setdefault(name, set()).update(_MATCHER.findall(each[2] or ""))
    return found


def grouping_labels(expression: str) -> set[str]:
    """Return the labels that a query groups or joins by."""
    lists = [each[2].split(",") for each in _GROUPING.finditer(expression)]
    return {label.strip() for labels in lists for label in labels} - {""}


def unknown_in(expression: str) -> list[str]:
    """Return the series and labels of a query that nothing declares."""
    known, wrong = known_labels(), []
    named = series_of(expression)
    for name, labels in named.items():
        if name not in known:
            wrong.append(name)
        else:
            wrong += [f"{name}{{{label}}}" for label in sorted(labels - known[name])]
    every: set[str] = set().union(*(known.get(name, frozenset()) for name in named))
    wrong += [f"by {label}" for label in sorted(grouping_labels(expression) - every)]
    return wrong
