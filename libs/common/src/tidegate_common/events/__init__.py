"""Wire contracts: frozen structs, and frozen dataclasses where nothing is hot."""
