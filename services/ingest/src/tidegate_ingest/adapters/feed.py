"""Feeds: recorded files or a generated market, told as frames.

`describe_files` and `describe_reference` put files into a run's spec, `open_feed` turns the spec
into beats. The same spec gives the same bytes, however often and on whichever machine it is read.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from tidegate_common.errors import ConfigError
from tidegate_common.events.ingest import RejectedRow
from tidegate_common.events.run import RunSpec
from tidegate_common.frames.frame import Frame
from tidegate_ingest.adapters.recorded_files import describe_files, hold_quotes, open_files
from tidegate_ingest.adapters.reference_file import describe_reference
from tidegate_ingest.adapters.synthetic_market import open_synthetic
from tidegate_ingest.engine.quality import FeedCounts, RejectReason

__all__ = [
    "Feed",
    "FeedCounts",
    "RejectReason",
    "describe_files",
    "describe_reference",
    "hold_quotes",
    "open_feed",
]


class Feed(Protocol):
    """Beats of one run, from the first to the last, as often as one asks."""

    @property
    def beat_count(self) -> int | None:
        """Number of beats, None where it is not known."""

    @property
    def counts(self) -> FeedCounts:
        """What became of the rows of the feed's files."""

    @property
    def is_checked(self) -> bool:
        """Whether it is known which rows are refused; else once the frames were told."""

    def rejects(self) -> Iterator[Sequence[RejectedRow]]:
        """Return the refused rows as they came, some at a time; the same at every reading."""

    def frames(self) -> Iterator[Frame]:
        """Return the beats from the first one, one frame each: the whole market, shard 0."""


def open_feed(spec: RunSpec) -> Feed:
    """Return the feed that a run's spec describes.

    Raises
    ------
    ConfigError
        If the spec names no source or two, or its source cannot be read as it says.
    """
    feed = spec.feed
    if feed.live is not None:
        message = (
            f"run {spec.run_id} was fed live: its quotes cannot be asked for again; "
            "its frames are in the archive of its recorder, whose files can be replayed"
        )
        raise ConfigError(message)
    if feed.files and feed.synthetic is None:
        return open_files(spec)
    if feed.synthetic is not None and not feed.files:
        return open_synthetic(spec, feed.synthetic)
    found = "both" if feed.files else "neither"
    message = f"expected a feed of either files or a synthetic market, found: {found}"
    raise ConfigError(message)
