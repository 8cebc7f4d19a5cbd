"""The tools of `make verify-deploy`, and what they make of the overlays."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.deploy.manifests import ROOT, Overlay

TOOLS_VARIABLE = "TIDEGATE_DEPLOY_TOOLS"
OVERLAYS = ("dev", "prod")


@pytest.fixture(scope="session")
def tools() -> Path:
    """Return where kubectl, kubernetes-validate, checkov and hadolint are."""
    if TOOLS_VARIABLE not in os.environ:
        pytest.skip("needs the tools of `make verify-deploy`")
    return Path(os.environ[TOOLS_VARIABLE])


@pytest.fixture(scope="session")
def overlays(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Overlay, ...]:
    """Return every overlay as kustomize renders it."""
    folder = tmp_path_factory.mktemp("overlays")
    found = []
    for name in OVERLAYS:
        done = subprocess.run(
            [tools / "kubectl", "kustomize", ROOT / "deploy/k8s/overlays" / name],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        path = folder / f"{name}.yaml"
        path.write_text(done.stdout)
        found.append(Overlay(name, path))
    return tuple(found)


@pytest.fixture(scope="session")
def promtool() -> str:
    """Return Prometheus' tool for rules."""
    return _found("promtool", package="prometheus")


@pytest.fixture(scope="session")
def amtool() -> str:
    """Return Alertmanager's tool."""
    return _found("amtool", package="prometheus-alertmanager")


def _found(program: str, *, package: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"needs {program}, of Debian's package {package}")
    return path
