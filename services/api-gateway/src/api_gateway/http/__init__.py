"""Routes: decode, authenticate, call, encode."""
