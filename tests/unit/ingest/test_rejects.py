"""Rows that are refused are kept as they came, with their place and the reason."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from tests.unit.ingest.file_rows import (
    Row,
    plain_daily_row,
    plain_minutes_row,
    plain_snapshot_row,
)

from tidegate_common.domain.ids import RunId
from tidegate_common.events.ingest import RejectedRow
from tidegate_common.events.run import FeedSpec, RunSpec, SyntheticSpec
from tidegate_common.market.sessions import shanghai_ns
from tidegate_common.testing.quote_lines import (
    QuoteLine,
    eastmoney_answer,
    eastmoney_row,
    sina_line,
    tencent_line,
    text_answer,
)
from tidegate_ingest.adapters.feed import Feed, describe_files, open_feed
from tidegate_ingest.adapters.recorded_files import open_files
from tidegate_ingest.engine import recording, rejects
from tidegate_ingest.engine.live_gate import LiveGate
from tidegate_ingest.engine.push_quotes import parse_push_json
from tidegate_ingest.engine.quality import RejectReason
from tidegate_ingest.engine.quote_text import (
    ParsedPayload,
    QuoteSource,
    parse_payload,
    parse_quotes,
)
from tidegate_ingest.engine.rejects import (
    BATCH_BYTES_MAX,
    BATCH_ROWS_MAX,
    RECORD_CHARACTERS_MAX,
    WaitingRejects,
    in_batches,
    rejected_row,
    size_bytes,
)

DAY = 20260914
NOON_NS = shanghai_ns(DAY, 12 * 3_600)
QUOTE = QuoteLine()
SHARE = 1_600_000
BAD_TIME = "bad_quote_time"


def at(clock: str, **changes: object) -> Row:
    """Return a snapshot of a time of the day."""
    return plain_snapshot_row(datetime=f"2023-02-01 {clock}", **changes)


def write(path: Path, rows: Sequence[Row]) -> Path:
    """Write a file, CSV or Parquet by its name."""
    table = pa.Table.from_pylist([dict(row) for row in rows])
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        pa_csv.write_csv(table, path)
    return path


def make_spec(*paths: Path, days: int = 0) -> RunSpec:
    """Return a run of files."""
    files = describe_files(paths)
    return RunSpec(RunId("r1"), (), (), feed=FeedSpec(files=files, day_count_max=days))


def rejected(feed: Feed) -> list[RejectedRow]:
    """Return what a feed refused."""
    return [row for piece in feed.rejects() for row in piece]


def summed(rows: Sequence[RejectedRow]) -> Mapping[str, int]:
    """Return how many rows have each reason."""
    return Counter(row.reason for row in rows)


# Each of the faults that are refused, as it comes in a file: the row, and what the file says of it.
FAULTS: dict[str, Row] = {
    "bad_time": at("10:00:61"),
    "bad_symbol": at("10:00:06", symbol="shares"),
    "not_a_share": at("10:00:06", symbol="510300.SH"),
    "unknown_phase": at("10:00:06", phase="NAP"),
    "not_finite": at("10:00:06", last=float("nan")),
    "negative": at("10:00:06", volume=-1),
    "too_large": at("10:00:06", last=2e6, high=2e6),
    "off_tick": at("10:00:06", last=10.001, high=10.001),
    "impossible_range": at("10:00:06", last=10.5),
    "crossed_book": at("10:00:06", bid_price_1=10.2),
    "out_of_order": at("09:59:59"),
    "duplicate": at("10:00:03"),
    "beyond_limit": at("10:00:06", ask_price_1=11.5),
    "falling_volume": at("10:00:06", volume=999),
    "falling_amount": at("10:00:06", amount=9_999.0),
}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("reason", FAULTS)
def test_rejects_of_a_file_are_its_rows_with_place_and_reason(
    tmp_path: Path, reason: str, suffix: str
) -> None:
    """Whatever is refused can be looked at as the file says it."""
    rows = [at("10:00:00"), at("10:00:03"), FAULTS[reason], at("10:00:09")]
    phased = [{"phase": "TRADE", **row, "note": f"row {row['datetime']}"} for row in rows]
    path = write(tmp_path / f"quotes.{suffix}", phased)

    feed = open_feed(make_spec(path))
    (found,) = rejected(feed)

    assert feed.counts.rejected == {RejectReason(reason): 1}
    assert (found.source, found.row, found.reason) == (str(path), 3, reason)
    record = json.loads(found.record)
    assert record["note"] == phased[2]["note"]
    assert record["symbol"] == phased[2]["symbol"]
    assert [row.row for row in rejected(feed)] == [3]


def test_rejects_of_every_reason_are_tested() -> None:
    """A reason without a test above is one of a whole file that is no feed."""
    assert set(FAULTS) == set(RejectReason) - {RejectReason.NOT_A_QUOTE}


@pytest.mark.parametrize("row", [plain_minutes_row(), plain_daily_row()], ids=["minutes", "daily"])
def test_rejects_of_bars_are_the_second_ones_and_the_broken_ones(tmp_path: Path, row: Row) -> None:
    """Two files, whose rows are counted from the first of each."""
    first = write(tmp_path / "first.csv", [row, {**row, "close": 10.001, "high": 10.001}])
    second = write(tmp_path / "second.csv", [{**row, "symbol": "000001"}, row])

    feed = open_feed(make_spec(first, second))
    found = [(Path(each.source).name, each.row, each.reason) for each in rejected(feed)]

    assert found == [("first.csv", 2, "off_tick"), ("second.csv", 2, "duplicate")]


def test_rejects_of_a_run_without_faults_are_none(tmp_path: Path) -> None:
    """Nor does anybody read a file again for it."""
    path = write(tmp_path / "quotes.csv", [at("10:00:00")])
    feed = open_feed(make_spec(path))
    path.unlink()

    assert rejected(feed) == []
    assert feed.is_checked


def test_rejects_of_a_made_market_are_none() -> None:
    """It has no faults."""
    spec = RunSpec(RunId("r1"), (), (), feed=FeedSpec(synthetic=SyntheticSpec(beats_per_day=2)))
    feed = open_feed(spec)

    assert (rejected(feed), feed.is_checked) == ([], True)


def test_rejects_of_days_beyond_the_run_are_left_out(tmp_path: Path) -> None:
    """They are not counted either: rows without a date are."""
    bad = {"last": 10.001, "high": 10.001}
    rows = [
        *(at("10:00:00"), at("10:00:03", **bad)),
        plain_snapshot_row(datetime="2023-02-02 10:00:00", **bad),
        plain_snapshot_row(datetime="2023-02-02 10:00:03"),
        plain_snapshot_row(datetime="tomorrow"),
    ]
    feed = open_feed(make_spec(write(tmp_path / "quotes.csv", rows), days=1))

    found = rejected(feed)

    assert [(row.row, row.reason) for row in found] == [(2, "off_tick"), (5, "bad_time")]
    assert summed(found) == feed.counts.rejected


def test_rejects_of_a_run_beyond_memory_are_those_of_one_within(tmp_path: Path) -> None:
    """They are known when its days have been told, and the same at each reading."""
    rows = [at("10:00:00"), at("10:00:03"), *FAULTS.values(), at("10:00:09"), at("10:00:09")]
    path = write(tmp_path / "quotes.parquet", [{"phase": "TRADE", **row} for row in rows])
    within, beyond = open_files(make_spec(path)), open_files(make_spec(path), resident_rows_max=1)

    was_checked = beyond.is_checked
    for _ in (1, 2):
        for _frame in beyond.frames():
            pass

    assert not was_checked
    assert rejected(beyond) == rejected(within)
    assert summed(rejected(within)) == within.counts.rejected == beyond.counts.rejected


def test_rejects_of_merged_days_beyond_a_bound_are_counted_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory has a bound; the first rows stay."""
    monkeypatch.setattr(recording, "MERGED_REJECTS_MAX", 3)
    days = [
        plain_snapshot_row(datetime=f"2023-02-0{day} 10:00:0{second}")
        for day in (1, 2)
        for second in (0, 0, 0, 3)
    ]
    feed = open_feed(make_spec(write(tmp_path / "quotes.csv", days)))

    assert [row.row for row in rejected(feed)] == [2, 3, 6]
    assert feed.counts.rejected == {RejectReason.DUPLICATE: 4}


