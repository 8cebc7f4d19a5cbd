"""Lines of quote services become rows in our units, or a fault that is counted."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tidegate_common.market.sessions import shanghai_ns
from tidegate_common.testing.quote_lines import (
    QuoteLine,
    eastmoney_answer,
    eastmoney_row,
    sina_line,
    tencent_line,
    text_answer,
)
from tidegate_ingest.engine.normalizer import normalize_snapshots
from tidegate_ingest.engine.quality import ACCEPTED, check_snapshots
from tidegate_ingest.engine.quote_text import (
    LineFault,
    ParsedPayload,
    QuoteSource,
    looks_like_payload,
    parse_payload,
    parse_quotes,
)
from tidegate_ingest.engine.quote_text.payload import stamps_to_ns

QUOTE = QuoteLine()
TEN_THIRTY_SECONDS = 37_803
LineMaker = Callable[[QuoteLine], str]


def _parse(*lines: str) -> ParsedPayload:
    parsed = parse_payload(text_answer(*lines))
    assert parsed.lines_in == len(parsed) + sum(parsed.rejected.values())
    return parsed


def _figures(parsed: ParsedPayload) -> dict[str, object]:
    rows = normalize_snapshots(parsed.raw)
    assert check_snapshots(parsed.raw, rows).tolist() == [ACCEPTED] * len(rows)
    return {
        "instrument": rows.instrument.tolist(),
        "ts_event_ns": rows.ts_event_ns.tolist(),
        "prices": [rows.open_e4[0], rows.high_e4[0], rows.low_e4[0], rows.last_e4[0]],
        "prev_close_e4": rows.prev_close_e4.tolist(),
        "volume_shares": rows.volume_shares.tolist(),
        "amount_fen": rows.amount_fen.tolist(),
    }


EXPECTED = {
    "instrument": [1_600_000],
    "ts_event_ns": [shanghai_ns(20260914, TEN_THIRTY_SECONDS)],
    "prices": [92_800, 94_300, 92_400, 94_000],
    "prev_close_e4": [92_600],
    "volume_shares": [77_187_100],
    "amount_fen": [72_230_737_400],
}


@pytest.mark.parametrize(
    ("data", "source"),
    [
        (text_answer(sina_line(QUOTE)), QuoteSource.SINA),
        (text_answer(tencent_line(QUOTE)), QuoteSource.TENCENT),
        (eastmoney_answer(eastmoney_row(QUOTE)), QuoteSource.EASTMONEY),
    ],
)
def test_parse_payload_of_one_share_gives_the_same_integers_from_each_service(
    data: bytes,
    source: QuoteSource,
) -> None:
    """Lots, 10,000 CNY and JSON numbers come to one quote in shares and fen."""
    parsed = parse_payload(data)

    assert looks_like_payload(data)
    assert (parsed.source, parsed.rejected) == (source, {})
    assert _figures(parsed) == EXPECTED
    assert parsed.name.tolist() == ["浦发银行"]


@pytest.mark.parametrize("make_line", [sina_line, tencent_line])
def test_parse_payload_of_a_text_line_gives_both_sides_of_the_book(make_line: LineMaker) -> None:
    """A price beside a wrong number of shares would be money lost."""
    rows = normalize_snapshots(_parse(make_line(QUOTE)).raw)

    assert rows.bid_price_e4.tolist() == [[93_900, 93_800, 0, 0, 0]]
    assert rows.bid_shares.tolist() == [[114_500, 201_100, 0, 0, 0]]
    assert rows.ask_price_e4.tolist() == [[94_000, 94_100, 0, 0, 0]]
    assert rows.ask_shares.tolist() == [[242_500, 1_760_600, 0, 0, 0]]


def test_parse_payload_of_a_star_share_of_tencent_reads_shares() -> None:
    """Tencent counts the volume of STAR in shares, and its book in lots."""
    quote = replace(QUOTE, code="sh688256", volume=77_187_123)

    parsed = _parse(tencent_line(quote, volume_shares_per_unit=1))

    assert parsed.raw.volume.tolist() == [77_187_123]
    assert parsed.volume_step.tolist() == [0]
    assert parsed.raw.bid_shares[0, 0] == 114_500


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("<html>busy</html>", LineFault.BAD_LINE),
        ('var hq_str_sz160923="";', LineFault.EMPTY_QUOTE),
        ('v_pv_none_match="1";', LineFault.BAD_LINE),
        (sina_line(QUOTE).replace("浦发", "A,,"), LineFault.FIELD_COUNT),
        (sina_line(replace(QUOTE, status="-3")), LineFault.NOT_LISTED),
        (sina_line(replace(QUOTE, status="-2")), LineFault.NOT_LISTED),
        (sina_line(replace(QUOTE, status="99")), LineFault.BAD_STATUS),
        (sina_line(replace(QUOTE, date="2026-02-30")), LineFault.BAD_TIME),
        (sina_line(replace(QUOTE, date="1026-09-14")), LineFault.BAD_TIME),
        (sina_line(replace(QUOTE, date="20260914")), LineFault.BAD_TIME),
        (sina_line(replace(QUOTE, time="24:00:00")), LineFault.BAD_TIME),
        (sina_line(replace(QUOTE, last="nan")), LineFault.BAD_NUMBER),
        (sina_line(replace(QUOTE, last="9.4e0")), LineFault.BAD_NUMBER),
        (sina_line(replace(QUOTE, high="-9.40")), LineFault.BAD_NUMBER),
        (sina_line(replace(QUOTE, prev_close="")), LineFault.BAD_NUMBER),
        (sina_line(replace(QUOTE, bids=(("x", 100),))), LineFault.BAD_NUMBER),
        (sina_line(QUOTE).replace(",114500,", ",1145.5,"), LineFault.BAD_NUMBER),
        (tencent_line(QUOTE).replace("~1145~", "~11.45~"), LineFault.BAD_NUMBER),
        (sina_line(replace(QUOTE, volume=771_871)), LineFault.WRONG_UNIT),
        (sina_line(replace(QUOTE, amount="72230.7374")), LineFault.WRONG_UNIT),
        (sina_line(replace(QUOTE, low="924", high="943", last="940")), LineFault.WRONG_UNIT),
        (tencent_line(replace(QUOTE, status="-3")), LineFault.NOT_LISTED),
        (tencent_line(replace(QUOTE, status="-2")), LineFault.NOT_LISTED),
        (tencent_line(replace(QUOTE, status="Z")), LineFault.BAD_STATUS),
        (tencent_line(replace(QUOTE, time="9:30:00")), LineFault.BAD_TIME),
        (tencent_line(QUOTE, volume_shares_per_unit=1), LineFault.WRONG_UNIT),
        (tencent_line(QUOTE).replace("~600000~", "~600001~"), LineFault.BAD_LINE),
        (tencent_line(QUOTE).replace("/722307374", ""), LineFault.BAD_NUMBER),
        (tencent_line(QUOTE).replace("~72230~", "~72300~"), LineFault.BAD_NUMBER),
        (
            tencent_line(replace(QUOTE, volume=0, amount="0")).replace("/0/0~0~0~", "/0/0~0~-1~"),
            LineFault.BAD_NUMBER,
        ),
        (tencent_line(QUOTE).replace("9.40/771871/", "9.40/771872/"), LineFault.BAD_NUMBER),
    ],
)
def test_parse_payload_of_a_faulty_line_counts_its_fault(line: str, fault: LineFault) -> None:
    """Every line is a row or a counted fault, and the good line beside it is a row."""
    maker = tencent_line if line.startswith("v_") else sina_line

    parsed = _parse(maker(QUOTE), line, maker(QUOTE))

    assert parsed.rejected == {fault: 1}
    assert len(parsed) == 2


@pytest.mark.parametrize("make_line", [sina_line, tencent_line])
def test_parse_payload_of_broken_bytes_loses_their_line_only(make_line: LineMaker) -> None:
    """A byte that is no character takes nothing with it."""
    lines = [text_answer(make_line(QUOTE)) for _ in range(3)]
    lines[1] = lines[1].replace("浦".encode("gbk"), b"\xff\xff")

    parsed = parse_payload(b"".join(lines))

    assert parsed.rejected == {LineFault.BAD_ENCODING: 1}
    assert len(parsed) == 2


def test_parse_payload_of_utf8_reads_names_as_they_are() -> None:
    """Some recordings were decoded by their recorder."""
    parsed = parse_payload(sina_line(QUOTE).encode())

    assert parsed.name.tolist() == ["浦发银行"]


@pytest.mark.parametrize(
    ("time", "word"),
    [
        ("09:14:59", "START"),
        ("09:15:00", "OCALL"),
        ("09:25:00", "TRADE"),
        ("14:56:59", "TRADE"),
        ("14:57:00", "CCALL"),
        ("15:00:00", "CLOSE"),
    ],
)
def test_parse_payload_of_a_time_of_day_tells_the_phase(time: str, word: str) -> None:
    """The services say no phase, and a call auction's crossed book is no fault."""
    phase = _parse(sina_line(replace(QUOTE, time=time))).raw.phase

    assert [phase.words[place] for place in phase.index] == [word]


