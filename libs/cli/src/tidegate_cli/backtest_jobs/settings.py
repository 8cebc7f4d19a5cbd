"""Settings of the backtest worker."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tidegate_common.runtime.settings import NESTED, PostgresSettings, ServiceSettings


class BacktestsSettings(ServiceSettings):
    """What the worker is told; its own variables start with TIDEGATE_BACKTESTS_."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_prefix="TIDEGATE_BACKTESTS_",
        env_nested_delimiter=NESTED,
    )

    postgres: PostgresSettings = PostgresSettings()
    feeds_dir: str = Field("", description="folder of recorded files; none: synthetic markets only")
    config_dir: str = Field("", description="folder with strategies/ and limits/; none: our own")
    job_seconds_max: float = Field(3_600.0, gt=0, description="longest time of a backtest, s")
    feed_bytes_max: int = Field(
        20 * 1024**3,
        ge=1,
        description="most that the files of a backtest may hold together, bytes",
    )
