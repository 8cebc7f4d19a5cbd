"""Benchmarks: one file each, one frame for all."""

from tidegate_cli.bench.frame import BenchReport, Metric, report_json, report_table
from tidegate_cli.bench.registry import BENCHES, Bench, BenchOptions, find_bench

__all__ = [
    "BENCHES",
    "Bench",
    "BenchOptions",
    "BenchReport",
    "Metric",
    "find_bench",
    "report_json",
    "report_table",
]
