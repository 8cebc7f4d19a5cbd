"""`tidegate backtest`: the three-line loop over a feed, in this process."""

from collections.abc import Callable, Iterable, Iterator

from tidegate_backtest.loop import BeatOutcome, run_loop
from tidegate_backtest.summary import summarise
from tidegate_common.clock import Clock
from tidegate_common.events.outcome import RunSummary
from tidegate_common.events.run import RunSpec
from tidegate_ingest.adapters.feed import open_feed
from tidegate_signals.adapters.plugins import load_kinds


def backtest(
    spec: RunSpec,
    clock: Clock,
    notice: Callable[[BeatOutcome], None] | None = None,
) -> RunSummary:
    """Return what a run comes to without a bus.

    Parameters
    ----------
    notice : is told what each beat comes to.

    Raises
    ------
    ConfigError
        If a file of the spec, a strategy's included, cannot be read or is not the one described.
    """
    feed = open_feed(spec)
    frames = feed.frames()
    started = clock.monotonic_seconds()
    beats = run_loop(spec, frames, kinds=load_kinds(spec.strategies))
    seen = beats if notice is None else _noticed(beats, notice)
    return summarise(spec, seen, lambda: clock.monotonic_seconds() - started)


def _noticed(
    beats: Iterable[BeatOutcome],
    notice: Callable[[BeatOutcome], None],
) -> Iterator[BeatOutcome]:
    for beat in beats:
        notice(beat)
        yield beat
