"""A tracer that keeps its spans, for tests."""

from tidegate_common.runtime.tracing import Span


class KeptSpans:
    """Keeps what it is told."""

    def __init__(self, ratio: float = 1.0) -> None:
        self.ratio = ratio
        self.spans: list[Span] = []

    def tell(self, span: Span) -> None:
        self.spans.append(span)

    def named(self, name: str) -> list[Span]:
        """Return the spans of a name, in the order in which they were told."""
        return [span for span in self.spans if span.name == name]
