"""docker-compose.yml, against the code and the manifests."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.deploy.dashboards import rules
from tests.deploy.manifests import (
    ROOT,
    Document,
    Overlay,
    check_command,
    is_our_image,
    known_variables,
    service_of,
)

from tidegate_cli.settings_file import SERVICES

FILE = ROOT / "docker-compose.yml"
SERVERS = {"kafka", "valkey", "postgres"}
ONCE = {"create-topics", "migrate", "run-spec"}
TOOLS = {"tidegate"}
LOOKING_ON = {"prometheus", "alertmanager", "grafana", "otel-collector", "jaeger"}
# No package of Debian has them, so that no stand-in is made of one.
WITHOUT_STAND_IN = {"grafana", "opentelemetry-collector-contrib", "jaeger"}
# Started in this order, so that a run's first frames find everybody there.
BEFORE_THE_FEED = {"signals", "recommendations", "risk", "execution", "recorder"}
METRICS_PORT = "9100"
VARIABLE = re.compile(r"\$\{[^}]*\}")
PROGRAMS = (("docker", "compose"), ("docker-compose",))


@pytest.fixture(scope="module")
def services() -> dict[str, Document]:
    """Return the file's services."""
    found: dict[str, Document] = yaml.safe_load(FILE.read_text())["services"]
    return found


def ours(services: dict[str, Document]) -> dict[str, Document]:
    """Return the services of our image."""
    found = {name: each for name, each in services.items() if is_our_image(each["image"])}
    assert found
    return found


def arguments_of(service: Document) -> list[str]:
    """Return a service's command as words."""
    command = service.get("command", [])
    return command.split() if isinstance(command, str) else command


