"""TLS settings reach the clients: a real handshake with the right CA, none without it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from pydantic import SecretStr

from tidegate_common.bus.kafka import KafkaBus
from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.runtime.settings import KafkaSettings, PostgresSettings, RedisSettings
from tidegate_common.store.postgres import errors_translated, open_pool
from tidegate_common.store.redis import PortfolioCache

TLS = Path(__file__).parents[1] / "data" / "tls"
CA = str(TLS / "ca.pem")
# What a PostgreSQL client asks before its handshake.
SSL_REQUEST_BYTES = 8


class Listener:
    """A server that does handshakes, and then hangs up.

    first_bytes : what clients said after theirs.
    """

    def __init__(self) -> None:
        self.port = 0
        self.first_bytes: list[bytes] = []
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(TLS / "server.pem", TLS / "server.key")

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Note who came through."""
        self.first_bytes.append(await reader.read(10))
        writer.close()

    async def take_postgres(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Do a handshake on request."""
        await reader.readexactly(SSL_REQUEST_BYTES)
        writer.write(b"S")
        with suppress(ssl.SSLError, ConnectionError):
            await writer.start_tls(self.context)
            await self.take(reader, writer)
        writer.close()


@asynccontextmanager
async def listening(*, is_postgres: bool = False) -> AsyncIterator[Listener]:
    """Run a server on a free port."""
    listener = Listener()
    if is_postgres:
        server = await asyncio.start_server(listener.take_postgres, "127.0.0.1", 0)
    else:
        server = await asyncio.start_server(listener.take, "127.0.0.1", 0, ssl=listener.context)
    listener.port = server.sockets[0].getsockname()[1]
    async with server:
        yield listener


async def ask_postgres(settings: PostgresSettings) -> None:
    """Ask as a service does."""
    with errors_translated():
        pool = await open_pool(settings.address(), service="test")
        await pool.fetchval("SELECT 1")


@pytest.mark.parametrize(("ca_file", "is_trusted"), [(CA, True), ("", False)])
async def test_kafka_over_tls_trusts_the_named_ca_only(ca_file: str, *, is_trusted: bool) -> None:
    """Nobody without its certificate is told a password."""
    async with listening() as listener:
        settings = KafkaSettings(
            bootstrap_servers=f"127.0.0.1:{listener.port}",
            connect_timeout_seconds=0.5,
            security_protocol="SASL_SSL",
            sasl_username="u",
            sasl_password=SecretStr("p"),
            ca_file=ca_file,
        )
        with pytest.raises(ConfigError, match="no Kafka broker answers"):
            await KafkaBus(settings.config()).start()

    assert bool(listener.first_bytes) is is_trusted


@pytest.mark.parametrize(("ca_file", "is_trusted"), [(CA, True), ("", False)])
async def test_redis_over_tls_trusts_the_named_ca_only(ca_file: str, *, is_trusted: bool) -> None:
    """As Kafka."""
    async with listening() as listener:
        url = SecretStr(f"rediss://127.0.0.1:{listener.port}/0")
        settings = RedisSettings(url=url, password=SecretStr("p"), ca_file=ca_file)
        cache = PortfolioCache(settings.address(), key_prefix="")
        with pytest.raises(TransientError):
            await cache.ping()
        await cache.close()

    assert bool(listener.first_bytes) is is_trusted


@pytest.mark.parametrize(
    ("ca_file", "sslmode", "is_trusted"),
    [(CA, "", True), (CA, "verify-ca", True), ("", "verify-full", False)],
)
async def test_postgres_over_tls_trusts_the_named_ca_only(
    ca_file: str,
    sslmode: str,
    *,
    is_trusted: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A CA alone already means that the server's name is checked."""
    monkeypatch.setenv("HOME", str(tmp_path))
    async with listening(is_postgres=True) as listener:
        settings = PostgresSettings.model_validate(
            {
                "url": f"postgresql://127.0.0.1:{listener.port}/tidegate",
                "user": "u",
                "password": "p",
                "sslmode": sslmode,
                "ca_file": ca_file,
            }
        )
        with pytest.raises((TransientError, ConfigError)):
            await ask_postgres(settings)

    assert bool(listener.first_bytes) is is_trusted
