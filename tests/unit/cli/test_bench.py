"""The frame of the benchmarks."""

import gc
import json
import math
import os
import sys

import pytest

from tidegate_cli.bench import BENCHES, BenchOptions, BenchReport, Metric, find_bench, report_json
from tidegate_cli.bench.frame import (
    Better,
    Machine,
    describe_machine,
    median_ns,
    report_table,
    undisturbed,
    with_goal,
)
from tidegate_cli.bench.gateway_load import Answered, read_oha
from tidegate_cli.bench.gateway_seed import Day
from tidegate_cli.bench.lockstep import round_trips
from tidegate_common.clock import ManualClock
from tidegate_common.errors import ConfigError
from tidegate_common.runtime.system_clock import SystemClock

ROUND_TRIPS = """\
tidegate_stage_round_trip_seconds_bucket{le="0.001",stage="risk"} 0.0
tidegate_stage_round_trip_seconds_bucket{le="0.002",stage="risk"} 50.0
tidegate_stage_round_trip_seconds_bucket{le="0.004",stage="risk"} 100.0
tidegate_stage_round_trip_seconds_bucket{le="+Inf",stage="risk"} 100.0
"""


def test_report_json_has_the_keys_of_every_bench() -> None:
    """Programs compare benches without knowing them."""
    report = BenchReport("x", (Metric("speed", 1.5, "beats/s"),), {"a_to_b": 2.0}, ("how",))

    document = json.loads(json.dumps(report_json(report, describe_machine())))

    assert list(document) == ["bench", "results", "ratios", "notes", "machine"]
    assert document["notes"] == ["how"]
    assert document["results"] == [
        {"metric": "speed", "value": 1.5, "unit": "beats/s", "goal": None, "met": None}
    ]
    assert set(document["machine"]) == set(Machine.__slots__)


def test_report_table_shows_how_it_was_measured_below_the_figures() -> None:
    """A figure that nobody can read is none."""
    figures = (Metric("speed", 1.5, "beats/s"),)

    assert report_table(BenchReport("x", figures, notes=("one.", "two."))).caption == "one.\ntwo."
    assert report_table(BenchReport("x", figures)).caption is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a thread on a core")
def test_undisturbed_holds_the_thread_and_the_collector_and_lets_them_go() -> None:
    """What comes after the bench has its cores and its collector back."""
    before = os.sched_getaffinity(0)

    with undisturbed():
        within, was_collecting = os.sched_getaffinity(0), gc.isenabled()

    assert len(within) == 1
    assert within <= before
    assert not was_collecting
    assert os.sched_getaffinity(0) == before
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("value", "better", "is_met"),
    [(150.0, Better.MORE, True), (149.9, Better.MORE, False), (150.1, Better.LESS, False)],
)
def test_with_goal_value_on_its_side_is_met(
    value: float,
    better: Better,
    is_met: bool,  # noqa: FBT001  # the expected value
) -> None:
    """A goal that is just reached is met."""
    assert with_goal("speed", value, "beats/s", goal=150.0, better=better).met is is_met


def test_median_ns_one_slow_repeat_does_not_show() -> None:
    """A machine hiccups; the median does not."""
    clock = ManualClock()
    waits = iter([0.0, 0.002, 0.002, 9.0])

    found = median_ns(
        lambda: clock.advance(next(waits)), clock=clock, repeat_count=3, calls_per_repeat=1
    )

    assert found == pytest.approx(2_000_000)


def test_round_trips_lie_within_their_buckets() -> None:
    """Half of the round trips took up to 2 ms, 99 of 100 up to 3.96 ms."""
    found = round_trips(ROUND_TRIPS)

    assert found == pytest.approx({"p50": 0.002, "p99": 0.00396})


def test_round_trips_beyond_the_last_bound_are_that_bound() -> None:
    """A histogram does not know how long the longest took."""
    text = ROUND_TRIPS.replace('{le="+Inf",stage="risk"} 100.0', '{le="+Inf",stage="risk"} 200.0')

    assert round_trips(text)["p99"] == 0.004


def test_round_trips_without_any_count_are_none() -> None:
    """A run without a round trip has no latency, rather than one of 0."""
    assert round_trips("") == {}
    assert round_trips(ROUND_TRIPS.replace("50.0", "0.0").replace("100.0", "0.0")) == {}


def test_find_bench_unknown_name_lists_the_known_ones() -> None:
    """The user learns what there is."""
    assert find_bench("codec").name == "codec"
    known = "codec, ingest, rules, signals, risk, execution, gateway, loop, lockstep"
    with pytest.raises(ConfigError, match=f"{known}, was 'x'"):
        find_bench("x")


def test_bench_details_name_every_kind_of_figure() -> None:
    """What a key means is asked for where the figures come from."""
    assert find_bench("codec").details.startswith("Bench `codec`: ")
    for word in ("`decode_us_*`", "`updates_per_s`", "`beat_us_*`", "`state_mb`", "`scores_us`"):
        assert word in find_bench("signals").details


def test_bench_gateway_reads_what_oha_says() -> None:
    """Seconds become milliseconds, and what was not answered 200 is an error."""
    said: dict[str, dict[str, float]] = {
        "summary": {"requestsPerSec": 500.4},
        "latencyPercentiles": {"p50": 0.001, "p95": 0.0021, "p99": 0.003},
        "statusCodeDistribution": {"200": 97, "503": 2},
    }

    assert read_oha(said, 100) == Answered(1.0, 2.1, 3.0, 500, 3)


@pytest.mark.parametrize(
    ("orders", "size"),
    [(1_000_000, (1_000, 1_000)), (2_000, (2, 1_000)), (50, (1, 50))],
)
def test_bench_gateway_day_has_the_orders_that_are_asked_for(
    orders: int,
    size: tuple[int, int],
) -> None:
    """A small machine measures a small day."""
    day = Day.of(orders)

    assert (day.account_count, day.beat_count) == size
    assert len(day.accounts) == size[0]


@pytest.mark.parametrize("name", ["codec", "loop"])
def test_bench_in_process_runs_and_has_finite_figures(name: str) -> None:
    """A bench that nobody runs rots."""
    report = find_bench(name).run(BenchOptions(SystemClock(), repeat_count=1))

    assert report.bench == name
    assert report.results
    assert all(math.isfinite(each.value) and each.value > 0 for each in report.results)
    assert {bench.name for bench in BENCHES} >= {name}