def offer(gate: LiveGate, *quotes: QuoteLine) -> None:
    """Give some quotes as Sina's answer."""
    gate.offer(parse_payload(text_answer(*map(sina_line, quotes))), NOON_NS)


def make_gate() -> LiveGate:
    """Return the gate of a day that has begun and has seen one quote."""
    gate = LiveGate(np.array([SHARE]))
    gate.begin_day(DAY)
    offer(gate, QUOTE)
    gate.open_day()
    gate.counts.clear()
    return gate


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"date": "2026-09-11"}, "stale"),
        ({"time": "12:01:01"}, "ahead_of_time"),
        ({"code": "sh600004"}, "not_wanted"),
        ({"code": "sh000001"}, "not_a_share"),
        ({"time": "10:30:02"}, "out_of_order"),
        ({"time": "10:31:00", "last": "10.20", "high": "10.20"}, "beyond_limit"),
        ({"time": "10:31:00", "asks": (("9.39", 100),)}, "crossed_book"),
        ({"time": "10:31:00", "volume": 77_187_000}, "falling_volume"),
        ({"time": "10:31:00", "last": "x"}, "bad_number"),
        ({"time": "10:31:70"}, "bad_quote_time"),
        ({"time": "10:31:00", "amount": "1"}, "wrong_unit"),
        ({"status": "99"}, "bad_status"),
        ({"status": "-3"}, "not_listed"),
    ],
)
def test_live_gate_keeps_a_refused_line_as_it_came(change: dict[str, object], reason: str) -> None:
    """Nobody can ask the service for it again; the good line before it is not kept."""
    gate = make_gate()
    bad = replace(QUOTE, **change)  # type: ignore[arg-type]  # of the table above

    offer(gate, replace(QUOTE, time="10:30:50"))
    offer(gate, bad)

    assert gate.rejects.take() == (RejectedRow("sina", 1, reason, sina_line(bad)),)
    assert gate.counts[reason] == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("<html>", "bad_line"),
        ('var hq_str_sh600000="";', "empty_quote"),
        ('var hq_str_sh600000="1,2";', "field_count"),
    ],
)
def test_live_gate_keeps_a_line_that_is_no_quote(line: str, reason: str) -> None:
    """Also what could not be read at all."""
    gate = make_gate()

    gate.offer(parse_quotes(QuoteSource.SINA, text_answer(sina_line(QUOTE), line)), NOON_NS)

    assert gate.rejects.take() == (RejectedRow("sina", 2, reason, line),)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"status": "99"}, "bad_status"), ({"last": "x"}, "bad_number"), ({"time": "?"}, BAD_TIME)],
)
def test_live_gate_counts_all_lines_of_an_answer(change: dict[str, str], reason: str) -> None:
    """Lines that are no quotes stand before others, and each has its own number."""
    gate = make_gate()
    bad = replace(QUOTE, **change)  # type: ignore[arg-type]  # of the table above

    lines = [sina_line(QUOTE), "<html>", sina_line(QUOTE), sina_line(bad)]
    gate.offer(parse_quotes(QuoteSource.SINA, text_answer(*lines)), NOON_NS)

    found = [(row.row, row.reason, row.record) for row in gate.rejects.take()]
    assert (2, "bad_line", "<html>") in found
    assert (4, reason, lines[3]) in found


