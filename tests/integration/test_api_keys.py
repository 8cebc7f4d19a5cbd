"""`tidegate api-key` on a real database."""

import json
import re
from collections.abc import Callable

import pytest

from tidegate_cli.__main__ import run
from tidegate_common.store.postgres import migrate

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
async def tables(postgres_dsn: str) -> str:
    """Make the tables and return where."""
    await migrate(postgres_dsn)
    return postgres_dsn


@pytest.fixture
def say(tables: str, capsys: pytest.CaptureFixture[str]) -> Say:
    """Return a function that runs a command and returns code, output and complaint."""

    def work(*arguments: str) -> tuple[int, str, str]:
        code = run(["api-key", *arguments, "--postgres-url", tables])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return work


def test_key_is_shown_once_listed_without_it_and_revoked(say: Say) -> None:
    """The list has no way back to the key."""
    code, key, _ = say("create", "--name", "desk", "--role", "trade", "--accounts", "A2,A1")
    _, other, _ = say("create", "--name", "eyes", "--expires-days", "1", "--json")
    _, listed, _ = say("list", "--json")
    lines = json.loads(listed)
    revoked = say("revoke", lines[0]["key_id"])
    again = say("revoke", lines[0]["key_id"])
    _, table, _ = say("list")

    assert code == 0
    assert re.fullmatch(r"tg_[0-9a-f]{12}_[0-9a-f]{64}\n", key)
    assert json.loads(other)["key"].startswith(f"tg_{json.loads(other)['key_id']}_")
    assert [(line["name"], line["role"], line["accounts"]) for line in lines] == [
        ("desk", "trade", ["A1", "A2"]),
        ("eyes", "read", []),
    ]
    assert [line["state"] for line in lines] == ["good", "good"]
    assert [line["expires"] is None for line in lines] == [True, False]
    assert key.strip().rpartition("_")[2] not in listed + table
    assert revoked == (0, f"{lines[0]['key_id']} is revoked\n", "")
    assert again[0] == 2
    assert "revoked already" in again[2]
    assert "revoked" in table


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--name", "a b"), "--name must be letters"),
        (("--name", "a", "--role", "king"), "--role must be one of read, trade, admin"),
        (("--name", "a", "--accounts", "A1,"), "found ''"),
        (("--name", "a", "--accounts", "A1,A-2"), "found 'A-2'"),
    ],
)
def test_key_of_nonsense_is_not_made(say: Say, arguments: tuple[str, ...], text: str) -> None:
    """A key that is for nobody by mistake would be one for all."""
    code, out, complaint = say("create", *arguments)

    assert (code, out) == (2, "")
    assert text in complaint
    assert json.loads(say("list", "--json")[1]) == []
