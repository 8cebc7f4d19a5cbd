"""Simulates the exchange: order matching against books and bars, with fees."""
