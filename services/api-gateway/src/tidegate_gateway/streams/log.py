"""What the log said lately: events in a ring, the newest portfolios; no I/O.

Fills, decisions and orders are told each and in order. Of a poll's beats the earlier go first, and
within a beat fills before the decisions after them before the orders that those make.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.headers import origin_of
from tidegate_common.codec import decode_event
from tidegate_common.errors import ContractError
from tidegate_common.events.execution import FillBatch
from tidegate_common.events.message import Message
from tidegate_common.events.orders import OrderBatch
from tidegate_common.events.portfolio import PortfolioBatch, PortfolioState
from tidegate_common.events.risk import DecisionBatch
from tidegate_common.events.topics import (
    DECISIONS,
    FILLS,
    ORDERS,
    PORTFOLIOS,
    STRIPED_TOPICS,
    Topic,
    partition_count,
    partition_of_stripe,
)
from tidegate_common.store.redis import CachedPortfolio
from tidegate_gateway.schemas.base import Row, json_of_row
from tidegate_gateway.schemas.orders import decision_row, fill_row, order_row
from tidegate_gateway.schemas.portfolios import PortfolioView
from tidegate_gateway.schemas.stream import cancel_row, order_update_row
from tidegate_gateway.streams.lanes import Batch, Lane
from tidegate_gateway.streams.newest import BeatWatch, Newest
from tidegate_gateway.streams.position import Cursor, Position, format_cursor
from tidegate_gateway.streams.ring import Entry, Ring, rank_of

LOG_TOPICS = (FILLS, DECISIONS, ORDERS, PORTFOLIOS)


@dataclass(frozen=True, slots=True)
class Topology:
    """How a deployment spreads its topics."""

    shard_count: int = 1
    risk_partition_count: int = 1
    stripe_count: int = 1

    def places(self, topics: Sequence[Topic]) -> list[TopicPartition]:
        """Return the partitions of the bus that topics have."""
        return [
            TopicPartition(topic.name, partition)
            for topic in topics
            for partition in range(
                partition_count(
                    topic,
                    shard_count=self.shard_count,
                    risk_partition_count=self.risk_partition_count,
                    stripe_count=self.stripe_count,
                ),
            )
        ]

    def tail(self, place: TopicPartition, beat_count: int) -> int:
        """Return how many messages of a partition so many beats are."""
        producers = {FILLS.name: self.shard_count, ORDERS.name: self.risk_partition_count}
        stripes = self.stripe_count if place.topic in STRIPED_TOPICS else 1
        return beat_count * producers.get(place.topic, 1) // stripes + 1


class Event(NamedTuple):
    """An event, rendered."""

    channel: str
    kind: str
    account_id: str
    instrument: int
    data: str


class LiveLog:
    """Turns messages into entries.

    ring : the events. portfolios : the newest by account.
    """

    def __init__(self, topology: Topology, *, entries_max: int, characters_max: int) -> None:
        self._topology = topology
        keys = _lane_keys(topology)
        self._numbers = {key: number for number, key in enumerate(keys)}
        stripes = topology.stripe_count
        self._lanes: list[Lane[Event]] = [
            Lane(stripes if topic in STRIPED_TOPICS else 1) for topic, _, _ in keys
        ]
        self._runs: list[list[str]] = [[] for _ in keys]
        self._floors: list[tuple[int, int, int] | None] = [None] * len(keys)
        self._positions: list[Position | None] = [None] * len(keys)
        self._watches: dict[int, BeatWatch] = {}
        self.ring = Ring(entries_max=entries_max, characters_max=characters_max)
        self.portfolios: Newest[str] = Newest()

    @property
    def lane_count(self) -> int:
        """Number of places that a cursor has."""
        return len(self._lanes)

    @property
    def positions(self) -> Cursor:
        """What has been told, empty beats included."""
        return tuple(self._positions)

    def take(self, messages: Sequence[Message], *, is_settled: bool) -> bool:
        """Take messages in the order in which each partition has them; tell whether they are news.

        is_settled : whether there is nothing more in the log.
        """
        version = self.portfolios.version
        for message in messages:
            if message.topic == PORTFOLIOS.name:
                self._take_portfolios(message)
            else:
                self._put(message)
        batches = [lane.take(is_settled=is_settled) for lane in self._lanes]
        numbered = [[(n, batch) for batch in found] for n, found in enumerate(batches)]
        for number, batch in heapq.merge(*numbered, key=lambda one: (one[1].beat, one[0])):
            self._tell(number, batch)
        return any(batches) or self.portfolios.version > version

    def ranks(self, cursor: Cursor) -> list[tuple[int, int, int] | None]:
        """Return the cursor's places in this process's order; None where it does not know one."""
        return [
            None if position is None else rank_of(position, runs)
            for position, runs in zip(cursor, self._runs, strict=True)
        ]

    def has_all_since(self, cursor: Cursor) -> bool:
        """Tell whether all that was said after a cursor is still here."""
        for lane, (position, rank) in enumerate(zip(cursor, self.ranks(cursor), strict=True)):
            floor = self._floors[lane]
            if position is not None and rank is None:
                return False
            if floor is not None and (rank is None or rank < floor):
                return False
        return True

    def _put(self, message: Message) -> None:
        topic = {FILLS.name: FILLS, DECISIONS.name: DECISIONS, ORDERS.name: ORDERS}[message.topic]
        partition = partition_of_stripe(topic, message.partition, self._topology.stripe_count)
        try:
            origin = origin_of(message)
        except ContractError:
            # Nobody knows whose it is; if its beat is missed, that is told as a hole.
            return
        number = self._numbers.get((topic.name, partition, origin.producer))
        if number is not None:
            self._lanes[number].put(origin.run_id, origin.beat, _events(message))

    def _take_portfolios(self, message: Message) -> None:
        watch = self._watches.setdefault(message.partition, BeatWatch())
        try:
            origin = origin_of(message)
            batch = decode_event(PortfolioBatch, message.value)
        except ContractError:
            return
        if watch.is_news(origin.run_id, origin.beat) and batch.portfolios:
            self.portfolios.version += 1
            for state in batch.portfolios:
                make = partial(_portfolio_text, batch.run_id, state)
                self.portfolios.put(state.account_id, make)

    def _tell(self, lane: int, batch: Batch[Event]) -> None:
        runs = self._runs[lane]
        if batch.run_id not in runs:
            runs.append(batch.run_id)
            if len(runs) == 1 and batch.beat > 0:
                self._floors[lane] = (0, batch.beat, 0)
        run = runs.index(batch.run_id)
        if batch.is_after_hole:
            self._positions[lane] = Position(batch.run_id, batch.beat, 0)
            detail = f"beats before {batch.beat} of run {batch.run_id} are missing in the log"
            self._add(Entry(lane, (run, batch.beat, 0), "", "", 0, *self._gap(detail)))
        last = len(batch.events) - 1
        for index, event in enumerate(batch.events):
            is_last = index == last
            self._positions[lane] = Position(
                batch.run_id,
                batch.beat + is_last,
                0 if is_last else index + 1,
            )
            seq = format_cursor(self._positions)
            text = (
                f'{{"type":"event","channel":"{event.channel}","kind":"{event.kind}",'
                f'"seq":"{seq}","data":{event.data}}}'
            )
            rank = (run, batch.beat, index)
            entry = Entry(lane, rank, event.channel, event.account_id, event.instrument, seq, text)
            self._add(entry)
        self._positions[lane] = Position(batch.run_id, batch.beat + 1, 0)

    def _gap(self, detail: str) -> tuple[str, str]:
        seq = format_cursor(self._positions)
        return seq, gap_text(seq, detail)

    def _add(self, entry: Entry) -> None:
        for gone in self.ring.add(entry):
            run, beat, index = gone.rank
            self._floors[gone.lane] = (run, beat, index + 1)


def gap_text(seq: str, detail: str) -> str:
    """Return the message that says that something is missing; `detail` has no quotes in it."""
    return f'{{"type":"gap","seq":"{seq}","detail":"{detail}"}}'


def _lane_keys(topology: Topology) -> list[tuple[str, int, str]]:
    shards, partitions = range(topology.shard_count), range(topology.risk_partition_count)
    return [
        *((FILLS.name, partition, f"execution-{s}") for partition in partitions for s in shards),
        *((DECISIONS.name, partition, f"risk-{partition}") for partition in partitions),
        *((ORDERS.name, shard, f"risk-{p}") for shard in shards for p in partitions),
    ]


def _events(message: Message) -> list[Event]:
    """Return a message's events; one that cannot be decoded stands for an empty one."""
    try:
        match message.topic:
            case FILLS.name:
                return list(_fill_events(decode_event(FillBatch, message.value)))
            case DECISIONS.name:
                return list(_decision_events(decode_event(DecisionBatch, message.value)))
            case _:
                return list(_order_events(decode_event(OrderBatch, message.value)))
    except ContractError:
        return []


