"""Kafka behind a protocol, and the beat machinery above it."""
