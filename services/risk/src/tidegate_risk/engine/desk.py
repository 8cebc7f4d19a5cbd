"""Turns one account's intents of one beat into decisions and orders, in order."""

from dataclasses import dataclass

import numpy as np

from tidegate_common.domain.enums import (
    AccountState,
    BeatKind,
    CauseKind,
    Layer,
    OrderType,
    Outcome,
    Reason,
    Side,
    Unit,
)
from tidegate_common.domain.ids import DecisionId, RequestId, id_prefix
from tidegate_common.domain.units import Int64Array
from tidegate_common.events.orders import CancelOrder, CancelRequest, OrderRequest, SubmitOrder
from tidegate_common.events.risk import Decision
from tidegate_common.events.run import ConstructionSpec
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.market.programme_trading import ProgrammeTradingThresholds
from tidegate_risk.engine.intent import Intents
from tidegate_risk.engine.kernels import decide
from tidegate_risk.engine.layout import (
    ACCEPTED,
    ADV,
    AT,
    CODE,
    DAY_COUNT,
    FALL_LATCHED,
    FIRST_ANSWER,
    HIGH_WATER,
    INSIDE_BAND,
    INT64_MAX,
    LOSS_LATCHED,
    NAV,
    OPENING_NAV,
    OVER_ADV,
    OVER_FALL,
    OVER_LEVERAGE,
    OVER_LOSS,
    OVER_POSITION,
    OVER_SECTOR,
    OVER_TURNOVER,
    SECOND_COUNT,
    TRADED,
    TRADED_MAX,
    VERDICT_COLUMNS,
)
from tidegate_risk.engine.portfolio import Account, OpenOrder
from tidegate_risk.engine.ratios import ratio_bps_up
from tidegate_risk.engine.state import Cadence, Market

# By code, as `layout.py` numbers them.
VERDICTS: tuple[tuple[Layer, Reason, Unit], ...] = (
    (Layer.VALIDITY, Reason.NONE, Unit.NONE),
    (Layer.VALIDITY, Reason.ACCOUNT_HALTED, Unit.NONE),
    (Layer.VALIDITY, Reason.ORDER_RATE_LIMIT, Unit.MESSAGES),
    (Layer.VALIDITY, Reason.DAILY_ORDER_LIMIT, Unit.MESSAGES),
    (Layer.VALIDITY, Reason.UNKNOWN_INSTRUMENT, Unit.NONE),
    (Layer.VALIDITY, Reason.SUSPENDED, Unit.NONE),
    (Layer.VALIDITY, Reason.MISSING_MARK, Unit.PRICE_E4),
    (Layer.VALIDITY, Reason.STALE_MARK, Unit.BEATS),
    (Layer.VALIDITY, Reason.UNKNOWN_PRICE_LIMIT, Unit.NONE),
    (Layer.VALIDITY, Reason.BAD_PRICE_TICK, Unit.PRICE_E4),
    (Layer.VALIDITY, Reason.OUTSIDE_PRICE_LIMIT, Unit.PRICE_E4),
    (Layer.VALIDITY, Reason.UNKNOWN_PRICE_CAGE, Unit.NONE),
    (Layer.VALIDITY, Reason.OUTSIDE_PRICE_CAGE, Unit.PRICE_E4),
    (Layer.VALIDITY, Reason.SELF_TRADE, Unit.PRICE_E4),
    (Layer.VALIDITY, Reason.BAD_LOT, Unit.SHARES),
    (Layer.VALIDITY, Reason.ST_BUY_CAP, Unit.SHARES),
    (Layer.VALIDITY, Reason.NOT_SELLABLE, Unit.SHARES),
    (Layer.VALIDITY, Reason.NOT_ENOUGH_CASH, Unit.FEN),
    (Layer.VALIDITY, Reason.ACCOUNT_REDUCING, Unit.NONE),
    (Layer.MARKET_HOURS, Reason.MARKET_CLOSED, Unit.NONE),
    (Layer.POSITION_SIZE, Reason.POSITION_LIMIT, Unit.BPS),
    (Layer.POSITION_SIZE, Reason.UNKNOWN_ADV, Unit.NONE),
    (Layer.POSITION_SIZE, Reason.ADV_LIMIT, Unit.BPS),
    (Layer.DAILY_LOSS, Reason.DAILY_LOSS_LIMIT, Unit.BPS),
    (Layer.DAILY_LOSS, Reason.ACCOUNT_REDUCING, Unit.BPS),
    (Layer.DRAWDOWN, Reason.DRAWDOWN_LIMIT, Unit.BPS),
    (Layer.DRAWDOWN, Reason.ACCOUNT_REDUCING, Unit.BPS),
    (Layer.SECTOR_CONCENTRATION, Reason.UNKNOWN_SECTOR, Unit.NONE),
    (Layer.SECTOR_CONCENTRATION, Reason.SECTOR_LIMIT, Unit.BPS),
    (Layer.LEVERAGE, Reason.LEVERAGE_LIMIT, Unit.BPS),
    (Layer.VALIDITY, Reason.BAD_ORDER_TYPE, Unit.NONE),
    (Layer.VALIDITY, Reason.INSIDE_BAND, Unit.BPS),
    (Layer.VALIDITY, Reason.TURNOVER_LIMIT, Unit.BPS),
    (Layer.VALIDITY, Reason.UNKNOWN_VOLATILITY, Unit.NONE),
)
# Of what whole the observed value is a part, and is to be told in basis points.
_WHOLES = {
    OVER_POSITION: NAV,
    OVER_LOSS: OPENING_NAV,
    LOSS_LATCHED: OPENING_NAV,
    OVER_FALL: HIGH_WATER,
    FALL_LATCHED: HIGH_WATER,
    OVER_SECTOR: NAV,
    OVER_LEVERAGE: NAV,
}


