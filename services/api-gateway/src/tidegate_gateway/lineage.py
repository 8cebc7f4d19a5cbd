"""The chain of an order, read from the tables and the archive."""

from dataclasses import dataclass

import asyncpg

from tidegate_common.codec import decode_event
from tidegate_common.domain.enums import CauseKind
from tidegate_common.domain.ids import RunId
from tidegate_common.events.execution import OrderUpdate
from tidegate_common.events.portfolio import PortfolioState
from tidegate_common.events.recommendations import StrategyRecommendations
from tidegate_common.events.risk import Decision
from tidegate_common.events.trace import beat_trace_id, trace_id_text
from tidegate_common.frames.rows import BarRows, QuoteRows
from tidegate_common.store.postgres import Connection
from tidegate_common.store.reads import Reads
from tidegate_gateway.archive import FrameArchive, FramePlace, FrameRow
from tidegate_gateway.frame_log import FrameLog
from tidegate_gateway.history import stored_fill, stored_order
from tidegate_gateway.schemas.lineage import (
    FrameSource,
    FrameView,
    LineageView,
    OrderStateView,
    ScoreLineageView,
    layers_of,
)
from tidegate_gateway.schemas.market import BarView, InstrumentView, QuoteView
from tidegate_gateway.schemas.orders import DecisionView, FillView, OrderView, decision_row
from tidegate_gateway.schemas.texts import millionths_text, time_text

_OF_KEY = "WHERE run_id = $1 AND beat = $2 AND account_id = $3 AND sequence = $4"
_DECISION = f"SELECT payload FROM decisions {_OF_KEY}"  # noqa: S608  # a text of our own
_ORDER = f"""
SELECT payload, status, status_reason, status_beat, cumulative_shares, leaves_shares
FROM order_states {_OF_KEY}
"""  # noqa: S608  # a text of our own
_STATES = "SELECT payload FROM order_updates WHERE run_id = $1 AND order_id = $2 ORDER BY beat"
_FILLS = """
SELECT payload FROM fills WHERE run_id = $1 AND order_id = $2 ORDER BY beat, fill_index
"""
_BOOKS = "SELECT payload FROM portfolios WHERE run_id = $1 AND account_id = $2 AND beat = $3"
_BEAT = "SELECT trade_date, ts_event_ns FROM beats WHERE run_id = $1 AND beat = $2"
_BAR = """
SELECT * FROM bars WHERE run_id = $1 AND instrument = $2 AND beat <= $3
ORDER BY beat DESC, period_seconds LIMIT 1
"""
_REFERENCE = """
SELECT * FROM instruments WHERE run_id = $1 AND instrument = $2 AND beat <= $3
ORDER BY trade_date DESC LIMIT 1
"""
_SCORE_BEAT = """
SELECT beat FROM scores WHERE run_id = $1 AND strategy = $2 AND instrument = $3 AND beat <= $4
ORDER BY beat DESC LIMIT 1
"""
_LISTS = """
SELECT payload FROM recommendations WHERE run_id = $1 AND strategy = $2 AND beat <= $3
ORDER BY beat DESC LIMIT 1
"""
_KEY_PARTS = 4
_DIGITS_MAX = 18


