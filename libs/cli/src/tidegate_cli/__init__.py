"""The tidegate command: the local stack, replays, backtests, verify and bench."""
