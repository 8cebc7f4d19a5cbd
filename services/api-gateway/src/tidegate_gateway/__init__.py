"""The HTTP and WebSocket edge: portfolios, orders, fills, decisions, control."""