def test_file_is_one_that_compose_takes(services: dict[str, Document]) -> None:
    """With the example's settings, as the README has it."""
    program = next((each for each in PROGRAMS if is_there(each)), None)
    if program is None:
        pytest.skip("no docker compose and no docker-compose here: the other tests read the file")
    made = ROOT / ".env"
    is_made = not made.exists()
    if is_made:
        shutil.copy(ROOT / ".env.example", made)
    try:
        done = subprocess.run(
            [*program, "-f", str(FILE), "config"],
            env=os.environ | {"COMPOSE_PROFILES": "core,observability,tools"},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        if is_made:
            made.unlink()

    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == set(services)


def is_there(program: tuple[str, ...]) -> bool:
    """Tell whether a program of compose answers."""
    if shutil.which(program[0]) is None:
        return False
    return subprocess.run([*program, "version"], capture_output=True, check=False).returncode == 0


def test_everything_is_there(services: dict[str, Document]) -> None:
    """Every service, a recommendations process, and what has to happen before."""
    stages = {service_of(arguments_of(each)) for each in ours(services).values()} - {None}

    assert stages == set(SERVICES)
    core = SERVERS | ONCE | set(SERVICES) | {"recommendations"}
    profiles: dict[str, set[str]] = {}
    for name, service in services.items():
        (profile,) = service["profiles"]
        profiles.setdefault(profile, set()).add(name)
    assert profiles == {"core": core, "observability": LOOKING_ON, "tools": TOOLS}
    assert "\nCOMPOSE_PROFILES=core\n" in (ROOT / ".env.example").read_text()
    for service in ours(services).values():
        check_command([word for word in arguments_of(service) if not word.startswith("${")])


def test_containers_are_hardened_and_limited(services: dict[str, Document]) -> None:
    """Memory has an end for all; ours write nothing and are nobody."""
    for name, service in services.items():
        assert service["mem_limit"], name
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    for name in {*ours(services), *LOOKING_ON}:
        assert services[name]["read_only"] is True, name
        assert services[name]["cap_drop"] == ["ALL"]
        user, _, group = services[name]["user"].partition(":")
        assert int(user) > 0
        assert group.isdigit()
    for service in ours(services).values():
        assert service["user"] == "10001:10001"
        # A service ends by itself within 8 s (tidegate_common.runtime.service).
        assert service["stop_grace_period"] == "10s"


def test_health_is_checked_and_waited_for(services: dict[str, Document]) -> None:
    """Who depends on a server waits until it answers, and the feed until all are ready."""
    for name, service in services.items():
        check = service["healthcheck"]
        if name in ONCE | TOOLS:
            assert check == {"disable": True}
            assert service["restart"] == "no"
            continue
        if name == "otel-collector":
            # Nothing in its image could ask: Prometheus does, and an alert listens (below).
            assert check == {"disable": True}
            continue
        assert check["test"][0] == "CMD"
        assert service["restart"] == ("on-failure" if name == "ingest" else "unless-stopped")
        if name in SERVICES or name == "recommendations":
            assert check["test"][-1] == "/readyz"
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            wanted = "completed_successfully" if needed in ONCE else "healthy"
            assert how == {"condition": f"service_{wanted}"}, needed
    for name in BEFORE_THE_FEED | {"gateway"}:
        assert {"create-topics", "migrate"} <= set(services[name]["depends_on"])
    assert set(services["ingest"]["depends_on"]) == BEFORE_THE_FEED | {"run-spec"}


def test_only_pages_for_people_are_reached_and_from_this_machine(
    services: dict[str, Document],
) -> None:
    """Kafka and the databases have no lock on their doors, so they have no doors."""
    ports = {name: each["ports"] for name, each in services.items() if "ports" in each}

    assert ports == {
        name: [f"127.0.0.1:${{TIDEGATE_COMPOSE_{name.upper()}_PORT:-{outside}}}:{inside}"]
        for name, outside, inside in (
            ("gateway", 8000, 8000),
            ("prometheus", 9090, 9090),
            ("alertmanager", 9093, 9093),
            ("grafana", 3000, 3000),
            ("jaeger", 16686, 16686),
        )
    }
    environment = services["gateway"]["environment"]
    assert environment["TIDEGATE_GATEWAY_API_PORT"] == "8000"


def test_prometheus_asks_every_service_for_its_metrics(services: dict[str, Document]) -> None:
    """A service that no job names is one that no alert is about."""
    folder = ROOT / "deploy/prometheus"
    config = yaml.safe_load((folder / "prometheus.yml").read_text())

    targets = {
        each["job_name"]: each["static_configs"][0]["targets"] for each in config["scrape_configs"]
    }

    stages = {*SERVICES, "recommendations"}
    assert targets == {
        **{name: [f"{name}:{METRICS_PORT}"] for name in stages},
        "otel-collector": ["otel-collector:8888"],
    }
    assert all(
        services[name]["environment"]["TIDEGATE_HTTP_PORT"] == METRICS_PORT for name in stages
    )
    (alertmanagers,) = config["alerting"]["alertmanagers"]
    assert alertmanagers["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    assert all((folder / name).is_file() for name in config["rule_files"])


def test_collector_that_is_gone_is_told(services: dict[str, Document]) -> None:
    """It has no health check of its own, so its port of metrics is asked, and an alert listens."""
    collector = yaml.safe_load((ROOT / "deploy/otel/collector.yaml").read_text())
    (reader,) = collector["service"]["telemetry"]["metrics"]["readers"]
    (alert,) = (each for each in rules() if each.get("alert") == "TidegateCollectorDown")

    assert reader["pull"]["exporter"]["prometheus"]["port"] == 8888
    assert alert["expr"] == 'up{job="otel-collector"} == 0'
    assert services["otel-collector"]["healthcheck"] == {"disable": True}


def test_traces_go_from_the_collector_to_the_store(services: dict[str, Document]) -> None:
    """Each end names the other's port, and every part of a pipeline is one that is set up."""
    collector, store = (
        yaml.safe_load((ROOT / "deploy/otel" / name).read_text())
        for name in ("collector.yaml", "jaeger.yaml")
    )

    for config in (collector, store):
        pipeline = config["service"]["pipelines"]["traces"]
        for part in ("receivers", "processors", "exporters"):
            assert set(pipeline[part]) == set(config[part])
        assert set(config["service"].get("extensions", ())) == set(config.get("extensions", ()))
    assert collector["exporters"]["otlp_grpc"]["endpoint"] == "jaeger:4317"
    assert store["receivers"]["otlp"]["protocols"] == {"grpc": {"endpoint": "0.0.0.0:4317"}}
    received = collector["receivers"]["otlp"]["protocols"]
    assert received == {"http": {"endpoint": "0.0.0.0:4318"}}
    assert collector["extensions"] == {"health_check": {"endpoint": "0.0.0.0:13133"}}
    assert services["otel-collector"]["depends_on"] == {"jaeger": {"condition": "service_healthy"}}


def test_files_that_are_mounted_are_there(services: dict[str, Document]) -> None:
    """An engine makes an empty folder of a file that is missing, and says nothing."""
    mounts = {
        volume.split(":")[0]
        for service in services.values()
        for volume in service.get("volumes", ())
        if volume.startswith("./")
    }

    assert {mount for mount in mounts if not (ROOT / mount).exists()} == set()
    assert len(mounts) >= 6


def test_paths_that_are_named_are_mounted(services: dict[str, Document]) -> None:
    """What is written elsewhere is gone with its container, and who reads it finds nothing."""
    sources: dict[str, set[str]] = {}
    for name, service in services.items():
        volumes = [VARIABLE.sub("variable", each) for each in service.get("volumes", ())]
        mounts = {each.split(":")[1]: each.split(":")[0] for each in volumes}
        for target, source in mounts.items():
            sources.setdefault(target, set()).add(source)
        environment = service.get("environment", {})
        named = [text for key, text in environment.items() if key.startswith("TIDEGATE_")]
        named += [word.partition("=")[2] for word in arguments_of(service) if "=" in word]
        for path in (Path(text) for text in named if text.startswith("/")):
            assert {str(each) for each in (path, *path.parents)} & set(mounts), (name, path)

    assert all(len(found) == 1 for found in sources.values()), sources


def test_variables_are_settings_of_who_is_given_them(services: dict[str, Document]) -> None:
    """A misspelt variable is a default that nobody wanted."""
    for name, service in ours(services).items():
        known = known_variables(service_of(arguments_of(service)))
        assert set(service["environment"]) <= known, name
        assert service["env_file"] == [".env"]


def test_variables_of_the_file_are_in_the_example() -> None:
    """What may be said is said in one place."""
    named = set(re.findall(r"\$\{(TIDEGATE_[A-Z_]+)", FILE.read_text()))
    example = (ROOT / ".env.example").read_text()

    assert named == set(re.findall(r"^(?:# )?(TIDEGATE_COMPOSE_[A-Z_]+)=", example, re.MULTILINE))


def test_images_are_those_of_the_overlays_and_the_tests(
    services: dict[str, Document], overlays: tuple[Overlay, ...]
) -> None:
    """One version of each server, and of Kafka the one that the tests run on."""
    wanted = {each["image"] for name, each in services.items() if name in SERVERS}
    pom = (ROOT / "tests/kafka/pom.xml").read_text()
    version = re.search(r"<kafka\.version>(.*)</kafka\.version>", pom)

    (dev,) = (overlay for overlay in overlays if overlay.name == "dev")
    found = {
        container["image"]
        for workload in dev.workloads()
        for container in workload.containers
        if not is_our_image(container["image"])
    }

    assert found == wanted
    assert version is not None
    assert f"apache/kafka:{version[1]}" in wanted


def test_check_script_makes_stand_ins_for_every_base(services: dict[str, Document]) -> None:
    """deploy/verify/compose.sh is run where no image can be pulled, too."""
    folder = ROOT / "deploy/verify/standins"
    bases = {
        Path(each["image"].partition(":")[0]).name
        for name, each in services.items()
        if name in SERVERS | LOOKING_ON
    }

    made = {path.stem for path in folder.glob("*.Dockerfile")}
    assert made == bases - WITHOUT_STAND_IN | {"python"}


def test_images_have_a_version(services: dict[str, Document]) -> None:
    """`latest` is another program tomorrow; our own is the one that was just built."""
    for name, service in services.items():
        tag = service["image"].partition(":")[2]
        if is_our_image(service["image"]):
            assert tag == "latest"
        else:
            assert re.fullmatch(r"v?\d+(\.\d+)*(@sha256:[0-9a-f]{64})?", tag), name
