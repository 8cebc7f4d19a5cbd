"""Keeps indicators in arrays and turns tick frames into scores."""
