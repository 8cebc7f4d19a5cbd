"""The simulated exchange: pure, synchronous, deterministic."""

from tidegate_execution.engine.engine import ExecutionEngine, ExecutionReport

__all__ = ["ExecutionEngine", "ExecutionReport"]