def _fill_events(batch: FillBatch) -> Iterator[Event]:
    for fill in batch.fills:
        data = _json(fill_row(fill))
        yield Event("fills", "fill", fill.account_id, fill.instrument, data)
    for update in batch.updates:
        data = _json(order_update_row(update))
        yield Event("orders", "updated", update.account_id, update.instrument, data)


def _decision_events(batch: DecisionBatch) -> Iterator[Event]:
    for decision in batch.decisions:
        data = _json(decision_row(decision))
        yield Event("decisions", "decision", decision.account_id, decision.instrument, data)


def _order_events(batch: OrderBatch) -> Iterator[Event]:
    for order in batch.submits:
        row = order_row(
            order,
            status="pending_new",
            status_reason="none",
            status_beat=order.beat,
            cumulative_shares=0,
            leaves_shares=order.quantity_shares,
        )
        yield Event("orders", "submitted", order.account_id, order.instrument, _json(row))
    for cancel in batch.cancels:
        data = _json(cancel_row(cancel))
        yield Event("orders", "cancel_sent", cancel.account_id, cancel.instrument, data)


def _portfolio_text(run_id: str, state: PortfolioState) -> str:
    view = PortfolioView.of(CachedPortfolio(run_id, state.beat, state), "redis")
    # It is from the log, which says apart what is open.
    data = view.model_dump_json(exclude={"source", "open_orders"})
    return f'{{"type":"event","channel":"portfolios","kind":"portfolio","data":{data}}}'


def _json(row: Row) -> str:
    return json_of_row(row).decode()
