"""`stack.json` in the data directory: what runs, where, for `tidegate status` and for tests."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from tidegate_common.codec import decode_event, encode_event
from tidegate_common.errors import ConfigError, ContractError

NAME: Final = "stack.json"


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """A service of the stack.

    pid : 0 while it is not running.
    start_count : how often it was started; 1 is a quiet life.
    """

    pid: int
    http_port: int
    start_count: int
    is_finished: bool


@dataclass(frozen=True, slots=True)
class StackFile:
    """A running stack.

    addresses : of `kafka`, `redis` and `postgres`, passwords included: the file is for its owner
        only.
    urls : what a person opens.
    """

    pid: int
    run_id: str
    addresses: dict[str, str]
    urls: dict[str, str]
    services: Mapping[str, ServiceEntry] = field(default_factory=dict)


def write_stack_file(data_dir: Path, stack: StackFile) -> None:
    """Write the file whole or not at all, readable by its owner only."""
    path = data_dir / NAME
    beside = path.with_suffix(".json.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(encode_event(stack))
    beside.replace(path)


def read_stack_file(data_dir: Path) -> StackFile | None:
    """Return the running stack of a data directory; None if there is none.

    Raises
    ------
    ConfigError
        If the file is not one of ours.
    """
    path = data_dir / NAME
    try:
        stack = decode_event(StackFile, path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ContractError) as error:
        message = f"{path} cannot be read: {error}"
        raise ConfigError(message) from error
    # A stack that was killed leaves its file behind.
    return stack if psutil.pid_exists(stack.pid) else None


def remove_stack_file(data_dir: Path) -> None:
    """Say that no stack runs here any more."""
    (data_dir / NAME).unlink(missing_ok=True)
