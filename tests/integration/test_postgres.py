"""Migrations and errors on a real PostgreSQL."""

import asyncio

import pytest

from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.store.postgres import errors_translated, load_migrations, migrate, open_pool

NOWHERE = "postgresql://somebody:secret@127.0.0.1:1/tidegate"


async def test_migrate_empty_database_applies_all_once(postgres_dsn: str) -> None:
    """The second call finds nothing to do."""
    versions = [migration.version for migration in load_migrations()]

    assert await migrate(postgres_dsn) == versions
    assert await migrate(postgres_dsn) == []


async def test_migrate_called_by_many_at_once_applies_all_once(postgres_dsn: str) -> None:
    """Every service of a stack may call it when it starts."""
    applied = await asyncio.gather(*(migrate(postgres_dsn) for _ in range(4)))

    assert sorted(map(len, applied)) == [0, 0, 0, len(load_migrations())]


async def test_migrate_changed_file_is_a_config_error(postgres_dsn: str) -> None:
    """A file that was applied somewhere may not change any more."""
    await migrate(postgres_dsn)
    pool = await open_pool(postgres_dsn, service="test")
    await pool.execute("UPDATE schema_migrations SET sha256 = 'other'")
    await pool.close()

    with pytest.raises(ConfigError, match="expected migration 0001"):
        await migrate(postgres_dsn)


async def test_migrate_newer_database_is_a_config_error(postgres_dsn: str) -> None:
    """An old program does not know what the new one did."""
    await migrate(postgres_dsn)
    pool = await open_pool(postgres_dsn, service="test")
    await pool.execute("INSERT INTO schema_migrations VALUES (9999, 'later', 'x')")
    await pool.close()

    with pytest.raises(ConfigError, match="found version 9999"):
        await migrate(postgres_dsn)


async def test_migrate_without_a_server_is_a_config_error_without_the_password() -> None:
    """The user mends the address; the log keeps no secret."""
    with pytest.raises(ConfigError, match=r"server at postgresql://127.0.0.1:1/tidegate") as caught:
        await migrate(NOWHERE, wait_seconds=0)

    assert "secret" not in str(caught.value)


async def test_migrate_without_the_database_is_a_config_error(postgres_server: str) -> None:
    """No waiting mends that."""
    with pytest.raises(ConfigError, match="does not exist"):
        await migrate(postgres_server.rpartition("/")[0] + "/no_such_database")


@pytest.mark.parametrize("dsn", ["redis://127.0.0.1/", "postgresql://127.0.0.1:x/t"])
async def test_address_of_something_else_is_a_config_error(dsn: str) -> None:
    """A typing error ends the program at once."""
    with pytest.raises(ConfigError):
        await migrate(dsn, wait_seconds=0)
    with pytest.raises(ConfigError):
        await open_pool(dsn, service="test")


async def test_pool_without_a_server_opens_and_its_use_is_transient() -> None:
    """A gateway starts while PostgreSQL is away."""
    pool = await open_pool(NOWHERE, service="test")

    with pytest.raises(TransientError), errors_translated(NOWHERE):
        await pool.fetchval("SELECT 1")

    await pool.close()


async def test_statement_beyond_its_time_is_transient(postgres_dsn: str) -> None:
    """Every wait has a limit."""
    pool = await open_pool(postgres_dsn, service="test", command_timeout_seconds=0.05)

    with pytest.raises(TransientError), errors_translated():
        await pool.fetchval("SELECT pg_sleep(5)")

    await pool.close()


async def test_connection_cut_by_the_server_is_transient(postgres_dsn: str) -> None:
    """The next use of the pool connects again."""
    pool = await open_pool(postgres_dsn, service="test")

    with pytest.raises(TransientError), errors_translated():
        await pool.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")

    assert await pool.fetchval("SELECT 1") == 1
    await pool.close()
