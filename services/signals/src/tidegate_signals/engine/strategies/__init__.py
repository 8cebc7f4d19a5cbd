"""Strategies, one file each; `registry` knows them by kind."""
