"""Settings of the recorder."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tidegate_common.runtime.settings import (
    NESTED,
    PostgresSettings,
    RedisSettings,
    ServiceSettings,
)


class RecorderSettings(ServiceSettings):
    """What the recorder is told; its own variables start with TIDEGATE_RECORDER_."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_prefix="TIDEGATE_RECORDER_",
        env_nested_delimiter=NESTED,
    )

    postgres: PostgresSettings = PostgresSettings()
    redis: RedisSettings = RedisSettings()
    quotes_every_seconds: float = Field(
        0.5,
        gt=0,
        description="shortest time between two writes of the newest quotes to Redis, s",
    )
    log_name: str = Field(
        "main",
        min_length=1,
        max_length=100,
        description="name of the broker's log; a broker that keeps nothing needs a new one a start",
    )
    batch_messages_max: int = Field(
        2_000, ge=1, le=100_000, description="most messages of a transaction"
    )
    batch_seconds_max: float = Field(
        0.4, ge=0, le=10, description="longest time that a transaction gathers messages, s"
    )
    outage_seconds_max: float = Field(
        300.0, gt=0, description="longest PostgreSQL outage before the process ends, s"
    )
    equity_every_beats: int = Field(
        20,
        ge=1,
        description="equity by beat keeps each n-th beat, and an account's beats with news of it",
    )
    archive_dir: str = Field("", description="directory of the tick frames' archive; none if empty")
    retention_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="rows of older months go, unless recorded since, days; 0 keeps all",
    )
    archive_retention_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="the same of the archive's days; 0 keeps all",
    )
