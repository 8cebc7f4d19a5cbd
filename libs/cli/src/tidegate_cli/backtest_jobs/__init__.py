"""Backtests that the gateway is asked for: a worker that runs one after the other."""
