"""What joins risk to the outside: the journal, the portfolio cache."""
