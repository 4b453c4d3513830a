"""Renewal risk: how likely a renewal is lost, and why. Pure."""
