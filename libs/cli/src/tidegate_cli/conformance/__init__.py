"""The rule book held against recorded days: every row within its limits, or explained."""