@dataclass(frozen=True, slots=True)
class OrderKey:
    """What the id of an order, and of its decision, is made of."""

    run_id: str
    beat: int
    account_id: str
    sequence: int

    @classmethod
    def parse(cls, text: str) -> "OrderKey":
        """Return the key that an id is.

        Raises
        ------
        ValueError
            If the text is no such id.
        """
        parts = text.split(".")
        numbers = parts[1::2]
        is_key = len(parts) == _KEY_PARTS and all(
            number.isascii() and number.isdigit() and len(number) <= _DIGITS_MAX
            for number in numbers
        )
        if not is_key or "\0" in text:
            message = f"order_id must be run.beat.account.sequence, was {text!r}"
            raise ValueError(message)
        return cls(parts[0], int(parts[1]), parts[2], int(parts[3]))

    def __str__(self) -> str:
        """Return the id."""
        return f"{self.run_id}.{self.beat}.{self.account_id}.{self.sequence}"


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What the tables say."""

    decision: Decision
    books: PortfolioState | None
    order: OrderView | None
    states: list[OrderStateView]
    fills: list[FillView]
    beat: asyncpg.Record | None
    bar: BarView | None
    reference: InstrumentView | None
    said_since_beat: int | None
    lists: StrategyRecommendations | None


class Lineages:
    """Finds the chain of an order.

    Parameters
    ----------
    archive, log : where frames are, asked in this order; None where there is none at hand.
    """

    def __init__(
        self,
        reads: Reads,
        archive: FrameArchive | None = None,
        log: FrameLog | None = None,
    ) -> None:
        self._reads = reads
        self._frames = {FrameSource.ARCHIVE: archive, FrameSource.LOG: log}

    async def find(self, key: OrderKey) -> LineageView | None:
        """Return the chain of an order or of a rejected intent, None where there is no decision.

        Raises
        ------
        TransientError
            If PostgreSQL does not answer in time.
        """
        found = await self._reads.run(lambda connection: _read(connection, key))
        if found is None:
            return None
        decision = found.decision
        is_score = decision.cause_kind is CauseKind.SCORE
        return LineageView(
            run_id=key.run_id,
            trace_id=trace_id_text(beat_trace_id(RunId(key.run_id), decision.beat)),
            frame=await self._frame(key.run_id, found),
            score=_score(found) if is_score else None,
            request_id=None if is_score else decision.cause,
            decision=DecisionView.model_validate(decision_row(decision)),
            layers=layers_of(decision, found.books.usage if found.books else ()),
            order=found.order,
            states=found.states,
            fills=found.fills,
        )

    async def _frame(self, run_id: str, found: _Recorded) -> FrameView:
        decision, beat = found.decision, found.beat
        row, source = None, FrameSource.RECORDED
        for asked, frames in self._frames.items():
            if row is None and frames and beat:
                source = asked
                place = FramePlace(
                    run_id=run_id,
                    trade_date=beat["trade_date"],
                    beat=_frame_beat(decision),
                    instrument=decision.instrument,
                )
                row = await frames.row(place)
        quote, bar = _shown(row) if row else (None, found.bar)
        return FrameView(
            beat=_frame_beat(decision),
            trade_date=beat["trade_date"] if beat else None,
            ts_event_ns=beat["ts_event_ns"] if beat else None,
            time=time_text(beat["ts_event_ns"]) if beat else None,
            source=source if row else FrameSource.RECORDED,
            quote_beat=row.stamp.beat if row else (bar.beat if bar else None),
            quote=quote,
            bar=bar,
            instrument=found.reference,
        )


async def _read(connection: Connection, key: OrderKey) -> _Recorded | None:
    place = (key.run_id, key.beat, key.account_id, key.sequence)
    payload = await connection.fetchval(_DECISION, *place)
    if payload is None:
        return None
    decision = decode_event(Decision, payload)
    instrument, beat = decision.instrument, _frame_beat(decision)
    books = await connection.fetchval(_BOOKS, key.run_id, key.account_id, key.beat)
    order = await connection.fetchrow(_ORDER, *place)
    updates = await connection.fetch(_STATES, key.run_id, str(key))
    fills = await connection.fetch(_FILLS, key.run_id, str(key))
    bar = await connection.fetchrow(_BAR, key.run_id, instrument, beat)
    reference = await connection.fetchrow(_REFERENCE, key.run_id, instrument, beat)
    lists = await connection.fetchval(_LISTS, key.run_id, decision.cause, beat)
    score = (key.run_id, decision.cause, instrument, decision.score_beat)
    return _Recorded(
        decision=decision,
        books=decode_event(PortfolioState, books) if books else None,
        order=OrderView.model_validate(stored_order(order)) if order else None,
        states=[OrderStateView.of(decode_event(OrderUpdate, row["payload"])) for row in updates],
        fills=[FillView.model_validate(stored_fill(row)) for row in fills],
        beat=await connection.fetchrow(_BEAT, key.run_id, beat),
        bar=BarView.of(bar) if bar else None,
        reference=InstrumentView.of(reference) if reference else None,
        said_since_beat=await connection.fetchval(_SCORE_BEAT, *score),
        lists=decode_event(StrategyRecommendations, lists) if lists else None,
    )


def _frame_beat(decision: Decision) -> int:
    """Return the beat of the frame that made risk look: that of the score, or the decision's."""
    is_score = decision.cause_kind is CauseKind.SCORE
    return decision.score_beat if is_score else decision.beat


def _score(found: _Recorded) -> ScoreLineageView:
    decision = found.decision
    entries = [*found.lists.top, *found.lists.bottom] if found.lists else []
    reasons = [one.reasons_e6 for one in entries if one.instrument == decision.instrument]
    told = {name: millionths_text(e6) for name, e6 in reasons[0].items()} if reasons else None
    return ScoreLineageView(
        strategy=decision.cause,
        score=millionths_text(decision.score_e6),
        beat=decision.score_beat,
        said_since_beat=found.said_since_beat,
        reasons=told,
    )


def _shown(row: FrameRow) -> tuple[QuoteView | None, BarView | None]:
    """Return the quote or the bar of a row."""
    if isinstance(row.rows, QuoteRows):
        return QuoteView.of(row.rows, 0), None
    assert isinstance(row.rows, BarRows), "quotes and bars are asked for"
    return None, BarView.of_frame(row.rows, 0, row.stamp)
