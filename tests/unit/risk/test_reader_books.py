"""What readers are told of an account between beats: its portfolio and its open orders."""

from tests.unit.risk.scenario import (
    BANK,
    PRICE_E4,
    Quote,
    Stage,
    cancel_request,
    fill_of,
    filled,
    update_of,
)

from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import OrderStatus, Side
from tidegate_common.events.portfolio import AccountBooks, OpenOrderState


def test_books_before_the_first_beat_are_none() -> None:
    """There is no beat that they could be of."""
    assert list(Stage().engine.books()) == []


def test_books_hold_open_orders_as_they_stand() -> None:
    """Partly filled, with the cancel that left; they survive the way to a reader."""
    stage = Stage()
    stage.open()
    order = stage.ask(Quote(), quantity_shares=300).submits[0]
    stage.tick(
        Quote(),
        fills=(fill_of(order, quantity_shares=100),),
        updates=(update_of(order, OrderStatus.PARTIALLY_FILLED, filled_shares=100),),
        requests=(cancel_request(order.order_id),),
    )

    (books,) = stage.engine.books()

    assert books.portfolio == stage.engine.portfolios()[0]
    assert books.portfolio.open_order_count == 1
    assert books.open_orders == (
        OpenOrderState(
            order_id=order.order_id,
            beat=order.beat,
            instrument=BANK,
            side=Side.BUY,
            bound_price_e4=PRICE_E4,
            quantity_shares=300,
            filled_shares=100,
            strategy="",
            cancel_beat=books.portfolio.beat,
        ),
    )
    assert decode_event(AccountBooks, encode_event(books)) == books


def test_books_forget_orders_that_have_ended() -> None:
    """They may not trade any more."""
    stage = Stage()
    stage.open()
    order = stage.ask(Quote(), quantity_shares=100).submits[0]

    stage.tick(Quote(), fills=(fill_of(order),), updates=(filled(order),))

    assert [books.open_orders for books in stage.engine.books()] == [()]


def test_books_taken_between_beats_are_each_of_the_last_one() -> None:
    """A thousand accounts are not told of in one go, and each says which beat it is of."""
    stage = Stage(accounts=("alpha", "beta"))
    stage.open()

    telling = stage.engine.books()
    first = next(telling)
    stage.tick(Quote())
    second = next(telling)

    assert (first.portfolio.beat, second.portfolio.beat) == (0, 1)
