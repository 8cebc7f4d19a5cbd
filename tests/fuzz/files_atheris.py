"""Search files that break a reader, by coverage: `python -m tests.fuzz.files_atheris`.

As `quote_text_atheris.py`, for every layout of files: rows of any cells, each held to the exact
reference where it is accepted, and now and then the bytes of a whole file.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tidegate_ingest.engine", "tidegate_ingest.adapters"]):
    from tests.fuzz.files import FORMATS, Format, assert_exact, assert_one_line, read_rows, table_of

    from tidegate_common.errors import ConfigError
    from tidegate_ingest.adapters.file_check import check_file

# One input in so many is a file of its bytes: that costs as much as many rows.
_FILE_EVERY = 64


def read_one(data: bytes) -> None:
    """Read a row of a layout, or a file."""
    provider = atheris.FuzzedDataProvider(data)
    form = provider.PickValueInList(list(FORMATS))
    if provider.ConsumeIntInRange(0, _FILE_EVERY - 1) == 0:
        _read_file(form, provider.ConsumeBytes(sys.maxsize))
    else:
        _read_row(form, provider)


def _read_row(form: Format, provider: atheris.FuzzedDataProvider) -> None:
    cells = dict(form.row)
    numbers = {name: float(form.row[name] or "nan") for name in form.layout.numbers}
    for _ in range(provider.ConsumeIntInRange(1, 3)):
        name = provider.PickValueInList(list(form.layout.columns))
        if name in numbers:
            numbers[name] = provider.ConsumeFloat()
            cells[name] = repr(numbers[name])
        else:
            cells[name] = provider.ConsumeUnicodeNoSurrogates(12)
    try:
        columns, (reason,) = read_rows(form, table_of(form, {**cells, **numbers}))
    except ConfigError as error:
        assert_one_line(error)
        return
    if not reason:
        assert_exact(form, columns, 0, cells)


def _read_file(form: Format, data: bytes) -> None:
    PATHS[form.file_name].write_bytes(",".join(form.row).encode() + b"\n" + data)
    try:
        check = check_file(PATHS[form.file_name])
    except ConfigError as error:
        assert_one_line(error)
        return
    assert check.rows_in == check.rows_out + sum(check.rejected.values())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PATHS = {form.file_name: Path(folder) / form.file_name for form in FORMATS}
        atheris.Setup(sys.argv, read_one)
        atheris.Fuzz()
