"""What defines a run: its input, accounts, strategies, limits and costs.

Same `RunSpec`, same input, same journal: the same outcome, byte for byte. The number of shards
and of risk partitions is not part of it, because outcomes do not depend on them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tidegate_common.domain.enums import ConstructionMethod, QueueCancels, RunMode
from tidegate_common.domain.ids import AccountId, RunId
from tidegate_common.market.dated import Confidence, DatedRow
from tidegate_common.market.fees import FeeContract
from tidegate_common.market.programme_trading import ProgrammeTradingThresholds


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """A strategy by name, with its parameters as written in `config/strategies`.

    name : unique in the run.
    kind : which strategy class, such as `ma_cross`.
    period : of the bars on which it works, such as `1m`; "" for the class's usual one.
    source_sha256 : of the user's file that holds the class; "" for one that is installed.
    """

    name: str
    kind: str
    parameters: dict[str, int] = field(default_factory=dict)
    period: str = ""
    source_sha256: str = ""


@dataclass(frozen=True, slots=True)
class ConstructionSpec:
    """How scores become target positions, per account.

    enter_score_e6 : a score at or above it asks for a long position.
    exit_score_e6 : a score at or below it asks for none.
    target_weight_bps : share of NAV that one position aims at.
    cash_buffer_bps : share of NAV that stays in cash.
    cooldown_beats : after an accepted order or a rejection in an instrument, an account waits
        so many beats before the same strategy acts on it again.
    price_offset_bps : in bar runs a limit price is the last close moved by so much against us; in
        tick runs a buy is priced at the best ask and a sell at the best bid.
    method : `threshold` looks at each score on its own and reads the first three fields; the others
        make target positions of a strategy's whole list, and read the fields from here on instead.
    top_n : positions that a strategy aims at, at least 1.
    rebalance_band_bps : a wanted holding is left as it is within so much of the strategy's capital.
    turnover_bps_max : value of a strategy's orders of a day, both sides, / its capital. Sells count
        and are never held back; buys get what they leave.
    capital_bps : part of an account's NAV that is a strategy's, by its name; strategies that are
        not named share equally what is left.
    """

    enter_score_e6: int = 300_000
    exit_score_e6: int = -300_000
    target_weight_bps: int = 1_000
    cash_buffer_bps: int = 200
    cooldown_beats: int = 20
    price_offset_bps: int = 200
    method: ConstructionMethod = ConstructionMethod.THRESHOLD
    top_n: int = 10
    rebalance_band_bps: int = 100
    turnover_bps_max: int = 20_000
    capital_bps: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Limits of the six layers, of a run or of one of its accounts.

    position_bps_max : value of one position / NAV.
    daily_loss_bps_max : loss since the day's opening NAV / that NAV.
    drawdown_bps_max : fall from the high-water mark / that mark.
    sector_bps_max : value of one sector / NAV, open buy orders included.
    leverage_bps_max : gross exposure with open buy orders / NAV.
    stale_beats_max : a mark older than so many beats with no news of the instrument is stale
        (tick runs only).
    adv_bps_max : shares of an order and of the instrument's open buys / its average daily volume
        of the last 20 days that the run has seen closed; 0 for no such limit.
    """

    position_bps_max: int = 2_000
    daily_loss_bps_max: int = 300
    drawdown_bps_max: int = 1_000
    sector_bps_max: int = 4_000
    leverage_bps_max: int = 10_000
    stale_beats_max: int = 100
    adv_bps_max: int = 0


# Least and greatest value of each limit. Ten times equity is beyond what any broker lends on
# A-shares; a loss of more than everything cannot be.
RISK_LIMIT_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "position_bps_max": (0, 100_000),
    "daily_loss_bps_max": (0, 10_000),
    "drawdown_bps_max": (0, 10_000),
    "sector_bps_max": (0, 100_000),
    "leverage_bps_max": (0, 100_000),
    "stale_beats_max": (0, 1_000_000),
    "adv_bps_max": (0, 100_000),
}


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """An account and the cash it starts with.

    limits : its own from the start; None for the run's.
    """

    account_id: AccountId
    cash_fen: int
    limits: RiskLimits | None = None


