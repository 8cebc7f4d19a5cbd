"""The signals engine: indicators in arrays, strategies over them, scores and bars out."""

from tidegate_signals.engine.engine import SignalsEngine, SignalsOutput

__all__ = ["SignalsEngine", "SignalsOutput"]
