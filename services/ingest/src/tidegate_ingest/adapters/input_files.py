"""Files that a run reads, identified by what is in them."""

import hashlib
from pathlib import Path

from tidegate_common.errors import ConfigError
from tidegate_common.events.run import InputFile


def sha256_of(path: Path) -> str:
    """Return the hash of a file.

    Raises
    ------
    ConfigError
        If there is none, or it cannot be read.
    """
    if not path.exists():
        message = f"expected a file, found nothing at {path}"
        raise ConfigError(message)
    if not path.is_file():
        message = f"expected a file, found something else at {path}"
        raise ConfigError(message)
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        message = f"expected a file that can be read, found: {error}"
        raise ConfigError(message) from error


def check_unchanged(file: InputFile) -> None:
    """Raise ConfigError if a file is not the one of the run any more: that is another run."""
    found = sha256_of(Path(file.path))
    if found != file.sha256:
        message = (
            f"{file.path} has changed since the run was defined: "
            f"expected sha256 {file.sha256}, found: {found}"
        )
        raise ConfigError(message)
