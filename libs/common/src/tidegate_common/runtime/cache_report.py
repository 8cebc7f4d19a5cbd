"""What operators see of a cache: a count of its writes, and a line when it is lost and back."""

from typing import assert_never

from tidegate_common.runtime.logging import get_logger
from tidegate_common.runtime.metrics import StageMetrics
from tidegate_common.store.stamped import PutOutcome


class CacheReport:
    """Takes how each write to one cache went.

    Parameters
    ----------
    cache : what it holds, e.g. portfolios; names it in the log.
    """

    def __init__(self, metrics: StageMetrics, *, stage: str, cache: str) -> None:
        self._writes = metrics.cache_writes
        self._stage = stage
        for outcome in PutOutcome:
            self._writes.labels(stage, outcome)
        self._log = get_logger().bind(stage=stage, cache=cache)
        self._reason = ""
        self._skipped_count = 0

    def tell(self, outcome: PutOutcome, reason: str) -> None:
        """Count a write; say when the cache is given up for a while, and when it is back."""
        self._writes.labels(self._stage, outcome).inc()
        match outcome:
            case PutOutcome.WRITTEN:
                if self._skipped_count:
                    self._log.info("cache_refilled", skipped_writes=self._skipped_count)
                self._skipped_count = 0
            case PutOutcome.FAILED:
                # One alone is a busy moment; the breaker knows when it is more.
                self._reason = reason
            case PutOutcome.SKIPPED:
                if not self._skipped_count:
                    self._log.warning("cache_left_alone", reason=self._reason)
                self._skipped_count += 1
            case _:
                assert_never(outcome)
