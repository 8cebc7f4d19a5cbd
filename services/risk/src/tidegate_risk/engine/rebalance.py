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

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tidegate_common.domain.enums import CauseKind, Side
from tidegate_common.domain.units import BPS, notional_fen
from tidegate_common.events.run import ConstructionSpec
from tidegate_risk.engine.construction import reserve_fen
from tidegate_risk.engine.intent import Intents, asks_of_strategy, columns_of
from tidegate_risk.engine.layout import (
    ANSWER,
    BUY_VALUE,
    INSIDE_BAND,
    IS_BUY,
    IS_HELD_TOO,
    MODE,
    NO_VOLATILITY,
    QUANTITY,
    RESERVE,
    SELL_TOWARDS,
    TARGET,
)
from tidegate_risk.engine.portfolio import Account
from tidegate_risk.engine.state import Market
from tidegate_risk.engine.targets import StrategyList, capital_fen, targets_of

# Instrument, side, score, and how to size it: MODE, QUANTITY, TARGET and IS_HELD_TOO.
_Asked = tuple[int, Side, int, tuple[int, int, int, int]]


@dataclass(frozen=True, slots=True)
class _Move:
    """From what is held to what is wanted, in one instrument."""

    instrument: int
    score_e6: int
    held_shares: int
    held_fen: int
    target_fen: int

    @property
    def side(self) -> Side:
        is_more = self.target_fen > self.held_fen or not self.held_shares
        return Side.BUY if is_more else Side.SELL

    @property
    def change_fen(self) -> int:
        return abs(self.target_fen - self.held_fen)

    @property
    def is_adjustment(self) -> bool:
        """Whether the instrument is held and wanted, in another size perhaps."""
        return self.held_shares > 0 and self.target_fen > 0

    @property
    def sold_shares(self) -> int:
        """Shares of a sell; what it keeps is rounded down, as what a buy gets is."""
        return self.held_shares - self.held_shares * self.target_fen // max(1, self.held_fen)


class Rebalancer:
    """Moves what strategies hold to what they want, in the accounts of a run.

    Parameters
    ----------
    fractions_bps : part of an account that is a strategy's, by name.
    """

    def __init__(self, spec: ConstructionSpec, fractions_bps: Mapping[str, int]) -> None:
        self._spec = spec
        self._fractions_bps = fractions_bps

    def intents(self, listed: StrategyList, account: Account, market: Market) -> Intents:
        """Return all that a strategy's list asks of an account, answers too."""
        spec, ledger, name = self._spec, account.ledger, listed.strategy
        capital = capital_fen(ledger.nav_fen, self._fractions_bps[name], spec.cash_buffer_bps)
        held_shares = account.sleeves.shares_of(name)
        marks_e4 = dict(zip(ledger.instruments.tolist(), ledger.marks_e4.tolist(), strict=True))
        held_fen = {each: notional_fen(marks_e4[each], held_shares[each]) for each in held_shares}
        targets = targets_of(listed, held_fen, budget_fen=capital, top_n=spec.top_n)
        resting = account.resting(name, beat=market.beat, cooldown_beats=spec.cooldown_beats)
        moves = [
            _Move(
                each,
                listed.scores[each],
                held_shares.get(each, 0),
                held_fen.get(each, 0),
                value_fen,
            )
            for each, value_fen in targets.value_fen.items()
            if each not in resting
        ]
        asked = [self._ask(move, capital) for move in _in_order(moves)]
        asked += [
            (each, Side.BUY, listed.scores[each], (ANSWER, NO_VOLATILITY, 0, 0))
            for each in targets.unknown
        ]
        return self._intents(listed, asked, account, market, capital)

    def _ask(self, move: _Move, capital: int) -> _Asked:
        is_adjustment, change_fen = move.is_adjustment, move.change_fen
        if is_adjustment and change_fen * BPS <= self._spec.rebalance_band_bps * capital:
            size = ANSWER, INSIDE_BAND, change_fen, 0
        elif move.side is Side.BUY:
            size = BUY_VALUE, 0, change_fen, int(is_adjustment)
        else:
            size = SELL_TOWARDS, move.sold_shares, change_fen, int(is_adjustment)
        return move.instrument, move.side, move.score_e6, size

    def _intents(
        self,
        listed: StrategyList,
        asked: Sequence[_Asked],
        account: Account,
        market: Market,
        capital: int,
    ) -> Intents:
        instruments = [instrument for instrument, _, _, _ in asked]
        sides = [side for _, side, _, _ in asked]
        scores_e6 = [score for _, _, score, _ in asked]
        columns = columns_of(instruments, sides, account, market)
        sizes = np.array([size for _, _, _, size in asked], np.int64).reshape(-1, 4)
        columns[:, [MODE, QUANTITY, TARGET, IS_HELD_TOO]] = sizes
        columns[:, RESERVE] = columns[:, IS_BUY] * reserve_fen(account.ledger.nav_fen, self._spec)
        return Intents(
            CauseKind.SCORE,
            asks_of_strategy(listed.strategy, instruments, sides, scores_e6),
            columns,
            score_beat=listed.beat,
            capital_fen=capital,
            turnover_fen_max=capital * self._spec.turnover_bps_max // BPS,
        )


def _in_order(moves: list[_Move]) -> Iterator[_Move]:
    """Yield sells, highest scores first, then by instrument; then buys, as they came."""
    sells = [move for move in moves if move.side is Side.SELL]
    yield from sorted(sells, key=lambda move: (-move.score_e6, move.instrument))
    yield from (move for move in moves if move.side is Side.BUY)
