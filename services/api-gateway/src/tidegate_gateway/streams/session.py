"""What one client has heard and is to hear; no I/O.

A client that is slow costs nobody anything: events wait in the ring that all share, and of quotes
and portfolios only the newest waits. One that is too far behind is overrun.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from tidegate_common.domain.ids import parse_symbol
from tidegate_gateway.streams.log import LiveLog, gap_text
from tidegate_gateway.streams.newest import Newest
from tidegate_gateway.streams.position import Cursor, Position, format_cursor, parse_cursor
from tidegate_gateway.streams.quotes import QuoteBoard
from tidegate_gateway.streams.request import ChannelName, Subscribe, Unsubscribe, Wanted
from tidegate_gateway.streams.ring import Entry

Key = TypeVar("Key", str, int)

# Entries that a client looks through before it lets others have their turn.
LOOK_ENTRIES = 200


class SubscriptionError(Exception):
    """A subscription that cannot be had; the text says why."""


class _Filter(NamedTuple):
    """What of a channel is heard; None for all."""

    accounts: frozenset[str] | None
    instruments: frozenset[int] | None


class Session:
    """One client's place in the stream.

    lag_entries_max : how far it may fall behind.
    accounts : the only ones that it may hear of; empty for all.
    seq : cursor after what it was told.
    """

    def __init__(
        self,
        log: LiveLog,
        quotes: QuoteBoard,
        *,
        lag_entries_max: int,
        accounts: frozenset[str] = frozenset(),
    ) -> None:
        self._log = log
        self._accounts = accounts
        self._quotes = quotes
        self._lag_entries_max = lag_entries_max
        self._place = self._came_at = log.ring.end
        self._after: Cursor | None = None
        self._filters: dict[str, _Filter] = {}
        self._seen = {"portfolios": 0, "quotes": 0}
        self._said: deque[str] = deque()
        self.seq = format_cursor(log.positions)

    @property
    def has_channels(self) -> bool:
        """Whether anything is heard."""
        return bool(self._filters)

    @property
    def hears_quotes(self) -> bool:
        """Whether quotes are heard."""
        return "quotes" in self._filters

    @property
    def is_overrun(self) -> bool:
        """Whether it is too far behind."""
        ring = self._log.ring
        # Who goes on from an older place is not behind in what was there when it came.
        lag_entries = ring.end - max(self._place, self._came_at)
        return self._place < ring.first or lag_entries > self._lag_entries_max

    def say(self, text: str) -> None:
        """Let a text go out before all news."""
        self._said.append(text)

    def subscribe(self, request: Subscribe) -> None:
        """Begin to hear channels.

        Raises
        ------
        SubscriptionError
            If the request makes no sense.
        """
        cursor = self._cursor(request)
        filters: dict[str, _Filter] = {
            name: self._filter(name, said) for name, said in request.channels.items()
        }
        self._filters |= filters
        self._seen |= dict.fromkeys(filters.keys() & self._seen.keys(), 0)
        if cursor is not None:
            self._place, self._came_at = self._log.ring.first, self._log.ring.end
            self._after = cursor
            self.seq = format_cursor(cursor)
        self._say_channels()
        if cursor is not None and not self._log.has_all_since(cursor):
            detail = "what follows the given seq is not all here any more; the pages have it"
            self.say(gap_text(self.seq, detail))

    def unsubscribe(self, request: Unsubscribe) -> None:
        """Hear channels no more."""
        for name in request.channels:
            self._filters.pop(name, None)
        self._say_channels()

    def heartbeat(self) -> str:
        """Return the message that says how far the client has heard."""
        return f'{{"type":"heartbeat","seq":"{self.seq}"}}'

    def overrun(self) -> str:
        """Return the message that says where the client may go on when it comes again."""
        return f'{{"type":"overrun","seq":"{self.seq}"}}'

    def news(self) -> Iterator[str | None]:
        """Yield what is to be said now, oldest event first; None where others may have a turn.

        `seq` is the cursor after what was taken before: who is stopped while it sends has not sent.
        """
        while self._said:
            yield self._said.popleft()
        yield from self._events()
        portfolios = self._filters.get("portfolios")
        if portfolios:
            yield from self._newest("portfolios", self._log.portfolios, portfolios.accounts)
        quotes = self._filters.get("quotes")
        if quotes:
            yield from self._newest("quotes", self._quotes.newest, quotes.instruments)

    def _events(self) -> Iterator[str | None]:
        ring = self._log.ring
        while self._place < ring.end and not self.is_overrun:
            for entry in ring.read(self._place, LOOK_ENTRIES):
                if self._is_wanted(entry):
                    seq = self._seq_after(entry)
                    yield entry.text if seq == entry.seq else entry.text.replace(entry.seq, seq, 1)
                    self.seq = seq
                self._place += 1
            yield None
        if self._place == ring.end:
            self.seq = self._seq_at(self._log.positions)

    def _newest(
        self,
        channel: str,
        newest: Newest[Key],
        keys: frozenset[Key] | None,
    ) -> Iterator[str]:
        seen, self._seen[channel] = self._seen[channel], newest.version
        for key in newest.changed(keys, seen):
            yield newest.text(key)

    def _cursor(self, request: Subscribe) -> Cursor | None:
        if request.after is None:
            return None
        if self._filters:
            message = "after belongs into the first subscription of a connection"
            raise SubscriptionError(message)
        try:
            return parse_cursor(request.after, self._log.lane_count)
        except ValueError as error:
            raise SubscriptionError(str(error)) from error

    def _filter(self, name: ChannelName, said: Wanted) -> _Filter:
        if name == "quotes" and (said.accounts or not said.symbols):
            message = "quotes must name symbols, and no accounts"
            raise SubscriptionError(message)
        if name == "portfolios" and said.symbols:
            message = "portfolios can be chosen by accounts only"
            raise SubscriptionError(message)
        named = frozenset(said.accounts)
        if self._accounts and not named <= self._accounts:
            others = ", ".join(sorted(named - self._accounts))
            message = f"the key is not for these accounts: {others}"
            raise SubscriptionError(message)
        accounts = named or self._accounts or None
        return _Filter(accounts, frozenset(map(parse_symbol, said.symbols)) or None)

    def _is_wanted(self, entry: Entry) -> bool:
        if self._after is not None:
            rank = self._log.ranks(self._after)[entry.lane]
            if rank is not None and entry.rank < rank:
                return False
        if not entry.channel:
            return self.has_channels
        chosen = self._filters.get(entry.channel)
        return (
            chosen is not None
            and (chosen.accounts is None or entry.account_id in chosen.accounts)
            and (chosen.instruments is None or entry.instrument in chosen.instruments)
        )

    def _seq_after(self, entry: Entry) -> str:
        if self._after is None:
            return entry.seq
        return self._seq_at(parse_cursor(entry.seq, self._log.lane_count))

    def _seq_at(self, told: Cursor) -> str:
        """Return the cursor at a place of the ring; a client that went on is never set back."""
        if self._after is None:
            return format_cursor(told)
        ranks, heard = self._log.ranks(told), self._log.ranks(self._after)
        places: list[Position | None] = []
        for lane, ours in enumerate(told):
            rank, limit = ranks[lane], heard[lane]
            is_ahead = rank is not None and limit is not None and rank < limit
            places.append(self._after[lane] if ours is None or is_ahead else ours)
        if tuple(places) == told:
            self._after = None
        return format_cursor(places)

    def _say_channels(self) -> None:
        names = ",".join(f'"{name}"' for name in sorted(self._filters))
        self.say(f'{{"type":"subscribed","channels":[{names}],"seq":"{self.seq}"}}')
