"""What is known of the times in which things happen: holidays, what people said, and when quiet is no news. Pure."""
