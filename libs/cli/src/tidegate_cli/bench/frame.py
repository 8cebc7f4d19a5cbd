"""The frame of all benchmarks: repeats, medians, goals, and the machine they were measured on."""

import gc
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum, unique

import psutil
from rich.table import Table

from tidegate_common.clock import Clock

_NS = 1e9


@unique
class Better(StrEnum):
    """Which side of its goal a value is to be on."""

    MORE = "more"
    LESS = "less"


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a bench; `met` is None where there is no goal."""

    metric: str
    value: float
    unit: str
    goal: float | None = None
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured."""

    system: str
    processor: str
    core_count: int
    memory_gib: float
    python: str
    load_1min: float


@dataclass(frozen=True, slots=True)
class BenchReport:
    """What a bench found.

    ratios : figures that hold across machines: one thing against another in the same run.
    notes : how it was measured, where the names do not say it.
    """

    bench: str
    results: tuple[Metric, ...]
    ratios: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def with_goal(metric: str, value: float, unit: str, *, goal: float, better: Better) -> Metric:
    """Return a figure with its goal and whether it is met."""
    is_met = value >= goal if better is Better.MORE else value <= goal
    return Metric(metric, value, unit, goal, is_met)


def median_ns(
    work: Callable[[], object],
    *,
    clock: Clock,
    repeat_count: int,
    calls_per_repeat: int,
) -> float:
    """Return the median time of a call, in ns, over several repeats after one to warm up."""
    work()
    times: list[float] = []
    for _ in range(repeat_count):
        started = clock.monotonic_seconds()
        for _ in range(calls_per_repeat):
            work()
        times.append((clock.monotonic_seconds() - started) / calls_per_repeat * _NS)
    return statistics.median(times)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep this thread on one core, where the system can, and the collector off, as timeit does."""
    cores = os.sched_getaffinity(0) if sys.platform == "linux" else set()
    was_collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    if cores:
        os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
        if was_collecting:
            gc.enable()


def describe_machine() -> Machine:
    """Return what this machine is."""
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        processor=platform.processor() or "unknown",
        core_count=psutil.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        python=platform.python_version(),
        load_1min=round(os.getloadavg()[0], 2),
    )


def report_json(report: BenchReport, machine: Machine) -> dict[str, object]:
    """Return a report as JSON-ready values: bench, results, ratios, notes, machine."""
    return {**asdict(report), "machine": asdict(machine)}


def report_table(report: BenchReport) -> Table:
    """Return a report as a table for people."""
    notes = "\n".join(report.notes) or None
    table = Table(
        title=f"bench {report.bench}",
        title_justify="left",
        caption=notes,
        caption_justify="left",
    )
    for column in ("metric", "value", "unit", "goal", "met"):
        table.add_column(column, justify="left" if column in {"metric", "unit"} else "right")
    for each in report.results:
        goal = "" if each.goal is None else f"{each.goal:g}"
        met = {None: "", True: "yes", False: "no"}[each.met]
        table.add_row(each.metric, f"{each.value:,.3f}", each.unit, goal, met)
    for name, ratio in report.ratios.items():
        table.add_row(name, f"{ratio:,.3f}", "ratio", "", "")
    return table
