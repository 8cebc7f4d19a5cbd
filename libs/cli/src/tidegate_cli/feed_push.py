"""`tidegate feed push`: the reference client of pushed quotes, which streams recorded files."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import numpy as np
import pyarrow as pa

from tidegate_cli.services import INGEST, INGEST_STANDBY
from tidegate_cli.stack_file import read_stack_file
from tidegate_cli.watch import StatusClient
from tidegate_common.domain.enums import BeatKind, LimitState, Phase
from tidegate_common.domain.ids import RunId, format_symbol
from tidegate_common.domain.units import Int64Array
from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.events.run import FeedSpec, RunSpec
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.rows import LEVELS, BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.sessions import shanghai_ns
from tidegate_ingest.adapters.feed import describe_files, open_feed
from tidegate_ingest.engine.live_sequencer import CLOSE_DUE_SECONDS
from tidegate_ingest.engine.push_quotes import PUSH_SCHEMA, TIME_KEY
from tidegate_ingest.shell import Pacer

# Words of the protocol, which are those of the SSE feed; a break is told by the session table.
_PHASE_WORDS = {
    Phase.CLOSED: "CLOSE",
    Phase.OPEN_CALL: "OCALL",
    Phase.PAUSE: "TRADE",
    Phase.CONTINUOUS: "TRADE",
    Phase.LUNCH: "TRADE",
    Phase.CLOSE_CALL: "CCALL",
    Phase.HALTED: "SUSP",
    Phase.OPEN_CALL_LOCKED: "OCALL",
    Phase.AFTER_HOURS: "CLOSE",
}
_ANSWER_SECONDS_MAX = 60.0
# Messages on their way; more would not be faster, and what ingest has not taken is said again.
UNHEARD_MAX = 32


class PushRefusedError(TransientError):
    """The other side did not take what we said."""


@dataclass(frozen=True, slots=True)
class PushedMessage:
    """A message to send: market time, and an Arrow IPC stream or, for a heartbeat, nothing."""

    ts_event_ns: int
    stream: bytes


@dataclass(frozen=True, slots=True)
class PushSummary:
    """What came of a push."""

    run_id: str
    messages: int
    next_beat: int


class _Day:
    """What a recorded day has said so far; one row an instrument of its OPEN."""

    def __init__(self, reference: ReferenceRows) -> None:
        count = len(reference)
        self.reference = reference
        self.open_e4, self.high_e4, self.low_e4 = np.zeros((3, count), np.int64)
        self.books = np.zeros((4, count, LEVELS), np.int64)

    def opening(self, ts_event_ns: int) -> pa.Table:
        """Return rows without a trade: they tell who is there, and within which limits."""
        reference, zeros = self.reference, np.zeros(len(self.reference), np.int64)
        words = np.where(reference.is_suspended, "SUSP", "START")
        return self._table(
            np.arange(len(reference)),
            ts_event_ns=np.full(len(reference), ts_event_ns),
            words=words.tolist(),
            last_e4=zeros,
            volume_shares=zeros,
            amount_fen=zeros,
        )

    def tick(self, rows: QuoteRows) -> pa.Table:
        """Return a beat's quotes; open, high and low are what was seen of the day."""
        place = np.searchsorted(self.reference.instrument, rows.instrument)
        last, opened = rows.last_e4, self.open_e4[place]
        low = self.low_e4[place]
        self.open_e4[place] = np.where(opened > 0, opened, last)
        self.high_e4[place] = np.maximum(self.high_e4[place], last)
        seen_low = np.where((low > 0) & ((last == 0) | (low < last)), low, last)
        self.low_e4[place] = seen_low
        sides = (rows.bid_price_e4, rows.bid_shares, rows.ask_price_e4, rows.ask_shares)
        self.books[:, place] = np.stack(sides)
        return self._table(
            place,
            ts_event_ns=rows.ts_event_ns,
            words=[_PHASE_WORDS[Phase(phase)] for phase in rows.phase.tolist()],
            last_e4=last,
            volume_shares=rows.volume_shares,
            amount_fen=rows.amount_fen,
        )

    def closing(self, bars: BarRows, ts_event_ns: int) -> pa.Table:
        """Return the day's own open, high, low and close of what was traded."""
        traded = bars.take(bars.volume_shares > 0)
        place = np.searchsorted(self.reference.instrument, traded.instrument)
        self.open_e4[place], self.high_e4[place] = traded.open_e4, traded.high_e4
        self.low_e4[place] = traded.low_e4
        return self._table(
            place,
            ts_event_ns=np.full(len(traded), ts_event_ns),
            words=["CLOSE"] * len(traded),
            last_e4=traded.close_e4,
            volume_shares=traded.volume_shares,
            amount_fen=traded.amount_fen,
        )

    def _table(
        self,
        place: Int64Array,
        *,
        ts_event_ns: Int64Array,
        words: Sequence[str],
        last_e4: Int64Array,
        volume_shares: Int64Array,
        amount_fen: Int64Array,
    ) -> pa.Table:
        reference = self.reference
        is_limited = reference.limit_state[place] == LimitState.LIMITED
        books = self.books[:, place]
        columns = {
            "symbol": [format_symbol(number) for number in reference.instrument[place].tolist()],
            "ts_event_ns": ts_event_ns,
            "prev_close_e4": reference.prev_close_e4[place],
            "open_e4": self.open_e4[place],
            "high_e4": self.high_e4[place],
            "low_e4": self.low_e4[place],
            "last_e4": last_e4,
            "volume_shares": volume_shares,
            "amount_fen": amount_fen,
            "bid_price_e4": list(books[0]),
            "bid_shares": list(books[1]),
            "ask_price_e4": list(books[2]),
            "ask_shares": list(books[3]),
            "limit_up_e4": np.where(is_limited, reference.limit_up_e4[place], -1),
            "limit_down_e4": np.where(is_limited, reference.limit_down_e4[place], -1),
            "phase": list(words),
            "is_st": reference.is_st[place],
        }
        return pa.table(columns, schema=PUSH_SCHEMA)


