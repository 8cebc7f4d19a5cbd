"""The command line before Typer sees it.

Typer takes one value an option. `--replay a.parquet b.parquet` is how people (and `make up ARGS=…`)
name several files, so every such value gets its flag here.
"""

from collections.abc import Sequence
from typing import Final

MANY_VALUED: Final = frozenset({"--data", "--replay", "--strategy"})


def spread_values(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with the flag repeated before each further value of `MANY_VALUED`."""
    spread: list[str] = []
    flag = ""
    is_value_due = False
    for index, argument in enumerate(arguments):
        if argument == "--":
            return spread + list(arguments[index:])
        if argument.startswith("-"):
            name, _, value = argument.partition("=")
            flag = name if name in MANY_VALUED else ""
            is_value_due = bool(flag) and not value
        elif flag and not is_value_due:
            spread.append(flag)
        else:
            is_value_due = False
        spread.append(argument)
    return spread
