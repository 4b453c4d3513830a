"""What is wrong with this installation: facts are gathered at the edges and judged by pure functions."""
