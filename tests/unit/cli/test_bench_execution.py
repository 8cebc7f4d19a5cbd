"""The bench of the simulated exchange measures what it says."""

from tidegate_cli.bench import find_bench
from tidegate_cli.bench.options import BenchOptions
from tidegate_common.runtime.system_clock import SystemClock


def test_bench_execution_reports_its_goal_and_keeps_its_orders_busy() -> None:
    """Programs compare runs by these names; a market without fills would measure nothing."""
    options = BenchOptions(SystemClock(), instrument_count=110, frame_count=20)

    report = find_bench("execution").run(options)

    assert [(each.metric, each.goal) for each in report.results] == [
        ("beat_110_instruments_200_orders", 3_000.0),
        ("order_beat", None),
        ("fills", None),
        ("ends", None),
    ]
    assert all(each.value > 0 for each in report.results)
