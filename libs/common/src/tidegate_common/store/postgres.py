"""PostgreSQL: a bounded pool, numbered migrations, and errors in our own tree."""

import asyncio
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import TypeAlias
from urllib.parse import urlsplit

import asyncpg

from tidegate_common.errors import ConfigError, TransientError

# Texts, because the driver's classes take no parameters at run time.
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)
_OwnConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

CONNECT_TIMEOUT_SECONDS = 5.0
COMMAND_TIMEOUT_SECONDS = 10.0
# A server that was just started answers within a second or two; a pod may wait for a failover.
STARTUP_WAIT_SECONDS = 20.0

_RETRY_PAUSE_SECONDS = 0.2
# Any constant does, as long as nobody else on the server uses it: "tide" in ASCII.
_MIGRATION_LOCK = 0x74696465
# A migration may write every row anew.
_MIGRATION_TIMEOUT_SECONDS = 3_600.0
_MIGRATION_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_CREATE_VERSIONS = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""

# The server is there, but not for us: no waiting mends that.
_CONFIG_ERRORS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ClientConfigurationError,
)
_TRANSIENT_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.InterfaceError,
    # Not migrated yet: the recorder does that when it starts.
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
)


@dataclass(frozen=True, slots=True)
class Migration:
    """A numbered SQL file.

    sha256 : of its text; a file that was applied may not change.
    """

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Hash of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


async def open_pool(
    dsn: str,
    *,
    service: str,
    size_max: int = 4,
    command_timeout_seconds: float = COMMAND_TIMEOUT_SECONDS,
    settings: dict[str, str] | None = None,
    has_session_state: bool = True,
) -> Pool:
    """Return a pool that connects when it is first used.

    Parameters
    ----------
    service : shown by the server as the application's name.
    settings : server settings of every connection.
    has_session_state : whether who uses a connection may leave locks, cursors or settings behind;
        without them a connection goes back to the pool with one round trip less.

    Raises
    ------
    ConfigError
        If the address is not one of PostgreSQL.
    """
    _check_address(dsn)
    return await asyncpg.create_pool(
        dsn,
        # No connection is made yet: a gateway starts although the server is away.
        min_size=0,
        max_size=size_max,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=command_timeout_seconds,
        reset=None if has_session_state else _leave,
        server_settings={"application_name": f"tidegate-{service}", **(settings or {})},
    )


async def _leave(_connection: _OwnConnection) -> None:
    """Leave a connection as it is."""


async def migrate(dsn: str, *, wait_seconds: float = STARTUP_WAIT_SECONDS) -> list[int]:
    """Bring the schema up to date and return the versions that were applied now.

    Several processes may call it at once: one works, the others wait.

    Raises
    ------
    ConfigError
        If there is no server within the wait, or the database was made by other migrations.
    """
    _check_address(dsn)
    connection = await _connect(dsn, wait_seconds)
    try:
        with errors_translated(dsn):
            await connection.execute("SELECT pg_advisory_lock($1)", _MIGRATION_LOCK)
            return await _apply_missing(connection, load_migrations())
    finally:
        # Closing lets go of the lock.
        await connection.close(timeout=CONNECT_TIMEOUT_SECONDS)


def load_migrations() -> list[Migration]:
    """Return the migrations of this version of the program, oldest first."""
    folder = resources.files("tidegate_common.store") / "migrations"
    found = []
    for entry in folder.iterdir():
        match = _MIGRATION_NAME.fullmatch(entry.name)
        if match is not None:
            found.append(Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.version)


@contextmanager
def errors_translated(where: str = "PostgreSQL") -> Iterator[None]:
    """Turn the driver's errors into TransientError or ConfigError; leave our bugs as they are.

    Parameters
    ----------
    where : address or name for the message; a password in it is not shown.
    """
    try:
        yield
    except _CONFIG_ERRORS as error:
        message = f"expected a usable database at {_place(where)}, found: {error}"
        raise ConfigError(message) from error
    except _TRANSIENT_ERRORS as error:
        message = f"expected an answer of {_place(where)}, found: {type(error).__name__} {error}"
        raise TransientError(message) from error


async def _connect(dsn: str, wait_seconds: float) -> _OwnConnection:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_seconds
    while True:
        try:
            with errors_translated(dsn):
                return await asyncpg.connect(
                    dsn,
                    timeout=CONNECT_TIMEOUT_SECONDS,
                    command_timeout=_MIGRATION_TIMEOUT_SECONDS,
                )
        except TransientError as error:
            if loop.time() >= deadline:
                message = (
                    f"expected a PostgreSQL server at {_place(dsn)} "
                    f"within {wait_seconds:g} s, found: {error.__cause__!r}"
                )
                raise ConfigError(message) from error
        await asyncio.sleep(_RETRY_PAUSE_SECONDS)


async def _apply_missing(
    connection: _OwnConnection,
    migrations: list[Migration],
) -> list[int]:
    await connection.execute(_CREATE_VERSIONS)
    rows = await connection.fetch("SELECT version, sha256 FROM schema_migrations ORDER BY version")
    applied = {row["version"]: row["sha256"] for row in rows}
    _check_applied(applied, migrations)
    missing = [migration for migration in migrations if migration.version not in applied]
    for migration in missing:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.sha256,
            )
    return [migration.version for migration in missing]


def _check_applied(applied: dict[int, str], migrations: list[Migration]) -> None:
    known = {migration.version: migration.sha256 for migration in migrations}
    for version, sha256 in applied.items():
        if version not in known:
            message = (
                f"expected a database of at most version {max(known, default=0)}, "
                f"found version {version}: it belongs to a newer program"
            )
            raise ConfigError(message)
        if known[version] != sha256:
            message = (
                f"expected migration {version:04d} as it was applied (sha256 {sha256[:12]}), "
                f"found {known[version][:12]}: the database belongs to another program"
            )
            raise ConfigError(message)


def _check_address(dsn: str) -> None:
    """Raise ConfigError if an address is not one of PostgreSQL; a pool would notice late."""
    try:
        parts = urlsplit(dsn)
        is_address = parts.scheme in {"postgresql", "postgres"} and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        message = f"expected postgresql://user@host:port/database, found {_place(dsn)}"
        raise ConfigError(message)


def _place(dsn: str) -> str:
    """Return an address without its user, password and options."""
    if "://" not in dsn:
        return dsn if "=" not in dsn else "PostgreSQL"
    parts = urlsplit(dsn)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
