"""The demo: the real stack, the story told through ingest, and somebody who receives the warnings."""
