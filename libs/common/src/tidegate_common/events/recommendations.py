"""Recommendations: the best and the worst instruments of each strategy, with the reasons."""

from dataclasses import dataclass, field

from tidegate_common.domain.ids import RunId


@dataclass(frozen=True, slots=True)
class RecommendationEntry:
    """What a strategy thinks of an instrument.

    rank : place among all instruments of which the strategy has an opinion, 1 for the best.
    previous_rank : its place in the recommendations before these, 0 where it had none.
    score_beat : beat in which the strategy said the score.
    reasons_e6 : the numbers that made the score, in millionths, by the names of the strategy; a
        number that is unknown is absent.
    """

    instrument: int
    score_e6: int
    rank: int
    previous_rank: int
    score_beat: int
    reasons_e6: dict[str, int] = field(default_factory=dict)

    @property
    def rank_change(self) -> int | None:
        """Places that it rose (> 0) or fell (< 0); None where it had no rank before."""
        return self.previous_rank - self.rank if self.previous_rank else None


@dataclass(frozen=True, slots=True)
class StrategyRecommendations:
    """The best and the worst instruments of a strategy.

    beat, trade_date, ts_event_ns : of the beat in which they last changed.
    instrument_count : of how many instruments it has an opinion; the worst has this rank.
    top : best first. bottom : worst first. An instrument is in at most one of them.
    """

    strategy: str
    beat: int
    trade_date: int
    ts_event_ns: int
    instrument_count: int
    top: tuple[RecommendationEntry, ...] = ()
    bottom: tuple[RecommendationEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class RecommendationBatch:
    """Recommendations after one beat.

    strategies : those whose scores changed in the beat, in the order of the run's settings.
    """

    run_id: RunId
    beat: int
    trade_date: int
    ts_event_ns: int
    strategies: tuple[StrategyRecommendations, ...] = ()
