"""What risk counts, and what operators see of its accounts: sums by class, never one by name."""

import asyncio
from collections import Counter as Counts
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge

from tidegate_common.clock import Clock
from tidegate_common.domain.enums import AccountState, Layer, Outcome, Reason
from tidegate_common.events.risk import Decision
from tidegate_risk.engine.figures import AccountFigures

LOOK_EVERY_SECONDS = 1.0
# So many accounts are looked at before beats have their turn: a fraction of a millisecond.
_ACCOUNTS_AT_ONCE = 16

_CLASSES = {False: "cash", True: "margin"}
_LIMITED = (
    Layer.POSITION_SIZE,
    Layer.DAILY_LOSS,
    Layer.DRAWDOWN,
    Layer.SECTOR_CONCENTRATION,
    Layer.LEVERAGE,
)
_FEN_PER_YUAN = 100
_BPS = 10_000


class RiskMetrics:
    """Metrics of one risk partition.

    An account's class is cash where its leverage limit is its NAV or less, else margin.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.decisions = Counter(
            "tidegate_risk_decisions_total",
            "Decisions on intents, by outcome and by the reason of a rejection.",
            ["outcome", "rule"],
            registry=registry,
        )
        self.limit_usage = Gauge(
            "tidegate_risk_limit_usage_ratio",
            "Largest use of a layer's limit over all accounts: 1 is at the limit.",
            ["rule"],
            registry=registry,
        )
        self.accounts_halted = Gauge(
            "tidegate_risk_accounts_halted",
            "Accounts that may not buy: by a breached limit, a command, or books in doubt.",
            registry=registry,
        )
        self.kill_switch = Gauge(
            "tidegate_risk_kill_switch",
            "1 while people have halted an account, or all.",
            registry=registry,
        )
        self.nav = Gauge(
            "tidegate_risk_nav_yuan",
            "Net asset value of the accounts of a class.",
            ["account_class"],
            registry=registry,
        )
        self.day_pnl = Gauge(
            "tidegate_risk_day_pnl_yuan",
            "NAV less the day's opening NAV, of the accounts of a class.",
            ["account_class"],
            registry=registry,
        )
        self.gross_exposure = Gauge(
            "tidegate_risk_gross_exposure_yuan",
            "Value of the holdings of the accounts of a class.",
            ["account_class"],
            registry=registry,
        )
        self.drawdown = Gauge(
            "tidegate_risk_drawdown_ratio",
            "Largest fall from its high-water mark of an account of a class.",
            ["account_class"],
            registry=registry,
        )
        self.journal_lag = Gauge(
            "tidegate_risk_journal_lag_requests",
            "Requests that were read and wait for an entry of the journal.",
            registry=registry,
        )
        for reason in Reason:
            outcome = Outcome.ACCEPTED if reason is Reason.NONE else Outcome.REJECTED
            self.decisions.labels(outcome.value, reason.value)


@dataclass(slots=True)
class _Sums:
    """What the accounts of a class come to."""

    nav_fen: int = 0
    day_pnl_fen: int = 0
    gross_fen: int = 0
    drawdown_bps: int = 0


@dataclass(slots=True)
class _Whole:
    """What all accounts come to."""

    classes: dict[str, _Sums] = field(
        default_factory=lambda: {name: _Sums() for name in _CLASSES.values()}
    )
    usage: dict[Layer, float] = field(default_factory=lambda: dict.fromkeys(_LIMITED, 0.0))
    halted_count: int = 0
    is_killed: bool = False

    def add(self, figures: AccountFigures) -> None:
        """Add an account."""
        sums = self.classes[_CLASSES[figures.can_borrow]]
        sums.nav_fen += figures.nav_fen
        sums.day_pnl_fen += figures.day_pnl_fen
        sums.gross_fen += figures.gross_fen
        self.halted_count += figures.state is not AccountState.ACTIVE
        self.is_killed |= figures.is_killed
        for use in figures.usage:
            # Where nothing is allowed, the least use is far beyond it.
            ratio = use.observed_bps / max(use.limit_bps, 1)
            self.usage[use.layer] = max(self.usage[use.layer], ratio)
            if use.layer is Layer.DRAWDOWN:
                sums.drawdown_bps = max(sums.drawdown_bps, use.observed_bps)


class RiskMeter:
    """Brings the metrics in step with the engine, beside its beats.

    Parameters
    ----------
    figures : returns the accounts as of the last beat when each is taken; none before the first.
    """

    def __init__(
        self,
        metrics: RiskMetrics,
        clock: Clock,
        *,
        figures: Callable[[], Iterable[AccountFigures]],
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._figures = figures
        self._show(_Whole())

    def take(self, decisions: Iterable[Decision]) -> None:
        """Count the decisions of a beat."""
        counts = Counts((each.outcome, each.reason) for each in decisions)
        for (outcome, reason), count in counts.items():
            self._metrics.decisions.labels(outcome.value, reason.value).inc(count)

    async def run(self) -> None:
        """Look at the accounts for ever."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_EVERY_SECONDS)

    async def look(self) -> None:
        """Show what the accounts come to; before a run's first beat, what they came to last."""
        whole, count = _Whole(), 0
        for figures in self._figures():
            whole.add(figures)
            count += 1
            if count % _ACCOUNTS_AT_ONCE == 0:
                await asyncio.sleep(0)
        if count:
            self._show(whole)

    def _show(self, whole: _Whole) -> None:
        metrics = self._metrics
        metrics.accounts_halted.set(whole.halted_count)
        metrics.kill_switch.set(int(whole.is_killed))
        for layer, ratio in whole.usage.items():
            metrics.limit_usage.labels(layer.value).set(ratio)
        for name, sums in whole.classes.items():
            metrics.nav.labels(name).set(sums.nav_fen / _FEN_PER_YUAN)
            metrics.day_pnl.labels(name).set(sums.day_pnl_fen / _FEN_PER_YUAN)
            metrics.gross_exposure.labels(name).set(sums.gross_fen / _FEN_PER_YUAN)
            metrics.drawdown.labels(name).set(sums.drawdown_bps / _BPS)
