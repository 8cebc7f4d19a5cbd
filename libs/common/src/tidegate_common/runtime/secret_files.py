"""Secrets from files: what orchestrators mount is not to be copied into the environment."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, SecretStr

from tidegate_common.errors import ConfigError

FILE_SUFFIX = "_file"
_NESTED = "__"


def secret_names(settings: type[BaseModel]) -> Iterator[str]:
    """Yield the names of a class's secrets; a nested one's parts are joined by `__`."""
    for name, field in settings.model_fields.items():
        kind = field.annotation
        if SecretStr in {kind, *get_args(kind)}:
            yield name
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (f"{name}{_NESTED}{inner}" for inner in secret_names(kind))


def read_secret_files(
    settings: type[BaseModel],
    variables: Mapping[str, str | None],
    prefix: str,
) -> dict[str, str | None]:
    """Return variables with `<secret>_file` replaced by what its file holds.

    Parameters
    ----------
    variables : by name, in lower case. prefix : of those that are this class's.

    Raises
    ------
    ConfigError
        If a file cannot be read, is empty, or the secret is said in both ways.
    """
    found = dict(variables)
    for name in secret_names(settings):
        plain = f"{prefix}{name}".lower()
        path = found.pop(plain + FILE_SUFFIX, None)
        if path is None:
            continue
        if plain in found:
            message = f"setting {plain.upper()}: say it or its _FILE, not both"
            raise ConfigError(message)
        found[plain] = _read(plain + FILE_SUFFIX, path)
    return found


def _read(variable: str, path: str) -> str:
    try:
        # Editors and `echo` end a file with a line break that is none of the secret.
        secret = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        message = f"setting {variable.upper()}: {path} cannot be read: {reason}"
        raise ConfigError(message) from error
    if not secret:
        message = f"setting {variable.upper()}: {path} must hold a secret, is empty"
        raise ConfigError(message)
    return secret
