"""The pure part of the recorder: decoded batches to rows."""
