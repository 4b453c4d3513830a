"""What every HTTP service answers alike."""
