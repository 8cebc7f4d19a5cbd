"""Settings of the risk service."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tidegate_common.runtime.settings import RedisSettings, ServiceSettings


class RiskSettings(ServiceSettings):
    """What a risk process is told."""

    model_config = SettingsConfigDict(env_prefix="TIDEGATE_RISK_")

    partition: int = Field(
        0, ge=0, description="the risk partition whose accounts this process owns"
    )
    snapshot_every_beats: int = Field(200, ge=1, description="beats between snapshots")
    redis: RedisSettings = RedisSettings()
    cache_every_seconds: float = Field(
        0.1,
        gt=0,
        description="shortest time between two writes of the portfolio cache, s",
    )