@pytest.mark.parametrize("make_line", [sina_line, tencent_line])
def test_parse_payload_of_a_suspended_share_says_so(make_line: LineMaker) -> None:
    """Nobody may trade what is suspended, whatever the clock says."""
    quote = QuoteLine(open="0.00", high="0.00", low="0.00", amount="0", volume=0, status="03")

    phase = _parse(make_line(quote)).raw.phase

    assert [phase.words[place] for place in phase.index] == ["SUSP"]


@pytest.mark.parametrize(
    ("name", "is_st", "is_unknown"),
    [
        ("浦发银行", False, False),
        ("ST康美", True, False),
        ("*ST 康美", True, False),
        ("S*ST康", True, False),
        ("XDST康美", True, False),
        ("\uff0a\uff33\uff34康美", True, False),
        ("华为ST", False, False),
        ("N康美", False, True),
        ("C康美", False, True),
        ("康美退", False, True),
        ("NXP", False, False),
    ],
)
def test_parse_payload_of_a_name_tells_risk_warning_and_unusual_limits(
    name: str,
    is_st: bool,  # noqa: FBT001  # a column of the table above
    is_unknown: bool,  # noqa: FBT001  # as above
) -> None:
    """The name is the only place where a quote says ST, or that the day is no ordinary one."""
    parsed = _parse(sina_line(replace(QUOTE, name=name)))

    assert parsed.is_st.tolist() == [is_st]
    assert parsed.is_limit_unknown.tolist() == [is_unknown]


