"""What a person sees while a stack runs: log lines, progress, messages. All on standard error."""

import zlib
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from tidegate_common.clock import Clock

LINE_SECONDS: Final = 5.0
_COLOURS: Final = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green")
_NAME_WIDTH: Final = 11


class Screen:
    """Writes to standard error: a live bar on a terminal, a line every few seconds elsewhere."""

    def __init__(self, clock: Clock, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._clock = clock
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._next_line_at = 0.0
        self._first: tuple[float, int] | None = None

    def take_line(self, name: str, line: str) -> None:
        """Show a line that a service wrote, behind its name."""
        prefix = Text(f"{name:<{_NAME_WIDTH}} | ", style=_colour(name))
        self.console.print(prefix + Text(line), soft_wrap=True)

    def say(self, text: str) -> None:
        """Show a message of our own."""
        self.console.print(Text(text), soft_wrap=True)

    def show_progress(self, beats: int, total: int | None) -> None:
        """Show how many beats are recorded, of how many."""
        if self.console.is_terminal:
            self._show_bar(beats, total)
            return
        now = self._clock.monotonic_seconds()
        if now < self._next_line_at:
            return
        self._next_line_at = now + LINE_SECONDS
        of_total = f" of {total:,}" if total is not None else ""
        self.say(f"recorded {beats:,}{of_total} beats{self._seconds_left(beats, total, now)}")

    def end_progress(self) -> None:
        """Take the bar away, so that what follows stands below the log."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _seconds_left(self, beats: int, total: int | None, now: float) -> str:
        """Return how long it will take at the pace so far; "" where that is not known."""
        if self._first is None:
            self._first = now, beats
        started, beats_then = self._first
        if total is None or not beats_then < beats < total:
            return ""
        seconds = (now - started) / (beats - beats_then) * (total - beats)
        return f", about {seconds:,.0f} s left"

    def _show_bar(self, beats: int, total: int | None) -> None:
        if self._progress is None:
            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self.console,
                transient=True,
            )
            self._task = self._progress.add_task("beats", total=total)
            self._progress.start()
        assert self._task is not None
        self._progress.update(self._task, completed=beats, total=total)


def _colour(name: str) -> str:
    """Return the colour of a service, the same in every run."""
    return _COLOURS[zlib.crc32(name.encode()) % len(_COLOURS)]
