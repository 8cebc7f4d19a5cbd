"""Holds the portfolios and gates every order through the rule book and six layers."""
