"""The bench of the rule book measures what it says."""

from decimal import Decimal

from tidegate_cli.bench import find_bench
from tidegate_cli.bench.options import BenchOptions
from tidegate_cli.bench.rules import decimal_limits
from tidegate_common.domain.enums import Board
from tidegate_common.runtime.system_clock import SystemClock


def test_bench_rules_reports_its_goal_and_its_ratios() -> None:
    """Programs compare runs by these names."""
    report = find_bench("rules").run(BenchOptions(SystemClock(), repeat_count=1))

    assert [(each.metric, each.goal) for each in report.results] == [
        ("limits_5500_instruments", 1_000.0),
        ("columns_5500_instruments", None),
        ("rules_of_one_instrument", None),
        ("decimal_loop_5500_instruments", None),
    ]
    assert set(report.ratios) == {"limits_to_decimal_loop", "columns_to_decimal_loop"}
    assert all(each.value > 0 for each in report.results)


def test_decimal_limits_are_the_limits_of_the_boards() -> None:
    """A peer that does less than the thing measured would be no peer."""
    assert decimal_limits([Board.MAIN, Board.STAR], [18_000_000, 100]) == [
        (Decimal("1980.00"), Decimal("1620.00")),
        (Decimal("0.02"), Decimal("0.01")),
    ]
