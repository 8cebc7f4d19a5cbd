"""Adapts market feeds to beats: replay, live polling, synthetic exchange."""
