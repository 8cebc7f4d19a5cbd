"""`tidegate feed check`: what ingest would make of files, as a table or as JSON."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from rich.table import Table

from tidegate_cli.output import two_column_table
from tidegate_ingest.adapters.file_check import FileCheck, check_file
from tidegate_ingest.adapters.reference_file import load_reference
from tidegate_ingest.engine.reference_days import NO_REFERENCE, ReferenceTable

_NS: Final = 1_000_000_000
_SHANGHAI: Final = timezone(timedelta(hours=8))


def read_reference(name: str) -> ReferenceTable:
    """Return what a reference file says; nothing where none is named.

    Raises
    ------
    ConfigError
        If the file or a row of it cannot be read.
    """
    return load_reference(Path(name)) if name else NO_REFERENCE


def check_json(path: Path, reference: ReferenceTable = NO_REFERENCE) -> dict[str, object]:
    """Return what becomes of a file, JSON-ready; times are Shanghai's, null where no row came out.

    `reference_rows` is there where a reference file is.

    Raises
    ------
    ConfigError
        If the file cannot be read or is of no known layout.
    """
    check = check_file(path, reference)
    said = {"reference_rows": reference.row_count} if reference.row_count else {}
    return {
        "file": str(path),
        "format": check.format,
        "rows_in": check.rows_in,
        "rows_out": check.rows_out,
        "rejected": check.rejected,
        "instruments": check.instruments,
        "first_time": _time(check.first_ts_ns),
        "last_time": _time(check.last_ts_ns),
        **said,
    }


def check_table(path: Path, reference: ReferenceTable = NO_REFERENCE) -> Table:
    """Return what becomes of a file, for people.

    Raises
    ------
    ConfigError
        As `check_json`.
    """
    rows = _rows(check_file(path, reference))
    if reference.row_count:
        rows["reference"] = (
            f"{reference.row_count:,} rows of {reference.instrument_count:,} instruments, "
            f"{reference.action_count:,} corporate actions"
        )
    return two_column_table(str(path), rows)


def _rows(check: FileCheck) -> dict[str, str]:
    return {
        "format": check.format,
        "rows in": f"{check.rows_in:,}",
        "rows out": f"{check.rows_out:,}",
        "rejected": f"{sum(check.rejected.values()):,}",
        **{f"  {reason}": f"{rows:,}" for reason, rows in check.rejected.items()},
        "instruments": f"{check.instruments:,}",
        "first time": _time(check.first_ts_ns) or "none",
        "last time": _time(check.last_ts_ns) or "none",
    }


def _time(ts_event_ns: int) -> str | None:
    """Return a time as `2023-02-01T09:15:00.000+08:00`."""
    if not ts_event_ns:
        return None
    seconds, nanoseconds = divmod(ts_event_ns, _NS)
    at = datetime.fromtimestamp(seconds, _SHANGHAI).replace(microsecond=nanoseconds // 1_000)
    return at.isoformat(timespec="milliseconds")
