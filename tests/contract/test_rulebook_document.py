"""`docs/rulebook.md` is what the code says of its rules."""

from pathlib import Path

import pytest

from tidegate_cli.__main__ import run
from tidegate_cli.rules.document import CONFORMANCE_HEADING, rulebook_document
from tidegate_cli.rules.markdown import table_lines
from tidegate_common.market.tables import RULE_TABLES

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "rulebook.md"


def test_rulebook_document_rules_are_up_to_date() -> None:
    """People read the file: run `tidegate rulebook --data ../shared/data > docs/rulebook.md`."""
    committed, _, _ = DOCUMENT.read_text(encoding="utf-8").partition(CONFORMANCE_HEADING)
    generated, _, _ = rulebook_document(None).partition(CONFORMANCE_HEADING)

    assert committed == generated


def test_rulebook_document_holds_every_source_and_the_conformance_table() -> None:
    """Each row with its source, and what recorded days said, without a day left over."""
    text = DOCUMENT.read_text(encoding="utf-8")

    assert all(row.source in text for table in RULE_TABLES for row in table.rows)
    assert "**0 are unexplained**" in text


def test_rulebook_without_recordings_says_that_nothing_was_checked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An empty section would read as if all were well."""
    code = run(["rulebook"])

    assert code == 0
    assert capsys.readouterr().out.endswith(
        "Not checked: no directory of recorded days was given.\n"
    )


def test_rulebook_of_a_directory_without_recordings_is_a_mistake(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A slip in the directory's name must not write an empty report."""
    code = run(["rulebook", "--data", str(tmp_path)])

    assert code == 2
    assert "expected files of daily bars" in capsys.readouterr().err


def test_table_lines_escape_what_would_end_a_cell() -> None:
    """A bar in a source must not shift the columns."""
    assert list(table_lines(["a"], [["x|y"]])) == ["| a |", "| --- |", "| x\\|y |"]
