"""Settings of the signals service."""

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tidegate_common.runtime.settings import RedisSettings, ServiceSettings


class SignalsSettings(ServiceSettings):
    """What a signals process is told."""

    model_config = SettingsConfigDict(env_prefix="TIDEGATE_SIGNALS_")

    role: Literal["scores", "recommendations"] = Field(
        "scores",
        description="scores: shards that Faust assigns; recommendations: the scores of all shards",
    )
    snapshot_every_beats: int = Field(200, ge=1, description="beats between snapshots")
    redis: RedisSettings = RedisSettings()
    cache_every_seconds: float = Field(
        0.1,
        gt=0,
        description="shortest time between two writes of the recommendations cache, s",
    )
