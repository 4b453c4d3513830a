"""What the use cases need from outside, and what each error asks of the caller."""