@dataclass(frozen=True, slots=True)
class CommissionSpec:
    """The broker's contract; statutory fees come from the rule book by date.

    rate_e6 : commission in millionths of turnover.
    minimum_fen : least commission of an order with a fill.
    is_bundled : whether the commission includes handling and regulatory fees; else they are
        charged beside it.
    """

    rate_e6: int = 250
    minimum_fen: int = 500
    is_bundled: bool = True

    def contract(self) -> FeeContract:
        """Return the contract that the fees are reckoned by."""
        return FeeContract(self.rate_e6, self.minimum_fen, self.is_bundled)


@dataclass(frozen=True, slots=True)
class ProgrammeTradingSpec:
    """A user's own programme-trading thresholds, which come before the rule book's.

    messages_per_second, messages_per_day : orders and cancels of one account; risk refuses the
        order that would reach one of them.
    effective_from, effective_to : YYYYMMDD, Shanghai, both included.
    source : the document that says so.
    """

    messages_per_second: int
    messages_per_day: int
    effective_from: int
    effective_to: int
    source: str

    def row(self) -> DatedRow[ProgrammeTradingThresholds]:
        """Return the row that risk counts by; nobody but the user vouches for it."""
        return DatedRow(
            self.effective_from,
            self.effective_to,
            ProgrammeTradingThresholds(
                messages_per_second=self.messages_per_second,
                messages_per_day=self.messages_per_day,
            ),
            self.source,
            Confidence.D,
        )


@dataclass(frozen=True, slots=True)
class ExecutionSpec:
    """How the simulated exchange treats our orders.

    participation_bps_max : share of a beat's traded volume that our passive fills, auction fills
        and bar fills may take.
    slippage_bps, slippage_ticks : against us, at the opening price of a bar only (a book needs
        none); they add up.
    impact_bps : as they, for an order as large as the volume that the cap is a share of; smaller
        ones by the square root.
    latency_beats : beats that an order or a cancel takes on its way, besides the one that all take.
    queue_cancels : whose shares are cancelled where a display shrinks by more than what traded.
    """

    participation_bps_max: int = 1_000
    slippage_bps: int = 0
    slippage_ticks: int = 0
    impact_bps: int = 0
    latency_beats: int = 0
    queue_cancels: QueueCancels = QueueCancels.BEHIND


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a replay reads, identified by what is in it."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class SyntheticSpec:
    """A generated market: same values, same market."""

    seed: int = 7
    instrument_count: int = 20
    day_count: int = 1
    beats_per_day: int = 400


@dataclass(frozen=True, slots=True)
class LiveSpec:
    """The living market, as long as it lasts; it cannot be asked again.

    sources : quote services in the order in which they are asked, the next one where one fails
        (`sina`, `tencent`, `eastmoney`); or `push` alone, a user's own feed.
    symbols : such as `600519.SH`, sorted, without repeats.
    """

    sources: tuple[str, ...]
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """Where the beats come from: one of files, a synthetic market and the living one.

    day_count_max : replay at most so many trading days, 0 for all; a live run, 0 for one.
    beat_interval_ms : length of a beat in a snapshot feed; of a live one, time between beats.
    start_ts_ns : rows of files before this time are not part of the run, UTC epoch; 0 for all.
    reference : a user's listing dates, ST flags, sectors and corporate actions, which win over
        what recorded or live quotes say; None for none.
    """

    files: tuple[InputFile, ...] = ()
    synthetic: SyntheticSpec | None = None
    day_count_max: int = 0
    beat_interval_ms: int = 3_000
    live: LiveSpec | None = None
    start_ts_ns: int = 0
    reference: InputFile | None = None


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Everything that an outcome depends on, besides the input and the journal.

    warmup_days : trading days at the run's start that feed the indicators but are not traded.
    recommendations_max : instruments at the top, and as many at the bottom, of each strategy.
    programme_trading : thresholds before the rule book's; None for the rule book's.
    max_wait_ms : risk waits for a late shard at most so long in each beat, then it goes on and
        journals that; 0 for as long as it takes, as in every replay and backtest.
    """

    run_id: RunId
    accounts: tuple[AccountSpec, ...]
    strategies: tuple[StrategySpec, ...]
    feed: FeedSpec = FeedSpec()
    mode: RunMode = RunMode.REPLAY
    seed: int = 7
    construction: ConstructionSpec = ConstructionSpec()
    limits: RiskLimits = RiskLimits()
    commission: CommissionSpec = CommissionSpec()
    execution: ExecutionSpec = ExecutionSpec()
    warmup_days: int = 0
    recommendations_max: int = 10
    programme_trading: ProgrammeTradingSpec | None = None
    max_wait_ms: int = 0
