"""Mean reversion: an oversold index of closes asks to buy, an overbought one to sell."""

from collections.abc import Mapping
from typing import ClassVar

from tidegate_signals.engine.strategies.kernels import reversal_score
from tidegate_signals.engine.strategies.strategy import Opinions, Parameter, Strategy, View


class RsiReversal(Strategy):
    """Scores 0 between the thresholds, a half at them, whole at the ends of the scale.

    NaN until the index is warm.

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978, section VI, with its
    thresholds of 30 and 70.
    """

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        Parameter("window", default=14, minimum=2, maximum=250),
        Parameter("oversold", default=30, minimum=1, maximum=49),
        Parameter("overbought", default=70, minimum=51, maximum=99),
    )

    def __init__(self, parameters: Mapping[str, int]) -> None:
        self._oversold = parameters["oversold"]
        self._overbought = parameters["overbought"]
        self.inputs = {"index": f"RSI({parameters['window']})"}
        self.reasons = ("rsi",)

    def score(self, view: View) -> Opinions:
        """Return a score an instrument; see the class."""
        index = view["index"]
        score = reversal_score(
            index=index,
            oversold=self._oversold,
            overbought=self._overbought,
        )
        return Opinions(score, {"rsi": index})
