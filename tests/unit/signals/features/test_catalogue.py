"""Declarations that are none are refused in one line that says what there is."""

import pytest
from tests.unit.signals.features.feeding import input_of

from tidegate_common.errors import ConfigError
from tidegate_signals.engine.features.board import FeatureBoard
from tidegate_signals.engine.features.catalogue import check_input


@pytest.mark.parametrize(
    "text",
    [
        "CLOSE",
        "PE_TTM",
        "SMA(20)",
        "SMA(imbalance,1000)",
        "MACD(12,26,9).histogram",
        "BOLLINGER(20,20).percent",
        "DONCHIAN(20).previous_upper",
        "VWAP",
        "VWAP(5)",
        "OBV",
        "TURNOVER",
    ],
)
def test_check_input_of_what_there_is_passes(text: str) -> None:
    """Every form that the documents name is taken."""
    check_input(input_of(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("KDJ(9)", "an indicator must be one of ATR, BOLLINGER, .*, or a field in capitals, was K"),
        ("SMA", r"SMA must look like SMA\(window\), had 0 numbers"),
        ("VWAP(1,2)", r"VWAP must look like VWAP or VWAP\(window\), had 2 numbers"),
        ("SMA(0)", "SMA: window must be 1 to 1000, was 0"),
        ("SMA(1001)", "SMA: window must be 1 to 1000, was 1001"),
        ("STDDEV(1)", "STDDEV: window must be 2 to 1000, was 1"),
        ("BOLLINGER(20,0).upper", "BOLLINGER: tenths_of_std must be 1 to 100, was 0"),
        ("MACD(26,12,9).macd", "MACD: fast must be < slow, were fast 26 and slow 12"),
        ("ATR(high,14)", "ATR takes no field, was given high"),
        ("SMA(20).upper", "SMA has no output, asked for was 'upper'"),
        ("MACD(12,26,9)", "MACD has the outputs macd, signal, histogram, asked for was none"),
        ("CLOSE(3)", "CLOSE is a field: it takes nothing and has no output"),
        ("CLOSE(high)", "CLOSE is a field: it takes nothing and has no output"),
        ("CLOSE.upper", "CLOSE is a field: it takes nothing and has no output"),
    ],
)
def test_check_input_of_what_there_is_not_says_what_there_is(text: str, message: str) -> None:
    """Whoever wrote the strategy reads one line, not a traceback."""
    with pytest.raises(ConfigError, match=message):
        check_input(input_of(text))


def test_board_of_an_unknown_indicator_is_refused() -> None:
    """A board that leaves an input out would be found out beats later."""
    with pytest.raises(ConfigError, match="an indicator must be one of"):
        FeatureBoard([input_of("KDJ(9)").indicator])
