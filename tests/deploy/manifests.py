"""What a rendered overlay says, as the tests ask for it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from typer.core import TyperGroup
from typer.main import get_command

from tidegate_cli.app import app
from tidegate_cli.settings_file import SERVICES, variables
from tidegate_common.runtime.settings import SHARED_PREFIX, ServiceSettings

ROOT = Path(__file__).resolve().parents[2]
LONG_RUNNING = ("Deployment", "StatefulSet")
OUR_IMAGE = re.compile(r"(?:^|/)tidegate(?::|@|$)")
# Behind the variable of a secret that is in a file.
FILE_SUFFIX = "_FILE"
# Services whose module does not say their name.
MODULES = {"tidegate_cli.backtest_jobs": "backtests"}

Document = dict[str, Any]


@dataclass(frozen=True)
class Workload:
    """What makes pods; `settings` of its ConfigMaps are for all of its containers that ask."""

    kind: str
    name: str
    document: Document

    @property
    def pod(self) -> Document:
        """Return the pods' spec."""
        spec: Document = self.document["spec"]["template"]["spec"]
        return spec

    @property
    def pod_labels(self) -> dict[str, str]:
        """Return the pods' labels."""
        labels: dict[str, str] = self.document["spec"]["template"]["metadata"]["labels"]
        return labels

    @property
    def containers(self) -> list[Document]:
        """Return every container, those of the start first."""
        return [*self.pod.get("initContainers", ()), *self.pod["containers"]]

    @property
    def is_ours(self) -> bool:
        """Tell whether it runs our image."""
        return is_our_image(self.pod["containers"][0]["image"])


@dataclass(frozen=True)
class Overlay:
    """A rendered overlay."""

    name: str
    path: Path
    documents: list[Document] = field(init=False)

    def __post_init__(self) -> None:
        documents = list(yaml.safe_load_all(self.path.read_text()))
        object.__setattr__(self, "documents", documents)

    def of_kind(self, *kinds: str) -> list[Document]:
        """Return the documents of some kinds."""
        return [each for each in self.documents if each["kind"] in kinds]

    def named(self, kind: str, name: str) -> Document:
        """Return one document; a ConfigMap's name has a hash behind it."""
        found = [
            each
            for each in self.of_kind(kind)
            if re.fullmatch(f"{name}(-[a-z0-9]{{10}})?", each["metadata"]["name"])
        ]
        assert len(found) == 1, f"{kind} {name} in {self.name}: {len(found)}"
        return found[0]

    def workloads(self) -> list[Workload]:
        """Return whatever makes pods."""
        return [
            Workload(each["kind"], each["metadata"]["name"], each)
            for each in self.of_kind(*LONG_RUNNING, "Job", "CronJob", "DaemonSet")
        ]

    def environment(self, container: Document) -> dict[str, str]:
        """Return a container's variables; "" for one whose value the cluster finds."""
        found: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            name = source["configMapRef"]["name"]
            (config,) = (
                each for each in self.of_kind("ConfigMap") if each["metadata"]["name"] == name
            )
            found |= config["data"]
        return found | {each["name"]: each.get("value", "") for each in container.get("env", ())}


def is_our_image(image: str) -> bool:
    """Tell whether an image is the one that this repository builds."""
    return OUR_IMAGE.search(image) is not None


def service_of(arguments: list[str]) -> str | None:
    """Return the service that a command line starts: `python -m tidegate_risk`; None for none."""
    if arguments[:2] == ["python", "-m"]:
        return MODULES.get(arguments[2], arguments[2].removeprefix("tidegate_"))
    return None


def check_command(arguments: list[str]) -> None:
    """Check that a container's command is a module or a command of this version."""
    if service_of(arguments) is not None:
        assert find_spec(arguments[2]) is not None, arguments
        return
    assert arguments[0] == "tidegate"
    command = get_command(app)
    options = {name for parameter in command.params for name in parameter.opts}
    for word in arguments[1:]:
        if word.startswith("--"):
            assert word.partition("=")[0] in options | {"--help"}, arguments
        elif isinstance(command, TyperGroup):
            command = command.commands[word]
            options = {name for parameter in command.params for name in parameter.opts}


def known_variables(service: str | None) -> set[str]:
    """Return the variables that a service reads, or the `tidegate` command."""
    names = set(_names(ServiceSettings, SHARED_PREFIX))
    for name in [service] if service else SERVICES:
        settings = SERVICES[name]
        names |= set(_names(settings, SHARED_PREFIX))
        names |= set(_names(settings, str(settings.model_config.get("env_prefix"))))
    return names


def _names(settings: type[ServiceSettings], prefix: str) -> Iterator[str]:
    for variable in variables(settings.model_fields, prefix):
        yield variable.name
        if variable.is_secret:
            yield f"{variable.name}{FILE_SUFFIX}"
