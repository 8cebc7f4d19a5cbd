"""Where recordings are: a named PostgreSQL, a running stack's, or the one of a data directory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tidegate_cli.servers import EmbeddedPostgres, running
from tidegate_cli.settings import CliSettings
from tidegate_cli.stack_file import read_stack_file
from tidegate_common.errors import ConfigError
from tidegate_common.store.postgres import Pool, open_pool


@asynccontextmanager
async def open_recordings(
    url: str | None,
    *,
    data_dir: Path,
    settings: CliSettings,
    connections_max: int,
) -> AsyncIterator[Pool]:
    """Give a pool of connections; the data directory's server is started where it does not run.

    Parameters
    ----------
    url : the address that the user named; None to look for one.

    Raises
    ------
    ConfigError
        If there is no recording to be found.
    """
    stack = read_stack_file(data_dir)
    known = url or settings.postgres_url or (stack.addresses["postgres"] if stack else None)
    if known is not None:
        async with _pool(known, connections_max) as pool:
            yield pool
        return
    if not (data_dir / "postgres" / "data").exists():
        message = (
            f"there is no recording in {data_dir}: name a directory with --data-dir "
            "or a server with --postgres-url"
        )
        raise ConfigError(message)
    server = EmbeddedPostgres(data_dir)
    async with running([server]), _pool(server.url, connections_max) as pool:
        yield pool


@asynccontextmanager
async def _pool(url: str, connections_max: int) -> AsyncIterator[Pool]:
    pool = await open_pool(url, service="cli", size_max=connections_max)
    try:
        yield pool
    finally:
        await pool.close()
