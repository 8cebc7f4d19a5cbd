"""Settings of the execution service."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tidegate_common.runtime.settings import ServiceSettings


class ExecutionSettings(ServiceSettings):
    """What an execution process is told."""

    model_config = SettingsConfigDict(env_prefix="TIDEGATE_EXECUTION_")

    shard: int = Field(0, ge=0, description="the shard whose exchange this process simulates")
    snapshot_every_beats: int = Field(200, ge=1, description="beats between snapshots")
