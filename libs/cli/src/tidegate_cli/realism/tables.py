"""The tables of the document about the simulator beside recorded days."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

import numpy as np

from tidegate_cli.realism.calls import CallName
from tidegate_cli.realism.children import CallKind, ChildKind
from tidegate_cli.realism.comparing import DEFAULT, ComparedCall, ComparedDay, Realism
from tidegate_cli.realism.day import RecordedDay
from tidegate_cli.realism.figures import Figures, figures_of
from tidegate_cli.rules.markdown import table_lines
from tidegate_common.domain.ids import format_symbol
from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.rows import QuoteRows
from tidegate_common.market.answers import date_text

_RATES: Final = ("children", "filled, recorded", "filled, simulated", "error")
_FILLED: Final = (
    "filled in the simulator only",
    "in the record only",
    "price error, ticks",
    "first fill later by, seconds (median)",
)


def kind_lines(days: Iterable[ComparedDay]) -> Iterator[str]:
    """Yield a table by day and kind of child."""
    rows = (
        (day_title(each.day), kind, *_cells(each.figures(kind)))
        for each in days
        for kind in ChildKind
    )
    yield from table_lines(("day", "kind", *_RATES, *_FILLED), rows)


def passive_lines(realism: Realism) -> Iterator[str]:
    """Yield a table of passive children by settings and day."""
    rows = (
        (name, day_title(each.day), *_cells(each.passive_figures())[:4])
        for name, days in realism.days.items()
        for each in (*days, realism.shenzhen[name])
    )
    yield from table_lines(("settings", "day", *_RATES), rows)


def thinned_lines(realism: Realism) -> Iterator[str]:
    """Yield a table of what is lost where no orders are told, on days that tell them."""
    header = (
        "day",
        "error, every order",
        "error, trades and cancels alone",
        "same best prices",
        "shares shown at the best price",
        "on five levels",
    )
    rows = (
        (
            day_title(whole.day),
            error_text(whole.passive_figures()),
            error_text(thin.passive_figures()),
            *_shown_cells(whole.day, thin.day),
        )
        for whole, thin in zip(realism.days[DEFAULT], realism.thinned, strict=True)
    )
    yield from table_lines(header, rows)


def held_lines(calls: Iterable[ComparedCall]) -> Iterator[str]:
    """Yield a table of auctions that were held again."""
    rows = (
        (day_title(call.compared.day), call.name, kind, *_call_cells(call.compared.figures(kind)))
        for call in calls
        for kind in CallKind
    )
    yield from table_lines(("day", "call", "kind", *_RATES, "price error, ticks"), rows)


def quoted_lines(calls: Sequence[ComparedCall]) -> Iterator[str]:
    """Yield a table of auctions of which only the outcome is known, all days together."""
    rows = (
        (name, kind, *_bounded_cells(call_figures(calls, kind, name)))
        for name in CallName
        for kind in CallKind
    )
    header = ("call", "kind", "children", "filled, recorded, at least", "at most")
    yield from table_lines((*header, "filled, simulated"), rows)


def call_figures(
    calls: Iterable[ComparedCall],
    kind: CallKind,
    name: CallName | None = None,
) -> Figures:
    """Return the figures of one kind of children in several auctions, or in those of a name."""
    chosen = [call.compared for call in calls if name is None or call.name is name]
    children = chain.from_iterable(compared.children for compared in chosen)
    return figures_of(
        [each for each in children if each.child.kind is kind],
        tick_e4=chosen[0].day.tick_e4,
    )


def day_title(day: RecordedDay) -> str:
    """Return the name of a recorded day."""
    return f"{format_symbol(day.instrument)} {date_text(day.trade_date)}"


def error_text(figures: Figures) -> str:
    """Return the error of a fill rate with its own error."""
    return f"{100 * figures.rate_error:+.1f} ± {100 * figures.rate_error_deviation:.1f} points"


def percent_text(rate: float) -> str:
    """Return a rate as a percentage."""
    return f"{100 * rate:.1f}%"


def _cells(figures: Figures) -> Sequence[str]:
    filled = figures.filled
    only = (percent_text(figures.only_simulated), percent_text(figures.only_recorded))
    if filled is None:
        return (*_rate_cells(figures), *only, "none", "none")
    delays = f"{filled.delay_seconds:.1f} ({filled.delay_seconds_median:.1f})"
    return (*_rate_cells(figures), *only, f"{filled.price_error_ticks:+.2f}", delays)


def _call_cells(figures: Figures) -> Sequence[str]:
    filled = figures.filled
    price = "none" if filled is None else f"{filled.price_error_ticks:+.2f}"
    return (*_rate_cells(figures), price)


def _rate_cells(figures: Figures) -> Sequence[str]:
    return (
        str(figures.count),
        percent_text(figures.recorded_rate),
        percent_text(figures.simulated_rate),
        error_text(figures),
    )


def _bounded_cells(figures: Figures) -> Sequence[str]:
    return (
        str(figures.count),
        percent_text(figures.recorded_rate),
        percent_text(figures.recorded_rate + figures.unknown_rate),
        percent_text(figures.simulated_rate),
    )


def _shown_cells(whole: RecordedDay, thin: RecordedDay) -> Sequence[str]:
    """Return how much of the quotes of a day is left in those of the same day without orders."""
    prices, shares = _quotes(whole)
    thin_prices, thin_shares = _quotes(thin)
    return (
        percent_text(float((prices[:, :, 0] == thin_prices[:, :, 0]).mean())),
        percent_text(float(thin_shares[:, :, 0].sum() / shares[:, :, 0].sum())),
        percent_text(float(thin_shares.sum() / shares.sum())),
    )


def _quotes(day: RecordedDay) -> tuple[Int64Array, Int64Array]:
    """Return prices and shares, (beats, 2 sides, 5 levels) int64."""
    rows = [frame.rows for frame in day.frames if isinstance(frame.rows, QuoteRows)]
    prices = np.stack([(each.bid_price_e4[0], each.ask_price_e4[0]) for each in rows])
    return prices, np.stack([(each.bid_shares[0], each.ask_shares[0]) for each in rows])
