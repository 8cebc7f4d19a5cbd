"""What ingest counts."""

from collections import Counter as Counts
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from tidegate_common.domain.enums import Board, Exchange, Phase
from tidegate_common.frames.frame import Frame
from tidegate_common.market.sessions import session_at, shanghai_date, shanghai_seconds
from tidegate_ingest.engine.live_gate import LiveReason
from tidegate_ingest.engine.quality import RejectReason
from tidegate_ingest.engine.quote_text import QuoteSource

_TRADING = frozenset({Phase.CONTINUOUS, Phase.CLOSE_CALL})


class _LiveMetrics:
    """What a live feed counts; a replay leaves it at 0."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        self.polls = Counter(
            "tidegate_ingest_polls_total",
            "Times that all shares of a live run were asked for.",
            registry=registry,
        )
        self.requests = Counter(
            "tidegate_ingest_quote_requests_total",
            "Requests to quote services, such as sina_answered and sina_failed.",
            ["outcome"],
            registry=registry,
        )
        self.failovers = Counter(
            "tidegate_ingest_failovers_total",
            "Requests that another service than the first one answered.",
            registry=registry,
        )
        self.conflated = Counter(
            "tidegate_ingest_conflated_beats_total",
            "Beats that were not made because the one before was still on its way.",
            registry=registry,
        )
        self.push_clients = Gauge(
            "tidegate_ingest_push_clients",
            "Clients that are connected and push quotes.",
            registry=registry,
        )
        self.newest_quote = Gauge(
            "tidegate_ingest_newest_quote_age_seconds",
            "Wall clock less market time of the newest row of a live run; 0 before the first.",
            registry=registry,
        )
        # What happens seldom is 0 before, not missing: a rate over it sees its first time.
        for source in QuoteSource:
            for outcome in ("answered", "failed"):
                self.requests.labels(f"{source}_{outcome}")


class IngestMetrics(_LiveMetrics):
    """Metrics of one sequencer; without a registry they are counted and shown nowhere."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.active = Gauge(
            "tidegate_ingest_active",
            "1 where this sequencer feeds the run, 0 where it stands by.",
            registry=registry,
        )
        self.epoch = Gauge(
            "tidegate_ingest_epoch_number",
            "Epoch of the lease that it last held.",
            registry=registry,
        )
        self.takeovers = Counter(
            "tidegate_ingest_takeovers_total",
            "Times that it went on where another sequencer, or an earlier life, had stopped.",
            registry=registry,
        )
        self.beat_number = Gauge(
            "tidegate_ingest_beat_number",
            "Number of the beat that it sends next.",
            registry=registry,
        )
        self.rows = Counter(
            "tidegate_ingest_rows_total",
            "Rows of quotes and bars that were sent in frames.",
            registry=registry,
        )
        self.beats = Counter(
            "tidegate_ingest_beats_total",
            "Beats that were sent.",
            registry=registry,
        )
        self.in_session = Gauge(
            "tidegate_ingest_in_session",
            "1 while the market time of the run that it feeds is inside trading hours.",
            registry=registry,
        )
        self.rejected_rows = Counter(
            "tidegate_ingest_rejected_rows_total",
            "Rows and lines of the feed that were refused, by reason.",
            ["rule"],
            registry=registry,
        )
        self.lost_rejects = Counter(
            "tidegate_ingest_lost_rejects_total",
            "Refused rows that were counted and not kept: the log was too slow for them.",
            registry=registry,
        )
        for reason in (*RejectReason, *LiveReason):
            self.rejected_rows.labels(reason.value)
        super().__init__(registry)

    def sent(self, frame: Frame) -> None:
        """Count a beat's frame of the whole market."""
        self.beats.inc()
        self.rows.inc(len(frame.rows))


def is_in_session(ts_event_ns: int) -> bool:
    """Tell whether the main boards trade at a time of a trading day; not the opening call."""
    session = session_at(
        exchange=Exchange.SH,
        board=Board.MAIN,
        trade_date=shanghai_date(ts_event_ns),
        seconds_of_day=shanghai_seconds(ts_event_ns),
    )
    return session.phase in _TRADING


class FeedMeter:
    """Brings the metrics in step with what a feed has counted."""

    def __init__(self, metrics: IngestMetrics) -> None:
        self._metrics = metrics
        self._seen: Counts[str] = Counts()

    def begin(self) -> None:
        """Take counts from zero again: the feed was made anew."""
        self._seen.clear()

    def take_rows(self, counts: Mapping[str, int]) -> None:
        """Take rows by what became of them."""
        for reason, count in counts.items():
            if reason not in {"rows_in", "accepted"}:
                self._add(self._metrics.rejected_rows.labels(reason), f"rows {reason}", count)

    def take_requests(self, counts: Mapping[str, int]) -> None:
        """Take what a polling has counted; a pushed feed has neither polls nor failovers."""
        metrics = self._metrics
        for name, count in counts.items():
            source, _, outcome = name.partition(" ")
            if outcome in {"answered", "failed"}:
                label = metrics.requests.labels(f"{source}_{outcome}")
                self._add(label, f"requests {name}", count)
        self._add(metrics.polls, "polls", counts.get("polls", 0))
        self._add(metrics.failovers, "failovers", counts.get("failovers", 0))

    def take_beats(self, *, conflated: int, lost_rejects: int) -> None:
        """Take what a slow log has cost."""
        self._add(self._metrics.conflated, "conflated", conflated)
        self._add(self._metrics.lost_rejects, "lost", lost_rejects)

    def _add(self, metric: Counter, name: str, count: int) -> None:
        metric.inc(count - self._seen[name])
        self._seen[name] = count
