"""The local stack's own servers: broker, Valkey and PostgreSQL, each from its PyPI wheel.

They are child processes on loopback, and they end when the program that started them ends,
however it ends. ``running(servers)`` starts several at once and stops them all.
"""

from tidegate_cli.servers.broker import EmbeddedBroker
from tidegate_cli.servers.errors import ServerConfigError, ServerStartError
from tidegate_cli.servers.ports import choose_port, is_port_free, require_port
from tidegate_cli.servers.postgres import EmbeddedPostgres
from tidegate_cli.servers.server import EmbeddedServer, running
from tidegate_cli.servers.valkey import EmbeddedValkey

__all__ = [
    "EmbeddedBroker",
    "EmbeddedPostgres",
    "EmbeddedServer",
    "EmbeddedValkey",
    "ServerConfigError",
    "ServerStartError",
    "choose_port",
    "is_port_free",
    "require_port",
    "running",
]
