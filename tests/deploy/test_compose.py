"""docker-compose.yml, against the code and the manifests."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
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
# Started in this order, so that a run's first frames find everybody there.
BEFORE_THE_FEED = {"signals", "recommendations", "risk", "execution", "recorder"}
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
    command = service["command"]
    return command.split() if isinstance(command, str) else command


def test_file_is_one_that_compose_takes() -> None:
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
            [*program, "-f", str(FILE), "config"], capture_output=True, text=True, check=False
        )
    finally:
        if is_made:
            made.unlink()

    assert done.returncode == 0, done.stderr
    assert "gateway" in yaml.safe_load(done.stdout)["services"]


def is_there(program: tuple[str, ...]) -> bool:
    """Tell whether a program of compose answers."""
    if shutil.which(program[0]) is None:
        return False
    return subprocess.run([*program, "version"], capture_output=True, check=False).returncode == 0


def test_everything_is_there(services: dict[str, Document]) -> None:
    """Every service, a recommendations process, and what has to happen before."""
    stages = {service_of(arguments_of(each)) for each in ours(services).values()} - {None}

    assert stages == set(SERVICES)
    assert set(services) == SERVERS | ONCE | TOOLS | set(SERVICES) | {"recommendations"}
    assert {name for name, each in services.items() if "profiles" in each} == TOOLS
    for service in ours(services).values():
        check_command([word for word in arguments_of(service) if not word.startswith("${")])


def test_containers_are_hardened_and_limited(services: dict[str, Document]) -> None:
    """Memory has an end for all; ours write nothing and are nobody."""
    for name, service in services.items():
        assert service["mem_limit"], name
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    for service in ours(services).values():
        assert service["read_only"] is True
        assert service["user"] == "10001:10001"
        assert service["cap_drop"] == ["ALL"]
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


def test_only_the_gateway_is_reached_and_from_this_machine(
    services: dict[str, Document],
) -> None:
    """Kafka and the databases have no lock on their doors, so they have no doors."""
    ports = {name: each["ports"] for name, each in services.items() if "ports" in each}

    assert ports == {"gateway": ["127.0.0.1:${TIDEGATE_COMPOSE_GATEWAY_PORT:-8000}:8000"]}
    environment = services["gateway"]["environment"]
    assert environment["TIDEGATE_GATEWAY_API_PORT"] == "8000"


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
        if name in SERVERS
    }

    assert {path.stem for path in folder.glob("*.Dockerfile")} == bases | {"python"}
