"""Scores of the shipped strategies by hand: at thresholds, at ends, of what is unknown."""

import numpy as np
import pytest
from tests.unit.signals.strategy_cases import ask

from tidegate_signals.engine.kernels import book_imbalance
from tidegate_signals.engine.strategies.kernels import threshold_score

NAN = float("nan")


def test_threshold_score_is_a_half_at_the_threshold_and_one_at_full_scale() -> None:
    """Risk enters at less than a half, so a threshold crossed is a trade asked for."""
    signal = np.array([0.0, 0.99, 1.0, 2.0, 3.0, 9.0, -0.99, -1.0, -3.0, NAN])

    scores = threshold_score(signal, threshold=1.0, full_scale=3.0)

    assert scores.tolist()[:-1] == [0.0, 0.0, 0.5, 0.75, 1.0, 1.0, 0.0, -0.5, -1.0]
    assert np.isnan(scores[-1])


def test_threshold_score_without_threshold_is_zero_at_zero() -> None:
    """No signal is no side."""
    scores = threshold_score(np.array([0.0, 1.0, -4.0]), threshold=0.0, full_scale=4.0)

    assert scores.tolist() == [0.0, 0.625, -1.0]


def test_ma_cross_scores_the_distance_of_the_averages() -> None:
    """One per cent above is a half at a full scale of two."""
    values = {"fast": [101_000.0, 90_000.0, 100_000.0], "slow": [100_000.0, 100_000.0, NAN]}

    opinions = ask("ma_cross", values)

    np.testing.assert_allclose(opinions.score, [0.5, -1.0, NAN])
    np.testing.assert_allclose(opinions.reasons["fast_cny"], [10.1, 9.0, 10.0])
    np.testing.assert_allclose(opinions.reasons["slow_cny"], [10.0, 10.0, NAN])
    np.testing.assert_allclose(opinions.reasons["distance_bps"], [100.0, -1000.0, NAN])


def test_macd_scores_the_histogram_as_a_part_of_the_price() -> None:
    """A share of 5 CNY and one of 500 are compared by what they would earn."""
    values = {
        "close": [50_000.0, 5_000_000.0, 50_000.0, 50_000.0],
        "line": [600.0, 60_000.0, -400.0, 600.0],
        "signal": [100.0, 10_000.0, 3_600.0, NAN],
        "histogram": [500.0, 50_000.0, -4_000.0, NAN],
    }

    opinions = ask("macd", values)

    np.testing.assert_allclose(opinions.score, [0.5, 0.5, -1.0, NAN])
    np.testing.assert_allclose(opinions.reasons["histogram_bps"], [100.0, 100.0, -800.0, NAN])
    np.testing.assert_allclose(opinions.reasons["line_cny"], [0.06, 6.0, -0.04, 0.06])
    np.testing.assert_allclose(opinions.reasons["signal_cny"], [0.01, 1.0, 0.36, NAN])


def test_rsi_reversal_scores_a_half_at_the_threshold_and_one_at_the_end() -> None:
    """Risk enters at less than a half, so a threshold crossed is a trade asked for."""
    index = [0.0, 30.0, 30.1, 69.9, 70.0, 100.0, NAN]

    opinions = ask("rsi_reversal", {"index": index})

    np.testing.assert_allclose(opinions.score, [1.0, 0.5, 0.0, 0.0, -0.5, -1.0, NAN])
    np.testing.assert_array_equal(opinions.reasons["rsi"], index)


def test_bollinger_reversion_scores_the_deviations_beyond_the_band() -> None:
    """Two deviations below score a half, three and more score one; within the bands nothing."""
    close = [100_000.0, 98_001.0, 98_000.0, 97_500.0, 97_000.0, 90_000.0, 102_000.0, 103_000.0]
    values = {
        "close": close,
        "lower": [98_000.0] * 8,
        "middle": [100_000.0] * 8,
        "upper": [102_000.0] * 8,
    }

    opinions = ask("bollinger_reversion", values)

    np.testing.assert_allclose(opinions.score, [0.0, 0.0, 0.5, 0.75, 1.0, 1.0, -0.5, -1.0])
    expected = [0.0, -1.999, -2.0, -2.5, -3.0, -10.0, 2.0, 3.0]
    np.testing.assert_allclose(opinions.reasons["deviations"], expected)
    assert opinions.reasons["lower_cny"][0] == 9.8
    assert opinions.reasons["middle_cny"][0] == 10.0
    assert opinions.reasons["upper_cny"][0] == 10.2


