"""The `tidegate` command: arguments in, an exit code out."""

import logging
import sys
from typing import Final

import typer
from typer.main import get_command

from tidegate_cli.app import app
from tidegate_cli.argv import spread_values
from tidegate_cli.interruption import InterruptedByUser
from tidegate_common.errors import ConfigError, TidegateError

EXIT_FAILED: Final = 1
EXIT_CONFIG: Final = 2
# Typer keeps its parser's exceptions to itself; the one that it shows leads to their root.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def main() -> None:
    """Run the command and exit: 0 done, 1 failed, 2 the user's mistake, 130 interrupted."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command line and return the exit code; a mistake costs one line, no traceback."""
    # Libraries' warnings are for the services' logs; here they would bury that one line.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        code = get_command(app)(
            spread_values(arguments), prog_name="tidegate", standalone_mode=False
        )
    except ConfigError as error:
        return _complain(str(error), EXIT_CONFIG)
    except TidegateError as error:
        return _complain(str(error), EXIT_FAILED)
    except _UsageError as error:
        return _complain(_usage_message(error), EXIT_CONFIG)
    except InterruptedByUser as interruption:
        return interruption.exit_code
    return code if isinstance(code, int) else 0


def _usage_message(error: Exception) -> str:
    text: str = error.format_message() if hasattr(error, "format_message") else str(error)
    return " ".join(text.split()) or "which command? See tidegate --help"


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"tidegate: {message}\n")
    return code


if __name__ == "__main__":
    main()
