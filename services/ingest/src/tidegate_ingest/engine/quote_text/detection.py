"""Which service an answer is of, told by its bytes."""

import re
from collections.abc import Callable, Mapping

from tidegate_ingest.engine.quote_text import eastmoney, sina, tencent
from tidegate_ingest.engine.quote_text.lines import split_lines
from tidegate_ingest.engine.quote_text.payload import ParsedPayload, QuoteSource, empty_payload

# An answer names its service in its first line; a broken first line still leaves the others.
_HEAD_BYTES = 4_096
_PARSERS: Mapping[QuoteSource, Callable[[bytes], ParsedPayload]] = {
    QuoteSource.SINA: sina.parse_sina,
    QuoteSource.TENCENT: tencent.parse_tencent,
    QuoteSource.EASTMONEY: eastmoney.parse_eastmoney,
}
_MARKS = (
    (QuoteSource.SINA, re.compile(rb'(?m)^var hq_str_\w+="')),
    (QuoteSource.TENCENT, re.compile(rb'(?m)^v_\w+="')),
    (QuoteSource.EASTMONEY, re.compile(rb'\A\s*\{.*"diff"', re.DOTALL)),
)


def looks_like_payload(data: bytes) -> bool:
    """Tell whether bytes, or the first few thousand of them, are a service's answer."""
    return _source_of(data) is not None


def parse_payload(data: bytes) -> ParsedPayload:
    """Return the rows of an answer of whichever service; bytes of none are lines without quotes."""
    source = _source_of(data)
    if source is None:
        return empty_payload(None, split_lines(data))
    return parse_quotes(source, data)


def parse_quotes(source: QuoteSource, data: bytes) -> ParsedPayload:
    """Return the rows of an answer of a service that is known."""
    return _PARSERS[source](data)


def _source_of(data: bytes) -> QuoteSource | None:
    head = data[:_HEAD_BYTES]
    for source, mark in _MARKS:
        if mark.search(head):
            return source
    return None
