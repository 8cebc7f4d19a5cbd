"""Settings of the signals service."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tidegate_common.runtime.settings import ServiceSettings


class SignalsSettings(ServiceSettings):
    """What a signals process is told."""

    model_config = SettingsConfigDict(env_prefix="TIDEGATE_SIGNALS_")

    snapshot_every_beats: int = Field(200, ge=1, description="beats between snapshots of a shard")
