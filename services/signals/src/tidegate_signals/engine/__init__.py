"""The signals engine: indicators in arrays, strategies over them, scores out."""

from tidegate_signals.engine.engine import SignalsEngine

__all__ = ["SignalsEngine"]
