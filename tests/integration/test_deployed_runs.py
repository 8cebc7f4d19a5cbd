"""`tidegate run wait` on a real PostgreSQL; a run's end is in tests/e2e/test_commands.py."""

import pytest

from tidegate_cli.deployed_runs import await_run
from tidegate_cli.watch import RunStalledError
from tidegate_common.domain.ids import RunId
from tidegate_common.store.postgres import migrate


async def test_await_run_that_nobody_records_gives_up(postgres_dsn: str) -> None:
    """A job that waits for ever hides that there is no feed."""
    await migrate(postgres_dsn)

    with pytest.raises(RunStalledError, match="0 beats are recorded"):
        await await_run(postgres_dsn, RunId("nobody"), 0.3)
