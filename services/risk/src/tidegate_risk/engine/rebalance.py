"""From target positions to intents: the way from what a strategy holds to what it wants.

A strategy's list of a beat is its target. Of each instrument in it that is wanted or held:

- Sells first, highest scores first, then by instrument; then buys in the order of the list.
- A working order and a cooldown that is not over leave it alone; their decisions are in the log.
- Within the band of its target, or less than a lot from it, a wanted holding stays as it is.
- A sell is of the strategy's own shares that can be sold, in lots, or with all that is odd.
- A buy is in lots, of what the target, the cash and the day's turnover leave.

What is left alone because of the band, the turnover or an unknown volatility gets a rejection with
that reason, once a day for each strategy, instrument and reason: an answer, not a flood.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tidegate_common.domain.enums import Layer, Reason, Side, Unit
from tidegate_common.domain.units import BPS, PRICE_E4_PER_FEN, notional_fen
from tidegate_common.events.run import ConstructionSpec
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.market.lots import is_valid_sell, round_down_buy
from tidegate_risk.engine.case import ratio_bps_up
from tidegate_risk.engine.construction import Constructor, Wish
from tidegate_risk.engine.desk import Desk
from tidegate_risk.engine.intent import Intent, Refusal
from tidegate_risk.engine.portfolio import Account
from tidegate_risk.engine.state import Listing, Market
from tidegate_risk.engine.targets import StrategyList, capital_fen, targets_of


@dataclass(frozen=True, slots=True)
class _Move:
    """From what is held to what is wanted, in one instrument."""

    wish: Wish
    held_shares: int
    held_fen: int
    target_fen: int

    @property
    def change_fen(self) -> int:
        return self.target_fen - self.held_fen

    @property
    def is_adjustment(self) -> bool:
        """Whether the instrument is held and wanted, in another size perhaps."""
        return self.held_shares > 0 and self.target_fen > 0


@dataclass(frozen=True, slots=True)
class _Scene:
    """One strategy, account and beat."""

    listed: StrategyList
    desk: Desk
    account: Account
    market: Market
    stamp: BeatStamp
    capital_fen: int


class Rebalancer:
    """Moves what strategies hold to what they want, in the accounts of a run.

    Parameters
    ----------
    fractions_bps : part of an account that is a strategy's, by name.
    """

    def __init__(
        self,
        spec: ConstructionSpec,
        constructor: Constructor,
        fractions_bps: dict[str, int],
    ) -> None:
        self._spec = spec
        self._constructor = constructor
        self._fractions_bps = fractions_bps

    def act(
        self,
        listed: StrategyList,
        desk: Desk,
        account: Account,
        market: Market,
        stamp: BeatStamp,
    ) -> None:
        """Decide on all that a strategy's list asks of an account."""
        capital = capital_fen(
            account.ledger.nav_fen,
            self._fractions_bps[listed.strategy],
            self._spec.cash_buffer_bps,
        )
        scene = _Scene(listed, desk, account, market, stamp, capital)
        held_shares = account.sleeves.shares_of(listed.strategy)
        marks_e4 = _marks_e4(account)
        held_fen = {
            instrument: notional_fen(marks_e4[instrument], shares)
            for instrument, shares in held_shares.items()
        }
        targets = targets_of(listed, held_fen, budget_fen=capital, top_n=self._spec.top_n)
        moves = [
            _Move(
                Wish(
                    Side.BUY if value_fen > held_fen.get(each, -1) else Side.SELL,
                    each,
                    listed.scores[each],
                ),
                held_shares.get(each, 0),
                held_fen.get(each, 0),
                value_fen,
            )
            for each, value_fen in targets.value_fen.items()
        ]
        for move in _in_order(moves):
            self._take(scene, move)
        for instrument in targets.unknown:
            wish = Wish(Side.BUY, instrument, listed.scores[instrument])
            self._answer(scene, wish, Refusal(Layer.VALIDITY, Reason.UNKNOWN_VOLATILITY))

    def _take(self, scene: _Scene, move: _Move) -> None:
        account, stamp = scene.account, scene.stamp
        interest = scene.listed.strategy, move.wish.instrument
        cooldown_beats = self._spec.cooldown_beats
        if not account.can_act(interest, beat=stamp.beat, cooldown_beats=cooldown_beats):
            return
        if self._is_inside_band(scene, move):
            made = None
        else:
            made = (self._buy if move.wish.side is Side.BUY else self._sell)(scene, move)
        if made is None:
            self._answer(scene, move.wish, self._inside_band(scene, move))
        elif isinstance(made, Refusal):
            self._answer(scene, move.wish, made)
        else:
            scene.desk.decide(made)
            account.decided[interest] = stamp.beat

    def _buy(self, scene: _Scene, move: _Move) -> Intent | Refusal | None:
        """Return what to ask for, why not, or None where a holding is less than a lot away."""
        intent = self._constructor.buy(
            move.wish,
            scene.listed,
            scene.account,
            scene.market,
            scene.stamp,
            target_fen=move.change_fen,
        )
        if not intent.quantity_shares:
            return None if move.is_adjustment else intent
        traded_fen = scene.account.sleeves.traded_fen.get(scene.listed.strategy, 0)
        limit_fen = scene.capital_fen * self._spec.turnover_bps_max // BPS
        left_shares = max(0, limit_fen - traded_fen) * PRICE_E4_PER_FEN // intent.price_e4
        if intent.quantity_shares <= left_shares:
            return intent
        board = scene.market.listing(intent.instrument).board
        date = scene.stamp.trade_date
        quantity_shares = round_down_buy(left_shares, board, trade_date=date)
        if quantity_shares:
            return replace(intent, quantity_shares=quantity_shares)
        wanted_fen = traded_fen + notional_fen(intent.price_e4, intent.quantity_shares)
        return Refusal(
            Layer.VALIDITY,
            Reason.TURNOVER_LIMIT,
            ratio_bps_up(wanted_fen, scene.capital_fen),
            self._spec.turnover_bps_max,
            Unit.BPS,
        )

    def _sell(self, scene: _Scene, move: _Move) -> Intent | None:
        """Return a sell of whole lots; where none can be, of all that is wanted: a check says why.

        None where a holding is less than a lot away. What an adjustment keeps is rounded down, as
        what a buy gets is.
        """
        kept_shares = move.held_shares * move.target_fen // max(1, move.held_fen)
        wanted_shares = move.held_shares - kept_shares
        listing = scene.market.listing(move.wish.instrument)
        sellable_shares = scene.account.ledger.sellable_shares(
            listing.instrument,
            is_for_next_day=scene.market.is_after_close,
        )
        quantity_shares = largest_sell_shares(
            listing,
            wanted_shares=wanted_shares,
            sellable_shares=sellable_shares,
            trade_date=scene.stamp.trade_date,
        )
        if not quantity_shares and move.is_adjustment and wanted_shares <= sellable_shares:
            return None
        return self._constructor.intent(
            move.wish,
            scene.listed,
            scene.market,
            scene.stamp,
            quantity_shares=quantity_shares or wanted_shares,
        )

    def _is_inside_band(self, scene: _Scene, move: _Move) -> bool:
        change_fen, band_bps = abs(move.change_fen), self._spec.rebalance_band_bps
        return move.is_adjustment and change_fen * BPS <= band_bps * scene.capital_fen

    def _inside_band(self, scene: _Scene, move: _Move) -> Refusal:
        return Refusal(
            Layer.VALIDITY,
            Reason.INSIDE_BAND,
            ratio_bps_up(abs(move.change_fen), scene.capital_fen),
            self._spec.rebalance_band_bps,
            Unit.BPS,
        )

    def _answer(self, scene: _Scene, wish: Wish, refusal: Refusal) -> None:
        """Write a rejection of no quantity, unless the day has it already."""
        name, sleeves = scene.listed.strategy, scene.account.sleeves
        if sleeves.is_news(name, wish.instrument, refusal.reason):
            intent = self._constructor.intent(wish, scene.listed, scene.market, scene.stamp)
            scene.desk.refuse(intent, refusal)


