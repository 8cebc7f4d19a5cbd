"""Risk's compiled kernel alone, for bench `risk`, over what the engine itself gave it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from tidegate_common.clock import Clock
from tidegate_common.domain.enums import Reason
from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_common.errors import InvariantError
from tidegate_risk.engine import desk
from tidegate_risk.engine.desk import VERDICTS
from tidegate_risk.engine.kernels import decide
from tidegate_risk.engine.layout import CODE, VERDICT_COLUMNS


@dataclass(slots=True)
class KernelTape:
    """The intents of a beat, and the first one's market, rules and account.

    Arrays are as `kernels.decide` has them; the account's are copies from before its first intent.
    """

    intents: list[Int64Array] = field(default_factory=list)
    first: tuple[Int64Array, ...] = ()

    def decide(
        self,
        intents: Int64Array,
        market: Int64Array,
        rules: Int64Array,
        state: Int64Array,
        sectors_fen: Int64Array,
        verdicts: Int64Array,
    ) -> None:
        """Write down what the kernel is given, and call it."""
        if not self.first:
            self.first = (market.copy(), rules.copy(), state.copy(), sectors_fen.copy())
        self.intents.append(intents.copy())
        decide(intents, market, rules, state, sectors_fen, verdicts)

    def times(self, reason: Reason, clock: Clock, repeat_count: int) -> Float64Array:
        """Return the seconds an intent of so many calls with all that was written down, each anew.

        Raises
        ------
        InvariantError
            If one does not go the way of the reason.
        """
        intents = np.concatenate(self.intents)
        market, rules, state, sectors_fen = self.first
        verdicts: Int64Array = np.empty((len(intents), VERDICT_COLUMNS), np.int64)
        seconds = []
        for _ in range(repeat_count):
            own_state, own_sectors_fen = state.copy(), sectors_fen.copy()
            started = clock.monotonic_seconds()
            decide(intents, market, rules, own_state, own_sectors_fen, verdicts)
            seconds.append(clock.monotonic_seconds() - started)
            found = {VERDICTS[code][1] for code in np.unique(verdicts[:, CODE]).tolist()}
            if found != {reason}:
                names = ", ".join(sorted(found))
                message = f"the kernel must decide all by {reason}, decided by {names}"
                raise InvariantError(message)
        return np.array(seconds) / len(intents)


@contextmanager
def recorded() -> Iterator[KernelTape]:
    """Write down what engines give their kernel meanwhile.

    Nothing in risk knows of it: what the kernel takes is the engine's own affair.
    """
    tape = KernelTape()
    vars(desk)["decide"] = tape.decide
    try:
        yield tape
    finally:
        vars(desk)["decide"] = decide
