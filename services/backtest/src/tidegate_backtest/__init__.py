"""Composes the engines in process over archived data: the backtester."""
