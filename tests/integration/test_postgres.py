"""Migrations and errors on a real PostgreSQL."""

import asyncio

import pytest

from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.store.postgres import errors_translated, load_migrations, migrate, open_pool

NOWHERE = "postgresql://somebody:secret@127.0.0.1:1/tidegate"
# Version 2 with an order's life on the last day of 2021 and the first of 2022, to the Shanghai date
# (one second before midnight, and midnight).
VERSIONS = """
CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL,
    sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())
"""
ROWS_OF_BEFORE = """
INSERT INTO runs VALUES ('r', '{}', 20211231, 1640966399000000000);
INSERT INTO decisions VALUES ('r', 4, 'A1', 0, 'r.4.A1.0', 1600519, 'buy', 1, 100, 'accepted',
    'validity', 'none', 'score', 'cross', 1640966399000000000, '{"a": 1}');
INSERT INTO orders VALUES ('r', 4, 'A1', 0, 'r.4.A1.0', 1600519, 'buy', 'limit', 1, 100,
    1640966399000000000, '{"b": 1}');
INSERT INTO cancels VALUES ('r', 5, 'A1', 0, 'r.4.A1.0', 1640966400000000000, '{"c": 1}');
INSERT INTO order_updates VALUES ('r', 'r.4.A1.0', 5, 'A1', 0, 1600519, 'filled', 'none', 100, 0,
    1640966400000000000, '{"d": 1}');
INSERT INTO fills VALUES ('r', 5, 'A1', 4, 0, 0, 'r.4.A1.0.0', 'r.4.A1.0', 'r.4.A1.0', 1600519,
    'buy', 1, 100, 100, 5, 1640966400000000000, '{"e": 1}');
INSERT INTO equity VALUES ('r', 'A1', 5, 1640966400000000000, 7, 9);
INSERT INTO portfolios VALUES ('r', 'A1', 5, 20220101, 9, '{"f": 1}');
"""


async def test_migrate_empty_database_applies_all_once(postgres_dsn: str) -> None:
    """The second call finds nothing to do."""
    versions = [migration.version for migration in load_migrations()]

    assert await migrate(postgres_dsn) == versions
    assert await migrate(postgres_dsn) == []


async def test_migrate_called_by_many_at_once_applies_all_once(postgres_dsn: str) -> None:
    """Every service of a stack may call it when it starts."""
    applied = await asyncio.gather(*(migrate(postgres_dsn) for _ in range(4)))

    assert sorted(map(len, applied)) == [0, 0, 0, len(load_migrations())]


async def test_migrate_database_of_version_2_keeps_its_rows(postgres_dsn: str) -> None:
    """The tables that are parted by month now have the rows of before, in their months."""
    pool = await open_pool(postgres_dsn, service="test")
    await pool.execute(VERSIONS)
    for migration in load_migrations()[:2]:
        values = (migration.version, migration.name, migration.sha256)
        await pool.execute(migration.sql)
        await pool.execute("INSERT INTO schema_migrations VALUES ($1, $2, $3)", *values)
    await pool.execute(ROWS_OF_BEFORE)

    applied = await migrate(postgres_dsn)

    assert applied == [migration.version for migration in load_migrations()[2:]]
    found = {}
    for table in ("decisions", "orders", "cancels", "order_updates", "fills", "portfolios"):
        columns = "tableoid::regclass::text AS part, trade_date, payload"
        sql = f"SELECT {columns} FROM {table}"  # noqa: S608
        found[table] = [tuple(row) for row in await pool.fetch(sql)]
    assert found == {
        "decisions": [("decisions_202112", 20211231, '{"a": 1}')],
        "orders": [("orders_202112", 20211231, '{"b": 1}')],
        "cancels": [("cancels_202201", 20220101, '{"c": 1}')],
        "order_updates": [("order_updates_202201", 20220101, '{"d": 1}')],
        "fills": [("fills_202201", 20220101, '{"e": 1}')],
        "portfolios": [("portfolios_202201", 20220101, '{"f": 1}')],
    }
    state = await pool.fetchrow("SELECT status, status_beat, leaves_shares FROM order_states")
    equity = await pool.fetchrow("SELECT trade_date, cash_fen, nav_fen FROM equity")
    assert state is not None
    assert equity is not None
    assert (tuple(state), tuple(equity)) == (("filled", 5, 0), (20220101, 7, 9))
    await pool.close()


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