def test_bollinger_reversion_flat_price_is_no_opinion() -> None:
    """Where the band is nearer than a price step, one step would look like an extreme."""
    values = {
        "close": [100_000.0, 100_100.0, 100_100.0, 100_000.0],
        "lower": [100_000.0, 99_901.0, 99_900.0, NAN],
        "middle": [100_000.0, 100_000.0, 100_000.0, NAN],
        "upper": [100_000.0, 100_099.0, 100_100.0, NAN],
    }

    opinions = ask("bollinger_reversion", values)

    np.testing.assert_allclose(opinions.score, [NAN, NAN, -0.5, NAN])
    np.testing.assert_allclose(opinions.reasons["deviations"], [NAN, NAN, 2.0, NAN])


def test_donchian_breakout_scores_only_beyond_the_channel() -> None:
    """On the edge nothing broke out; beyond it a half, and more the farther."""
    values = {
        "close": [105_000.0, 110_000.0, 112_750.0, 120_000.0, 100_000.0, 97_500.0, 90_000.0],
        "upper": [110_000.0] * 7,
        "lower": [100_000.0] * 7,
    }

    opinions = ask("donchian_breakout", values)

    np.testing.assert_allclose(opinions.score, [0.0, 0.0, 0.75, 1.0, 0.0, -0.75, -1.0])
    np.testing.assert_allclose(opinions.reasons["beyond_bps"][[2, 5]], [250.0, -250.0])
    assert opinions.reasons["upper_cny"][0] == 11.0
    assert opinions.reasons["lower_cny"][0] == 10.0


def test_donchian_breakout_last_bit_of_a_scaled_edge_is_no_breakout() -> None:
    """An ex-rights day multiplies what the channel remembers by a fraction."""
    values = {
        "close": [99_000.0, 81_000.0],
        "upper": [np.nextafter(99_000.0, 0.0)] * 2,
        "lower": [np.nextafter(81_000.0, 99_000.0)] * 2,
    }

    assert ask("donchian_breakout", values).score.tolist() == [0.0, 0.0]


def test_donchian_breakout_with_one_cold_edge_is_no_opinion() -> None:
    """Half a channel is none."""
    values = {
        "close": [120_000.0, 90_000.0],
        "upper": [110_000.0, NAN],
        "lower": [NAN, 100_000.0],
    }

    assert np.isnan(ask("donchian_breakout", values).score).all()


def test_momentum_leaves_the_last_observations_out() -> None:
    """From 100 to 150 and then to 120: half was won before the part that is left out."""
    values = {"whole": [0.2, -0.5, 0.1], "recent": [-0.2, 0.0, NAN]}

    opinions = ask("momentum", values)

    np.testing.assert_allclose(opinions.score, [0.5, -0.5, NAN])
    assert tuple(opinions.reasons) == ("momentum", "whole_return", "recent_return")
    np.testing.assert_array_equal(opinions.reasons["whole_return"], values["whole"])
    np.testing.assert_array_equal(opinions.reasons["recent_return"], values["recent"])


def test_momentum_with_nothing_to_skip_is_the_whole_return() -> None:
    """Some want the plain return."""
    opinions = ask("momentum", {"whole": [0.2, NAN]}, {"skip": 0})

    np.testing.assert_array_equal(opinions.score, [0.2, NAN])
    assert tuple(opinions.reasons) == ("momentum", "whole_return")


def test_vwap_reversion_buys_below_the_average_price() -> None:
    """A half at one per cent, one at three, nothing nearer."""
    close = [100_000.0, 99_001.0, 99_000.0, 98_000.0, 97_000.0, 101_000.0, 110_000.0, 100_000.0]
    values = {"close": close, "vwap": [100_000.0] * 7 + [NAN]}

    opinions = ask("vwap_reversion", values)

    expected = [0.0, 0.0, 0.5, 0.75, 1.0, -0.5, -1.0, NAN]
    np.testing.assert_allclose(opinions.score, expected)
    np.testing.assert_allclose(opinions.reasons["distance_bps"][2:4], [-100.0, -200.0])
    assert opinions.reasons["close_cny"][2] == 9.9
    assert opinions.reasons["vwap_cny"][2] == 10.0


def test_book_imbalance_scores_the_mean_at_its_scale() -> None:
    """A mean of a quarter is whole when full scale is a quarter, and never more."""
    values = {"mean": [0.125, -0.25, 0.9], "now": [0.5, 0.5, 0.5]}

    opinions = ask("book_imbalance", values, {"full_scale_percent": 25})

    np.testing.assert_allclose(opinions.score, [0.5, -1.0, 1.0])
    np.testing.assert_array_equal(opinions.reasons["mean_imbalance"], values["mean"])
    np.testing.assert_array_equal(opinions.reasons["imbalance"], values["now"])