def push_messages(frames: Iterable[Frame]) -> Iterator[PushedMessage]:
    """Yield what a client says of recorded days, one message a beat.

    A day's CLOSE is its bars as last quotes, and a heartbeat of the time when a day is closed.

    Raises
    ------
    ConfigError
        If the files hold bars of minutes, which are no quotes.
    """
    day: _Day | None = None
    for frame in frames:
        ts_event_ns = frame.stamp.ts_event_ns
        if frame.stamp.kind is BeatKind.BAR:
            message = "bars of minutes are no quotes: replay them with --replay"
            raise ConfigError(message)
        match frame.rows:
            case ReferenceRows() as rows:
                day = _Day(rows)
                yield _message(ts_event_ns, day.opening(ts_event_ns))
            case QuoteRows() as rows:
                assert day is not None, "a day begins with its OPEN"
                yield _message(ts_event_ns, day.tick(rows))
            case BarRows() as rows:
                assert day is not None, "a day begins with its OPEN"
                yield _message(ts_event_ns, day.closing(rows, ts_event_ns))
                over_ns = shanghai_ns(frame.stamp.trade_date, CLOSE_DUE_SECONDS)
                yield PushedMessage(max(over_ns, ts_event_ns), b"")


def _message(ts_event_ns: int, table: pa.Table) -> PushedMessage:
    schema = table.schema.with_metadata({TIME_KEY: str(ts_event_ns)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(table)
    return PushedMessage(ts_event_ns, sink.getvalue().to_pybytes())


async def push_files(
    paths: Sequence[Path],
    *,
    url: str,
    token: str,
    pacer: Pacer | None,
) -> PushSummary:
    """Stream files to a running ingest; go on where its log ends.

    Raises
    ------
    ConfigError
        If a file cannot be read, or nobody takes pushed quotes at the address.
    PushRefusedError
        If ingest refuses a message, or goes away.
    """
    files = describe_files(list(paths))
    feed = open_feed(RunSpec(RunId("push"), (), (), feed=FeedSpec(files=files)))
    return await push_frames(feed.frames(), url=url, token=token, pacer=pacer)


async def push_frames(
    frames: Iterable[Frame],
    *,
    url: str,
    token: str,
    pacer: Pacer | None = None,
) -> PushSummary:
    """Stream a feed's frames to a running ingest; see `push_files`."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_ANSWER_SECONDS_MAX)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.ws_connect(url, headers={"Authorization": f"Bearer {token}"}) as socket,
        ):
            return await _stream(socket, push_messages(frames), pacer)
    except aiohttp.WSServerHandshakeError as error:
        message = f"{url} does not take our quotes: status {error.status}"
        raise ConfigError(message) from error
    except (aiohttp.ClientError, OSError) as error:
        message = f"{url} cannot be reached: {error}"
        raise ConfigError(message) from error


async def _stream(
    socket: aiohttp.ClientWebSocketResponse,
    messages: Iterable[PushedMessage],
    pacer: Pacer | None,
) -> PushSummary:
    hello = await _hear(socket)
    run_id, next_beat = str(hello.get("run")), _whole(hello, "next_beat")
    resume_after_ns = _whole(hello, "resume_after_ns")
    left = (message for message in messages if message.ts_event_ns > resume_after_ns)
    count, unheard, is_over = 0, 0, False
    while not is_over:
        message = next(left, None)
        if message is not None and pacer is not None:
            await pacer.wait_for(message.ts_event_ns)
        if message is not None and await _say(socket, message):
            count, unheard = count + 1, unheard + 1
        else:
            # All is said, or nobody is there: why, it may have said before.
            unheard, is_over = unheard + (message is not None), True
        while unheard >= (1 if is_over else UNHEARD_MAX):
            answer = await _hear(socket)
            next_beat, unheard = _whole(answer, "next_beat"), unheard - 1
            if answer.get("type") == "end":
                return PushSummary(run_id, count, next_beat)
    return PushSummary(run_id, count, next_beat)


async def _say(socket: aiohttp.ClientWebSocketResponse, message: PushedMessage) -> bool:
    """Send a message; return whether there was anybody to send it to."""
    try:
        if message.stream:
            await socket.send_bytes(message.stream)
        else:
            text = json.dumps({"type": "heartbeat", "ts_event_ns": message.ts_event_ns})
            await socket.send_str(text)
    except (aiohttp.ClientError, ConnectionError):
        return False
    return True


async def _hear(socket: aiohttp.ClientWebSocketResponse) -> dict[str, object]:
    """Return what the other side says next."""
    try:
        answer = await socket.receive_json(timeout=_ANSWER_SECONDS_MAX)
    except TimeoutError as error:
        message = f"ingest gave no answer within {_ANSWER_SECONDS_MAX:.0f} s"
        raise PushRefusedError(message) from error
    except (TypeError, ValueError) as error:
        message = (
            f"ingest went away before it had taken everything (close code {socket.close_code})"
        )
        raise PushRefusedError(message) from error
    if not isinstance(answer, dict) or answer.get("type") == "error":
        message = f"the message was refused: {answer}"
        raise PushRefusedError(message)
    return answer


async def find_push_url(data_dir: Path) -> str:
    """Return where the stack of a data directory takes pushed quotes.

    Raises
    ------
    ConfigError
        If no stack runs there, or its run is not fed by `push`.
    """
    stack = read_stack_file(data_dir)
    if stack is None or INGEST not in stack.services:
        message = f"no stack runs in {data_dir}: name one with --data-dir, or --url"
        raise ConfigError(message)
    names = [name for name in (INGEST, INGEST_STANDBY) if name in stack.services]
    client = StatusClient({name: stack.services[name].http_port for name in names})
    try:
        statuses = [await client.status(name) for name in names]
    finally:
        await client.close()
    # The one that stands by has none.
    urls = [url for status in statuses if status and (url := status.get("push_url"))]
    url = urls[0] if urls else None
    if not isinstance(url, str):
        message = f"the run in {data_dir} takes no pushed quotes: start it with --live push"
        raise ConfigError(message)
    return url


def _whole(answer: dict[str, object], name: str) -> int:
    value = answer.get(name)
    if not isinstance(value, int):
        message = f"expected {name} in an answer, found {answer}"
        raise PushRefusedError(message)
    return value
