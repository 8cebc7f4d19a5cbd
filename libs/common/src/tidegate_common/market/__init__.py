"""The A-share rule book: dated facts with sources."""
