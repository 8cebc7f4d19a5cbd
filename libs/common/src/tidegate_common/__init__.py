"""What every service shares: contracts, A-share rules, the bus, stores and the bootstrap."""
