"""The live stream: the log's news, read once and told to many."""
