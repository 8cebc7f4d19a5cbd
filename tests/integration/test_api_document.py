"""Every example of docs/api.md, against a filled gateway."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.integration.filled_gateway import Served

PATIENT_SECONDS = 60.0
DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
EXAMPLE = re.compile(
    r"### (?P<method>[A-Z]+) (?P<path>\S+)\n\n[^\n]+\n\n"
    r"```sh\n(?P<command>.+?)\n```\n\nAnswer (?P<status>\d+):\n\n```json\n(?P<body>.+?)\n```\n",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Example:
    """A command and its answer."""

    method: str
    path: str
    command: str
    status: int
    body: object


def examples() -> list[Example]:
    """Return what the document shows."""
    return [
        Example(
            method=one["method"],
            path=one["path"],
            command=one["command"],
            status=int(one["status"]),
            body=json.loads(one["body"]),
        )
        for one in EXAMPLE.finditer(DOCUMENT.read_text())
    ]


def ask(command: str, served: Served) -> httpx.Response:
    """Do what a curl command does."""
    line = command.replace("\\\n", " ")
    words = shlex.split(line.replace("$URL", served.url).replace("$KEY", served.admin_key))
    method, url, content = "GET", "", None
    headers: list[tuple[str, str]] = []
    assert words.pop(0) == "curl"
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers.append((name, value))
        elif word == "-d":
            content = words.pop(0)
        else:
            assert not url
            url = word
    return httpx.request(method, url, headers=headers, content=content, timeout=PATIENT_SECONDS)


def test_api_document_has_every_operation_once(served: Served) -> None:
    """Neither forgotten nor gone."""
    document = httpx.get(f"{served.url}/openapi.json", timeout=PATIENT_SECONDS).json()
    offered = [
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    ]

    assert sorted((one.method, one.path) for one in examples()) == sorted(offered)


@pytest.mark.parametrize("example", examples(), ids=lambda one: f"{one.method} {one.path}")
def test_api_document_example_is_answered_as_it_says(example: Example, served: Served) -> None:
    """To the last digit: the run is scripted."""
    answer = ask(example.command, served)

    asked = answer.request
    template = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(example.path))
    assert asked.method == example.method
    assert re.fullmatch(template, asked.url.path)
    assert answer.status_code == example.status
    assert answer.json() == example.body
