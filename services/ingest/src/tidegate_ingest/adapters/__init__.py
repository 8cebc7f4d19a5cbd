"""Where ingest meets the outside: files of known layouts and generated markets, as feeds."""
