"""What the gateway says and takes over HTTP, one file a subject."""
