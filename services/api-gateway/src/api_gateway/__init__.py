"""Serves figures, live changes and the dashboard."""
