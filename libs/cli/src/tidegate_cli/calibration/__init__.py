"""The synthetic market beside recorded ones: their statistics, and the document that compares."""
