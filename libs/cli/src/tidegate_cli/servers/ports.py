"""Loopback ports: which are free, which to take, and what to say when one is not."""

import errno
import socket
from typing import Final

from tidegate_cli.servers.errors import ServerConfigError

LOOPBACK: Final = "127.0.0.1"
PORT_MAX: Final = 65_535
# A listener on loopback accepts or refuses within microseconds; this only bounds a stuck machine.
CONNECT_TIMEOUT_S: Final = 0.5


def choose_port(preferred: int) -> int:
    """Return the preferred loopback port if it is free, else one that the system picks."""
    if is_port_free(preferred):
        return preferred
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def require_port(port: int, *, option: str) -> int:
    """Return a port that the user asked for.

    Parameters
    ----------
    port : 1 to 65535.
    option : the command-line option it came from, named in the error.

    Raises
    ------
    ServerConfigError
        If the number is no port, needs rights that we lack, or another program holds it.
    """
    if not 1 <= port <= PORT_MAX:
        message = f"{option} must be 1 to {PORT_MAX}, was {port}"
        raise ServerConfigError(message)
    refusal = _bind_errno(port)
    if refusal in {errno.EACCES, errno.EPERM}:
        message = f"port {port} needs more rights than this user has: choose one with {option}"
        raise ServerConfigError(message)
    if refusal != 0 or _is_answered(port):
        message = (
            f"port {port} is in use: choose another with {option} or stop the program that holds it"
        )
        raise ServerConfigError(message)
    return port


def is_port_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    return _bind_errno(port) == 0 and not _is_answered(port)


def _bind_errno(port: int) -> int:
    """Try to bind as a server does, so that connections in TIME_WAIT do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error.errno or errno.EADDRINUSE
    return 0


def _is_answered(port: int) -> bool:
    """Tell whether somebody accepts: on macOS a bind may succeed beside a wildcard listener."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_TIMEOUT_S)
        return probe.connect_ex((LOOPBACK, port)) == 0
