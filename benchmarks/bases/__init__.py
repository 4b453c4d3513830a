"""Simulated customer bases whose accounts leave, stay and recover for known reasons, and how well warnings foretell it."""