def largest_sell_shares(
    listing: Listing,
    *,
    wanted_shares: int,
    sellable_shares: int,
    trade_date: int,
) -> int:
    """Return the largest valid sell of not more than wanted, 0 where none is.

    Parameters
    ----------
    sellable_shares : all that the account can sell; what is odd in it goes in one order.
    """

    def whole(shares: int) -> int:
        return round_down_buy(shares, listing.board, trade_date=trade_date)

    most_shares = min(wanted_shares, sellable_shares)
    odd_shares = sellable_shares - whole(sellable_shares)
    with_odd = odd_shares + whole(most_shares - odd_shares)
    return max(
        (
            shares
            for shares in (whole(most_shares), with_odd)
            if shares <= most_shares
            and is_valid_sell(
                quantity_shares=shares,
                sellable_shares=sellable_shares,
                board=listing.board,
                trade_date=trade_date,
            )
        ),
        default=0,
    )


def _in_order(moves: list[_Move]) -> Iterator[_Move]:
    """Yield sells, highest scores first, then by instrument; then buys, as they came."""
    sells = [move for move in moves if move.wish.side is Side.SELL]
    yield from sorted(sells, key=lambda move: (-move.wish.score_e6, move.wish.instrument))
    yield from (move for move in moves if move.wish.side is Side.BUY)


def _marks_e4(account: Account) -> dict[int, int]:
    ledger = account.ledger
    return dict(zip(ledger.instruments.tolist(), ledger.marks_e4.tolist(), strict=True))
