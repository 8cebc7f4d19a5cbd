"""From scores to intents: which positions a strategy wants, at what size and price.

The method `threshold`: a score at or above the entry threshold opens a position of the target
weight where the account has none; one at or below the exit threshold sells the whole holding. An
instrument in which an order works is left alone, and so is one on which the strategy had a decision
within the cooldown. The other methods are in `rebalance.py`; what makes an intent is here.
"""

from dataclasses import dataclass, replace

import numpy as np

from tidegate_common.domain.enums import (
    BeatKind,
    CauseKind,
    Exchange,
    LimitState,
    OrderType,
    Side,
    TimeInForce,
)
from tidegate_common.domain.ids import EXCHANGE_STEP
from tidegate_common.domain.units import BPS, PRICE_E4_PER_FEN
from tidegate_common.events.run import ConstructionSpec
from tidegate_common.frames.frame import BeatStamp, ScoreBatch
from tidegate_common.market.fees import FeeSchedule
from tidegate_common.market.lots import lot_rule, price_tick_e4, round_down_buy
from tidegate_risk.engine.intent import Intent
from tidegate_risk.engine.portfolio import Account
from tidegate_risk.engine.state import Listing, Market, nearest_price_e4
from tidegate_risk.engine.targets import StrategyList


@dataclass(frozen=True, slots=True)
class Wish:
    """What one score asks an account to do."""

    side: Side
    instrument: int
    score_e6: int


@dataclass(frozen=True, slots=True)
class StrategyScores:
    """Scores of one strategy that ask for something.

    beat : of the scores.
    entries : (score, instrument), highest score first, then by instrument.
    exits : score by instrument.
    """

    strategy: str
    beat: int
    entries: tuple[tuple[int, int], ...]
    exits: dict[int, int]


# What a strategy asks for, by either way of reading its scores.
Asked = StrategyScores | StrategyList


def read_scores(
    scores: ScoreBatch,
    strategies: tuple[str, ...],
    spec: ConstructionSpec,
) -> tuple[StrategyScores, ...]:
    """Return what each strategy of the run asks for, in the run's order."""
    return tuple(
        _read_strategy(scores, name, scores.strategies.index(name), spec)
        for name in strategies
        if name in scores.strategies
    )


def wishes_of(
    asked: StrategyScores,
    account: Account,
    *,
    beat: int,
    cooldown_beats: int,
) -> list[Wish]:
    """Return what a strategy wants of an account: sells, then buys, highest scores first."""

    def can_act(instrument: int) -> bool:
        interest = asked.strategy, instrument
        return account.can_act(interest, beat=beat, cooldown_beats=cooldown_beats)

    held = dict.fromkeys(account.ledger.instruments.tolist())
    exits = [
        (-asked.exits[instrument], instrument)
        for instrument in held
        if instrument in asked.exits and can_act(instrument)
    ]
    sells = [Wish(Side.SELL, instrument, -negative) for negative, instrument in sorted(exits)]
    buys = [
        Wish(Side.BUY, instrument, score)
        for score, instrument in asked.entries
        if instrument not in held and can_act(instrument)
    ]
    return sells + buys


