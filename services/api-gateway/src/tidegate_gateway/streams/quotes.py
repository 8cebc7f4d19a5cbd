"""The newest quotes of all instruments, from the frames of the log; no I/O."""

from collections.abc import Sequence
from functools import partial

from tidegate_common.errors import ContractError
from tidegate_common.events.message import Message
from tidegate_common.frames.codec import decode_frame
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.frames.rows import QuoteRows
from tidegate_gateway.schemas.stream import StreamedQuoteView
from tidegate_gateway.streams.newest import BeatWatch, Newest


class QuoteBoard:
    """Keeps each instrument's newest quote; its text is made when somebody wants it."""

    def __init__(self) -> None:
        self.newest: Newest[int] = Newest()
        self._watches: dict[int, BeatWatch] = {}

    def take(self, messages: Sequence[Message], *, is_settled: bool) -> bool:
        """Take frames in the order in which each partition has them; tell whether they are news."""
        del is_settled  # A quote waits for no other.
        version = self.newest.version
        for message in messages:
            watch = self._watches.setdefault(message.partition, BeatWatch())
            try:
                frame = decode_frame(message.value)
            except ContractError:
                # Its instruments keep the quotes before; the next beat brings new ones.
                continue
            rows = frame.rows
            is_news = watch.is_news(frame.stamp.run_id, frame.stamp.beat)
            if is_news and isinstance(rows, QuoteRows):
                self.newest.version += 1
                for row, instrument in enumerate(rows.instrument.tolist()):
                    self.newest.put(instrument, partial(_text, frame.stamp, rows, row))
        return self.newest.version > version


def _text(stamp: BeatStamp, rows: QuoteRows, row: int) -> str:
    data = StreamedQuoteView.of(stamp, rows, row).model_dump_json()
    return f'{{"type":"event","channel":"quotes","kind":"quote","data":{data}}}'
