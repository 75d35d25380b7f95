"""Motion data: clips made or read, mapped to a robot, checked, and joined into one motion file."""
