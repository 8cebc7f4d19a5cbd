"""Text of public quote services to raw snapshots: every line becomes a row or a counted fault.

The services publish no specification. What is here was read off recorded answers of 2019 to 2026;
a line that looks otherwise is a fault, never a guess.
"""

from tidegate_ingest.engine.quote_text.detection import (
    looks_like_payload,
    parse_payload,
    parse_quotes,
)
from tidegate_ingest.engine.quote_text.payload import (
    FaultyLine,
    LineFault,
    ParsedPayload,
    QuoteSource,
)

__all__ = [
    "FaultyLine",
    "LineFault",
    "ParsedPayload",
    "QuoteSource",
    "looks_like_payload",
    "parse_payload",
    "parse_quotes",
]
