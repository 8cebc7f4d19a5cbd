"""What one account did on a day, for the rules that count."""

from dataclasses import dataclass, field
from typing import Self, TypedDict, cast

from tidegate_common.engine import JsonDict
from tidegate_common.market.sessions import NS_PER_SECOND


class _Dump(TypedDict):
    day_count: int
    second: int
    second_count: int
    bought_shares: list[tuple[int, int]]


@dataclass(slots=True)
class Activity:
    """Messages to the exchange (orders and cancels), and shares bought, since the day's OPEN beat.

    A message counts in the second of market time, and on the day, of its beat: one sent after the
    close counts on the day that ends.

    day_count : messages of the day.
    second, second_count : UTC epoch second of the last message, and messages in it.
    bought_shares : filled buys by instrument.
    """

    day_count: int = 0
    second: int = -1
    second_count: int = 0
    bought_shares: dict[int, int] = field(default_factory=dict)

    def count_messages(self, ts_event_ns: int, count: int) -> None:
        """Take note of so many orders or cancels of one moment."""
        self.second_count = self.messages_in_second(ts_event_ns) + count
        self.second = ts_event_ns // NS_PER_SECOND
        self.day_count += count

    def messages_in_second(self, ts_event_ns: int) -> int:
        """Return the messages so far in the second of a moment."""
        return self.second_count if self.second == ts_event_ns // NS_PER_SECOND else 0

    def count_buy(self, instrument: int, quantity_shares: int) -> None:
        """Take note of a filled buy."""
        bought_shares = self.bought_shares.get(instrument, 0)
        self.bought_shares[instrument] = bought_shares + quantity_shares

    def dump(self) -> JsonDict:
        """Return the memory as JSON-ready values."""
        return {
            "day_count": self.day_count,
            "second": self.second,
            "second_count": self.second_count,
            "bought_shares": [list(pair) for pair in self.bought_shares.items()],
        }

    @classmethod
    def load(cls, values: object) -> Self:
        """Return what `dump` returned as it was."""
        dump = cast("_Dump", values)
        return cls(
            day_count=dump["day_count"],
            second=dump["second"],
            second_count=dump["second_count"],
            bought_shares=dict(dump["bought_shares"]),
        )
