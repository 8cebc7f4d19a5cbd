"""The simulated exchange beside recorded order streams: what it fills, and what was so."""
