"""What operators are told of accounts; they see sums by class, so no account has a name here."""

from dataclasses import dataclass

from tidegate_common.domain.enums import AccountState
from tidegate_common.events.portfolio import LimitUsage
from tidegate_risk.engine.portfolio import Account
from tidegate_risk.engine.state import Market
from tidegate_risk.engine.usage import usage_of

# A leverage limit above it lets an account hold more than its NAV.
_WHOLE_BPS = 10_000


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """One account's worth and standing at the last mark.

    can_borrow : whether its leverage limit lets it hold more than its NAV.
    is_killed : whether people have halted it, or all accounts.
    gross_fen : value of its holdings, without open orders.
    usage : of every limit in bps, in the order of the layers.
    """

    can_borrow: bool
    is_killed: bool
    state: AccountState
    nav_fen: int
    day_pnl_fen: int
    gross_fen: int
    usage: tuple[LimitUsage, ...]


def figures_of(account: Account, market: Market) -> AccountFigures:
    """Return what operators are told of an account."""
    ledger = account.ledger
    return AccountFigures(
        can_borrow=account.limits.leverage_bps_max > _WHOLE_BPS,
        is_killed=account.standing.has_command(AccountState.HALTED),
        state=account.standing.state,
        nav_fen=ledger.nav_fen,
        day_pnl_fen=ledger.day_pnl_fen,
        gross_fen=int(ledger.values_fen.sum()),
        usage=usage_of(account, market),
    )
