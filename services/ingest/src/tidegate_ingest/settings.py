"""Settings of the ingest service."""

import os
import socket
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from tidegate_common.runtime.settings import ServiceSettings


class LiveSettings(BaseModel):
    """How public quote services are asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sina_url: str = Field("https://hq.sinajs.cn", description="address of Sina's quotes")
    tencent_url: str = Field("https://qt.gtimg.cn", description="address of Tencent's quotes")
    eastmoney_url: str = Field(
        "https://push2.eastmoney.com",
        description="address of Eastmoney's quotes",
    )
    timeout_seconds: float = Field(2.0, gt=0, le=30, description="longest wait for an answer, s")
    requests_per_second_max: float = Field(
        8.0,
        gt=0,
        le=100,
        description="requests to one service",
    )
    rehearsal: str = Field(
        "",
        description="market time for polls of recorded quotes, as MARKET_NS@WALL_NS@SPEED: what "
        "it was at a time of the wall clock (0: at the start), and how much faster it runs",
    )
    push_host: str = Field("127.0.0.1", description="address on which pushed quotes are taken")
    push_port: int = Field(0, ge=0, le=65_535, description="its port; 0 takes a free one")
    push_token: SecretStr | None = Field(None, description="what a client of `push` must know")


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
    live: LiveSettings = LiveSettings()

    @property
    def instance_name(self) -> str:
        """Return the name of this process; in a pod host and process id stay the same."""
        return self.instance or f"{socket.gethostname()}-{os.getpid()}"
