"""The envelope: what every message on the bus says about itself.

CloudEvents 1.0 in Kafka binary mode, so all of this travels in headers and the value is the bare
payload. Extensions `run`, `beat`, `producer` name the beat; a repeat has the same three.
"""

from dataclasses import dataclass

from tidegate_common.domain.ids import RunId


@dataclass(frozen=True, slots=True)
class Origin:
    """Who says what beat: the identity by which repeats are dropped.

    producer : stage and index, such as `ingest-0`, `signals-1`, `risk-0`, `execution-1`.
    """

    run_id: RunId
    beat: int
    producer: str


@dataclass(frozen=True, slots=True)
class Message:
    """A record of the bus.

    offset : position in its partition; -1 before it is published.
    sent_ms : when its producer sent it, by the producer's clock, ms since the UTC epoch; 0 where
        nobody says. Kafka keeps it beside the record: a repeat has the same bytes and another time.
    """

    topic: str
    partition: int
    value: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    offset: int = -1
    sent_ms: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be used, kept with the reason.

    topic, partition, offset : where it stands; the same message has one dead letter, however
        many stages complain.
    stage : who complained.
    reason : one line: what was expected and what was found.
    value_base64 : the first 64 KiB of its value.
    """

    topic: str
    partition: int
    offset: int
    stage: str
    reason: str
    value_base64: str
