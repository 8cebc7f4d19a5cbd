"""Six years of real days against the rule book: every row within its limits, or explained."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tidegate_cli.conformance.recordings import Conformance, check_recordings
from tidegate_cli.conformance.report import merge_rules
from tidegate_cli.rules.document import rulebook_document
from tidegate_common.domain.enums import Board, ListingStage
from tidegate_common.market.calendar import xshg_calendar

pytestmark = pytest.mark.data

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
# Trading days in all files, and how many of them lie beyond the plain limit of their board.
ROW_COUNT = 705_019
EXCEPTIONS = {
    (Board.MAIN, ListingStage.FIRST_DAYS): 1,
    (Board.MAIN, ListingStage.FIRST_DAY_BAND): 20,
    (Board.MAIN, ListingStage.RELISTING): 1,
    (Board.CHINEXT, ListingStage.FIRST_DAYS): 4,
    (Board.CHINEXT, ListingStage.FIRST_DAY_BAND): 6,
    (Board.STAR, ListingStage.FIRST_DAYS): 14,
}


@pytest.fixture(scope="module")
def conformance() -> Conformance:
    """Return what all recordings say."""
    return check_recordings(DATA, xshg_calendar())


def test_daily_bars_every_row_is_within_its_limits_or_explained(
    conformance: Conformance,
    record_property: Callable[[str, object], None],
) -> None:
    """A rule that is wrong by a fen or by a day leaves rows over."""
    rules = merge_rules(conformance)

    explained = sum(len(rule.exceptions) for rule in rules)
    record_property("seen", f"{conformance.row_count:,} rows checked, {explained} by a rule apart")
    assert [day for rule in rules for day in rule.unexplained] == []
    assert conformance.row_count == ROW_COUNT


def test_daily_bars_of_every_file_in_the_directory_are_read(conformance: Conformance) -> None:
    """A file that was left out would be conformant for ever."""
    assert {file.name for file in conformance.files} == {
        path.name for path in (DATA / "daily").iterdir()
    }


def test_daily_bars_exceptions_are_those_of_the_known_rules(conformance: Conformance) -> None:
    """Each rule explains as many days as a flat limit leaves over, no more."""
    found = {
        (rule.rule.board, rule.rule.stage): len(rule.exceptions)
        for rule in merge_rules(conformance)
        if rule.exceptions
    }

    assert found == EXCEPTIONS


def test_daily_bars_touch_both_limits_of_every_ordinary_band(conformance: Conformance) -> None:
    """Limits that were too wide would hold every row and never be touched."""
    ordinary = {ListingStage.ORDINARY, ListingStage.RISK_WARNING}
    bands = [rule for rule in merge_rules(conformance) if rule.rule.stage in ordinary]

    assert len(bands) == 5
    assert all(rule.high_at_limit_count > 0 for rule in bands)
    assert all(rule.low_at_limit_count > 0 for rule in bands)


def test_daily_bars_ex_rights_days_need_their_reference_price(conformance: Conformance) -> None:
    """Limits computed from the close before would forbid what was traded."""
    by_file = {
        file.name: (file.ex_rights_count, len(file.ex_rights_exceptions))
        for file in conformance.files
    }

    assert by_file["baostock_csi300_2020_2025.parquet"] == (1_146, 118)
    assert sum(exceptions for _, exceptions in by_file.values()) == 344


def test_quoted_limits_equal_the_computed_ones(conformance: Conformance) -> None:
    """The exchange's own limits, and a vendor's, to the fen."""
    quotes = {quote.name: quote for quote in conformance.quotes}

    assert [text for quote in conformance.quotes for text in quote.unexplained] == []
    assert sum(quote.equal_count for name, quote in quotes.items() if "snapshot" in name) == 5
    assert quotes["tencent_2022-11-22_sz002_gbk.dat"].equal_count == 662
    assert quotes["tencent_2022-11-22_sz002_gbk.dat"].without_limit_count == 13
    assert quotes["tencent_2026-09-14_5lines_utf8.txt"].equal_count == 4


def test_rulebook_document_holds_the_figures_of_these_recordings() -> None:
    """Run `tidegate rulebook --data ../shared/data > docs/rulebook.md`."""
    assert (ROOT / "docs" / "rulebook.md").read_text(encoding="utf-8") == rulebook_document(DATA)
