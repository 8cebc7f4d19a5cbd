"""What bars an account from trading: books in doubt, breached limits, people's commands."""

from dataclasses import asdict, dataclass
from typing import Self

from tidegate_common.domain.enums import AccountState
from tidegate_common.engine import JsonDict

_STRICTNESS = (AccountState.ACTIVE, AccountState.REDUCING, AccountState.HALTED)


@dataclass(slots=True)
class Standing:
    """Every cause on its own, because each is lifted by something else; the strictest holds.

    is_in_doubt : the books are; until a RESUME that names the account.
    is_loss_latched, is_drawdown_latched : the limit was breached; buys wait for the next day,
        or for a RESUME.
    commanded, commanded_for_all : what commands for the account and for all accounts have left.
    """

    is_in_doubt: bool = False
    is_loss_latched: bool = False
    is_drawdown_latched: bool = False
    commanded: AccountState = AccountState.ACTIVE
    commanded_for_all: AccountState = AccountState.ACTIVE

    @property
    def state(self) -> AccountState:
        """What the account may do."""
        if self.is_halted:
            return AccountState.HALTED
        is_latched = self.is_loss_latched or self.is_drawdown_latched
        if is_latched or self.has_command(AccountState.REDUCING):
            return AccountState.REDUCING
        return AccountState.ACTIVE

    @property
    def is_halted(self) -> bool:
        """Whether nothing may be traded."""
        return self.is_in_doubt or self.has_command(AccountState.HALTED)

    def has_command(self, state: AccountState) -> bool:
        """Tell whether people have moved the account, or all accounts, to a state."""
        return state in (self.commanded, self.commanded_for_all)

    def tighten(self, state: AccountState, *, is_for_all: bool) -> None:
        """Let the account do no more than a state allows; a stricter command stands."""
        if is_for_all:
            self.commanded_for_all = _strictest(self.commanded_for_all, state)
        else:
            self.commanded = _strictest(self.commanded, state)

    def resume(self, *, is_for_all: bool) -> None:
        """Lift commands and latches.

        What was commanded for all is lifted for all only. Books in doubt need a person who has
        looked at them, so only a command that names the account lifts that.
        """
        self.commanded = AccountState.ACTIVE
        self.is_loss_latched = self.is_drawdown_latched = False
        if is_for_all:
            self.commanded_for_all = AccountState.ACTIVE
        else:
            self.is_in_doubt = False

    def dump(self) -> JsonDict:
        """Return the memory as JSON-ready values."""
        return {
            name: str(value) if isinstance(value, AccountState) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def load(cls, values: JsonDict) -> Self:
        """Return what `dump` wrote down."""
        return cls(
            is_in_doubt=bool(values["is_in_doubt"]),
            is_loss_latched=bool(values["is_loss_latched"]),
            is_drawdown_latched=bool(values["is_drawdown_latched"]),
            commanded=AccountState(str(values["commanded"])),
            commanded_for_all=AccountState(str(values["commanded_for_all"])),
        )


def _strictest(one: AccountState, other: AccountState) -> AccountState:
    """Return the state that allows less."""
    return max(one, other, key=_STRICTNESS.index)
