"""Prometheus' rules, their tests, the runbook, and who hears of them."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.deploy.dashboards import RULES, rules, unknown_in
from tests.deploy.manifests import ROOT, Document, check_command

FOLDER = ROOT / "deploy/prometheus"
RUNBOOK = ROOT / "docs/runbook.md"
SEVERITIES = {"page", "ticket"}
# What each entry of the runbook says.
PARTS = ("**Meaning.**", "**Check.**", "**Act.**")


def alerts() -> dict[str, Document]:
    """Return every alert by its name."""
    found = {rule["alert"]: rule for rule in rules() if "alert" in rule}
    assert found
    return found


def runbook_entries() -> dict[str, str]:
    """Return the runbook's entries of alerts: the text under each heading that names one."""
    parts = re.split(r"^### (.+)$", RUNBOOK.read_text(), flags=re.MULTILINE)
    entries = dict(zip(parts[1::2], parts[2::2], strict=True))
    return {name: text for name, text in entries.items() if name.startswith("Tidegate")}


def test_rules_are_good(promtool: str) -> None:
    """Prometheus starts with no rules at all where one of them is wrong."""
    done = subprocess.run(
        [promtool, "check", "rules", RULES], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules())} rules found" in done.stdout


def test_alerts_fire_when_they_should_and_only_then(promtool: str) -> None:
    """Each has a firing and a quiet case in rules_test.yml."""
    done = subprocess.run(
        [promtool, "test", "rules", FOLDER / "rules_test.yml"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


def test_tests_of_rules_notice_a_change(promtool: str, tmp_path: Path) -> None:
    """A test of rules that are not there passes as well."""
    text = RULES.read_text()
    (tmp_path / "rules.yml").write_text(text.replace("seconds > 30\n", "seconds > 40\n", 1))
    (tmp_path / "rules_test.yml").write_text((FOLDER / "rules_test.yml").read_text())

    done = subprocess.run(
        [promtool, "test", "rules", tmp_path / "rules_test.yml"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "TidegateStageBehind" in done.stdout + done.stderr


def test_each_alert_has_a_firing_and_a_quiet_case() -> None:
    """An alert that was never seen to fire may not be able to."""
    cases = [
        case
        for test in yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
        for case in test["alert_rule_test"]
    ]

    firing = {case["alertname"] for case in cases if case.get("exp_alerts")}
    quiet = {case["alertname"] for case in cases if not case.get("exp_alerts")}

    assert firing == quiet == set(alerts())


def test_alerts_say_what_is_wrong_and_where_to_read_on() -> None:
    """The one who is woken has only this."""
    for name, alert in alerts().items():
        annotations = alert["annotations"]
        assert set(annotations) == {"summary", "description", "runbook_url"}, name
        assert alert["labels"]["severity"] in SEVERITIES
        assert annotations["description"].endswith(".")
        assert annotations["runbook_url"] == f"docs/runbook.md#{name.lower()}"


def test_alerts_and_the_runbook_know_one_another() -> None:
    """An alert without an entry helps nobody; an entry without an alert is never read."""
    entries = runbook_entries()

    assert set(entries) == set(alerts())
    for name, text in entries.items():
        places = [text.find(part) for part in PARTS]
        assert -1 not in places, name
        assert places == sorted(places), name
        severity = alerts()[name]["labels"]["severity"]
        assert f"({severity})" in text.split(PARTS[0])[0], name


def test_runbooks_links_lead_somewhere() -> None:
    """Its own headings and files of the repository."""
    text = RUNBOOK.read_text()
    anchors = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    }

    for target in re.findall(r"\]\(([^)]+)\)", text):
        file, _, anchor = target.partition("#")
        if file:
            assert (RUNBOOK.parent / file).exists(), target
        else:
            assert anchor in anchors, target


@pytest.mark.parametrize(("name", "count_min"), [("runbook.md", 8), ("operations.md", 8)])
def test_documents_commands_exist_with_their_options(name: str, count_min: int) -> None:
    """Nobody reads --help while the market is open."""
    text = (ROOT / "docs" / name).read_text()
    # In a line of the shell, or between backticks; `tidegate up` and the like name a command alone.
    found = re.findall(r"(?:\.venv/bin/|`|^)(tidegate [^`#\n]+)", text, flags=re.MULTILINE)

    assert len(found) >= count_min
    for command in found:
        check_command(shlex.split(command.rstrip("; ")))


def test_rules_ask_for_what_is_declared() -> None:
    """An alert on a metric that is gone never fires."""
    wrong = [f"{rule}: {unknown}" for rule in rules() for unknown in unknown_in(rule["expr"])]

    assert wrong == []


def test_kubernetes_has_the_same_rules() -> None:
    """The operator's document is the file that compose mounts, in another envelope."""
    path = ROOT / "deploy/k8s/components/monitoring/rules.yaml"
    document = yaml.safe_load(path.read_text())

    assert document["kind"] == "PrometheusRule"
    assert document["spec"] == yaml.safe_load(RULES.read_text())


def test_alertmanager_takes_its_configuration(amtool: str) -> None:
    """With what it says itself of routes and receivers."""
    path = FOLDER / "alertmanager.yml"

    done = subprocess.run([amtool, "check-config", path], capture_output=True, check=False)
    routed = {
        severity: subprocess.run(
            [amtool, "config", "routes", "test", f"--config.file={path}", f"severity={severity}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for severity in SEVERITIES
    }

    assert done.returncode == 0, done.stderr
    assert routed == {"page": "page", "ticket": "ticket"}


def test_alerts_that_are_kept_back_are_alerts() -> None:
    """A rule that names none keeps nothing back."""
    said = yaml.safe_load((FOLDER / "alertmanager.yml").read_text())

    named = {
        name
        for rule in said["inhibit_rules"]
        for matcher in [*rule["source_matchers"], *rule["target_matchers"]]
        for name in re.findall(r"Tidegate\w+", matcher)
    }

    assert named <= set(alerts())
