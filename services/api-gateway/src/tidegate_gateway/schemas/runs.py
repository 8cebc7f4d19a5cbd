"""Runs."""

from pydantic import Field

from tidegate_gateway.schemas.base import Model


class RunView(Model):
    """A run."""

    run_id: str = Field(examples=["20230201-a1b2"])
    trade_date: int = Field(description="Shanghai date of its first beat", examples=[20230201])
    last_beat: int | None = Field(description="greatest recorded beat", examples=[4801])
    is_complete: bool = Field(description="whether it is recorded to its end")
