"""A quote service on this machine: a market that moves, and some lines that are no quotes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tidegate_common.testing.quote_lines import QuoteLine, sina_line, text_answer

# A day of the calendar, and in it the time of the first answer.
DATE = "2026-09-14"
_CENTS_OF_PREV_CLOSE = 926
_WAVE_CENTS = 20
_SHARES_PER_SECOND = 100


class QuoteMarket:
    """What Sina would say of any shares, from the first request on, faster than time.

    Every share has a book that leans now to the one side and now to the other. One that is asked
    for as `sh600006` has a price that is no whole fen, so its line is refused.

    Parameters
    ----------
    start : time of the day, such as `14:54:00`.
    speed : market seconds a second.
    """

    def __init__(self, start: str, speed: float) -> None:
        self._start = datetime.fromisoformat(f"{DATE}T{start}")
        self._speed = speed
        self._first: float | None = None
        self._lock = threading.Lock()

    def answer(self, codes: list[str]) -> bytes:
        """Return the lines of some shares."""
        with self._lock:
            now = time.monotonic()
            self._first = now if self._first is None else self._first
            passed = int((now - self._first) * self._speed)
        at = self._start + timedelta(seconds=passed)
        lines = [
            sina_line(_quote(code, passed + 7 * number, f"{at:%H:%M:%S}"))
            for number, code in enumerate(codes)
        ]
        return text_answer(*lines)


def _quote(code: str, seconds: int, clock: str) -> QuoteLine:
    """Return a quote: its price goes up and down within its day's range."""
    volume = 1_000_000 + _SHARES_PER_SECOND * seconds
    wave = abs(seconds % (2 * _WAVE_CENTS) - _WAVE_CENTS)
    cents = _CENTS_OF_PREV_CLOSE + wave
    # For longer than a strategy looks back.
    lean = 300 if seconds // 120 % 2 else 9_000
    return QuoteLine(
        code=code,
        open="9.30",
        last=f"{cents / 100:.2f}" + ("4" if code == "sh600006" else ""),
        high="9.60",
        low="9.20",
        volume=volume,
        amount=f"{volume * 9.4:.0f}",
        bids=tuple((f"{(cents - level) / 100:.2f}", lean) for level in range(1, 6)),
        asks=tuple((f"{(cents + level) / 100:.2f}", 9_300 - lean) for level in range(1, 6)),
        date=DATE,
        time=clock,
    )


@contextmanager
def serving_quotes(market: QuoteMarket) -> Iterator[str]:
    """Answer requests on a free port of this machine inside the block; give the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the library's name
            """Answer `/list=sh600000,...`."""
            body = market.answer(self.path.removeprefix("/list=").split(","))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as above
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
