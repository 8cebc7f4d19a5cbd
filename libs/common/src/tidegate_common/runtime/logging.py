"""Structured logs: a constant event name, the rest key-values.

What is true of a whole process, its service and where it is in which run, is in every line of it,
libraries' lines too, and costs nothing between the lines. A line that says it itself is right.
"""

import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping

import structlog

from tidegate_common.domain.ids import RunId
from tidegate_common.events.trace import beat_trace_id, is_sampled, trace_id_text

# Libraries that tell at INFO of what goes as it should.
_CHATTY = ("aiokafka", "asyncio", "faust", "mode", "uvicorn")


class ProcessFacts:
    """What is added to every line.

    Parameters
    ----------
    trace_ratio : the share of beats that are traced; lines of those name their trace.
    tell : where the process is: `stage`, `shard`, `run`, `beat`, those that it knows; None is left
        out. `beat` is the one to take next.
    """

    def __init__(self, service: str, trace_ratio: float = 0.0) -> None:
        self._service = service
        self._trace_ratio = trace_ratio
        self.tell: Callable[[], Mapping[str, object]] = dict

    def __call__(
        self,
        _logger: object,
        _method: str,
        line: MutableMapping[str, object],
    ) -> MutableMapping[str, object]:
        """Add what a line does not say itself; a processor of structlog."""
        for name, value in {"service": self._service, **self.tell()}.items():
            if value is not None:
                line.setdefault(name, value)
        run, beat = line.get("run"), line.get("beat")
        if isinstance(run, str) and isinstance(beat, int):
            trace_id = beat_trace_id(RunId(run), beat)
            if is_sampled(trace_id, self._trace_ratio):
                line.setdefault("trace_id", trace_id_text(trace_id))
        return line


def configure_logging(facts: ProcessFacts, *, log_format: str, log_level: str) -> None:
    """Send all logs, our own and libraries', to standard error as JSON or for a terminal."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        facts,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_name_library, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        ),
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(log_level.upper())
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def _name_library(
    _logger: object,
    _method: str,
    line: MutableMapping[str, object],
) -> MutableMapping[str, object]:
    """Make a library's sentence a value: an event is a constant word."""
    record = line["_record"]
    assert isinstance(record, logging.LogRecord)
    line.update(event="library_said", library=record.name, said=line["event"])
    return line


def get_logger() -> structlog.stdlib.BoundLogger:
    """Return a logger."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger()
    return logger
