"""Callers of the gateway, and what their roles let them do."""

from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class Role(StrEnum):
    """What a key is good for; each role may do what those before it may.

    READ sees. TRADE asks for orders, cancels and backtests, and stops accounts (halt, reduce).
    ADMIN lifts such stops and sets limits.
    """

    READ = "read"
    TRADE = "trade"
    ADMIN = "admin"

    def covers(self, wanted: "Role") -> bool:
        """Tell whether this role may do what another one may."""
        order = list(Role)
        return order.index(self) >= order.index(wanted)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    key_id : the public part of the key; "" where none was asked for.
    accounts : whose books, orders, fills and decisions it may see, and whose orders, limits and
        stops it may ask for; empty for all.
    """

    name: str
    role: Role
    key_id: str = ""
    accounts: frozenset[str] = frozenset()

    def is_for(self, account_id: str | None) -> bool:
        """Tell whether it may see an account and act on it; None stands for all of them."""
        return not self.accounts or account_id in self.accounts


LOCAL = Caller("local", Role.ADMIN)
