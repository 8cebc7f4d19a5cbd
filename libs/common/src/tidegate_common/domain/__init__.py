"""Frozen values of the trading domain: no I/O, no clock."""
