"""Settings of the gateway."""

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tidegate_common.errors import ConfigError
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
    api_tls_cert_file: str = Field("", description="certificate (PEM) of the API; none: no TLS")
    api_tls_key_file: str = Field("", description="its key (PEM)")
    auth: Literal["on", "off"] = Field(
        "on",
        description="whether API keys are asked for; off is for this machine alone",
    )
    allow_requests: bool = Field(default=True, description="whether writes are taken at all")
    rate_per_second: float = Field(
        100.0, gt=0, le=100_000, description="requests a second of one API key"
    )
    rate_burst: int = Field(200, ge=1, le=100_000, description="requests at once of one API key")
    body_bytes_max: int = Field(
        65_536, ge=1_024, le=1_048_576, description="largest body of a request, bytes"
    )
    cors_origins: str = Field(
        "",
        description="origins of web pages that may use the API, with commas",
    )
    trusted_proxies: str = Field(
        "",
        description="addresses of proxies whose X-Forwarded-For and -Proto count, with commas",
    )
    idempotency_seconds: int = Field(
        86_400, ge=60, le=604_800, description="how long a request's name is remembered, s"
    )
    archive_dir: str = Field(
        "",
        description="directory of the recorder's archive, to show frames; none if empty",
    )
    read_timeout_seconds: float = Field(
        2.0, gt=0, le=60, description="longest wait for PostgreSQL in a request, s"
    )

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of the list, one by one."""
        return tuple(part.strip() for part in self.cors_origins.split(",") if part.strip())

    def check(self, *, is_loopback: bool) -> None:
        """Refuse settings that would leave the API open.

        Parameters
        ----------
        is_loopback : whether `api_host` is this machine alone.

        Raises
        ------
        ConfigError
            If they would, or do not belong together.
        """
        if self.auth == "off" and not is_loopback:
            message = (
                f"AUTH=off needs a loopback API_HOST such as 127.0.0.1, was {self.api_host}: "
                "anybody could trade"
            )
            raise ConfigError(message)
        if bool(self.api_tls_cert_file) is not bool(self.api_tls_key_file):
            message = "API_TLS_CERT_FILE and API_TLS_KEY_FILE belong together, found one of them"
            raise ConfigError(message)
        for origin in self.origins:
            if not origin.startswith(("http://", "https://")) or origin.count("/") != _SLASHES:
                message = f"CORS_ORIGINS must be as https://desk.example, was {origin!r}"
                raise ConfigError(message)


# Of an origin: those of its scheme, and none behind it.
_SLASHES = 2
