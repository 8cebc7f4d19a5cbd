"""Declarations are read from text, and kept in snapshots by a key."""

import pytest
from tests.unit.signals.features.feeding import input_of

from tidegate_common.errors import ConfigError
from tidegate_signals.engine.features.spec import Field, IndicatorSpec, InputSpec, Period


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("VWAP", InputSpec(IndicatorSpec(Period.BAR, "VWAP"))),
        ("SMA(20)", InputSpec(IndicatorSpec(Period.BAR, "SMA", Field.CLOSE, (20,)))),
        (
            "MACD(pe_ttm,12,26,9).signal",
            InputSpec(IndicatorSpec(Period.BAR, "MACD", Field.PE_TTM, (12, 26, 9)), "signal"),
        ),
    ],
)
def test_parse_input_reads_name_field_numbers_and_output(text: str, expected: InputSpec) -> None:
    """What a strategy writes is what it gets."""
    assert input_of(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sma(20)", "an input must look like"),
        ("SMA(20", "an input must look like"),
        ("SMA(closing,20)", "a field must be one of open, .*, was 'closing'"),
        ("SMA(20,close)", "arguments must be whole numbers after an optional field"),
    ],
)
def test_parse_input_of_another_text_is_refused(text: str, message: str) -> None:
    """A typing error is found when the strategy is made."""
    with pytest.raises(ConfigError, match=message):
        input_of(text)


def test_indicator_key_tells_declarations_apart() -> None:
    """Two indicators under one name would share a snapshot."""
    texts = ("SMA(5)", "SMA(20)", "SMA(high,20)", "EMA(20)", "VWAP", "VWAP(20)")

    keys = {input_of(text).indicator.key for text in texts}

    assert len(keys) == len(texts)
