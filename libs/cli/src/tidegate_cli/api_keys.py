"""`tidegate api-key`: keys of the gateway, in the PostgreSQL of a stack or a named one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from tidegate_cli import options as opt
from tidegate_cli.interruption import run_interruptible
from tidegate_cli.output import print_json
from tidegate_cli.settings import CliSettings
from tidegate_common.errors import ConfigError
from tidegate_common.runtime.settings import load_settings
from tidegate_common.runtime.system_clock import SystemClock

if TYPE_CHECKING:
    from pathlib import Path

    from tidegate_gateway.security.keys import KeyStore, StoredKey

DAYS_MAX: Final = 3_650

_NS_PER_SECOND: Final = 1_000_000_000
_NS_PER_DAY: Final = 86_400 * _NS_PER_SECOND

api_key_app = typer.Typer(help="API keys of the gateway.", no_args_is_help=True)


@dataclass(frozen=True, slots=True)
class KeyLine:
    """What is shown of a key; the keys of `--json`.

    state : good, expired or revoked.
    """

    key_id: str
    name: str
    role: str
    accounts: list[str]
    created: str
    expires: str | None
    state: str


@api_key_app.callback()
def api_key_options() -> None:
    """Make, list and revoke API keys of the gateway."""


@api_key_app.command("create")
def create(
    *,
    name: Annotated[str, typer.Option("--name", help="Who will use it; stands in the audit.")],
    role: Annotated[str, typer.Option("--role", help="read, trade or admin.")] = "read",
    accounts: Annotated[
        str,
        typer.Option("--accounts", metavar="A1,A2", help="Sees and uses these only; default: all."),
    ] = "",
    expires_days: Annotated[
        int,
        typer.Option("--expires-days", min=0, max=DAYS_MAX, help="Good for so long; 0: for ever."),
    ] = 0,
    postgres_url: opt.PostgresUrl = None,
    data_dir: opt.DataDir = opt.DATA_DIR_DEFAULT,
    as_json: opt.Json = False,
) -> None:
    """Make an API key and print it; it is shown this once."""
    from tidegate_gateway.security.callers import Role
    from tidegate_gateway.security.keys import make_key

    if role not in list(Role):
        message = f"--role must be one of {', '.join(Role)}, was {role!r}"
        raise ConfigError(message)
    now_ns = SystemClock().now_ns()
    expires_ns = now_ns + expires_days * _NS_PER_DAY if expires_days else None
    text, key = make_key(
        _checked_name(name),
        Role(role),
        _checked_accounts(accounts),
        now_ns=now_ns,
        expires_ns=expires_ns,
    )

    async def work() -> None:
        async with _opened(postgres_url, data_dir) as store:
            await store.add(key)

    run_interruptible(work())
    if as_json:
        print_json({"key_id": key.caller.key_id, "key": text})
    else:
        typer.echo(text)


@api_key_app.command("list")
def list_keys(
    *,
    postgres_url: opt.PostgresUrl = None,
    data_dir: opt.DataDir = opt.DATA_DIR_DEFAULT,
    as_json: opt.Json = False,
) -> None:
    """List the API keys, without what would open anything."""

    async def work() -> "list[StoredKey]":
        async with _opened(postgres_url, data_dir) as store:
            return await store.all()

    now_ns = SystemClock().now_ns()
    lines = [_line(key, now_ns) for key in run_interruptible(work())]
    if as_json:
        print_json([{field: getattr(line, field) for field in _FIELDS} for line in lines])
        return
    table = Table(*_FIELDS)
    for line in lines:
        cells = (getattr(line, field) for field in _FIELDS)
        table.add_row(*(", ".join(cell) if isinstance(cell, list) else cell for cell in cells))
    Console().print(table)


@api_key_app.command("revoke")
def revoke(
    *,
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `list` shows it.")],
    postgres_url: opt.PostgresUrl = None,
    data_dir: opt.DataDir = opt.DATA_DIR_DEFAULT,
) -> None:
    """Take an API key's power, within seconds and for ever."""

    async def work() -> bool:
        async with _opened(postgres_url, data_dir) as store:
            return await store.revoke(key_id, now_ns=SystemClock().now_ns())

    if not run_interruptible(work()):
        message = f"there is no key {key_id} that is not revoked already"
        raise ConfigError(message)
    typer.echo(f"{key_id} is revoked")


_FIELDS: Final = tuple(KeyLine.__dataclass_fields__)


@asynccontextmanager
async def _opened(postgres_url: str | None, data_dir: "Path") -> "AsyncIterator[KeyStore]":
    from tidegate_cli.recordings import open_recordings
    from tidegate_gateway.security.keys import KeyStore

    async with open_recordings(
        postgres_url,
        data_dir=data_dir,
        settings=load_settings(CliSettings),
        connections_max=1,
    ) as pool:
        yield KeyStore(pool)


def _checked_name(name: str) -> str:
    from tidegate_gateway.security.keys import NAME_PATTERN

    if NAME_PATTERN.fullmatch(name) is None:
        message = f"--name must be letters, digits, _, . and -, at most 63, was {name!r}"
        raise ConfigError(message)
    return name


def _checked_accounts(text: str) -> list[str]:
    from tidegate_common.domain.ids import is_account_id

    accounts = [part.strip() for part in text.split(",")] if text else []
    for account in accounts:
        # A key that is for nobody by mistake would be one for all.
        if not is_account_id(account):
            message = f"--accounts must be ids with commas, found {account!r}"
            raise ConfigError(message)
    return accounts


def _line(key: "StoredKey", now_ns: int) -> KeyLine:
    state = "good" if key.is_good(now_ns) else "expired"
    return KeyLine(
        key_id=key.caller.key_id,
        name=key.caller.name,
        role=key.caller.role.value,
        accounts=sorted(key.caller.accounts),
        created=_time(key.created_ns),
        expires=None if key.expires_ns is None else _time(key.expires_ns),
        state="revoked" if key.revoked_ns is not None else state,
    )


def _time(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns // _NS_PER_SECOND, UTC).isoformat(timespec="seconds")
