"""The recorder on a real PostgreSQL: identical tables, however the log is cut or repeated."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.headers import beat_message
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import AccountState, ControlCommand, Outcome, Reason
from tidegate_common.domain.ids import AccountId, RequestId, RunId
from tidegate_common.errors import TransientError
from tidegate_common.events.message import DeadLetter, Message, Origin
from tidegate_common.events.portfolio import EquityPoint, PortfolioBatch
from tidegate_common.events.risk import ControlOutcome, Decision, DecisionBatch, JournalEntry
from tidegate_common.events.run import RiskLimits
from tidegate_common.events.topics import (
    BARS,
    DECISIONS,
    FILLS,
    JOURNAL,
    ORDERS,
    PORTFOLIOS,
    RECOMMENDATIONS,
    SCORES,
    Topic,
)
from tidegate_common.store.postgres import Pool, migrate, open_pool
from tidegate_common.testing.scripted_run import ScriptedRun, all_topics
from tidegate_recorder.adapters.tables import Tables, Transaction
from tidegate_recorder.queries import (
    control_payloads,
    decision_payloads,
    fill_payloads,
    final_portfolio_payloads,
    journal_payloads,
    latest_run_id,
    order_payloads,
    outcome_sha256,
    recorded_run,
    recording_sha256,
    run_summary,
)
from tidegate_recorder.shell import Recorder, RecorderOptions

OPTIONS = RecorderOptions(batch_seconds_max=0, idle_seconds=0.01, retry_seconds_min=0.001)


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """Connect to a migrated database."""
    await migrate(postgres_dsn)
    pool = await open_pool(postgres_dsn, service="test")
    yield pool
    await pool.close()


async def bus_with(messages: Sequence[Message], **counts: int) -> MemoryBus:
    """Return a bus that holds messages."""
    bus = MemoryBus()
    await bus.create_topics(all_topics(**counts))
    await bus.publish(messages)
    return bus


@asynccontextmanager
async def recording(
    bus: MemoryBus,
    tables: Tables,
    options: RecorderOptions = OPTIONS,
) -> AsyncIterator[Recorder]:
    """Start a recorder and stop it."""
    recorder = Recorder(bus=bus, tables=tables, options=options)
    await recorder.start()
    try:
        yield recorder
    finally:
        await recorder.close()


async def record_all(
    bus: MemoryBus,
    tables: Tables,
    options: RecorderOptions = OPTIONS,
) -> None:
    """Record until nothing comes any more."""
    async with recording(bus, tables, options) as recorder:
        while await recorder.step():
            pass


async def record_beats(bus: MemoryBus, tables: Tables, script: ScriptedRun) -> None:
    """Record one transaction a beat, as the beats come."""
    async with recording(bus, tables) as recorder:
        for beat in range(script.beat_count):
            await bus.publish(script.beat_messages(beat))
            await recorder.step()


class Died(BaseException):
    """The process is gone; nothing may catch it."""


class DyingTables(Tables):
    """Writes its n-th transaction or not, and then the process dies."""

    def __init__(self, pool: Pool, *, dies_at: int, is_written: bool) -> None:
        super().__init__(pool, log="main")
        self._dies_at = dies_at
        self._is_written = is_written
        self._count = 0

    async def write(self, transaction: Transaction) -> None:
        is_last = self._count == self._dies_at
        self._count += 1
        if not is_last or self._is_written:
            await super().write(transaction)
        if is_last:
            raise Died


class FailingTables(Tables):
    """Is away for the first so many writes."""

    def __init__(self, pool: Pool, *, failures: int) -> None:
        super().__init__(pool, log="main")
        self.failures = failures

    async def write(self, transaction: Transaction) -> None:
        if self.failures:
            self.failures -= 1
            message = "expected an answer of PostgreSQL, found: nothing"
            raise TransientError(message)
        await super().write(transaction)


class StoppingTables(Tables):
    """Asks the process to stop at its first write."""

    def __init__(self, pool: Pool, stopping: asyncio.Event) -> None:
        super().__init__(pool, log="main")
        self._stopping = stopping

    async def write(self, transaction: Transaction) -> None:
        self._stopping.set()
        await super().write(transaction)


async def test_recorder_run_of_nine_beats_gives_its_summary(pool: Pool) -> None:
    """The command line prints these numbers at the end of a replay."""
    script = ScriptedRun()
    bus = await bus_with(script.messages())

    await record_all(bus, Tables(pool, log="main"))

    summary = await run_summary(pool, "run-1")
    assert (summary.beats, summary.ticks, summary.scores) == (9, 18, 27)
    assert summary.decisions_accepted == 6
    assert summary.decisions_rejected == {"position_limit": 6}
    assert (summary.orders, summary.fills, summary.fees_fen) == (6, 12, 12 * 518)
    assert summary.final_nav_fen == 2 * (100_000_000 - 8)
    assert summary.dead_letters == 0


async def test_recorder_whole_run_is_complete_with_its_exact_spec(pool: Pool) -> None:
    """`tidegate verify` runs the spec again and waits for completeness."""
    script = ScriptedRun(shard_count=2, risk_partition_count=2, accounts=("A1", "A2", "A3"))
    bus = await bus_with(script.messages(), shard_count=2, risk_partition_count=2)
    options = replace(OPTIONS, shard_count=2, risk_partition_count=2)

    await record_all(bus, Tables(pool, log="main"), options)

    run = await recorded_run(pool, "run-1")
    assert run is not None
    assert run.spec == encode_event(script.spec()).decode()
    assert (run.last_beat, run.is_complete) == (8, True)
    assert await latest_run_id(pool) == "run-1"


@pytest.mark.parametrize("topic", [SCORES, ORDERS, FILLS, DECISIONS, PORTFOLIOS, JOURNAL])
async def test_recorder_run_without_one_last_message_is_not_complete(
    pool: Pool,
    topic: Topic,
) -> None:
    """A summary of a run whose last fills are still on their way would be wrong."""
    messages = ScriptedRun().messages()
    missing = [one for one in messages if one.topic == topic.name][-1]
    bus = await bus_with([one for one in messages if one is not missing])
    tables = Tables(pool, log="main")

    await record_all(bus, tables)
    before = await recorded_run(pool, "run-1")
    await bus.publish([missing])
    await record_all(bus, tables)
    after = await recorded_run(pool, "run-1")

    assert before is not None
    assert not before.is_complete
    assert after is not None
    assert after.is_complete


async def test_recorder_payloads_are_the_events_byte_for_byte_in_order(pool: Pool) -> None:
    """Verify compares text with text."""
    script = ScriptedRun()
    bus = await bus_with(script.messages())

    await record_all(bus, Tables(pool, log="main"))

    decisions = [text async for text in decision_payloads(pool, "run-1")]
    assert decisions == [
        encode_event(script.decision(account, beat, is_accepted=is_accepted)).decode()
        for beat in (0, 3, 6)
        for account in ("A1", "A2")
        for is_accepted in (True, False)
    ]
    orders = [text async for text in order_payloads(pool, "run-1")]
    assert orders == [
        encode_event(script.order(account, beat)).decode()
        for beat in (0, 3, 6)
        for account in ("A1", "A2")
    ]
    assert [text async for text in final_portfolio_payloads(pool, "run-1")] == [
        encode_event(script.portfolio(account, 8)).decode() for account in ("A1", "A2")
    ]
    assert len([text async for text in fill_payloads(pool, "run-1")]) == 12


async def test_recorder_order_state_is_the_latest_update(pool: Pool) -> None:
    """Updates come on another topic than orders, in any order."""
    bus = await bus_with(ScriptedRun().messages())

    await record_all(bus, Tables(pool, log="main"))

    row = await pool.fetchrow("SELECT * FROM order_states WHERE order_id = 'run-1.3.A1.0'")
    assert row is not None
    assert (row["status"], row["cumulative_shares"], row["leaves_shares"]) == ("filled", 200, 0)


async def test_recorder_log_read_twice_gives_identical_tables(pool: Pool) -> None:
    """Stages say again after a crash what they had said; nothing may double."""
    script = ScriptedRun()
    bus = await bus_with(script.messages())
    tables = Tables(pool, log="main")

    await record_all(bus, tables)
    once = await recording_sha256(pool, "run-1")
    await bus.publish(script.messages())
    await record_all(bus, tables)
    await tables.forget_positions()
    await record_all(bus, tables)

    assert await recording_sha256(pool, "run-1") == once
    assert once["dead_letters"] == await _no_rows_sha256(pool)


@pytest.mark.parametrize("is_written", [True, False])
async def test_recorder_killed_at_every_transaction_gives_identical_tables(
    pool: Pool,
    postgres_dsn: str,
    is_written: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """Rows and positions are one transaction: there is no point between them to die at."""
    script = ScriptedRun(beat_count=6)
    reference = await bus_with(script.messages())
    await record_all(reference, Tables(pool, log="main"))
    expected = await recording_sha256(pool, "run-1")
    for dies_at in range(6):
        await pool.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await migrate(postgres_dsn)
        bus = await bus_with([])
        tables = DyingTables(pool, dies_at=dies_at, is_written=is_written)
        with pytest.raises(Died):
            await record_beats(bus, tables, script)
        for beat in range(dies_at + 1, 6):
            await bus.publish(script.beat_messages(beat))

        await record_all(bus, Tables(pool, log="main"))

        assert await recording_sha256(pool, "run-1") == expected


async def test_recorder_postgres_away_for_a_while_loses_nothing(pool: Pool) -> None:
    """The batch is kept and written when the server is back."""
    bus = await bus_with(ScriptedRun().messages())
    tables = FailingTables(pool, failures=5)

    await record_all(bus, tables)

    run = await recorded_run(pool, "run-1")
    assert run is not None
    assert run.is_complete
    assert tables.failures == 0


async def test_recorder_postgres_away_for_too_long_gives_up_and_says_so(pool: Pool) -> None:
    """Every wait has a limit: the supervisor starts the process again."""
    bus = await bus_with(ScriptedRun().messages())
    tables = FailingTables(pool, failures=10_000)
    options = replace(OPTIONS, outage_seconds_max=0.05)

    async with recording(bus, tables, options) as recorder:
        with pytest.raises(TransientError):
            await recorder.step()

        assert not recorder.is_ready


@pytest.mark.parametrize(
    "topic",
    [SCORES, BARS, RECOMMENDATIONS, ORDERS, FILLS, DECISIONS, PORTFOLIOS, JOURNAL],
)
async def test_recorder_undecodable_message_becomes_one_dead_letter(
    pool: Pool,
    topic: Topic,
) -> None:
    """Nothing is dropped silently, and what follows is recorded."""
    script = ScriptedRun()
    bus = await bus_with([Message(topic.name, 0, b"\xff\x00nonsense"), *script.messages()])

    await record_all(bus, Tables(pool, log="main"))

    rows = await pool.fetch("SELECT * FROM dead_letters")
    assert [(row["topic"], row["partition"], row["log_offset"]) for row in rows] == [
        (topic.name, 0, 0),
    ]
    letter = decode_event(DeadLetter, bus.log(topic.dead_letters)[0].value)
    assert (letter.topic, letter.offset, letter.stage) == (topic.name, 0, "recorder")
    assert (await run_summary(pool, "run-1")).fills == 12


async def test_recorder_bad_dead_letter_is_kept_in_the_table(pool: Pool) -> None:
    """There are no dead letters of dead letters."""
    bus = await bus_with([Message(FILLS.dead_letters, 0, b"nonsense")])

    await record_all(bus, Tables(pool, log="main"))

    row = await pool.fetchrow("SELECT * FROM dead_letters")
    assert row is not None
    assert (row["topic"], row["log_offset"]) == (FILLS.dead_letters, 0)


async def test_recorder_same_message_put_aside_by_two_stages_is_one_dead_letter(
    pool: Pool,
) -> None:
    """The summary counts messages, not complaints."""
    letters = [DeadLetter(FILLS.name, 0, 7, stage, "bad", "") for stage in ("risk-0", "other")]
    bus = await bus_with(
        [Message(FILLS.dead_letters, 0, encode_event(letter)) for letter in letters],
    )

    await record_all(bus, Tables(pool, log="main"))

    assert (await run_summary(pool, "run-1")).dead_letters == 1


async def test_recorder_number_beyond_64_bits_is_put_aside_and_stops_nothing(pool: Pool) -> None:
    """One value that PostgreSQL cannot keep may not stop the log for ever."""
    origin = Origin(RunId("run-1"), 0, "risk-0")
    point = EquityPoint(ScriptedRun().portfolio("A1", 0).account_id, 2**70, 1)
    batch = PortfolioBatch(RunId("run-1"), 0, 0, 20230201, 1, 0, 0, is_last=False, equity=(point,))
    bus = await bus_with([beat_message(PORTFOLIOS, 0, origin, encode_event(batch))])

    await record_all(bus, Tables(pool, log="main"))

    assert (await run_summary(pool, "run-1")).dead_letters == 1


async def test_recorder_command_outcomes_are_kept_in_their_order(pool: Pool) -> None:
    """The audit of who halted what, byte for byte, and once however often it is said."""
    origin = Origin(RunId("run-1"), 0, "risk-0")
    outcomes = tuple(
        ControlOutcome(
            request_id=RequestId(f"c{sequence}"),
            beat=0,
            account_id=AccountId(account),
            sequence=sequence,
            command=ControlCommand.SET_LIMITS,
            is_for_all=False,
            outcome=Outcome.ACCEPTED,
            reason=Reason.NONE,
            state_before=AccountState.ACTIVE,
            state_after=AccountState.REDUCING,
            limits_before=RiskLimits(),
            limits_after=RiskLimits(drawdown_bps_max=sequence),
            ts_event_ns=1,
        )
        for account, sequence in (("A1", 0), ("A1", 1), ("B1", 0))
    )
    batch = DecisionBatch(RunId("run-1"), 0, 0, controls=outcomes)
    message = beat_message(DECISIONS, 0, origin, encode_event(batch))
    bus = await bus_with([message, message])

    await record_all(bus, Tables(pool, log="main"))

    found = [payload async for payload in control_payloads(pool, "run-1")]
    assert found == [encode_event(outcome).decode() for outcome in outcomes]


async def test_recorder_stranger_on_a_topic_is_put_aside(pool: Pool) -> None:
    """What no stage took must not stand in the tables."""
    origin = Origin(RunId("run-1"), 0, "mallory")
    bus = await bus_with([beat_message(DECISIONS, 0, origin, b"{}"), *ScriptedRun().messages()])

    await record_all(bus, Tables(pool, log="main"))

    assert (await run_summary(pool, "run-1")).decisions_accepted == 6
    assert (await run_summary(pool, "run-1")).dead_letters == 1


async def test_recorder_journal_of_a_zombie_does_not_enter_the_chain(pool: Pool) -> None:
    """The first entry for a beat wins, whoever wrote it."""
    entries = [
        JournalEntry(RunId("run-1"), 0, 0, 10, 0, 2),
        JournalEntry(RunId("run-1"), 0, 5, 15, 2, 2),
        JournalEntry(RunId("run-1"), 0, 10, 20, 0, 2),
        JournalEntry(RunId("run-1"), 0, 10, 20, 2, 3),
        JournalEntry(RunId("run-2"), 0, 0, 10, 3, 3),
    ]
    bus = await bus_with([Message(JOURNAL.name, 0, encode_event(one)) for one in entries])

    await record_all(bus, Tables(pool, log="main"))

    chain = [text async for text in journal_payloads(pool, "run-1")]
    assert chain == [encode_event(entries[0]).decode(), encode_event(entries[3]).decode()]
    assert len([text async for text in journal_payloads(pool, "run-2")]) == 1


async def test_recorder_log_that_starts_anew_is_read_from_its_start(pool: Pool) -> None:
    """A broker that keeps nothing starts at offset 0 while the tables remember more."""
    tables = Tables(pool, log="main")
    await record_all(await bus_with(ScriptedRun().messages()), tables)
    second = ScriptedRun(run_id=RunId("run-2"), beat_count=4)

    await record_all(await bus_with(second.messages()), tables)

    run = await recorded_run(pool, "run-2")
    assert run is not None
    assert run.is_complete


async def test_recorder_told_to_stop_ends_with_everything_written(pool: Pool) -> None:
    """A stop is no crash, but it would not matter if it were."""
    bus = await bus_with(ScriptedRun().messages())
    stopping = asyncio.Event()
    tables = StoppingTables(pool, stopping)
    recorder = Recorder(bus=bus, tables=tables, options=OPTIONS)

    async with asyncio.timeout(20):
        await recorder.run(stopping)

    positions = await tables.positions()
    assert positions[TopicPartition(DECISIONS.name, 0)] == 9
    assert not recorder.is_ready


async def test_decision_payload_decodes_to_the_event(pool: Pool) -> None:
    """The tables hold the event itself, not a shadow of it."""
    bus = await bus_with(ScriptedRun().messages())

    await record_all(bus, Tables(pool, log="main"))

    texts = [text async for text in decision_payloads(pool, "run-1")]
    expected = ScriptedRun().decision("A1", 0, is_accepted=True)
    assert decode_event(Decision, texts[0]) == expected


async def test_outcome_does_not_depend_on_the_number_of_partitions(pool: Pool) -> None:
    """Two shards and two risk partitions tell the same story as one and one."""
    one = ScriptedRun(run_id=RunId("one"), accounts=("A1", "A2", "A3", "A4"))
    two = replace(one, run_id=RunId("two"), shard_count=2, risk_partition_count=2)
    counts = {"shard_count": 2, "risk_partition_count": 2}
    await record_all(await bus_with(one.messages()), Tables(pool, log="one"))
    bus = await bus_with(two.messages(), **counts)
    await record_all(bus, Tables(pool, log="two"), replace(OPTIONS, **counts))

    assert await outcome_sha256(pool, "one") == await outcome_sha256(pool, "two")
    assert await outcome_sha256(pool, "one") != await outcome_sha256(pool, "no such run")


async def test_summary_of_an_unknown_run_is_zeros(pool: Pool) -> None:
    """Nobody has to ask first whether there is one."""
    summary = await run_summary(pool, "nothing")

    assert (summary.beats, summary.final_nav_fen, summary.decisions_rejected) == (0, 0, {})
    assert await recorded_run(pool, "nothing") is None


async def _no_rows_sha256(pool: Pool) -> str:
    return (await recording_sha256(pool, "no such run"))["dead_letters"]
