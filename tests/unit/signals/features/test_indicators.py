"""Every indicator on a few numbers that can be worked out by hand."""

from math import nan

import numpy as np
import pytest
from tests.unit.signals.features.feeding import make_board, read, show, told

FLAT_E4 = 133_700
EX_RIGHTS_E4 = 131_234


@pytest.mark.parametrize(
    ("text", "close", "expected"),
    [
        ("SMA(3)", [3, 6, 9, 6], [nan, nan, 6, 7]),
        ("WMA(3)", [1, 2, 6, 4], [nan, nan, 23 / 6, 26 / 6]),
        ("EMA(3)", [2, 4, 6, 8, 2], [nan, nan, 4, 6, 4]),
        ("RSI(2)", [10, 12, 11, 14], [nan, nan, 200 / 3, 800 / 9]),
        ("RSI(2)", [4, 4, 4], [nan, nan, 50]),
        ("RSI(1)", [4, 5, 3], [nan, 100, 0]),
        ("MOMENTUM(2)", [5, 7, 6, 9], [nan, nan, 1, 2]),
        ("ROC(2)", [4, 8, 6, 2], [nan, nan, 0.5, -0.75]),
        ("ROC(1)", [0, 1, 3], [nan, nan, 2]),
        ("MAX(2)", [5, 3, 2, 4], [nan, 5, 3, 4]),
        ("MIN(2)", [5, 3, 4, 6], [nan, 3, 3, 4]),
        ("STDDEV(2)", [2, 4, 10, 10], [nan, 1, 3, 0]),
    ],
)
def test_indicator_of_closes_says_what_its_formula_says(
    text: str,
    close: list[float],
    expected: list[float],
) -> None:
    """Nothing before the window is full, then the textbook's number."""
    said = told(text, close=close)

    np.testing.assert_allclose(said, expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("macd", [nan, nan, 1.5, -1.5]),
        ("signal", [nan, nan, 1.5, -0.5]),
        ("histogram", [nan, nan, 0, -1]),
    ],
)
def test_macd_all_outputs_begin_with_the_signal(output: str, expected: list[float]) -> None:
    """The line alone would be there sooner; TA-Lib says nothing until all three are."""
    said = told(f"MACD(1,2,2).{output}", close=[3, 6, 9, 3])

    np.testing.assert_allclose(said, expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("lower", [nan, 1, 5]),
        ("middle", [nan, 3, 5]),
        ("upper", [nan, 5, 5]),
        ("width", [nan, 4 / 3, 0]),
        ("percent", [nan, 0.75, nan]),
    ],
)
def test_bollinger_bands_lie_two_deviations_from_the_mean(
    output: str,
    expected: list[float],
) -> None:
    """Where the bands are one, a place between them is no number."""
    board = make_board("BOLLINGER(2,20)")
    said = []

    for close in ([2.0], [4.0], [5.0, 5.0]):
        for value in close:
            show(board, close=value)
        said.append(read(board, f"BOLLINGER(2,20).{output}"))

    np.testing.assert_allclose(said, expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("lower", [nan, 2, 2, 3]),
        ("upper", [nan, 9, 9, 8]),
        ("middle", [nan, 5.5, 5.5, 5.5]),
        ("previous_lower", [nan, nan, 2, 2]),
        ("previous_upper", [nan, nan, 9, 9]),
    ],
)
def test_donchian_previous_channel_leaves_the_present_bar_out(
    output: str,
    expected: list[float],
) -> None:
    """A breakout is measured against the bars before it."""
    said = told(f"DONCHIAN(2).{output}", high=[7, 9, 8, 6], low=[4, 2, 5, 3])

    np.testing.assert_array_equal(said, expected)


def test_atr_counts_the_gap_from_the_close_before() -> None:
    """The first bar has no close before it, so it is no range."""
    said = told("ATR(2)", high=[10, 12, 11, 8], low=[8, 10, 5, 7], close=[9, 11, 6, 8])

    assert said == [pytest.approx(nan, nan_ok=True)] * 2 + [4.5, 3.25]


