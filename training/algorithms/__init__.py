"""Learning algorithms on top of rsl_rl."""