# By name, because to ask an enum's class for a member takes as long as to make a record.
_ACCEPTED, _REJECTED = Outcome.ACCEPTED, Outcome.REJECTED
_SCORE, _BPS, _REDUCING = CauseKind.SCORE, Unit.BPS, AccountState.REDUCING
_TICK_BEAT, _TICK_RUN = BeatKind.TICK, Cadence.TICK
_NOTHING: Int64Array = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Rules:
    """What every intent of a beat is judged by, besides the market.

    thresholds : from how many messages on an account counts as a high-frequency trader today.
    """

    construction: ConstructionSpec
    thresholds: ProgrammeTradingThresholds | None = None


class Desk:
    """One account in one beat: numbers its decisions and reserves for its orders."""

    def __init__(self, account: Account, market: Market, rules: Rules, stamp: BeatStamp) -> None:
        self.submits: list[SubmitOrder] = []
        self.cancels: list[CancelOrder] = []
        self.decisions: list[Decision] = []
        self._account = account
        self._market = market
        self._rules = rules
        self._stamp = stamp
        self._prefix = id_prefix(stamp.run_id, stamp.beat, account.account_id)
        # From when something is to be decided on; changed by what is reserved.
        self._numbers = _NOTHING

    def decide(self, intents: Intents) -> None:
        """Pass intents through all checks, each stopping at the first that fails."""
        if not intents.asks:
            return
        if not len(self._numbers):
            self._numbers = self._read_numbers()
        if intents.cause_kind is not _SCORE:
            self._judge(intents)
            return
        # What a strategy asks for is of one cause.
        strategy, numbers, sleeves = intents.asks[0][2], self._numbers, self._account.sleeves
        traded_fen = sleeves.traded_fen.get(strategy, 0)
        numbers[TRADED], numbers[TRADED_MAX] = traded_fen, intents.turnover_fen_max
        rows, beat = self._judge(intents), self._stamp.beat
        sleeves.count_order(strategy, int(numbers[TRADED]) - traded_fen)
        decided = self._account.decided.setdefault(strategy, {})
        for row, ask in zip(rows, intents.asks, strict=True):
            if row[CODE] < FIRST_ANSWER:
                decided[ask[0]] = beat

    def refuse_order(self, request: OrderRequest, reason: Reason) -> None:
        """Write down why an order request is not looked at."""
        self._refuse(
            request.request_id,
            reason,
            instrument=request.instrument,
            side=request.side,
            order_type=request.order_type,
            price_e4=request.price_e4,
            quantity_shares=request.quantity_shares,
        )

    def refuse_cancel(
        self,
        request: CancelRequest,
        order: OpenOrder | None,
        reason: Reason,
    ) -> None:
        """Write down why a cancel request is not obeyed; zeros where there is no order."""
        self._refuse(
            request.request_id,
            reason,
            instrument=order.instrument if order else 0,
            side=order.side if order else Side.SELL,
        )

    def cancel(self, order: OpenOrder) -> None:
        """Ask the exchange to cancel a working order; cancels are numbered apart."""
        order.cancel_beat = self._stamp.beat
        self._account.activity.count_messages(self._stamp.ts_event_ns, 1)
        if len(self._numbers):
            self._numbers[SECOND_COUNT] += 1
            self._numbers[DAY_COUNT] += 1
        self.cancels.append(
            CancelOrder(
                order_id=order.order_id,
                beat=self._stamp.beat,
                account_id=self._account.account_id,
                sequence=len(self.cancels),
                instrument=order.instrument,
                ts_event_ns=self._stamp.ts_event_ns,
            ),
        )

    def _read_numbers(self) -> Int64Array:
        """Return the account in this beat, in the order of `layout.py`."""
        account, market, stamp = self._account, self._market, self._stamp
        ledger, standing, limits = account.ledger, account.standing, account.limits
        thresholds = self._rules.thresholds
        return np.array(
            (
                stamp.beat,
                stamp.kind is _TICK_BEAT,
                market.cadence is _TICK_RUN,
                market.is_after_close,
                market.is_classified,
                self._rules.construction.price_offset_bps,
                standing.is_halted,
                standing.has_command(_REDUCING),
                standing.is_loss_latched,
                standing.is_drawdown_latched,
                account.activity.messages_in_second(stamp.ts_event_ns),
                thresholds.messages_per_second - 1 if thresholds else INT64_MAX,
                account.activity.day_count,
                thresholds.messages_per_day - 1 if thresholds else INT64_MAX,
                ledger.available_fen,
                ledger.nav_fen,
                ledger.opening_nav_fen,
                ledger.high_water_fen,
                ledger.gross_fen + sum(account.buying_fen.values()),
                # Of the strategy whose turn it is.
                0,
                0,
                limits.stale_beats_max,
                limits.position_bps_max,
                limits.adv_bps_max,
                limits.daily_loss_bps_max,
                limits.drawdown_bps_max,
                limits.sector_bps_max,
                limits.leverage_bps_max,
            ),
            np.int64,
        )

    def _judge(self, intents: Intents) -> list[list[int]]:
        """Decide, write it down, send what was accepted, and return the verdicts."""
        market = self._market
        sectors_fen = self._account.sectors_fen(market)
        verdicts: Int64Array = np.empty((len(intents.columns), VERDICT_COLUMNS), np.int64)
        decide(intents.columns, market.table, market.rules, self._numbers, sectors_fen, verdicts)
        rows: list[list[int]] = verdicts.tolist()
        accepted = self._write(intents, rows)
        if accepted:
            self._send(intents, rows, accepted)
        return rows

    def _write(self, intents: Intents, rows: list[list[int]]) -> list[tuple[int, int]]:
        """Make decisions of verdicts, and return number and row of what was accepted."""
        account, stamp, prefix = self._account, self._stamp, self._prefix
        beat, ts_event_ns, account_id = stamp.beat, stamp.ts_event_ns, account.account_id
        cause_kind, score_beat = intents.cause_kind, intents.score_beat
        nav_fen, decisions = account.ledger.nav_fen, self.decisions
        accepted = []
        sequence = len(decisions)
        for at, (row, ask) in enumerate(zip(rows, intents.asks, strict=True)):
            code, price_e4, shares, _, _, _, observed, limit = row
            instrument, side, cause, score_e6, order_type, _ = ask
            layer, reason, unit = VERDICTS[code]
            name, outcome, order = f"{prefix}{sequence}", _REJECTED, ""
            if code == ACCEPTED:
                outcome, order = _ACCEPTED, name
                accepted.append((sequence, at))
            elif code >= FIRST_ANSWER and not account.sleeves.is_news(cause, instrument, reason):
                continue
            elif unit is _BPS:
                observed, limit = self._share_bps(intents, at, code, part=observed, limit=limit)
            # By position, which is the quicker way.
            decision = Decision(
                name,  # type: ignore[arg-type]  # to call DecisionId takes as long as the name
                beat,
                account_id,
                sequence,
                instrument,
                side,
                order_type,
                price_e4,
                shares,
                outcome,
                layer,
                reason,
                observed,
                limit,
                unit,
                nav_fen,
                cause_kind,
                cause,
                score_e6,
                score_beat,
                order,
                ts_event_ns,
            )
            decisions.append(decision)
            sequence += 1
        return accepted

    def _send(
        self,
        intents: Intents,
        rows: list[list[int]],
        accepted: list[tuple[int, int]],
    ) -> None:
        """Reserve for what was accepted, and make the exchange's orders of it."""
        account, stamp, decisions = self._account, self._stamp, self.decisions
        beat, ts_event_ns, account_id = stamp.beat, stamp.ts_event_ns, account.account_id
        is_score = intents.cause_kind is _SCORE
        orders = []
        for sequence, at in accepted:
            _, price_e4, shares, bound_e4, value_fen, needed_fen, _, _ = rows[at]
            instrument, side, cause, _, order_type, time_in_force = intents.asks[at]
            # An order has the name of its decision.
            name = decisions[sequence].order_id
            order = OpenOrder(
                name,  # type: ignore[arg-type]  # as above
                beat,
                instrument,
                side,
                bound_e4,
                shares,
                cause if is_score else "",
            )
            orders.append((order, value_fen, needed_fen))
            submit = SubmitOrder(
                name,  # type: ignore[arg-type]  # as above
                name,  # type: ignore[arg-type]  # as above
                beat,
                account_id,
                sequence,
                instrument,
                side,
                order_type,
                time_in_force,
                price_e4,
                shares,
                ts_event_ns,
            )
            self.submits.append(submit)
        account.reserve(orders, is_for_next_day=self._market.is_after_close)
        account.activity.count_messages(ts_event_ns, len(orders))

    def _share_bps(
        self,
        intents: Intents,
        at: int,
        code: int,
        *,
        part: int,
        limit: int,
    ) -> tuple[int, int]:
        """Return a part of its whole in basis points, and the limit that it exceeds."""
        spec = self._rules.construction
        if code == INSIDE_BAND:
            return ratio_bps_up(part, intents.capital_fen), spec.rebalance_band_bps
        if code == OVER_TURNOVER:
            return ratio_bps_up(part, intents.capital_fen), spec.turnover_bps_max
        if code == OVER_ADV:
            whole = self._market.table[intents.columns[at, AT], ADV]
        else:
            whole = self._numbers[_WHOLES[code]]
        return ratio_bps_up(part, int(whole)), limit

    def _refuse(
        self,
        request_id: RequestId,
        reason: Reason,
        *,
        instrument: int,
        side: Side,
        order_type: OrderType = OrderType.LIMIT,
        price_e4: int = 0,
        quantity_shares: int = 0,
    ) -> None:
        stamp, account, sequence = self._stamp, self._account, len(self.decisions)
        self.decisions.append(
            Decision(
                decision_id=DecisionId(f"{self._prefix}{sequence}"),
                beat=stamp.beat,
                account_id=account.account_id,
                sequence=sequence,
                instrument=instrument,
                side=side,
                order_type=order_type,
                price_e4=price_e4,
                quantity_shares=quantity_shares,
                outcome=Outcome.REJECTED,
                layer=Layer.VALIDITY,
                reason=reason,
                observed=0,
                limit=0,
                unit=Unit.NONE,
                nav_fen=account.ledger.nav_fen,
                cause_kind=CauseKind.REQUEST,
                cause=request_id,
                score_e6=0,
                score_beat=-1,
                order_id="",
                ts_event_ns=stamp.ts_event_ns,
            ),
        )
