"""Rows of the rule book: a value, the days it holds, where it was read and how sure that is.

Rows of one table are in order of date and do not overlap; a gap is a day that the rule book
does not answer for. Dates are `YYYYMMDD` integers, both ends included.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Generic, TypeVar

Value = TypeVar("Value")
Value_co = TypeVar("Value_co", covariant=True)

FIRST_DATE = 0
LAST_DATE = 9999_12_31


@unique
class Confidence(StrEnum):
    """How sure a fact is."""

    A = "the same official document is cited by two or more independent sources"
    B = "two independent sources agree"
    C = "one source"
    D = "unverified"


@dataclass(frozen=True, slots=True)
class DatedRow(Generic[Value_co]):
    """A rule's value on the days from `effective_from` to `effective_to`, both included."""

    effective_from: int
    effective_to: int
    value: Value_co
    source: str
    confidence: Confidence


def row_on(rows: Iterable[DatedRow[Value]], trade_date: int) -> DatedRow[Value] | None:
    """Return the row in force on a day, None where the rule book is silent."""
    for row in rows:
        if row.effective_from <= trade_date <= row.effective_to:
            return row
    return None
