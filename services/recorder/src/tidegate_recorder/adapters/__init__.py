"""Where the rows go."""