def eastmoney(*rows: object) -> ParsedPayload:
    """Return an answer of Eastmoney."""
    return parse_quotes(QuoteSource.EASTMONEY, eastmoney_answer(*rows))


def tencent(*quotes: QuoteLine) -> ParsedPayload:
    """Return an answer of Tencent."""
    return parse_payload(text_answer(*map(tencent_line, quotes)))


@pytest.mark.parametrize(
    ("payload", "row", "reason", "word"),
    [
        (eastmoney(eastmoney_row(QUOTE), 7), 2, "bad_line", "7"),
        (eastmoney({**eastmoney_row(QUOTE), "f2": "-"}), 1, "empty_quote", '"f2":"-"'),
        (parse_quotes(QuoteSource.EASTMONEY, b"<html>"), 1, "bad_line", "<html>"),
        (
            tencent(QUOTE, replace(QUOTE, status="?")),
            2,
            "bad_status",
            "v_sh600000=",
        ),
    ],
    ids=["no row", "empty", "page", "tencent"],
)
def test_live_gate_keeps_refused_lines_of_each_service(
    payload: ParsedPayload, row: int, reason: str, word: str
) -> None:
    """Whatever the format, the record is what came."""
    gate = LiveGate(np.array([SHARE]))
    gate.begin_day(DAY)

    gate.offer(payload, NOON_NS)

    (found,) = gate.rejects.take()
    assert (found.source, found.row, found.reason) == (str(payload.source), row, reason)
    assert word in found.record


def test_live_gate_at_open_keeps_the_line_that_contradicts_its_limits() -> None:
    """It was accepted before the limits were known."""
    gate = LiveGate(np.array([SHARE, SHARE + 4]))
    gate.begin_day(DAY)
    bad = replace(QUOTE, code="sh600004", asks=(("10.20", 100),))
    offer(gate, QUOTE, bad)

    gate.open_day()

    (row,) = gate.rejects.take()
    assert (row.row, row.reason) == (2, "beyond_limit")
    assert "sh600004" in row.record


