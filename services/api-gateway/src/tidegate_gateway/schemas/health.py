"""Whether the gateway can answer."""

from typing import Literal

from pydantic import Field

from tidegate_gateway.schemas.base import Model


class HealthView(Model):
    """Whether the gateway and its servers answer."""

    status: Literal["ready", "starting", "alive"]
    redis: bool | None = None
    postgres: bool | None = None
    replica: bool | None = Field(
        None,
        description="whether reads are of the replica; null where there is none",
    )
