"""The one bootstrap: settings, logs, health, signals, exit codes."""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Generic

from tidegate_common.errors import ConfigError, TidegateError
from tidegate_common.runtime.health import Health
from tidegate_common.runtime.logging import ProcessFacts, configure_logging, get_logger
from tidegate_common.runtime.metrics import StageMetrics
from tidegate_common.runtime.settings import ServiceSettings, Settings, load_settings
from tidegate_common.runtime.tracing import ClosableTracer

# A stop must be over within this time; Kubernetes waits 30 s, the local stack 10 s.
STOP_SECONDS_MAX = 8.0
EXIT_FAILED = 1
EXIT_CONFIG = 2
# What a shell says of a program that SIGTERM ended.
EXIT_UNDONE = 143


class Service(Generic[Settings]):
    """A running service: what its `serve` function is given.

    facts : what every line of the log says.
    tracer : None where traces are off.
    exit_code : of a stop without a failure.
    """

    def __init__(self, name: str, settings: Settings, facts: ProcessFacts | None = None) -> None:
        self.name = name
        self.settings = settings
        self.facts = facts or ProcessFacts(name)
        self.metrics = StageMetrics()
        self.health = Health(self.metrics.registry)
        self.tracer = _open_tracer(name, settings)
        self.stopping = asyncio.Event()
        self.exit_code = 0
        self.log = get_logger()


def run(
    name: str,
    settings_type: type[Settings],
    serve: Callable[[Service[Settings]], Awaitable[None]],
) -> None:
    """Run a service until it ends or is told to stop, then exit the process.

    Exit codes: 0 stopped or done, 1 failed (the supervisor may restart it), 2 the user's settings
    are wrong (restarting will not help), 143 told to stop before a work that has an end was done.
    """
    try:
        settings = load_settings(settings_type)
    except ConfigError as error:
        sys.stderr.write(f"tidegate-{name}: {error}\n")
        sys.exit(EXIT_CONFIG)
    facts = ProcessFacts(name, settings.trace_ratio if settings.otlp_endpoint else 0.0)
    configure_logging(facts, log_format=settings.log_format, log_level=settings.log_level)
    sys.exit(_run_loop(_serve(Service(name, settings, facts), serve)))


def _run_loop(main: Awaitable[int]) -> int:
    # What the imports made lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    if sys.platform == "win32":
        return asyncio.run(_as_coroutine(main))
    import uvloop  # noqa: PLC0415  # not to be had on Windows

    return uvloop.run(_as_coroutine(main))


async def _as_coroutine(main: Awaitable[int]) -> int:
    return await main


async def _serve(
    service: Service[Settings], serve: Callable[[Service[Settings]], Awaitable[None]]
) -> int:
    name, settings = service.name, service.settings
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, service.stopping.set)
    try:
        await service.health.start(settings.http_host, settings.http_port)
        service.log.info("service_started", http_port=service.health.port)
        await _until_stopped(service, serve)
    except ConfigError as error:
        sys.stderr.write(f"tidegate-{name}: {error}\n")
        return EXIT_CONFIG
    except TidegateError as error:
        # A known failure has its reason in its text; a traceback would bury it.
        kind = type(error).__name__
        service.log.error("service_failed", error=str(error), kind=kind)  # noqa: TRY400
        return EXIT_FAILED
    except Exception:
        # The one place that catches everything: to say it, and to let the supervisor restart us.
        service.log.exception("service_crashed")
        return EXIT_FAILED
    finally:
        await service.health.close()
        if service.tracer:
            service.tracer.close()
    service.log.info("service_stopped")
    return service.exit_code


def _open_tracer(name: str, settings: ServiceSettings) -> ClosableTracer | None:
    if not settings.otlp_endpoint:
        return None
    # A quarter of a second and 10 MB, which who does not trace shall not pay.
    from tidegate_common.runtime.otlp import OtlpTracer  # noqa: PLC0415

    endpoint, ratio = settings.otlp_endpoint, settings.trace_ratio
    return OtlpTracer(service=name, endpoint=endpoint, ratio=ratio)


async def _until_stopped(
    service: Service[Settings],
    serve: Callable[[Service[Settings]], Awaitable[None]],
) -> None:
    """Run `serve`; when asked to stop, give it its time, then cancel it."""
    work = asyncio.ensure_future(serve(service))
    stop = asyncio.ensure_future(service.stopping.wait())
    await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        await asyncio.wait({work}, timeout=STOP_SECONDS_MAX)
    if not work.done():
        work.cancel()
    stop.cancel()
    try:
        await work
    except asyncio.CancelledError:
        return
    except BaseExceptionGroup as group:
        # A task group fails for one reason; what else it holds are cancellations of its siblings.
        raise _first_leaf(group) from group


def _first_leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
