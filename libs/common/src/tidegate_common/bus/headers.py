"""CloudEvents 1.0 headers in Kafka binary mode, and the beat's extensions."""

from dataclasses import replace
from datetime import UTC, datetime

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId, is_run_id
from tidegate_common.errors import ContractError
from tidegate_common.events.message import Message, Origin
from tidegate_common.events.topics import TICKS, Topic
from tidegate_common.events.trace import TraceContext, parse_traceparent
from tidegate_common.frames.codec import encode_frame
from tidegate_common.frames.frame import BeatStamp, Frame

_SPEC_VERSION = b"1.0"
_TRACEPARENT = "traceparent"
_INT64_END = 2**63


def beat_message(topic: Topic, partition: int, origin: Origin, value: bytes) -> Message:
    """Return the message by which a producer says its beat on a partition.

    The headers are a function of the arguments alone, so a repeat is the same bytes.
    """
    event_id = f"{topic.name}/{partition}/{origin.run_id}/{origin.beat}/{origin.producer}"
    return Message(
        topic=topic.name,
        partition=partition,
        key=str(partition).encode(),
        value=value,
        headers=(
            ("ce_specversion", _SPEC_VERSION),
            ("ce_id", event_id.encode()),
            ("ce_source", f"/tidegate/{origin.producer}".encode()),
            ("ce_type", f"tidegate.{topic.name}".encode()),
            ("content-type", topic.content_type.encode()),
            ("ce_run", origin.run_id.encode()),
            ("ce_beat", str(origin.beat).encode()),
            ("ce_producer", origin.producer.encode()),
        ),
    )


def frame_message(frame: Frame, producer: str) -> Message:
    """Return the message that carries a frame on its shard's partition.

    The stamp, and on beat 0 the run's settings, stand in the headers too, so that a stage can
    step over a frame that it cannot decode.
    """
    stamp = frame.stamp
    origin = Origin(stamp.run_id, stamp.beat, producer)
    message = beat_message(TICKS, frame.shard, origin, encode_frame(frame))
    at = datetime.fromtimestamp(stamp.ts_event_ns // 1_000_000_000, UTC)
    extra = [
        ("ce_time", at.isoformat().encode()),
        ("ce_kind", stamp.kind.value.encode()),
        ("ce_tradedate", str(stamp.trade_date).encode()),
        ("ce_tseventns", str(stamp.ts_event_ns).encode()),
        ("ce_islast", b"1" if stamp.is_last else b"0"),
    ]
    if frame.run_spec:
        extra.append(("ce_runspec", frame.run_spec.encode()))
    return replace(message, headers=message.headers + tuple(extra))


def stamp_of(message: Message) -> BeatStamp:
    """Return the stamp that a frame's headers carry.

    Raises
    ------
    ContractError
        If a header is missing or is not what it should be.
    """
    origin = origin_of(message)
    headers = dict(message.headers)
    try:
        return BeatStamp(
            run_id=origin.run_id,
            beat=origin.beat,
            kind=BeatKind(headers["ce_kind"].decode()),
            trade_date=_whole(headers["ce_tradedate"]),
            ts_event_ns=_whole(headers["ce_tseventns"]),
            is_last=headers["ce_islast"] == b"1",
        )
    except (KeyError, ValueError) as error:
        reason = f"a frame's headers must carry its stamp, found a fault in {error}"
        raise ContractError(reason) from error


def run_spec_of(message: Message) -> str:
    """Return the run's settings as JSON that a frame of beat 0 carries, else ""."""
    return dict(message.headers).get("ce_runspec", b"").decode(errors="replace")


def with_trace(message: Message, context: TraceContext) -> Message:
    """Return a message that says which span sends it; only sampled ones are said."""
    header = (_TRACEPARENT, context.traceparent())
    return replace(message, headers=(*message.headers, header))


def trace_of(message: Message) -> TraceContext | None:
    """Return the span that sent a message; None where its trace is not sampled."""
    for name, value in reversed(message.headers):
        if name == _TRACEPARENT:
            return parse_traceparent(value)
    return None


def origin_of(message: Message) -> Origin:
    """Return who said which beat.

    Raises
    ------
    ContractError
        If a header is missing or is not what it should be.
    """
    headers = dict(message.headers)
    try:
        run = headers["ce_run"].decode()
        beat = _whole(headers["ce_beat"])
        producer = headers["ce_producer"].decode()
    except KeyError as error:
        found = ", ".join(sorted(headers)) or "none"
        reason = f"headers must include ce_run, ce_beat and ce_producer, were: {found} ({error})"
        raise ContractError(reason) from error
    except ValueError as error:
        reason = f"ce_beat must be a whole number, ce_run and ce_producer UTF-8 text: {error}"
        raise ContractError(reason) from error
    if not is_run_id(run):
        reason = f"ce_run must be a run's id, was {run!r:.80}"
        raise ContractError(reason)
    return Origin(RunId(run), beat, producer)


def _whole(value: bytes) -> int:
    number = int(value)
    if not 0 <= number < _INT64_END:
        message = f"a number must be >= 0 and fit 64 bits, was {value[:80]!r}"
        raise ValueError(message)
    return number
