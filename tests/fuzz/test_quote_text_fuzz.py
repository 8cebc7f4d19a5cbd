"""Answers of quote services, mutated: no parser raises, loses a line or gets a number wrong.

A second parser, line by line in exact decimals, says what every mutated line should come to. The
long profile is `TIDEGATE_FUZZ_INPUTS=1000000`; `quote_text_atheris.py` searches by coverage.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.mutation import mutate_bytes, mutate_line, mutate_row
from tests.fuzz.reference import E4, FEN, reference_rows

from tidegate_common.testing.quote_lines import (
    QuoteLine,
    eastmoney_answer,
    eastmoney_row,
    sina_line,
    tencent_line,
    text_answer,
)
from tidegate_ingest.engine.normalizer import prices_e4, whole
from tidegate_ingest.engine.quote_text import (
    ParsedPayload,
    QuoteSource,
    parse_payload,
    parse_quotes,
)

PAYLOADS = Path(__file__).resolve().parents[3] / "shared" / "data" / "payload"
INPUTS = int(os.environ.get("TIDEGATE_FUZZ_INPUTS", "20000"))
# Lines of one answer; each is mutated on its own.
BATCH = 200
QUOTES = (
    QuoteLine(),
    QuoteLine(code="sz300750", name="宁德时代", bids=(), asks=()),
    QuoteLine(code="bj430047", name="*ST诺思", limits=("-1", "-1")),
    QuoteLine(code="sh688256", name="N寒武纪", status="03"),
    QuoteLine(open="0.00", high="0.00", low="0.00", amount="0", volume=0),
)


def _check(parsed: ParsedPayload) -> None:
    """Assert what holds for every answer, and that its figures are what integers can say."""
    raw = parsed.raw
    assert parsed.lines_in == len(parsed) + sum(parsed.rejected.values())
    assert (raw.ts_event_ns > 0).all()
    for column in (raw.last, raw.volume, raw.amount, raw.bid_price, raw.ask_shares, raw.limit_up):
        assert np.isfinite(column).all()
        assert (column >= 0).all()


def _check_against_reference(data: bytes) -> int:
    """Assert that an answer comes to exactly what the reference says; return its rows."""
    parsed = parse_payload(data)
    _check(parsed)
    expected = reference_rows(data)
    raw = parsed.raw
    codes = [raw.code.words[place] for place in raw.code.index]
    assert codes == [row.code for row in expected]
    assert (raw.ts_event_ns // 10**9).tolist() == [row.seconds for row in expected]
    suspended = [raw.phase.words[place] == "SUSP" for place in raw.phase.index]
    assert suspended == [row.is_suspended for row in expected]
    prices = np.column_stack((raw.prev_close, raw.open, raw.high, raw.low, raw.last))
    bids_asks = np.hstack((raw.bid_price, raw.ask_price))
    shares = np.hstack((raw.bid_shares, raw.ask_shares))
    for number, row in enumerate(expected):
        assert prices[number].tolist() == [float(price) for price in row.prices]
        assert bids_asks[number].tolist() == [float(price) for price, _ in row.levels]
        assert shares[number].tolist() == [float(count) for _, count in row.levels]
        if row.volume < 10**14 and row.amount < 10**12:
            assert whole(raw.volume[number : number + 1]) == round(row.volume)
            fen = whole(raw.amount[number : number + 1] * 100)
            assert abs(int(fen[0]) - row.amount * FEN) <= Decimal("0.51")
        if row.prices[-1] < 10**6:
            e4 = prices_e4(prices[number])
            assert abs(int(e4[-1]) - row.prices[-1] * E4) <= 50
    return len(expected)


def _fuzz_lines(lines: Sequence[str], *, seed: int, inputs: int) -> None:
    generator = np.random.default_rng(seed)
    accepted = 0
    for _ in range(max(inputs // BATCH, 1)):
        chosen = [lines[place] for place in generator.integers(0, len(lines), BATCH)]
        mutated = [mutate_line(generator, line) for line in chosen]
        # The first line stays as it is, so that the answer is of its service.
        data = "\n".join((lines[0], *mutated)).encode("gbk", errors="replace")
        accepted += _check_against_reference(data)
    # A test whose mutants are all refused would prove nothing about numbers.
    assert accepted > inputs // 20


@pytest.mark.parametrize("make_line", [sina_line, tencent_line])
def test_parse_payload_of_mutated_lines_equals_the_reference(make_line: object) -> None:
    """Each mutant is refused, or is exactly what an exact parser makes of it."""
    lines = [make_line(quote) for quote in QUOTES]  # type: ignore[operator]  # either of two

    _fuzz_lines(lines, seed=7, inputs=INPUTS // 4)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("sina_2022-11-22_sz002_gbk.dat", "gbk"),
        ("tencent_2022-11-22_sz002_gbk.dat", "gbk"),
        ("sina_2026-09-14_5codes_utf8.txt", "utf-8"),
        ("tencent_2026-09-14_5lines_utf8.txt", "utf-8"),
        ("sina_2021-11-19_intraday_utf8.txt", "utf-8"),
        ("sina_2019_lof_and_empty_utf8.txt", "utf-8"),
    ],
)
def test_parse_payload_of_mutated_recordings_equals_the_reference(
    name: str,
    encoding: str,
) -> None:
    """Recorded answers as they came, and then their mutants."""
    data = (PAYLOADS / name).read_bytes()
    lines = [line for line in data.decode(encoding).split("\n") if line]

    rows = _check_against_reference(data)
    _fuzz_lines(lines, seed=11, inputs=INPUTS // 16)

    assert rows > 0


def test_parse_payload_of_mutated_eastmoney_rows_believes_no_wrong_unit() -> None:
    """What is accepted is an amount that its volume makes at prices of the day."""
    generator = np.random.default_rng(13)
    rows = [eastmoney_row(replace(quote, status="00")) for quote in QUOTES]
    accepted = 0

    for _ in range(max(INPUTS // BATCH // 4, 1)):
        chosen = [rows[place] for place in generator.integers(0, len(rows), BATCH)]
        parsed = parse_payload(eastmoney_answer(*(mutate_row(generator, row) for row in chosen)))
        _check(parsed)
        raw = parsed.raw
        assert parsed.lines_in == BATCH
        assert (raw.amount <= raw.high * (raw.volume + 100) + 1).all()
        assert (raw.amount >= raw.low * (raw.volume - 100) - 1).all()
        accepted += len(parsed)

    assert accepted > BATCH


@pytest.mark.parametrize("source", list(QuoteSource))
def test_parse_quotes_of_mutated_answers_never_raises(source: QuoteSource) -> None:
    """A cut, spliced or re-encoded answer of any service is rows and counts for any parser."""
    generator = np.random.default_rng(17)
    answers = (
        text_answer(*map(sina_line, QUOTES)),
        text_answer(*map(tencent_line, QUOTES)),
        eastmoney_answer(*map(eastmoney_row, QUOTES)),
    )

    for number in range(max(INPUTS // 120, 1)):
        data = mutate_bytes(generator, answers[number % len(answers)])
        _check(parse_quotes(source, data))


@settings(max_examples=max(INPUTS // 200, 1), deadline=None)
@given(st.sampled_from(QuoteSource), st.binary(max_size=200))
def test_parse_quotes_of_any_bytes_never_raises(source: QuoteSource, data: bytes) -> None:
    """Bytes from nowhere are lines without quotes."""
    _check(parse_quotes(source, data))
