"""Pure rules of the gateway: cursors, positions in the stream, sort orders, CSV."""
