"""Whose work a span is: ids that are functions of what is traced (ADR 27).

A repeat says the same context again, and whoever knows a run and a beat knows its trace.
Written as W3C Trace Context level 1 writes it, https://www.w3.org/TR/trace-context-1/.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from tidegate_common.domain.ids import AccountId, RequestId, RunId

_TRACE_BYTES: Final = 16
_SPAN_BYTES: Final = 8
# As OpenTelemetry's TraceIdRatioBased decides: by the lower 64 bits of the trace's id.
_RATIO_BITS: Final = 64
_TRACEPARENT: Final = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span of a trace that is sampled.

    trace_id : 128 bits, > 0. span_id : 64 bits, > 0.
    """

    trace_id: int
    span_id: int

    def traceparent(self) -> bytes:
        """Return the value of the header that hands it on."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01".encode()


def parse_traceparent(value: bytes) -> TraceContext | None:
    """Return what a header hands on; None where it is not sampled, or makes no sense."""
    match = _TRACEPARENT.fullmatch(value)
    if match is None or not int(match[3], 16) & _SAMPLED:
        return None
    context = TraceContext(int(match[1], 16), int(match[2], 16))
    return context if context.trace_id and context.span_id else None


def beat_trace_id(run_id: RunId, beat: int) -> int:
    """Return the id of a beat's trace: of its frame, and of all that comes of it."""
    return _number("beat", run_id, beat, size=_TRACE_BYTES)


def request_trace_id(account_id: AccountId | None, request_id: RequestId) -> int:
    """Return the id of a request's trace; `account_id` is None in one for all accounts."""
    return _number("request", account_id or "", request_id, size=_TRACE_BYTES)


def trace_id_text(trace_id: int) -> str:
    """Return an id as trace stores show it."""
    return f"{trace_id:032x}"


def span_id_of(*parts: str | int) -> int:
    """Return the id of a span that is named by its parts."""
    return _number("span", *parts, size=_SPAN_BYTES)


def is_sampled(trace_id: int, ratio: float) -> bool:
    """Tell whether a trace is among the share of all that is kept; 0 keeps none, 1 all."""
    low = trace_id & ((1 << _RATIO_BITS) - 1)
    return low < round(ratio * (1 << _RATIO_BITS))


def _number(*parts: str | int, size: int) -> int:
    text = "\n".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest(), "big")
