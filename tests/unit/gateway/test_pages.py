"""Pages: the statement that reads one, and the text that names the next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_gateway.pages import (
    BARS,
    DECISIONS,
    EQUITY,
    FILLS,
    ORDERS,
    SCORES,
    Listing,
    PageQuery,
    cursor_after,
    page_sql,
    parse_cursor,
)

WHOLE = st.integers(0, 2**63 - 1)
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
KEY = (13, "A1", 12, 0, 1)


@given(WHOLE, TEXT, st.sampled_from([False, True]))
def test_cursor_of_a_row_is_read_back(
    beat: int,
    account: str,
    is_newest_first: bool,  # noqa: FBT001  # drawn
) -> None:
    """What `next` gave is what `after` takes."""
    query = PageQuery(is_newest_first=is_newest_first)

    text = cursor_after(EQUITY, query, (account, beat))

    assert parse_cursor(EQUITY, text, is_newest_first=is_newest_first) == (account, beat)


@pytest.mark.parametrize(
    ("listing", "key", "is_newest_first"),
    [
        (DECISIONS, KEY, False),
        (FILLS, KEY, True),
        (FILLS, KEY[:4], False),
        (FILLS, (*KEY, 1), False),
        (FILLS, ("13", *KEY[1:]), False),
        (FILLS, (-1, *KEY[1:]), False),
        (FILLS, (2**63, *KEY[1:]), False),
        (FILLS, (True, *KEY[1:]), False),
        (FILLS, (13, 1, 12, 0, 1), False),
        (FILLS, (13, "A\0", 12, 0, 1), False),
    ],
)
def test_cursor_of_another_listing_order_or_form_is_refused(
    listing: Listing,
    key: tuple[int | str, ...],
    is_newest_first: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """A page that begins somewhere else would skip rows silently."""
    text = cursor_after(FILLS, PageQuery(), key)

    with pytest.raises(ValueError, match="after must be the `next` of the page before"):
        parse_cursor(listing, text, is_newest_first=is_newest_first)


def test_cursor_of_a_listing_with_the_same_key_is_refused() -> None:
    """It would begin at a place that means something else."""
    text = cursor_after(DECISIONS, PageQuery(), (13, "A1", 0))

    assert DECISIONS.key == ORDERS.key
    with pytest.raises(ValueError, match="after must be"):
        parse_cursor(ORDERS, text, is_newest_first=False)


@pytest.mark.parametrize("text", ["", "x", "ééé", "bnVsbA", "W10", "WyJmaWxscyJd", "12.A1.0"])
def test_cursor_of_another_kind_is_refused(text: str) -> None:
    """Whatever somebody types."""
    with pytest.raises(ValueError, match="after must be"):
        parse_cursor(FILLS, text, is_newest_first=False)


def test_page_sql_puts_callers_words_into_values_only() -> None:
    """There is no way into the statement."""
    query = PageQuery(
        "r",
        {"account_id": "x' OR 1=1"},
        after=(3, "A1", 0),
        limit=10,
        is_newest_first=True,
    )

    sql, values = page_sql(DECISIONS, query)

    assert "OR" not in sql.replace("ORDER", "")
    assert "(listed.beat, listed.account_id, listed.sequence) < ($3, $4, $5)" in sql
    assert sql.endswith(
        "listed.beat DESC, listed.account_id DESC, listed.sequence DESC LIMIT $6",
    )
    assert values == ["x' OR 1=1", 3, "A1", 0, 11]


def test_page_sql_of_times_asks_for_beats_or_the_listings_own_time() -> None:
    """Tables are sorted by beat, and one index leads from a time to a beat."""
    by_beat, values = page_sql(ORDERS, PageQuery("r", from_ns=5, to_ns=9))
    by_end, _ = page_sql(BARS, PageQuery("r", from_ns=5, to_ns=9))

    assert "listed.beat >= coalesce((SELECT beat FROM beats" in by_beat
    assert "ts_event_ns >= $3" in by_beat
    assert "listed.ts_end_ns >= $2 AND listed.ts_end_ns < $3" in by_end
    assert values == [5, 9, 101]


def test_page_sql_by_strategy_looks_at_the_orders_decision() -> None:
    """A fill is of a later beat than its order, and the decision has the order's."""
    of_fills, values = page_sql(FILLS, PageQuery("r", {"strategy": "cross", "instrument": 7}))
    of_orders, _ = page_sql(ORDERS, PageQuery("r", {"strategy": "cross"}))
    of_scores, _ = page_sql(SCORES, PageQuery("r", {"strategy_name": "cross"}))

    assert "decisions.beat = listed.order_beat" in of_fills
    assert "decisions.cause = $2 AND decisions.cause_kind = 'score'" in of_fills
    assert "listed.instrument = $3" in of_fills
    assert "decisions.beat = listed.beat" in of_orders
    assert "listed.strategy = $2" in of_scores
    assert values == ["cross", 7, 101]
