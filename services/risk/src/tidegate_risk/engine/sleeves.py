"""Which part of an account is which strategy's: shares held, turnover and answers of the day.

Positions are per account, so what a strategy holds is counted here, from the fills of its orders.
What people buy belongs to nobody. What is sold leaves the seller's sleeve; shares that are sold
but were not the seller's are first taken from what belongs to nobody, then from the strategies in
the order of their names: no sleeve ever holds what the account does not. What a corporate action
gives goes to whoever holds; what does not go up evenly is nobody's.
"""

from typing import Self, TypedDict, cast

from tidegate_common.domain.enums import Reason, Side
from tidegate_common.engine import JsonDict

# A strategy and an instrument.
Interest = tuple[str, int]


class _Dump(TypedDict):
    shares: list[tuple[str, int, int]]
    traded_fen: dict[str, int]
    answered: list[tuple[str, int, str]]


class Sleeves:
    """The strategies' parts of one account.

    traded_fen : by strategy, value of the day's accepted orders at their worst price, both sides.
    answered : reasons other than an order's decision that were given today, each once.
    """

    def __init__(self) -> None:
        self._shares: dict[Interest, int] = {}
        self.traded_fen: dict[str, int] = {}
        self.answered: set[tuple[str, int, Reason]] = set()

    def roll_day(self) -> None:
        """Begin a trading day: turnover and answers start anew."""
        self.traded_fen = {}
        self.answered = set()

    def shares_of(self, strategy: str) -> dict[int, int]:
        """Return what a strategy holds, in shares by instrument, sorted."""
        return {
            instrument: shares
            for (name, instrument), shares in sorted(self._shares.items())
            if name == strategy
        }

    def count_order(self, strategy: str, value_fen: int) -> None:
        """Count accepted orders of so much value as turnover; what people order is nobody's."""
        if strategy:
            self.traded_fen[strategy] = self.traded_fen.get(strategy, 0) + value_fen

    def is_news(self, strategy: str, instrument: int, reason: Reason) -> bool:
        """Return whether an answer was not given today, and remember it."""
        answer = strategy, instrument, reason
        is_new = answer not in self.answered
        self.answered.add(answer)
        return is_new

    def book_fill(
        self,
        interest: Interest,
        side: Side,
        *,
        quantity_shares: int,
        held_shares: int,
    ) -> None:
        """Book a trade that the account's ledger has booked.

        Parameters
        ----------
        interest : whose order it was, "" for people's; and the instrument.
        held_shares : what the account holds after the trade.
        """
        strategy, instrument = interest
        if side is Side.BUY:
            if strategy:
                self._put(interest, self._shares.get(interest, 0) + quantity_shares)
            return
        self._take(interest, quantity_shares)
        owners = sorted(each for each in self._shares if each[1] == instrument)
        excess_shares = sum(self._shares[owner] for owner in owners) - held_shares
        for owner in owners:
            if excess_shares > 0:
                excess_shares -= self._take(owner, excess_shares)

    def grow(self, instrument: int, *, new_shares: int, held_shares: int) -> None:
        """Give shares that cost nothing to the sleeves, in proportion and rounded down.

        Parameters
        ----------
        new_shares : that the account got on the `held_shares` that it had, > 0.
        """
        for owner, shares in list(self._shares.items()):
            if owner[1] == instrument:
                self._shares[owner] = shares + shares * new_shares // held_shares

    def dump(self) -> JsonDict:
        """Return the memory as JSON-ready values."""
        return {
            "shares": [[*interest, shares] for interest, shares in sorted(self._shares.items())],
            "traded_fen": dict(sorted(self.traded_fen.items())),
            "answered": [[name, number, str(why)] for name, number, why in sorted(self.answered)],
        }

    @classmethod
    def load(cls, values: JsonDict) -> Self:
        """Return what `dump` wrote down."""
        dump = cast("_Dump", values)
        sleeves = cls()
        sleeves._shares = {(name, number): shares for name, number, shares in dump["shares"]}
        sleeves.traded_fen = dict(dump["traded_fen"])
        sleeves.answered = {(name, number, Reason(why)) for name, number, why in dump["answered"]}
        return sleeves

    def _take(self, owner: Interest, wanted_shares: int) -> int:
        """Take shares out of a sleeve, as many as it has, and return how many."""
        held_shares = self._shares.get(owner, 0)
        taken_shares = min(held_shares, wanted_shares)
        self._put(owner, held_shares - taken_shares)
        return taken_shares

    def _put(self, owner: Interest, shares: int) -> None:
        if shares:
            self._shares[owner] = shares
        else:
            self._shares.pop(owner, None)
