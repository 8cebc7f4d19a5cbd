"""`tidegate status`: what runs in a data directory, and what each service says of itself."""

from rich.table import Table

from tidegate_cli.stack_file import ServiceEntry, StackFile
from tidegate_cli.watch import Status, StatusClient


async def ask_services(stack: StackFile) -> dict[str, Status | None]:
    """Return what each running service says; None for one that does not answer."""
    client = StatusClient({name: entry.http_port for name, entry in stack.services.items()})
    try:
        return {name: await client.status(name) for name in stack.services}
    finally:
        await client.close()


def status_table(stack: StackFile, statuses: dict[str, Status | None]) -> Table:
    """Return the services, one a row."""
    table = Table(title=f"run {stack.run_id}, gateway {stack.urls['docs']}", title_justify="left")
    for column in ("service", "pid", "http", "starts", "status"):
        table.add_column(column, no_wrap=column != "status")
    for name, entry in stack.services.items():
        table.add_row(
            name,
            str(entry.pid),
            str(entry.http_port),
            str(entry.start_count),
            _describe(entry, statuses.get(name)),
        )
    return table


def _describe(entry: ServiceEntry, status: Status | None) -> str:
    if entry.is_finished:
        return "finished"
    if status is None:
        return "no answer"
    if shards := status.get("shards"):
        assert isinstance(shards, dict)
        return "; ".join(f"shard {shard}: {_facts(facts)}" for shard, facts in shards.items())
    return _facts(status)


def _facts(status: Status) -> str:
    if status.get("run", "") is None:
        return "waits for a run"
    return ", ".join(f"{key} {value}" for key, value in status.items() if key != "stage")