def test_vwap_of_the_day_starts_anew_every_day() -> None:
    """100 shares at 10 CNY and 300 at 12 CNY cost 11.5 CNY each; yesterday's do not count."""
    board = make_board("VWAP")
    show(board, volume=50.0, amount=1_000_000.0)
    board.begin_day()
    said = [read(board, "VWAP")]

    for volume, amount in ((0.0, 0.0), (100.0, 100_000.0), (300.0, 360_000.0)):
        show(board, volume=volume, amount=amount)
        said.append(read(board, "VWAP"))

    np.testing.assert_array_equal(said, [nan, nan, 100_000, 115_000])


def test_vwap_of_a_window_goes_on_over_the_night() -> None:
    """Only the last observations count, whatever day they are of; without volume it is no price."""
    board = make_board("VWAP(2)")
    said = []

    for volume, amount in ((100, 100_000), (300, 360_000), (0, 0), (0, 0)):
        board.begin_day()
        show(board, volume=volume, amount=amount)
        said.append(read(board, "VWAP(2)"))

    np.testing.assert_array_equal(said, [nan, 115_000, 120_000, nan])


@pytest.mark.parametrize("text", ["VWAP", "VWAP(2)"])
def test_vwap_of_a_feed_without_amounts_is_unknown(text: str) -> None:
    """A volume for no money has no price; 0 would be one that everything is dear against."""
    said = told(text, volume=[100, 100, 100, 0], amount=[0, 0, 30_000, 0])

    np.testing.assert_array_equal(said[:2], [nan, nan])
    assert said[3] > 0


def test_obv_begins_with_the_first_volume() -> None:
    """Rises add, falls take away, a price that stays does neither."""
    said = told("OBV", close=[10, 11, 11, 9], volume=[5, 3, 7, 2])

    assert said == [5, 8, 8, 6]


def test_turnover_counts_the_day_and_only_where_the_float_is_known() -> None:
    """An unknown float is no opinion, not a guess."""
    board = make_board("TURNOVER")
    said = []

    for volume, float_shares in ((100, 1_000), (50, nan), (100, 1_000)):
        show(board, volume=volume, float_shares=float_shares)
        said.append(read(board, "TURNOVER"))
    board.begin_day()
    said.append(read(board, "TURNOVER"))

    np.testing.assert_array_equal(said, [0.1, 0.1, 0.2, nan])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RSI(2)", 50),
        ("OBV", 7),
        ("STDDEV(3)", 0),
        ("BOLLINGER(3,20).percent", nan),
        ("ATR(2)", 0),
        ("ROC(2)", 0),
    ],
)
def test_indicator_of_a_flat_price_stays_flat_through_ex_rights(text: str, expected: float) -> None:
    """The last bit of a factor must make no rise, no band and no volume."""
    board = make_board(text)
    for _ in range(4):
        show(board, close=FLAT_E4, high=FLAT_E4, low=FLAT_E4, volume=7)

    board.scale(np.array([0]), np.array([EX_RIGHTS_E4 / FLAT_E4]))

    show(board, close=EX_RIGHTS_E4, high=EX_RIGHTS_E4, low=EX_RIGHTS_E4, volume=7)
    assert read(board, text) == pytest.approx(expected, abs=0, nan_ok=True)


@pytest.mark.parametrize(("text", "expected"), [("SMA(volume,2)", 6), ("SMA(amount,2)", 60)])
def test_indicator_of_what_is_no_price_is_not_scaled(text: str, expected: float) -> None:
    """Shares and money that changed hands stay what they were."""
    board = make_board(text)
    show(board, volume=4, amount=40)

    board.scale(np.array([0]), np.array([0.5]))

    show(board, volume=8, amount=80)
    assert read(board, text) == expected


def test_vwap_in_new_shares_is_lower_by_the_factor() -> None:
    """An amount over a volume is a price, so half of it is left of one after a split in two."""
    board = make_board("VWAP", "VWAP(1)")
    show(board, volume=100, amount=100_000)

    board.scale(np.array([0]), np.array([0.5]))

    assert [read(board, "VWAP"), read(board, "VWAP(1)")] == [50_000, 50_000]
