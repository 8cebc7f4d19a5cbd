"""PostgreSQL, Redis and snapshots."""
