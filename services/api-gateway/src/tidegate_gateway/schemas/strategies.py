"""The strategies of a run."""

from pydantic import Field

from tidegate_common.events.run import StrategySpec
from tidegate_gateway.schemas.base import Model

# The first line of each class that ships; a test holds them against the classes.
SUMMARIES = {
    "bollinger_reversion": (
        "Scores 0 inside the bands, a half at them, whole at `full_scale_tenths` deviations."
    ),
    "book_imbalance": (
        "Scores the mean imbalance of an instrument's last quotes, full at `full_scale_percent`."
    ),
    "donchian_breakout": (
        "Scores a close outside the channel of earlier prices: a half just outside, then more."
    ),
    "ma_cross": "Scores the distance of two moving averages, full at `full_scale_bps`.",
    "macd": "Scores the MACD histogram as a part of the price, full at `full_scale_bps`.",
    "momentum": (
        "Ranks instruments by their return over `window` observations without the last `skip`."
    ),
    "rsi_reversal": (
        "Scores 0 between the thresholds, a half at them, whole at the ends of the scale."
    ),
    "value_quality": "Ranks instruments by value and quality, less a penalty for speculation.",
    "vwap_reversion": (
        "Scores the distance of the price from what the day's buyers paid on average."
    ),
}


class StrategyView(Model):
    """A strategy as the run declares it."""

    name: str = Field(description="unique in the run", examples=["ma_cross"])
    kind: str = Field(description="which strategy class", examples=["ma_cross"])
    summary: str | None = Field(
        description="what its scores are; null of a user's own class",
        examples=[SUMMARIES["ma_cross"]],
    )
    period: str | None = Field(description="of its bars; null for the usual one", examples=["1m"])
    parameters: dict[str, int] = Field(
        description="that are given; others have their usual values",
        examples=[{"fast": 5, "slow": 20}],
    )
    capital_bps: int | None = Field(
        description="its part of an account's NAV; null for an equal part of the rest",
        examples=[None],
    )
    source_sha256: str | None = Field(description="of the user's file that holds the class")

    @classmethod
    def of(cls, spec: StrategySpec, capital_bps: int | None) -> "StrategyView":
        """Return the view of a declared strategy."""
        return cls(
            name=spec.name,
            kind=spec.kind,
            summary=None if spec.source_sha256 else SUMMARIES.get(spec.kind),
            period=spec.period or None,
            parameters=dict(spec.parameters),
            capital_bps=capital_bps,
            source_sha256=spec.source_sha256 or None,
        )


class StrategiesView(Model):
    """The strategies of a run, in its order."""

    run_id: str | None = Field(description="null before any run", examples=["20230201-a1b2"])
    items: list[StrategyView]
