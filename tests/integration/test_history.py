"""What the gateway asks PostgreSQL, on rows written by hand: ties, edges, other runs."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from tidegate_common.store.postgres import Pool, migrate, open_pool
from tidegate_common.store.reads import Reads
from tidegate_gateway.history import History

# The later a run was recorded, the later it stands; two at once by their names.
RUNS = {"d": 1, "c": 2, "a": 3, "b": 3}
NEWEST_FIRST = ["b", "a", "c", "d"]
SYMBOL, INSTRUMENT = "600519.SH", 1_600_519
DAYS = (20230131, 20230201, 20230203)
# By strategy and instrument: beats, which are said at as many nanoseconds.
SCORES = {
    ("cross", 1_600_000): (3, 5, 7),
    ("cross", 1_600_002): (4,),
    ("cross", 1_600_004): (9,),
    ("drift", 1_600_001): (2,),
    ("drift", 1_600_003): (2,),
}


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """Connect to a database with our tables, which take every day."""
    await migrate(postgres_dsn)
    pool = await open_pool(postgres_dsn, service="test")
    for table in ("instruments", "scores"):
        await pool.execute(f"CREATE TABLE {table}_all PARTITION OF {table} DEFAULT")
    yield pool
    await pool.close()


async def insert(pool: Pool, table: str, *rows: dict[str, object]) -> None:
    """Write rows of the same columns."""
    records = [tuple(row.values()) for row in rows]
    await pool.copy_records_to_table(table, records=records, columns=list(rows[0]))


def run_row(run_id: str, second: int) -> dict[str, object]:
    """Return a run that was recorded at some second of a day."""
    return {
        "run_id": run_id,
        "spec": "{}",
        "trade_date": DAYS[0],
        "ts_event_ns": 0,
        "recorded_at": datetime(2023, 2, 1, 0, 0, second, tzinfo=UTC),
    }


async def test_runs_are_in_the_order_of_their_recording_page_by_page(pool: Pool) -> None:
    """None twice and none left out, also of those that were recorded at once."""
    history = History(Reads(pool, timeout_seconds=30))
    await insert(pool, "runs", *(run_row(run_id, second) for run_id, second in RUNS.items()))

    found: list[str] = []
    after = None
    while not found or after is not None:
        page = await history.runs(after=after, limit=1)
        found += [one.run_id for one in page.items]
        after = page.next

    assert found == NEWEST_FIRST


async def test_reference_is_of_the_last_day_up_to_the_one_asked_for(pool: Pool) -> None:
    """Of the run that is asked for, of the latest if none."""
    history = History(Reads(pool, timeout_seconds=30))
    await insert(pool, "runs", run_row("old", 1), run_row("new", 2))
    figures = dict.fromkeys(("limit_state", "prev_close_e4", "limit_up_e4", "limit_down_e4"), 1)
    await insert(
        pool,
        "instruments",
        *(
            {
                "run_id": run_id,
                "trade_date": day,
                "instrument": INSTRUMENT,
                "beat": 0,
                "symbol": SYMBOL,
                "board": 1,
                "is_st": False,
                "is_suspended": False,
                "sector": "food",
                **figures,
            }
            for run_id, days in (("old", DAYS), ("new", DAYS[:1]))
            for day in days
        ),
    )

    async def day_of(run_id: str | None, trade_date: int) -> int | None:
        found = await history.reference(run_id=run_id, instrument=INSTRUMENT, trade_date=trade_date)
        return found.trade_date if found else None

    old = [await day_of("old", day) for day in (20230130, 20230131, 20230202, 20230203)]

    assert old == [None, 20230131, 20230201, 20230203]
    assert await day_of(None, 20230203) == 20230131


async def test_latest_scores_are_one_an_instrument_of_the_strategy_alone(pool: Pool) -> None:
    """Both ends of a range count, and so does the time itself."""
    history = History(Reads(pool, timeout_seconds=30))
    await insert(
        pool,
        "scores",
        *(
            {
                "run_id": run_id,
                "trade_date": DAYS[0],
                "beat": beat + shift,
                "strategy": strategy,
                "instrument": instrument,
                "score_e6": 1,
                "is_ranked": False,
                "ts_event_ns": beat,
            }
            for run_id, shift in (("new", 0), ("old", 50))
            for (strategy, instrument), beats in SCORES.items()
            for beat in beats
        ),
    )

    async def beats_of(
        instruments: tuple[int, int] = (0, 2**63 - 1), at_ns: int = 100, limit: int = 10
    ) -> list[int]:
        found = await history.latest_scores(
            run_id="new", strategy="cross", instruments=instruments, at_ns=at_ns, limit=limit
        )
        return [one.beat for one in found]

    assert await beats_of() == [7, 4, 9]
    assert await beats_of((1_600_000, 1_600_004)) == [7, 4, 9]
    assert await beats_of((1_600_001, 1_600_003)) == [4]
    assert [await beats_of(at_ns=at_ns) for at_ns in (4, 5)] == [[3, 4], [5, 4]]
    assert await beats_of(limit=2) == [7, 4]
