"""Backtests over HTTP."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from tidegate_common.events.backtests import BacktestJob, BacktestResult
from tidegate_common.events.outcome import RunSummary
from tidegate_gateway.schemas.base import Model
from tidegate_gateway.schemas.texts import money_text

# Ten years of daily bars, or a year of snapshots, one file each.
FILES_MAX = 300
STRATEGIES_MAX = 20
ACCOUNTS_MAX = 100
INSTRUMENTS_MAX = 10_000
BEATS_MAX = 20_000
DAYS_MAX = 10_000
# A day of the whole market in 3 s beats is 26 million rows; ten of them.
SYNTHETIC_ROWS_MAX = 260_000_000
CASH_CNY_MAX = Decimal(10) ** 12
# Beyond it numbers of JSON are not exact everywhere.
SEED_MAX = 2**53 - 1

# No part begins with a dot, so no path leads up, and none is absolute.
FilePath = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$", max_length=300),
]
# A name of `config/`: never a path, never a file with a program in it.
ConfigName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$")]
JobState = Literal["queued", "running", "done", "failed"]


class BacktestBody(Model):
    """A backtest to run; what is left out is as in `tidegate backtest`."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"strategies": ["book_imbalance"], "instruments": 20, "beats": 100},
            ],
        },
    )

    files: list[FilePath] = Field(
        [],
        max_length=FILES_MAX,
        description="in the worker's folder of feeds; none for a synthetic market",
        examples=[["snapshots/20230201.parquet"]],
    )
    strategies: list[ConfigName] = Field(
        [],
        max_length=STRATEGIES_MAX,
        description="names of strategies; none for the usual one",
        examples=[["book_imbalance"]],
    )
    start: str = Field(
        "",
        pattern=r"^(\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?)?)?$",
        description="a day, or a day and a time, Shanghai; none for all of the files",
        examples=["2023-02-01"],
    )
    days: int = Field(0, ge=0, le=DAYS_MAX, description="at most so many trading days; 0: all")
    warmup_days: int = Field(0, ge=0, le=DAYS_MAX, description="of these, so many are not traded")
    accounts: int = Field(1, ge=1, le=ACCOUNTS_MAX)
    cash_cny: Decimal = Field(
        Decimal(5_000_000),
        gt=0,
        le=CASH_CNY_MAX,
        decimal_places=2,
        description="of each account, as a decimal string",
        examples=["5000000.00"],
    )
    reference: FilePath | None = Field(
        None,
        description="of listing dates, ST flags, sectors and corporate actions; with files",
        examples=["reference/2023.csv"],
    )
    limits: ConfigName = Field("default", description="name of limits and costs")
    seed: int = Field(7, ge=0, le=SEED_MAX)
    instruments: int = Field(300, ge=1, le=INSTRUMENTS_MAX, description="of a synthetic market")
    beats: int = Field(400, ge=1, le=BEATS_MAX, description="a day, of a synthetic market")

    @model_validator(mode="after")
    def _check_size(self) -> "BacktestBody":
        row_count = self.instruments * self.beats * max(1, self.days)
        if not self.files and row_count > SYNTHETIC_ROWS_MAX:
            limit = f"instruments x beats x days must be at most {SYNTHETIC_ROWS_MAX}"
            message = f"{limit}, was {row_count}"
            raise ValueError(message)
        if self.start and not self.files:
            message = "start needs files: a synthetic market begins where it begins"
            raise ValueError(message)
        if self.reference and not self.files:
            message = "reference needs files: a synthetic market has its own"
            raise ValueError(message)
        return self

    def job(self, job_id: str, *, requested_by: str, requested_ns: int) -> BacktestJob:
        """Return what is asked of the worker."""
        return BacktestJob(
            job_id=job_id,
            requested_by=requested_by,
            requested_ns=requested_ns,
            files=tuple(self.files),
            strategies=tuple(self.strategies),
            cash=f"{self.cash_cny:f}",
            accounts=self.accounts,
            seed=self.seed,
            days=self.days,
            warmup_days=self.warmup_days,
            instruments=self.instruments,
            beats=self.beats,
            start=self.start,
            limits=self.limits,
            reference=self.reference or "",
        )


class JobView(Model):
    """A backtest that was asked for."""

    job_id: str = Field(examples=["bt-0123456789abcdef0123"])


class SummaryView(Model):
    """What a backtest came to."""

    beats: int = Field(examples=[400])
    ticks: int = Field(description="quote and bar rows", examples=[120000])
    scores: int = Field(examples=[119700])
    decisions_accepted: int = Field(examples=[12])
    decisions_rejected: dict[str, int] = Field(examples=[{"position_limit": 3}])
    orders: int = Field(examples=[12])
    fills: int = Field(examples=[14])
    fees_cny: str = Field(examples=["120.55"])
    final_nav_cny: str = Field(description="of all accounts together", examples=["5000294.82"])
    seconds: float = Field(description="that it took", examples=[1.5])
    outcome_sha256: str = Field(description="the same as `tidegate backtest` says")

    @classmethod
    def of(cls, told: RunSummary) -> "SummaryView":
        """Return the view of a run's figures."""
        return cls(
            beats=told.beats,
            ticks=told.ticks,
            scores=told.scores,
            decisions_accepted=told.decisions_accepted,
            decisions_rejected=told.decisions_rejected,
            orders=told.orders,
            fills=told.fills,
            fees_cny=money_text(told.fees_fen),
            final_nav_cny=money_text(told.final_nav_fen),
            seconds=told.wall_s,
            outcome_sha256=told.outcome_sha256,
        )


class EquityCloseView(Model):
    """What an account was worth at a day's end."""

    trade_date: int = Field(examples=[20230201])
    account_id: str = Field(examples=["A001"])
    cash_cny: str = Field(examples=["639994.82"])
    nav_cny: str = Field(examples=["1000294.82"])


class BacktestView(Model):
    """A backtest and how it stands."""

    job_id: str = Field(examples=["bt-0123456789abcdef0123"])
    state: JobState
    reason: str = Field(description="why it failed", examples=[""])
    requested_by: str = Field(examples=["desk-1"])
    requested_ns: int = Field(examples=[1675215000000000000])
    started_ns: int | None = Field(examples=[1675215000000000000])
    ended_ns: int | None = Field(examples=[1675215000000000000])
    summary: SummaryView | None = Field(description="of one that is done")


class BacktestResultView(BacktestView):
    """A backtest with all that it came to."""

    equity: list[EquityCloseView] = Field(description="by day and account; of one that is done")

    @classmethod
    def queued(cls, job: BacktestJob) -> "BacktestResultView":
        """Return the view of one that no worker has seen yet."""
        return cls(
            job_id=job.job_id,
            state="queued",
            reason="",
            requested_by=job.requested_by,
            requested_ns=job.requested_ns,
            started_ns=None,
            ended_ns=None,
            summary=None,
            equity=[],
        )


def equity_views(result: BacktestResult | None) -> list[EquityCloseView]:
    """Return the views of a result's equity."""
    return [
        EquityCloseView(
            trade_date=one.trade_date,
            account_id=one.account_id,
            cash_cny=money_text(one.cash_fen),
            nav_cny=money_text(one.nav_fen),
        )
        for one in (result.equity if result else ())
    ]
