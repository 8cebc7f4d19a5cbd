"""The whole platform on a real broker, as `tidegate up` runs it."""

import asyncio
from pathlib import Path

import pytest
from tests.e2e.conftest import DATA, TWO_STOCK_DAY, Finished, stack, tidegate

from tidegate_common.store.postgres import open_pool
from tidegate_recorder.queries import recording_sha256

RUN = ("--speed", "max", "--exit-when-done", "--json")
DAILY = DATA / "daily" / "baostock_csi300_2020_2025.parquet"
SZSE_DAY = DATA / "l2" / "szse_snapshot_20220601.parquet"
# Each of them twice and more, spread over a day of 5,462 beats; early, late, and one after another.
KILLS = (
    (300, "risk-0"),
    (600, "execution-0"),
    (900, "signals"),
    (1_200, "recommendations"),
    (1_400, "ingest"),
    (1_700, "recorder"),
    (2_000, "execution-0"),
    (2_010, "risk-0"),
    (2_600, "ingest"),
    (3_000, "signals"),
    (3_400, "recorder"),
    (3_600, "recommendations"),
    (3_800, "risk-0"),
    (4_300, "execution-0"),
    (5_300, "risk-0"),
)

OWN_STRATEGY = """\
from tidegate_signals.engine.features.spec import Period
from tidegate_signals.engine.strategies.strategy import Opinions, Strategy


class Lean(Strategy):
    PERIODS = (Period.BEAT,)

    def __init__(self, parameters):
        self.inputs = {"lean": "SMA(imbalance,5)"}
        self.reasons = ("lean",)

    def score(self, view):
        return Opinions(view["lean"], {"lean": view["lean"]})
"""


# Runs of the whole stack: on a busy machine they outlast the limit of an ordinary test.
@pytest.mark.timeout(900)
def test_stack_synthetic_market_equals_backtest(tmp_path: Path) -> None:
    """With no file at all there is a market to look at, and it is the backtester's.

    So it is for a strategy of the user's own.
    """
    (tmp_path / "lean.py").write_text(OWN_STRATEGY, encoding="utf-8")
    strategies = ("book_imbalance", f"{tmp_path / 'lean.py'}:Lean")
    options = ("--seed", 5, "--accounts", 4, "--strategy", *strategies)

    live = tidegate("up", "--data-dir", tmp_path, *options, *RUN).summary
    shadow = tidegate("backtest", *options, "--json").summary

    assert _outcome(live) == _outcome(shadow)
    assert _number(live, "fills") > 0


# Runs of the whole stack: on a busy machine they outlast the limit of an ordinary test.
@pytest.mark.timeout(900)
def test_stack_two_shards_two_partitions_equal_one_and_one(tmp_path: Path) -> None:
    """Partitions are invisible on the real broker too."""
    options = ("--seed", 6, "--accounts", 4, *RUN)

    one = tidegate("up", "--data-dir", tmp_path / "one", *options).summary
    spread = ("--shards", 2, "--risk-partitions", 2)
    two = tidegate("up", "--data-dir", tmp_path / "two", *spread, *options).summary

    assert _outcome(one) == _outcome(two)
    assert _number(one, "fills") > 0


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_stack_real_day_equals_backtest_also_when_everything_is_killed(
    tmp_path: Path,
    postgres_dsns: tuple[str, str],
) -> None:
    """A recorded day of two exchanges, quiet and with kill -9 of every stage, is one outcome."""
    quiet_dsn, shaken_dsn = postgres_dsns
    options = ("--run-id", "day", "--replay", *TWO_STOCK_DAY)

    quiet = tidegate(
        *("up", "--data-dir", tmp_path / "quiet", *options, *RUN),
        TIDEGATE_POSTGRES__URL=quiet_dsn,
    ).summary
    shaken, start_counts = _run_with_kills(tmp_path / "shaken", shaken_dsn, options)
    data = ("--data", *TWO_STOCK_DAY)
    shadow = tidegate("backtest", "--run-id", "day", *data, "--json").summary
    verified = tidegate("verify", "day", "--postgres-url", shaken_dsn)

    assert _outcome(quiet) == _outcome(shadow)
    assert _outcome(shaken.summary) == _outcome(shadow)
    assert _tables(shaken_dsn) == _tables(quiet_dsn)
    assert verified.exit_code == 0, verified.stdout + verified.stderr
    _assert_lively(quiet)
    assert all(start_counts[name] > 1 for _, name in KILLS)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("file", "options"),
    [(SZSE_DAY, ()), (DAILY, ("--days", 250))],
    ids=["szse-day", "daily-250"],
)
def test_stack_real_file_equals_backtest(
    tmp_path: Path,
    file: Path,
    options: tuple[object, ...],
) -> None:
    """So are a day of Shenzhen and a year of daily bars."""
    live = tidegate("up", "--data-dir", tmp_path, "--replay", file, *options, *RUN).summary
    shadow = tidegate("backtest", "--data", file, *options, "--json").summary

    assert _outcome(live) == _outcome(shadow)
    _assert_lively(live)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.apache_kafka
@pytest.mark.timeout(900)
def test_stack_real_day_on_apache_kafka_equals_backtest(
    tmp_path: Path,
    apache_kafka_address: str,
    topic_prefix: str,
) -> None:
    """Apache Kafka is the reference: the same day there is the same outcome."""
    live = tidegate(
        *("up", "--data-dir", tmp_path, "--replay", *TWO_STOCK_DAY, *RUN),
        TIDEGATE_KAFKA__BOOTSTRAP_SERVERS=apache_kafka_address,
        TIDEGATE_KAFKA__TOPIC_PREFIX=topic_prefix,
    ).summary
    shadow = tidegate("backtest", "--data", *TWO_STOCK_DAY, "--json").summary

    assert _outcome(live) == _outcome(shadow)
    _assert_lively(live)


def _run_with_kills(
    data_dir: Path,
    dsn: str,
    options: tuple[object, ...],
) -> tuple[Finished, dict[str, int]]:
    with stack(data_dir, *options, *RUN, TIDEGATE_POSTGRES__URL=dsn) as running:
        for beat, service in KILLS:
            running.wait_for_beat(beat)
            running.kill(service)
        start_counts = running.start_counts()
        return running.finish(), start_counts


def _outcome(summary: dict[str, object]) -> dict[str, object]:
    """Return what two runs of the same settings must agree on."""
    timing = {"run_id", "wall_s", "beats_per_s"}
    return {key: value for key, value in summary.items() if key not in timing}


def _number(summary: dict[str, object], key: str) -> int:
    value = summary[key]
    assert isinstance(value, int)
    return value


def _assert_lively(summary: dict[str, object]) -> None:
    """Check that a run tried the platform: trades, refusals, nothing lost."""
    assert _number(summary, "fills") > 0
    assert summary["decisions_rejected"]
    assert summary["dead_letters"] == 0


def _tables(dsn: str) -> dict[str, str]:
    """Return a hash of each table; the journal's spans follow the pace of a run, so not of it."""

    async def read() -> dict[str, str]:
        pool = await open_pool(dsn, service="test")
        async with pool:
            return await recording_sha256(pool, "day")

    hashes = asyncio.run(read())
    del hashes["journal"]
    return hashes
