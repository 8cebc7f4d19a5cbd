"""What the tables about the simulator beside recorded days come to, in words."""

from collections.abc import Iterator
from typing import Final

from tidegate_cli.realism.children import CallKind, ChildKind
from tidegate_cli.realism.comparing import DEFAULT, ComparedDay, Realism
from tidegate_cli.realism.tables import call_figures, day_title, error_text, percent_text
from tidegate_cli.rules.markdown import text_lines

_QUEUE: Final = (
    "Against us: `join` and `behind` stand in the queue of the next quote, up to a beat longer "
    "than the true one; the participation cap; a cancel that may have been ahead of us counts as "
    "one behind."
)
_LAST_PRICE: Final = (
    "For us: a beat that traded at several prices counts as traded at the last of them, so a queue "
    "there may pass too soon. Where the passive error is near zero, the two cancel out."
)
_MARKET: Final = (
    "`market` pays both the better and the worse prices of the next beat, which are about as often "
    "the one as the other."
)


def reading_lines(realism: Realism) -> Iterator[str]:
    """Yield the last part of the document."""
    yield "## Reading"
    yield ""
    for item in (
        _passive_text(realism),
        *_above_texts(realism),
        _QUEUE,
        _LAST_PRICE,
        _cross_text(realism),
        _MARKET,
        *_call_texts(realism),
    ):
        yield from text_lines(f"- {item}", indent="  ")


def _passive_text(realism: Realism) -> str:
    errors = [each.passive_figures().rate_error for each in realism.days[DEFAULT]]
    low, high = (f"{100 * abs(error):.1f}" for error in (max(errors), min(errors)))
    sign = "less" if max(errors) <= 0 else "NOT always less"
    bound = error_text(realism.shenzhen[DEFAULT].passive_figures())
    return (
        f"**Passive orders fill {sign} than they would have**: by {low} to {high} points of the "
        "shares ordered on Shanghai's days, and later. Their prices are exact. Shenzhen's upper "
        f"bound is {bound}."
    )


def _above_texts(realism: Realism) -> Iterator[str]:
    """Yield which single rows are not below the record, if any."""
    days = (*realism.days[DEFAULT], realism.shenzhen[DEFAULT])
    above = [text for each in days for text in _above(each)]
    if above:
        yield (
            "Not less, by default settings, but by no more than chance where an error is below "
            f"twice its own standard error: {'; '.join(above)}."
        )


def _above(compared: ComparedDay) -> Iterator[str]:
    for kind in ChildKind:
        figures = compared.figures(kind)
        if kind.is_passive and figures.rate_error > 0:
            yield f"{day_title(compared.day)} `{kind}`, {error_text(figures)}"


def _cross_text(realism: Realism) -> str:
    figures = [each.figures(ChildKind.CROSS).filled for each in realism.days[DEFAULT]]
    ticks = [each.price_error_ticks for each in figures if each is not None]
    return (
        "`cross` meets the book of the next beat. Where the market came towards the child it pays "
        "less than what was displayed; where it went away it waits, and then pays its own limit. "
        "Beside an order that arrives at once its fill rates are pessimistic and its prices "
        f"optimistic ({min(ticks):+.2f} to {max(ticks):+.2f} ticks on Shanghai's days), in ticks "
        "the more the wider the spread is."
    )


def _call_texts(realism: Realism) -> Iterator[str]:
    better = call_figures(realism.held_calls, CallKind.BETTER)
    at = call_figures(realism.held_calls, CallKind.AT)
    sign = "**optimistic**" if better.rate_error > 0 else "not optimistic"
    ticks = 0.0 if better.filled is None else better.filled.price_error_ticks
    yield (
        f"In call auctions orders `better` than the price are {sign}: {error_text(better)} "
        f"({percent_text(better.recorded_rate)} recorded), prices {ticks:+.2f} ticks. A child that "
        "is large beside what the auction leaves around its price moves the price, past its own "
        "limit even. The simulator gives it what is left on display of the other side up to its "
        "limit, all at the price of the last level that it needs, and never the place of somebody "
        "whom it would have displaced on its own side."
    )
    yield (
        f"Orders `at` the very price of an auction: {error_text(at)}. They get only what is left "
        "of the other side, never another one's place."
    )