def test_book_imbalance_of_a_one_sided_book_is_no_opinion() -> None:
    """At a price limit the mean of earlier books says nothing."""
    opinions = ask("book_imbalance", {"mean": [0.5, NAN], "now": [NAN, 0.5]})

    assert np.isnan(opinions.score).all()


def test_book_imbalance_near_levels_weigh_more() -> None:
    """A share on the best level counts five times one on the fifth."""
    bid = np.array([[100, 0, 0, 0, 0], [100, 0, 0, 0, 0]])
    ask = np.array([[100, 0, 0, 0, 0], [100, 0, 0, 0, 500]])

    imbalance = book_imbalance(bid_shares=bid, ask_shares=ask)

    np.testing.assert_allclose(imbalance, [0.0, -1 / 3])


def figures(**changed: float) -> dict[str, list[float]]:
    """Return the figures of one company, each yield at half its cap by default."""
    known = {
        "earnings": 10.0,
        "book": 4 / 3,
        "sales": 2 / 3,
        "cash_flow": 10.0,
        "turnover": 0.025,
    }
    return {name: [value] for name, value in {**known, **changed}.items()}


def test_value_quality_is_the_weighted_sum_of_figures_at_their_caps() -> None:
    """Every yield at half its cap: 40 of 80 for value, and half of turnover's 10 off."""
    opinions = ask("value_quality", figures())

    return_on_equity = (4 / 3) / 10.0
    quality = 20 / 110 * return_on_equity / 0.30
    np.testing.assert_allclose(opinions.reasons["value"], [40 / 110])
    np.testing.assert_allclose(opinions.reasons["quality"], [quality])
    np.testing.assert_allclose(opinions.reasons["turnover"], [5 / 110])
    np.testing.assert_allclose(opinions.reasons["figures"], [4.0])
    np.testing.assert_allclose(opinions.score, [40 / 110 + quality - 5 / 110])


def test_value_quality_outlier_counts_no_more_than_its_cap() -> None:
    """A price of a tenth of the earnings is a mistake or a wreck, not the best buy."""
    opinions = ask("value_quality", figures(earnings=0.1, turnover=0.9))

    np.testing.assert_allclose(opinions.reasons["value"], [(40 + 20) / 110])
    np.testing.assert_allclose(opinions.reasons["quality"], [20 / 110])
    np.testing.assert_allclose(opinions.reasons["turnover"], [10 / 110])


@pytest.mark.parametrize("loss", [-10.0, 0.0])
def test_value_quality_loss_is_known_and_worth_nothing(loss: float) -> None:
    """A company that loses money is no bargain, however low its price."""
    opinions = ask("value_quality", figures(earnings=loss))

    np.testing.assert_allclose(opinions.reasons["value"], [20 / 110])
    np.testing.assert_allclose(opinions.reasons["quality"], [0.0])
    np.testing.assert_allclose(opinions.reasons["figures"], [4.0])


def test_value_quality_negative_equity_is_no_quality() -> None:
    """Two minus signs do not make a return."""
    opinions = ask("value_quality", figures(earnings=-10.0, book=-1.0))

    np.testing.assert_allclose(opinions.reasons["quality"], [0.0])


def test_value_quality_unknown_figure_is_the_worst() -> None:
    """What nobody knows earns nothing and is penalised."""
    opinions = ask("value_quality", figures(cash_flow=NAN, turnover=NAN))

    np.testing.assert_allclose(opinions.reasons["value"], [35 / 110])
    np.testing.assert_allclose(opinions.reasons["turnover"], [10 / 110])
    np.testing.assert_allclose(opinions.reasons["figures"], [3.0])
    assert np.isfinite(opinions.score).all()


def test_value_quality_too_few_figures_is_no_opinion() -> None:
    """Two of four ratios do not make a picture of a company, unless the user says so."""
    two = figures(earnings=NAN, cash_flow=NAN)

    assert np.isnan(ask("value_quality", two).score).all()
    assert np.isfinite(ask("value_quality", two, {"figures_min": 2}).score).all()


def test_value_quality_is_asked_once_a_month() -> None:
    """A rank of companies changes slowly, and every change costs."""
    assert np.isnan(ask("value_quality", figures(), is_month_start=False).score).all()
    assert np.isfinite(ask("value_quality", figures()).score).all()