def test_parse_payload_of_limits_minus_one_leaves_them_unknown() -> None:
    """Tencent writes -1 where a share has no limits, or is dead: we cannot tell which."""
    parsed = _parse(tencent_line(replace(QUOTE, limits=("-1", "-1"))), tencent_line(QUOTE))

    assert parsed.is_limit_unknown.tolist() == [True, False]
    assert parsed.raw.limit_up.tolist() == [0, 10.19]
    assert parsed.raw.limit_down.tolist() == [0, 8.33]


def test_parse_payload_of_an_index_leaves_its_points_to_the_row_checks() -> None:
    """An index is rejected as no share, not as a share in a wrong unit."""
    line = sina_line(replace(QUOTE, code="sh000001", last="3000.1", high="3001", low="2999"))

    assert len(_parse(line)) == 1


@pytest.mark.parametrize(
    "data",
    [b"", b"\n \n", b"\x00\xff", b"<html>\nbusy", b'{"data":{}}', b"code,close\n1,2\n"],
)
def test_parse_payload_of_something_else_counts_its_lines(data: bytes) -> None:
    """An error page is not an answer without quotes."""
    parsed = parse_payload(data)

    assert not looks_like_payload(data)
    assert (parsed.source, len(parsed)) == (None, 0)
    assert sum(parsed.rejected.values()) == parsed.lines_in


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[" * 100_000, b"[]", b'{"data":null}', b'{"data":{"diff":7}}', b"\xff{"],
)
def test_parse_quotes_of_a_broken_document_is_one_bad_line(data: bytes) -> None:
    """Half an answer of JSON has no rows that one could trust."""
    parsed = parse_quotes(QuoteSource.EASTMONEY, data)

    assert parsed.rejected == {LineFault.BAD_LINE: 1}
    assert (parsed.source, len(parsed)) == (QuoteSource.EASTMONEY, 0)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"f12": "6000"}, LineFault.BAD_LINE),
        ({"f12": 600000}, LineFault.BAD_LINE),
        ({"f12": "60000x"}, LineFault.BAD_LINE),
        ({"f12": "\uff16" * 6}, LineFault.BAD_LINE),
        ({"f12": "999999"}, LineFault.BAD_LINE),
        ({"f13": 0}, LineFault.BAD_LINE),
        ({"f13": 7}, LineFault.BAD_LINE),
        ({"f13": "1"}, LineFault.BAD_LINE),
        ({"f2": "-"}, LineFault.EMPTY_QUOTE),
        ({"f6": "-"}, LineFault.BAD_NUMBER),
        ({"f5": True}, LineFault.BAD_NUMBER),
        ({"f5": 10**40}, LineFault.BAD_NUMBER),
        ({"f17": -1.0}, LineFault.BAD_NUMBER),
        ({"f124": 3}, LineFault.BAD_TIME),
        ({"f124": "-"}, LineFault.BAD_TIME),
        ({"f2": 940, "f15": 943, "f16": 924, "f17": 928}, LineFault.WRONG_UNIT),
    ],
)
def test_parse_payload_of_a_faulty_row_of_eastmoney_counts_its_fault(
    change: dict[str, object],
    fault: LineFault,
) -> None:
    """Asked without `fltt=2` the service sends fen: those rows must not pass for CNY."""
    row = eastmoney_row(QUOTE)

    parsed = parse_payload(eastmoney_answer(row, row | change, 3))

    expected = {fault: 1, LineFault.BAD_LINE: 1} if fault != LineFault.BAD_LINE else {fault: 2}
    assert parsed.rejected == expected
    assert len(parsed) == 1


def test_parse_payload_of_numbered_rows_without_market_finds_the_exchange() -> None:
    """The list comes as an object too, and a recorded one does not say the market."""
    rows = [eastmoney_row(replace(QUOTE, code=code)) for code in ("sh600000", "sz000001")]
    for row in rows:
        del row["f13"]
    numbered = eastmoney_answer(*rows).replace(b"[", b'{"0":').replace(b"}, {", b'}, "1":{')

    parsed = parse_payload(numbered.replace(b"]", b"}"))

    assert parsed.raw.code.words == ("SH600000", "SZ000001")


def test_stamps_to_ns_of_leap_days_knows_the_calendar() -> None:
    """29 February is a day in 2024 and none in 2026."""
    stamps = np.array([20240229_000000, 20260229_000000, 20260228_235959], dtype=np.int64)

    found = stamps_to_ns(stamps)

    assert found.tolist() == [shanghai_ns(20240229, 0), -1, shanghai_ns(20260228, 86_399)]
