"""Every indicator a second time: plain loops over one instrument's history in today's shares.

Nothing here is incremental or shared with the engine: a value is what its textbook formula says of
the history as it stands, recomputed from nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from math import fsum, nan, sqrt

from tidegate_signals.engine.features.spec import PRICE_FIELDS, Field, InputSpec

Values = dict[str, float]


@dataclass(slots=True)
class History:
    """What one instrument showed, newest last, and where today begins."""

    columns: dict[Field, list[float]] = field(
        default_factory=lambda: {each: [] for each in Field},
    )
    day_start: int = 0

    def show(self, observation: dict[Field, float]) -> None:
        """Add an observation."""
        for each, value in observation.items():
            self.columns[each].append(value)

    def scale(self, factor: float) -> None:
        """Say all prices and amounts in the shares of after an ex-rights day."""
        for each in (*PRICE_FIELDS, Field.AMOUNT):
            self.columns[each] = [value * factor for value in self.columns[each]]

    def begin_day(self) -> None:
        """Begin a day."""
        self.day_start = len(self.columns[Field.CLOSE])

    def known(self, unsure: Field) -> "History":
        """Return the history without the observations in which a field is unknown."""
        values = self.columns[unsure]
        kept = [place for place, value in enumerate(values) if value == value]  # noqa: PLR0124
        columns = {each: [column[place] for place in kept] for each, column in self.columns.items()}
        return History(columns, sum(place < self.day_start for place in kept))


def slow_value(history: History, spec: InputSpec) -> float:
    """Return an indicator's value after a history, NaN where there is not enough of it."""
    indicator = spec.indicator
    if indicator.field is Field.IMBALANCE:
        history = history.known(Field.IMBALANCE)
        today = {each: column[history.day_start :] for each, column in history.columns.items()}
        history = History(today)
    series = history.columns[indicator.field]
    by_series = _OF_SERIES.get(indicator.name)
    if by_series is not None:
        return by_series(series, *indicator.parameters).get(spec.output, nan)
    return _OF_BARS[indicator.name](history, *indicator.parameters).get(spec.output, nan)


def _mean(values: list[float]) -> float:
    return fsum(values) / len(values)


def _sma(series: list[float], window: int) -> Values:
    return {"": _mean(series[-window:])} if len(series) >= window else {}


def _wma(series: list[float], window: int) -> Values:
    if len(series) < window:
        return {}
    weighted = fsum(weight * value for weight, value in enumerate(series[-window:], 1))
    return {"": weighted / sum(range(1, window + 1))}


def _emas(series: list[float], window: int) -> list[float]:
    """Return the exponential averages from the first whole window on."""
    averages = [_mean(series[:window])] if len(series) >= window else []
    for value in series[window:]:
        averages.append(averages[-1] + (value - averages[-1]) * 2 / (window + 1))
    return averages


def _ema(series: list[float], window: int) -> Values:
    averages = _emas(series, window)
    return {"": averages[-1]} if averages else {}


def _macd(series: list[float], fast: int, slow: int, signal: int) -> Values:
    quick, calm = _emas(series[slow - fast :], fast), _emas(series, slow)
    macd = [one - other for one, other in zip(quick, calm, strict=True)]
    signals = _emas(macd, signal)
    if not signals:
        return {}
    return {"macd": macd[-1], "signal": signals[-1], "histogram": macd[-1] - signals[-1]}


def _wilder(moves: list[float], window: int) -> float:
    average = _mean(moves[:window])
    for move in moves[window:]:
        average = (average * (window - 1) + move) / window
    return average


def _rsi(series: list[float], window: int) -> Values:
    if len(series) <= window:
        return {}
    changes = [after - before for before, after in pairwise(series)]
    gain = _wilder([max(change, 0.0) for change in changes], window)
    loss = _wilder([max(-change, 0.0) for change in changes], window)
    return {"": 100 * gain / (gain + loss) if gain + loss else 50.0}


def _momentum(series: list[float], window: int) -> Values:
    return {"": series[-1] - series[-1 - window]} if len(series) > window else {}


def _roc(series: list[float], window: int) -> Values:
    return {"": series[-1] / series[-1 - window] - 1} if len(series) > window else {}


def _highest(series: list[float], window: int) -> Values:
    return {"": max(series[-window:])} if len(series) >= window else {}


def _lowest(series: list[float], window: int) -> Values:
    return {"": min(series[-window:])} if len(series) >= window else {}


def _deviation(series: list[float], window: int) -> Values:
    if len(series) < window:
        return {}
    mean = _mean(series[-window:])
    return {"": sqrt(_mean([(value - mean) ** 2 for value in series[-window:]]))}


def _bollinger(series: list[float], window: int, tenths: int) -> Values:
    if len(series) < window:
        return {}
    middle = _mean(series[-window:])
    reach = _deviation(series, window)[""] * tenths / 10
    lower, upper = middle - reach, middle + reach
    return {
        "lower": lower,
        "middle": middle,
        "upper": upper,
        "width": 2 * reach / middle,
        "percent": (series[-1] - lower) / (2 * reach) if reach else nan,
    }


def _donchian(history: History, window: int) -> Values:
    high, low = history.columns[Field.HIGH], history.columns[Field.LOW]
    if len(high) < window:
        return {}
    lower, upper = min(low[-window:]), max(high[-window:])
    values = {"lower": lower, "upper": upper, "middle": (lower + upper) / 2}
    if len(high) > window:
        values["previous_lower"] = min(low[-window - 1 : -1])
        values["previous_upper"] = max(high[-window - 1 : -1])
    return values


def _atr(history: History, window: int) -> Values:
    high, low, close = (history.columns[each] for each in (Field.HIGH, Field.LOW, Field.CLOSE))
    if len(close) <= window:
        return {}
    ranges = [
        max(up - down, abs(up - before), abs(down - before))
        for up, down, before in zip(high[1:], low[1:], close, strict=False)
    ]
    return {"": _wilder(ranges, window)}


def _vwap(history: History, window: int = 0) -> Values:
    amount, volume = history.columns[Field.AMOUNT], history.columns[Field.VOLUME]
    start = len(volume) - window if window else history.day_start
    total = fsum(volume[start:]) if start >= 0 else 0.0
    return {"": 100 * fsum(amount[start:]) / total} if total else {}


def _obv(history: History) -> Values:
    close, volume = history.columns[Field.CLOSE], history.columns[Field.VOLUME]
    if not close:
        return {}
    balance = volume[0]
    for before, after, traded in zip(close, close[1:], volume[1:], strict=False):
        # Distances that only rounding can make are none.
        is_move = abs(after - before) > 1e-12 * after
        balance += (traded if after > before else -traded) if is_move else 0
    return {"": balance}


def _turnover(history: History) -> Values:
    history = history.known(Field.FLOAT_SHARES)
    volume = history.columns[Field.VOLUME][history.day_start :]
    if not volume:
        return {}
    return {"": fsum(volume) / history.columns[Field.FLOAT_SHARES][-1]}


_OF_SERIES: dict[str, Callable[..., Values]] = {
    "SMA": _sma,
    "WMA": _wma,
    "EMA": _ema,
    "MACD": _macd,
    "RSI": _rsi,
    "MOMENTUM": _momentum,
    "ROC": _roc,
    "MAX": _highest,
    "MIN": _lowest,
    "STDDEV": _deviation,
    "BOLLINGER": _bollinger,
}
_OF_BARS: dict[str, Callable[..., Values]] = {
    "DONCHIAN": _donchian,
    "ATR": _atr,
    "VWAP": _vwap,
    "OBV": _obv,
    "TURNOVER": _turnover,
}
