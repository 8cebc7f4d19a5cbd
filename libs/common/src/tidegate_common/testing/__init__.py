"""Builders, fakes and fixtures for tests."""
