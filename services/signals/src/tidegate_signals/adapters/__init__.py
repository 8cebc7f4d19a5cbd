"""What signals reads from outside the bus."""
