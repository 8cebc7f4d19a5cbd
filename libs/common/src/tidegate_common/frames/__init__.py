"""Arrow frames: whole-market data in columns."""
