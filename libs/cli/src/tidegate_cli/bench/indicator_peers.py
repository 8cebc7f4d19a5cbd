"""Other programs that compute the indicators of bench `signals`, over the same series.

Each is given its input as it likes it best, ready in memory, and each does the whole set.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final, Protocol

import numpy as np
import pandas as pd

from tidegate_cli.bench.market import Series
from tidegate_common.domain.units import Float64Array
from tidegate_common.errors import ConfigError

# What all compute, and what comes out.
INDICATORS: Final = ("RSI(14)", "MACD(12,26,9)", "SMA(20)", "BOLLINGER(20,20)", "ATR(14)", "VWAP")
OUTPUTS: Final = (
    "RSI(14)",
    "MACD(12,26,9).macd",
    "MACD(12,26,9).signal",
    "MACD(12,26,9).histogram",
    "SMA(20)",
    "BOLLINGER(20,20).upper",
    "BOLLINGER(20,20).middle",
    "BOLLINGER(20,20).lower",
    "ATR(14)",
    "VWAP",
)
PEER_DISTRIBUTIONS: Final = {"talib": "ta-lib", "talipp": "talipp"}
# Rows that pandas computes anew each time. After so many, what came before weighs
# (13/14)^120 = 0.01 % in Wilder's averages: an estimate in favour of pandas.
PANDAS_WINDOW: Final = 120


class Peer(Protocol):
    """Another program's state over the instruments of a series, as many as it has columns."""

    name: str

    def update(self, beat: int) -> None:
        """Take a beat; the next one each time."""

    def values(self) -> Float64Array:
        """Return the newest values, (outputs, n), in the order of `OUTPUTS`."""


def check_peers(distributions: Mapping[str, str] = PEER_DISTRIBUTIONS) -> None:
    """Check that the peers are installed.

    Parameters
    ----------
    distributions : what to install, by the module that it brings.

    Raises
    ------
    ConfigError
        If one is not.
    """
    missing = [name for module, name in distributions.items() if find_spec(module) is None]
    if missing:
        message = (
            f"bench signals compares with {' and '.join(missing)}, not installed here: "
            f"`make setup`, or `pip install {' '.join(missing)}`"
        )
        raise ConfigError(message)


class TaLibPeer:
    """TA-Lib's streaming handles, one an instrument and indicator, opened on the first beats."""

    name = "ta_lib"

    def __init__(self, series: Series, warm_count: int) -> None:
        from talib import stream

        self._prices = series.last_e4.astype(np.float64).tolist()
        self._shares = series.volume_shares.astype(np.float64).tolist()
        closes = np.ascontiguousarray(series.last_e4[:warm_count].T, np.float64)
        shares = np.ascontiguousarray(series.volume_shares[:warm_count].T, np.float64)
        self._handles = [
            (
                stream.RSI(close, 14),
                stream.MACD(close, 12, 26, 9),
                stream.SMA(close, 20),
                stream.BBANDS(close, 20, 2.0, 2.0),
                stream.ATR(close, close, close, 14),
                stream.VWAP(close, close, close, volume),
            )
            for close, volume in zip(closes, shares, strict=True)
        ]

    def update(self, beat: int) -> None:
        """Take a beat."""
        rows = zip(self._handles, self._prices[beat], self._shares[beat], strict=True)
        for (rsi, macd, sma, bands, atr, vwap), price, shares in rows:
            rsi.update(price)
            macd.update(price)
            sma.update(price)
            bands.update(price)
            atr.update(price, price, price)
            vwap.update(price, price, price, shares)

    def values(self) -> Float64Array:
        """Return the newest values."""
        columns = [
            (rsi.value, *macd.value, sma.value, *bands.value, atr.value, vwap.value)
            for rsi, macd, sma, bands, atr, vwap in self._handles
        ]
        return np.array(columns).T


class TalippPeer:
    """Talipp's incremental indicators, one an instrument and indicator."""

    name = "talipp"

    def __init__(self, series: Series, warm_count: int) -> None:
        from talipp.indicators import ATR, BB, MACD, RSI, SMA, VWAP
        from talipp.ohlcv import OHLCV

        self._make_bar = OHLCV
        self._prices = series.last_e4.astype(np.float64).tolist()
        self._shares = series.volume_shares.astype(np.float64).tolist()
        self._indicators = [
            (RSI(14), MACD(12, 26, 9), SMA(20), BB(20, 2.0), ATR(14), VWAP())
            for _ in range(series.last_e4.shape[1])
        ]
        for beat in range(warm_count):
            self.update(beat)

    def update(self, beat: int) -> None:
        """Take a beat."""
        rows = zip(self._indicators, self._prices[beat], self._shares[beat], strict=True)
        for (rsi, macd, sma, bands, atr, vwap), price, shares in rows:
            bar = self._make_bar(price, price, price, price, shares)
            rsi.add(price)
            macd.add(price)
            sma.add(price)
            bands.add(price)
            atr.add(bar)
            vwap.add(bar)

    def values(self) -> Float64Array:
        """Return the newest values."""
        columns = []
        for rsi, macd, sma, bands, atr, vwap in self._indicators:
            lines, band = macd[-1], bands[-1]
            columns.append(
                (
                    rsi[-1],
                    lines.macd,
                    lines.signal,
                    lines.histogram,
                    sma[-1],
                    band.ub,
                    band.cb,
                    band.lb,
                    atr[-1],
                    vwap[-1],
                ),
            )
        return np.array(columns).T


class PandasPeer:
    """What a notebook does: all indicators over the newest rows of a panel, at every beat."""

    name = "pandas"

    def __init__(self, series: Series) -> None:
        self._closes = pd.DataFrame(series.last_e4.astype(np.float64))
        self._shares = pd.DataFrame(series.volume_shares.astype(np.float64))
        self._values: Float64Array = np.zeros((len(OUTPUTS), 0))

    def update(self, beat: int) -> None:
        """Compute everything anew over the beats up to this one."""
        window = slice(max(0, beat + 1 - PANDAS_WINDOW), beat + 1)
        close, shares = self._closes.iloc[window], self._shares.iloc[window]
        change = close.diff()
        gain = change.clip(lower=0.0).ewm(alpha=1 / 14, adjust=False).mean()
        loss = (-change).clip(lower=0.0).ewm(alpha=1 / 14, adjust=False).mean()
        fast = close.ewm(span=12, adjust=False).mean()
        macd = fast - close.ewm(span=26, adjust=False).mean()
        signal = macd.ewm(span=9, adjust=False).mean()
        rolling = close.rolling(20)
        middle, width = rolling.mean(), 2.0 * rolling.std(ddof=0)
        # High, low and close of a beat are one price, so the true range is the change.
        atr = change.abs().ewm(alpha=1 / 14, adjust=False).mean()
        vwap = (close * shares).sum() / shares.sum()
        lines = (
            100.0 * gain / (gain + loss),
            macd,
            signal,
            macd - signal,
            middle,
            middle + width,
            middle,
            middle - width,
            atr,
        )
        self._values = np.array([*(line.iloc[-1] for line in lines), vwap])

    def values(self) -> Float64Array:
        """Return the newest values."""
        return self._values
