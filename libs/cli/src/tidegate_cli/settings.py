"""What the environment says to the `tidegate` command.

An address that is set puts a real server in place of an embedded one:
`TIDEGATE_KAFKA__BOOTSTRAP_SERVERS`, `TIDEGATE_REDIS__URL`, `TIDEGATE_POSTGRES__URL`.
"""

import os

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tidegate_common.runtime.settings import (
    NESTED,
    SHARED_PREFIX,
    PostgresSettings,
    RedisSettings,
    ServiceSettings,
)


class CliSettings(ServiceSettings):
    """Addresses and topology, as services read them."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_prefix=SHARED_PREFIX,
        env_nested_delimiter=NESTED,
    )

    redis: RedisSettings = RedisSettings()
    postgres: PostgresSettings = PostgresSettings()
    ends_per_minute_max: int = Field(
        10,
        ge=1,
        description="how often a service may end within a minute before the stack gives up",
    )

    @property
    def kafka_servers(self) -> str | None:
        """Bootstrap servers of a real Kafka; None when none is named."""
        is_named = "bootstrap_servers" in self.kafka.model_fields_set
        return self.kafka.bootstrap_servers if is_named else None

    @property
    def redis_url(self) -> str | None:
        """Address of a real Redis; None when none is named."""
        is_named = "url" in self.redis.model_fields_set
        return self.redis.address() if is_named else None

    @property
    def postgres_url(self) -> str | None:
        """Address of a real PostgreSQL; None when none is named."""
        is_named = "url" in self.postgres.model_fields_set
        return self.postgres.address() if is_named else None


def process_environment() -> dict[str, str]:
    """Return this process's environment, for the processes that it starts."""
    return dict(os.environ)
