"""Incremental indicators, updated for all instruments at once."""
