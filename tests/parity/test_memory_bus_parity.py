"""The shells on a bus say, byte for byte, what the backtester's loop says."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.parity.shells import Platform, loop_outcome

from tidegate_common.domain.enums import ControlCommand
from tidegate_common.domain.ids import AccountId, RunId
from tidegate_common.events.run import (
    AccountSpec,
    FeedSpec,
    RiskLimits,
    RunSpec,
    StrategySpec,
    SyntheticSpec,
)
from tidegate_ingest.adapters.feed import describe_files, open_feed

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CASH_FEN = 500_000_000


def make_spec(feed: FeedSpec, kind: str, accounts: int = 4) -> RunSpec:
    """Return a run of some accounts that trade one strategy."""
    return RunSpec(
        run_id=RunId("parity"),
        accounts=tuple(
            AccountSpec(AccountId(f"A{number:03d}"), CASH_FEN) for number in range(1, accounts + 1)
        ),
        strategies=(StrategySpec(kind, kind),),
        feed=feed,
        # Tight enough for some rejections in a short market.
        limits=RiskLimits(sector_bps_max=1_500),
    )


SYNTHETIC = make_spec(
    FeedSpec(synthetic=SyntheticSpec(seed=17, instrument_count=12, day_count=2, beats_per_day=150)),
    "book_imbalance",
)


@pytest.mark.parametrize(
    ("shard_count", "risk_partition_count", "stripe_count"),
    [(1, 1, 1), (2, 1, 1), (1, 2, 16), (2, 2, 3), (3, 4, 1)],
)
async def test_shells_any_partitioning_equal_loop(
    shard_count: int,
    risk_partition_count: int,
    stripe_count: int,
) -> None:
    """Partitions are invisible, and live equals backtest, commands included."""
    platform = Platform(
        shard_count=shard_count,
        risk_partition_count=risk_partition_count,
        stripe_count=stripe_count,
    )

    platform.ask(40, ControlCommand.HALT, AccountId("A001"))
    platform.ask(80, ControlCommand.REDUCE, None)
    platform.ask(120, ControlCommand.RESUME, None)

    await platform.run(open_feed(SYNTHETIC).frames(), SYNTHETIC.run_id)

    expected = loop_outcome(SYNTHETIC, open_feed(SYNTHETIC).frames(), platform.journaled())
    assert platform.outcome() == expected
    assert len(expected.controls) == 1 + 4 + 4
    assert len(expected.fills) > 0
    assert len(expected.decisions) > len(expected.orders)
    assert len(expected.recommendations) > 0


async def test_shells_dividends_equal_loop() -> None:
    """Who holds a share on its ex-date is told the same by the shells as by the loop."""
    market = SyntheticSpec(seed=8, instrument_count=40, day_count=5, beats_per_day=40)
    spec = make_spec(FeedSpec(synthetic=market), "book_imbalance", accounts=2)
    spec = replace(spec, limits=RiskLimits(position_bps_max=3_000, sector_bps_max=10_000))
    platform = Platform(shard_count=2, risk_partition_count=2)

    await platform.run(open_feed(spec).frames(), spec.run_id)

    expected = loop_outcome(spec, open_feed(spec).frames())
    assert platform.outcome() == expected
    assert len(expected.bookings) > 0


@pytest.mark.data
@pytest.mark.parametrize(
    ("files", "kind", "days"),
    [
        (("l2/szse_snapshot_20220601.parquet",), "book_imbalance", 0),
        (("daily/baostock_csi300_2020_2025.parquet",), "ma_cross", 60),
    ],
)
async def test_shells_real_data_equal_loop(
    files: tuple[str, ...],
    kind: str,
    days: int,
) -> None:
    """The same holds on recorded days of two exchanges and on daily bars."""
    described = describe_files([DATA / name for name in files])
    spec = make_spec(FeedSpec(files=described, day_count_max=days), kind, accounts=2)
    spec = replace(spec, run_id=RunId("parity-real"))
    platform = Platform(shard_count=2, risk_partition_count=2)

    await platform.run(open_feed(spec).frames(), spec.run_id)

    expected = loop_outcome(spec, open_feed(spec).frames())
    assert platform.outcome() == expected
    assert len(expected.fills) > 0
    assert len(expected.decisions) > len(expected.orders)
    assert len(expected.recommendations) > 0