class Constructor:
    """Makes intents of wishes for the accounts of a run."""

    def __init__(self, spec: ConstructionSpec, fees: FeeSchedule) -> None:
        self._spec = spec
        self._fees = fees

    def intent_of(
        self,
        wish: Wish,
        asked: StrategyScores,
        account: Account,
        market: Market,
        stamp: BeatStamp,
    ) -> Intent:
        """Return the intent of a wish; its quantity is 0 where not even one lot fits."""
        if wish.side is Side.BUY:
            target_fen = account.ledger.nav_fen * self._spec.target_weight_bps // BPS
            intent = self.buy(wish, asked, account, market, stamp, target_fen=target_fen)
        else:
            listing = market.listing(wish.instrument)
            quantity_shares = _sell_shares(account, listing, stamp.trade_date)
            intent = self.intent(wish, asked, market, stamp, quantity_shares=quantity_shares)
        return intent

    def buy(
        self,
        wish: Wish,
        asked: Asked,
        account: Account,
        market: Market,
        stamp: BeatStamp,
        *,
        target_fen: int,
    ) -> Intent:
        """Return a buy of so much value in lots, or of as much as the cash above the buffer pays.

        Where the cash pays not even one lot, the value's comes back: the cash check then says why.
        """
        intent = self.intent(wish, asked, market, stamp)
        reserve_fen = max(0, account.ledger.nav_fen) * self._spec.cash_buffer_bps // BPS
        quantity_shares = self._buy_shares(
            account,
            market.listing(wish.instrument),
            stamp,
            price_e4=intent.price_e4,
            target_fen=target_fen,
            reserve_fen=reserve_fen,
        )
        return replace(intent, quantity_shares=quantity_shares, cash_reserve_fen=reserve_fen)

    def intent(
        self,
        wish: Wish,
        asked: Asked,
        market: Market,
        stamp: BeatStamp,
        *,
        quantity_shares: int = 0,
    ) -> Intent:
        """Return the intent of so many shares."""
        listing = market.listing(wish.instrument)
        cage = market.price_cage(wish.instrument)
        wanted_e4 = self._price_e4(wish.side, listing, stamp.kind)
        return Intent(
            instrument=wish.instrument,
            side=wish.side,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.DAY,
            price_e4=nearest_price_e4(cage, wish.side, wanted_e4),
            quantity_shares=quantity_shares,
            cause_kind=CauseKind.SCORE,
            cause=asked.strategy,
            score_e6=wish.score_e6,
            score_beat=asked.beat,
        )

    def _price_e4(self, side: Side, listing: Listing, kind: BeatKind) -> int:
        if kind is BeatKind.TICK:
            best_e4 = listing.ask_e4 if side is Side.BUY else listing.bid_e4
            return best_e4 or listing.mark_e4
        return _offset_price_e4(side, listing, self._spec.price_offset_bps)

    def _buy_shares(
        self,
        account: Account,
        listing: Listing,
        stamp: BeatStamp,
        *,
        price_e4: int,
        target_fen: int,
        reserve_fen: int,
    ) -> int:
        if price_e4 <= 0:
            return 0
        target_shares = target_fen * PRICE_E4_PER_FEN // price_e4
        cash_fen = max(0, account.ledger.available_fen - reserve_fen)
        # Fees grow with the amount and the shares, so those of the whole cash, and of a share more
        # than it pays, bound those of what it pays.
        bound_fen = self._fees.buy_cost_bound_fen(
            amount_fen=cash_fen,
            quantity_shares=cash_fen * PRICE_E4_PER_FEN // price_e4 + 1,
            exchange=Exchange(listing.instrument // EXCHANGE_STEP),
            board=listing.board,
            trade_date=stamp.trade_date,
        )
        fees_fen = bound_fen - cash_fen
        payable_shares = (cash_fen - fees_fen) * PRICE_E4_PER_FEN // price_e4
        wanted_shares, bought_shares = (
            round_down_buy(shares, listing.board, trade_date=stamp.trade_date)
            for shares in (target_shares, min(target_shares, payable_shares))
        )
        return bought_shares or wanted_shares


def _read_strategy(
    scores: ScoreBatch,
    name: str,
    number: int,
    spec: ConstructionSpec,
) -> StrategyScores:
    # Scores are sorted by strategy, so one strategy's are a slice.
    start, stop = np.searchsorted(scores.strategy, [number, number + 1])
    instrument = scores.instrument[start:stop]
    score = scores.score_e6[start:stop]
    enters = np.flatnonzero(score >= spec.enter_score_e6)
    enters = enters[np.lexsort((instrument[enters], -score[enters]))]
    exits = score <= spec.exit_score_e6
    return StrategyScores(
        strategy=name,
        beat=scores.stamp.beat,
        entries=tuple(
            zip(score[enters].tolist(), instrument[enters].tolist(), strict=True),
        ),
        exits=dict(zip(instrument[exits].tolist(), score[exits].tolist(), strict=True)),
    )


def _sell_shares(account: Account, listing: Listing, trade_date: int) -> int:
    """Return the whole holding, or the largest order of the board."""
    held_shares = account.ledger.quantity_shares(listing.instrument)
    largest_shares = lot_rule(listing.board, trade_date).max_limit_shares
    return min(held_shares, largest_shares) if largest_shares else held_shares


def _offset_price_e4(side: Side, listing: Listing, offset_bps: int) -> int:
    """Return the mark moved against us, rounded on outwards to the tick, within the limits."""
    tick_e4 = price_tick_e4(listing.board)
    scale = BPS * tick_e4
    if side is Side.BUY:
        ticks = -(-listing.mark_e4 * (BPS + offset_bps) // scale)
    else:
        ticks = listing.mark_e4 * (BPS - offset_bps) // scale
    price_e4 = ticks * tick_e4
    if listing.limit_state is LimitState.LIMITED:
        price_e4 = min(max(price_e4, listing.limit_down_e4), listing.limit_up_e4)
    return price_e4
