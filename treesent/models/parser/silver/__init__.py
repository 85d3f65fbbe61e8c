"""Silver trees: plain text parsed by a large teacher, for a small parser to learn from."""
