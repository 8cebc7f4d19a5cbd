"""Pure part of ingest: raw columns to integers, row checks, beats, and a synthetic market."""
