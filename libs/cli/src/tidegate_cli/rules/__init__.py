"""`tidegate rules`: the rule book, asked by people."""
