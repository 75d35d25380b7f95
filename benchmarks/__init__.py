"""Timings as ratios against a peer or a limit, side by side in one run: `make bench`."""
