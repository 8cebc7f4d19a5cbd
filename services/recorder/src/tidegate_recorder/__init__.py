"""Projects the log into PostgreSQL and Parquet."""
