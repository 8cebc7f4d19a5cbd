"""From beats to the figures of a run."""

from collections import Counter
from collections.abc import Callable, Iterable

from tidegate_backtest.loop import BeatOutcome
from tidegate_common.codec import encode_event
from tidegate_common.domain.enums import Outcome
from tidegate_common.events.outcome import OutcomeDigest, OutcomeStream, RunSummary
from tidegate_common.events.portfolio import PortfolioState
from tidegate_common.events.run import RunSpec


class SummaryBuilder:
    """Adds up the beats of a run."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self._digest = OutcomeDigest(spec.run_id)
        self._rejected: Counter[str] = Counter()
        self._portfolios: dict[str, PortfolioState] = {}
        self._beats = self._ticks = self._scores = 0
        self._accepted = self._orders = self._fills = self._fees_fen = 0

    def add(self, beat: BeatOutcome) -> None:
        """Take the next beat."""
        self._beats += 1
        self._ticks += beat.tick_count
        self._scores += beat.score_count
        self._orders += len(beat.submits)
        self._fills += len(beat.fills)
        self._fees_fen += sum(fill.fee_fen for fill in beat.fills)
        for decision in beat.decisions:
            if decision.outcome is Outcome.ACCEPTED:
                self._accepted += 1
            else:
                self._rejected[decision.reason.value] += 1
        for state in beat.portfolios:
            self._portfolios[state.account_id] = state
        self._hash(OutcomeStream.DECISIONS, beat.decisions)
        self._hash(OutcomeStream.ORDERS, beat.submits)
        self._hash(OutcomeStream.FILLS, beat.fills)

    def finish(self, wall_s: float) -> RunSummary:
        """Return the figures.

        Parameters
        ----------
        wall_s : seconds that the run took.
        """
        final = [self._portfolios[account] for account in sorted(self._portfolios)]
        self._hash(OutcomeStream.PORTFOLIOS, final)
        return RunSummary(
            run_id=self._spec.run_id,
            beats=self._beats,
            ticks=self._ticks,
            scores=self._scores,
            decisions_accepted=self._accepted,
            decisions_rejected=dict(sorted(self._rejected.items())),
            orders=self._orders,
            fills=self._fills,
            fees_fen=self._fees_fen,
            final_nav_fen=sum(state.nav_fen for state in final),
            dead_letters=0,
            wall_s=round(wall_s, 3),
            beats_per_s=round(self._beats / wall_s, 1) if wall_s > 0 else 0.0,
            outcome_sha256=self._digest.hexdigest(),
        )

    def _hash(self, stream: OutcomeStream, events: Iterable[object]) -> None:
        for event in events:
            self._digest.add(stream, encode_event(event))


def summarise(
    spec: RunSpec,
    beats: Iterable[BeatOutcome],
    elapsed_seconds: Callable[[], float],
) -> RunSummary:
    """Return the figures of a run.

    Parameters
    ----------
    elapsed_seconds : tells how long the run has taken so far.
    """
    builder = SummaryBuilder(spec)
    for beat in beats:
        builder.add(beat)
    return builder.finish(elapsed_seconds())
