"""Settings of the ingest service."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tidegate_common.runtime.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """What the ingest process is told."""

    model_config = SettingsConfigDict(env_prefix="TIDEGATE_INGEST_")

    run_spec_file: Path = Field(description="JSON file with the RunSpec of the run to feed")
    speed: str = Field(
        "max",
        pattern=r"^(max|[1-9][0-9]*x)$",
        description="max, or market seconds per second such as 1x or 60x",
    )
    ahead_beats_max: int = Field(
        1_024,
        ge=1,
        description="beats that ingest may be ahead of risk at speed max",
    )
    instance: str = Field(
        "",
        description="name of this process among those that may feed the run; default: one made of "
        "host and process id. Started again under its name it goes on at once",
    )
