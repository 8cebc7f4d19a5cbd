"""Wire contracts: frozen dataclasses."""
