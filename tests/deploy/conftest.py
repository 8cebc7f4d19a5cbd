"""The tools of `make verify-deploy`, and what they make of the overlays."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.deploy.manifests import ROOT, Overlay

KUBERNETES = ROOT / "deploy/k8s"
TOOLS_VARIABLE = "TIDEGATE_DEPLOY_TOOLS"
OVERLAYS = ("dev", "prod")
# Components that no overlay of ours names: rendered on top of the first one.
OPTIONS = ("ingress",)


@pytest.fixture(scope="session")
def tools() -> Path:
    """Return where kubectl, kubernetes-validate, checkov and hadolint are."""
    if TOOLS_VARIABLE not in os.environ:
        pytest.skip("needs the tools of `make verify-deploy`")
    return Path(os.environ[TOOLS_VARIABLE])


@pytest.fixture(scope="session")
def overlays(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Overlay, ...]:
    """Return every overlay as kustomize renders it, and one with all that is off by default."""
    folder = tmp_path_factory.mktemp("overlays")
    found = []
    for source in (*(KUBERNETES / "overlays" / name for name in OVERLAYS), with_options(folder)):
        name = source.name
        done = subprocess.run(
            [tools / "kubectl", "kustomize", source],
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


def with_options(folder: Path) -> Path:
    """Return an overlay of our own that names the components which no other does."""
    made = folder / "options"
    made.mkdir()
    # kustomize takes no absolute paths, and goes by where a link leads.
    up = os.path.relpath(KUBERNETES.resolve(), made.resolve())
    said = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "tidegate-options",
        "resources": [f"{up}/overlays/{OVERLAYS[0]}"],
        "components": [f"{up}/components/{name}" for name in OPTIONS],
    }
    (made / "kustomization.yaml").write_text(yaml.safe_dump(said))
    return made


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
