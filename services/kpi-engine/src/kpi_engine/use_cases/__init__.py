"""What the engine does, step by step."""
