"""What a person sees while a stack runs, where there is no terminal."""

import io

from rich.console import Console

from tidegate_cli.screen import LINE_SECONDS, Screen
from tidegate_common.clock import ManualClock


def test_show_progress_without_a_terminal_says_how_long_it_will_take() -> None:
    """A line every few seconds; the first has no pace to go by, and the last nothing left."""
    out, clock = io.StringIO(), ManualClock()
    screen = Screen(clock, Console(file=out))

    for beats, total in ((10, None), (20, 100), (40, 100), (100, 100)):
        screen.show_progress(beats, total)
        screen.show_progress(beats + 1, total)
        clock.advance(LINE_SECONDS)

    assert out.getvalue().splitlines() == [
        "recorded 10 beats",
        "recorded 20 of 100 beats, about 40 s left",
        "recorded 40 of 100 beats, about 20 s left",
        "recorded 100 of 100 beats",
    ]
