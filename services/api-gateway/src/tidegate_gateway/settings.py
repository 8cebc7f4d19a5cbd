"""Settings of the gateway."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tidegate_common.runtime.settings import (
    NESTED,
    PostgresSettings,
    RedisSettings,
    ServiceSettings,
)


class GatewaySettings(ServiceSettings):
    """What the gateway is told; its own variables start with TIDEGATE_GATEWAY_."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_prefix="TIDEGATE_GATEWAY_",
        env_nested_delimiter=NESTED,
    )

    redis: RedisSettings = RedisSettings()
    postgres: PostgresSettings = PostgresSettings()
    api_host: str = Field("127.0.0.1", description="address of the API")
    api_port: int = Field(8_080, ge=0, le=65_535, description="its port; 0 takes a free one")
    allow_requests: bool = Field(
        default=True,
        description="whether order and cancel requests are taken, from this machine only",
    )
    read_timeout_seconds: float = Field(
        2.0, gt=0, le=60, description="longest wait for PostgreSQL in a request, s"
    )