def test_live_gate_keeps_what_a_service_repeats_once() -> None:
    """A service says its last line at every poll; a line that was accepted is kept as a quote."""
    gate = make_gate()
    stale = replace(QUOTE, date="2026-09-11")

    for _ in range(3):
        offer(gate, QUOTE, stale)
    offer(gate, replace(stale, last="9.41"))

    found = gate.rejects.take()
    assert [(row.row, row.reason) for row in found] == [(2, "stale"), (1, "stale")]
    assert (gate.counts["stale"], gate.counts["duplicate"]) == (4, 3)


def test_live_gate_keeps_all_that_a_client_pushes() -> None:
    """A client that says a thing twice has a fault; each of them is a row of its message."""
    quote = {
        "symbol": "600000.SH",
        "ts_event_ns": NOON_NS,
        **dict.fromkeys(("prev_close_e4", "open_e4", "high_e4", "low_e4", "last_e4"), 92600),
        "volume_shares": 100,
        "amount_fen": 92_600,
        **{name: [] for name in ("bid_price_e4", "bid_shares", "ask_price_e4", "ask_shares")},
    }
    said = {"type": "quotes", "ts_event_ns": NOON_NS, "rows": [quote]}
    message = parse_push_json(json.dumps(said))
    assert message.quotes is not None
    gate = LiveGate(np.array([SHARE]))
    gate.begin_day(DAY)
    gate.offer(message.quotes, NOON_NS)
    gate.open_day()

    for _ in (1, 2):
        gate.offer(message.quotes, NOON_NS)

    found = gate.rejects.take()
    assert [(row.source, row.row, row.reason) for row in found] == [("push", 1, "duplicate")] * 2
    assert json.loads(found[0].record)["symbol"] == "600000.SH"


def make_row(number: int, size: int = 1) -> RejectedRow:
    """Return a refused row with a record of some characters."""
    return rejected_row("feed", number, "off_tick", "x" * size)


def test_rejected_row_with_a_long_record_is_cut() -> None:
    """A message has a bound, whatever a service sends."""
    assert len(make_row(0, RECORD_CHARACTERS_MAX + 1).record) == RECORD_CHARACTERS_MAX


@pytest.mark.parametrize("size", [1, 3_000])
def test_in_batches_are_bounded_and_whole(size: int) -> None:
    """By rows and by bytes, however the rows come in pieces; nothing is lost, nothing moves."""
    rows = [make_row(number, size) for number in range(2_500)]
    pieces = [rows[:7], [], rows[7:2_000], rows[2_000:]]

    found = [batch for batch in in_batches(pieces) if batch]

    assert [row for batch in found for row in batch] == rows
    assert all(len(batch) <= BATCH_ROWS_MAX for batch in found)
    assert all(sum(map(size_bytes, batch)) <= BATCH_BYTES_MAX for batch in found)
    assert found == [batch for batch in in_batches([rows]) if batch]
    assert len(found) == (3 if size == 1 else 30)


def test_in_batches_of_a_file_without_faults_say_so_after_each_piece() -> None:
    """Whoever reads it can be stopped in between."""
    assert list(in_batches([[], []])) == [(), ()]


def test_waiting_rejects_beyond_their_bound_are_counted_as_lost() -> None:
    """The log may be slow for hours; what is said next tells how many are missing."""
    waiting = WaitingRejects(bytes_max=3 * size_bytes(make_row(0)))

    for number in range(5):
        waiting.add(make_row(number))

    assert [row.row for row in waiting.take()] == [1, 2, 3]
    assert (waiting.take_lost(), waiting.take_lost(), waiting.lost_total) == (2, 0, 2)
    waiting.add(make_row(6))
    assert (len(waiting), [row.row for row in waiting.take()], len(waiting)) == (1, [7], 0)


def test_waiting_rejects_are_taken_in_batches() -> None:
    """So much as goes into a message."""
    waiting = WaitingRejects()
    for number in range(BATCH_ROWS_MAX + 1):
        waiting.add(make_row(number))

    assert [len(waiting.take()) for _ in range(3)] == [BATCH_ROWS_MAX, 1, 0]


def test_waiting_rejects_remember_the_latest_records_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said again and again is not forgotten."""
    monkeypatch.setattr(rejects, "REMEMBERED_MAX", 2)
    waiting = WaitingRejects()

    for size in (1, 2, 1, 3, 1, 2):
        waiting.add_once(make_row(0, size))

    assert [len(row.record) for row in waiting.take()] == [1, 2, 3, 2]
