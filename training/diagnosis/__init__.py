"""What a router does with its input, and why it does not learn if it does not."""
