"""What the gateway does: sign-in, the change feed, the fan-out to stream clients."""
