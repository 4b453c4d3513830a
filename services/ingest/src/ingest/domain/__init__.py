"""Pure rules: what an event must be, how bodies are split and inflated, how Segment calls become events."""
