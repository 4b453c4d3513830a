"""Renewals of simulated customers over years, and how well they are foretold."""
