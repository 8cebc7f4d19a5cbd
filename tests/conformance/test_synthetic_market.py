"""The synthetic market beside recorded ones, as the document about it says."""

from pathlib import Path

import pytest

from tidegate_cli.calibration.report import (
    Calibration,
    calibrate,
    calibration_document,
    calibration_plot,
)

# Both markets are measured once, which outlasts the limit of an ordinary test on a busy machine.
pytestmark = [pytest.mark.data, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    """Return both markets."""
    return calibrate(DATA)


def test_synthetic_market_is_like_recorded_ones(calibration: Calibration) -> None:
    """Strategies and load tests meet what they would meet; one statistic in twenty may differ."""
    quotes = [each for group in calibration.quotes() for each in group]
    everything = [*calibration.days(), *quotes, *calibration.profile()]

    assert all(each.is_alike for each in calibration.days())
    assert sum(each.is_alike for each in everything) >= 0.95 * len(everything)


def test_synthetic_market_document_and_plot_are_up_to_date(calibration: Calibration) -> None:
    """People read the file: run the command that its head names."""
    docs = ROOT / "docs"

    assert (docs / "synthetic-market.md").read_text(encoding="utf-8") == calibration_document(
        calibration
    )
    assert (docs / "synthetic-market.svg").read_text(encoding="utf-8") == calibration_plot(
        calibration
    )
