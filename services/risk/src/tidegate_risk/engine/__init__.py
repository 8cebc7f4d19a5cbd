"""Risk without I/O: books, construction, validity and the six layers."""
