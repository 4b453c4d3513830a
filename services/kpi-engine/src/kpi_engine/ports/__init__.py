"""What the engine needs of the outside."""
