"""What strategies recommend."""

from pydantic import Field

from tidegate_common.domain.ids import format_symbol
from tidegate_common.events.recommendations import RecommendationEntry, StrategyRecommendations
from tidegate_common.store.redis import CachedRecommendations
from tidegate_gateway.schemas.base import Model
from tidegate_gateway.schemas.texts import millionths_text


class RecommendationView(Model):
    """What a strategy thinks of an instrument; numbers are decimal strings."""

    symbol: str = Field(examples=["600519.SH"])
    score: str = Field(description="-1 to 1, positive to buy", examples=["0.400000"])
    rank: int = Field(description="1 for the highest score", examples=[1])
    previous_rank: int | None = Field(description="null when new", examples=[3])
    rank_change: int | None = Field(description="positive: rose; null when new", examples=[2])
    score_beat: int = Field(description="beat of the score", examples=[12])
    reasons: dict[str, str] = Field(
        description="the numbers that made the score",
        examples=[{"fast_cny": "1801.500000", "slow_cny": "1790.250000"}],
    )

    @classmethod
    def of(cls, entry: RecommendationEntry) -> "RecommendationView":
        """Return the view of a listed instrument."""
        return cls(
            symbol=format_symbol(entry.instrument),
            score=millionths_text(entry.score_e6),
            rank=entry.rank,
            previous_rank=entry.previous_rank or None,
            rank_change=entry.rank_change,
            score_beat=entry.score_beat,
            reasons={name: millionths_text(e6) for name, e6 in entry.reasons_e6.items()},
        )


class StrategyRecommendationsView(Model):
    """A strategy's best and worst instruments, as of the beat that last changed them."""

    strategy: str = Field(examples=["ma_cross"])
    beat: int = Field(examples=[12])
    trade_date: int = Field(examples=[20230201])
    ts_event_ns: int = Field(examples=[1675215000000000000])
    instrument_count: int = Field(description="rank of the lowest score", examples=[5100])
    top: list[RecommendationView] = Field(description="highest score first")
    bottom: list[RecommendationView] = Field(description="lowest score first, none of the top")

    @classmethod
    def of(cls, told: StrategyRecommendations) -> "StrategyRecommendationsView":
        """Return the view of a strategy's recommendations."""
        return cls(
            strategy=told.strategy,
            beat=told.beat,
            trade_date=told.trade_date,
            ts_event_ns=told.ts_event_ns,
            instrument_count=told.instrument_count,
            top=[RecommendationView.of(entry) for entry in told.top],
            bottom=[RecommendationView.of(entry) for entry in told.bottom],
        )


class RecommendationsView(Model):
    """The recommendations of the newest run, by strategy in the run's order."""

    run_id: str | None = Field(description="null before any run", examples=["20230201-a1b2"])
    beat: int | None = Field(description="they hold as of this beat", examples=[14])
    items: list[StrategyRecommendationsView]

    @classmethod
    def of(cls, newest: CachedRecommendations, strategy: str | None) -> "RecommendationsView":
        """Return the view of one strategy's recommendations, or of all."""
        told = [one for one in newest.recommendations if strategy in {None, one.strategy}]
        return cls(
            run_id=newest.run_id,
            beat=newest.beat,
            items=[StrategyRecommendationsView.of(one) for one in told],
        )
