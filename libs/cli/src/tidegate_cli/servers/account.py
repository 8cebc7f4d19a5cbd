"""Which system user runs a server that refuses to run as root, and how it reaches its files.

Nothing of the machine is changed for it: no user is made and no folder is opened (the wheel's own
helper does both). The user is ``nobody``, or whoever owns the data already. Where a closed folder,
such as /root or a private temporary directory, lies above the files, the server keeps root's right
to pass it (CAP_DAC_OVERRIDE, Linux only); it is behind a password then as always.
"""

import os
import pwd
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tidegate_cli.servers.errors import ServerConfigError

ROOT: Final = 0
UNPRIVILEGED_USER: Final = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a server runs as, in place of root."""

    uid: int
    gid: int
    keeps_access: bool


def account_for(*, data: Path, program: Path) -> Account | None:
    """Return the user to run as; None when we are not root and can stay who we are.

    Parameters
    ----------
    data : the data directory; it need not exist yet, its parent must.
    program : the server's executable.

    Raises
    ------
    ServerConfigError
        If we are root and no other user can reach the files.
    """
    if os.geteuid() != ROOT:
        return None
    uid, gid = _owner(data) or _unprivileged()
    keeps_access = not (_is_open_to_all(data.parent) and _is_open_to_all(program))
    if keeps_access and sys.platform != "linux":
        message = (
            f"PostgreSQL refuses to run as root, and no other user can reach {data} and "
            f"{program}: run as a normal user"
        )
        raise ServerConfigError(message)
    return Account(uid=uid, gid=gid, keeps_access=keeps_access)


def _owner(data: Path) -> tuple[int, int] | None:
    if not data.exists():
        return None
    found = data.stat()
    return None if found.st_uid == ROOT else (found.st_uid, found.st_gid)


def _unprivileged() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError:
        message = (
            f"PostgreSQL refuses to run as root, and this machine has no user "
            f"{UNPRIVILEGED_USER}: run as a normal user"
        )
        raise ServerConfigError(message) from None
    return entry.pw_uid, entry.pw_gid


def _is_open_to_all(path: Path) -> bool:
    """Tell whether any user may enter, or execute, this path and every folder above it."""
    resolved = path.resolve()
    return all(part.stat().st_mode & stat.S_IXOTH for part in (resolved, *resolved.parents))
