"""One bootstrap for every service."""
