"""The newest of each thing, where only the newest counts: portfolios by account, quotes."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key", str, int)

_PAST_RUNS_MAX = 100


class Newest(Generic[Key]):
    """Texts by key, each with the number of the change that made it.

    version : number of the last change.
    """

    def __init__(self) -> None:
        self.version = 0
        self._versions: dict[Key, int] = {}
        self._makers: dict[Key, Callable[[], str]] = {}
        self._texts: dict[Key, tuple[int, str]] = {}

    def put(self, key: Key, make: Callable[[], str]) -> None:
        """Keep what makes the newest text of a key; it is made when somebody wants it."""
        self._versions[key] = self.version
        self._makers[key] = make

    def text(self, key: Key) -> str:
        """Return the newest text of a key that there is."""
        version = self._versions[key]
        known = self._texts.get(key)
        if known is None or known[0] != version:
            known = self._texts[key] = (version, self._makers[key]())
        return known[1]

    def changed(self, wanted: frozenset[Key] | None, since: int) -> list[Key]:
        """Return the keys that changed after a version, of those wanted; None for all."""
        if since == self.version:
            return []
        keys = self._versions if wanted is None else wanted
        return sorted(key for key in keys if self._versions.get(key, 0) > since)


class BeatWatch:
    """Tells news from repeats on a partition whose beats come in order."""

    def __init__(self) -> None:
        self._last: tuple[str, int] = ("", -1)
        self._past: deque[str] = deque(maxlen=_PAST_RUNS_MAX)

    def is_news(self, run_id: str, beat: int) -> bool:
        """Tell whether a beat is no repeat, and none of a run that was left."""
        last_run, last_beat = self._last
        if run_id in self._past or (run_id == last_run and beat <= last_beat):
            return False
        if run_id != last_run:
            self._past.append(last_run)
        self._last = (run_id, beat)
        return True
